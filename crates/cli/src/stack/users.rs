//! Users in the user pool of the stack.

use std::collections::BTreeMap;
use std::process::Stdio;

use serde_json::json;
use tokio::io::AsyncWriteExt as _;

use super::{error::StackError, running::Stack};

/// The password of every user of a local stack. It is valid nowhere else.
pub const PASSWORD: &str = "Local-stack-1";

impl Stack {
    /// Creates users with [`PASSWORD`], unless they exist. Returns the owner (Cognito's `sub`) of each name.
    ///
    /// # Errors
    /// [`StackError::Outputs`] if the user pool refuses.
    pub async fn add_users(&self, names: &[String]) -> Result<BTreeMap<String, String>, StackError> {
        self.create_users(names, &[]).await
    }

    /// Invites a user. At the first sign-in, the user must replace [`PASSWORD`] with another password.
    ///
    /// # Errors
    /// [`StackError::Outputs`] if the user pool refuses.
    pub async fn invite_user(&self, name: &str) -> Result<(), StackError> {
        self.create_users(&[name.to_owned()], &["--invite"]).await.map(drop)
    }

    async fn create_users(&self, names: &[String], options: &[&str]) -> Result<BTreeMap<String, String>, StackError> {
        let wanted: BTreeMap<&str, &str> = names.iter().map(|name| (name.as_str(), PASSWORD)).collect();
        let script = self.root.join("local/users.py");
        let failed = |detail: String| StackError::Outputs { detail: format!("local/users.py: {detail}") };
        let pool = self.outputs.get("UserPoolId").ok_or_else(|| failed("the stack has no user pool".to_owned()))?;
        let mut command = self.python();
        command.arg(&script).arg(pool).args(options);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(StackError::io("run", &script))?;
        if let Some(mut input) = child.stdin.take() {
            let names = json!(wanted).to_string();
            input.write_all(names.as_bytes()).await.map_err(StackError::io("write to", &script))?;
        }
        let output = child.wait_with_output().await.map_err(StackError::io("run", &script))?;
        serde_json::from_slice(&output.stdout).map_err(|_| failed(String::from_utf8_lossy(&output.stderr).into_owned()))
    }
}
