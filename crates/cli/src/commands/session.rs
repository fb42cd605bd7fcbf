//! `eventpulse login` and `eventpulse logout`.

use std::io::{IsTerminal as _, Read as _, Write as _};

use serde_json::json;

use super::output::{CommandResult, Global, show};
use crate::client::error::ClientError;
use crate::client::http::http_client;
use crate::client::profile;
use crate::client::retry::Retrier;
use crate::client::sign_in::{self, Prompt};

/// The arguments of `eventpulse login`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The URL of the API: the stack's output ApiUrl.
    #[arg(long, value_name = "URL")]
    pub api: String,
    /// The e-mail address of the user. Prompts for it by default.
    #[arg(long)]
    pub username: Option<String>,
    /// Read the password from standard input instead of prompting for it.
    #[arg(long)]
    pub password_stdin: bool,
}

/// Signs in and stores the tokens.
///
/// # Errors
/// Fails when the API or Cognito cannot be reached or refuses.
pub async fn login(args: &Args, global: &Global) -> Result<CommandResult, ClientError> {
    let path = profile::path(global.profile.clone())?;
    let (http, retrier) = (http_client()?, Retrier::default());
    let api = args.api.trim_end_matches('/');
    let found = sign_in::discover(&http, &retrier, api).await?;
    let username = match &args.username {
        Some(username) => username.clone(),
        None => ask("E-mail address: ")?,
    };
    let password = if args.password_stdin {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).map_err(|error| ClientError::Other(error.to_string()))?;
        text.lines().next().unwrap_or_default().to_owned()
    } else {
        secret("Password: ")?
    };
    let mut prompt = |prompt: Prompt| match prompt {
        Prompt::NewPassword => secret("New password: "),
        Prompt::AuthenticatorCode => ask("Authenticator code: "),
    };
    let signed_in = sign_in::sign_in(&http, &retrier, api, &found, &username, &password, &mut prompt).await?;
    profile::save(&path, &signed_in)?;
    let answer = json!({ "api": api, "username": username, "profile": path });
    show(global, &answer, || format!("Signed in to {api} as {username}.\n"));
    Ok(CommandResult::Success)
}

/// Deletes the tokens.
///
/// # Errors
/// Fails when the file cannot be deleted.
pub fn logout(global: &Global) -> Result<CommandResult, ClientError> {
    let path = profile::path(global.profile.clone())?;
    profile::remove(&path)?;
    show(global, &json!({ "profile": path }), || "Signed out.\n".to_owned());
    Ok(CommandResult::Success)
}

fn ask(what: &str) -> Result<String, ClientError> {
    let failed = |error: std::io::Error| ClientError::Other(error.to_string());
    if !std::io::stdin().is_terminal() {
        return Err(ClientError::Other(format!(
            "cannot prompt for {} without a terminal",
            what.trim_end_matches(": ")
        )));
    }
    eprint!("{what}");
    std::io::stderr().flush().map_err(failed)?;
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).map_err(failed)?;
    Ok(line.trim().to_owned())
}

fn secret(what: &str) -> Result<String, ClientError> {
    rpassword::prompt_password(what)
        .map_err(|error| ClientError::Other(format!("cannot prompt for the password ({error}): use --password-stdin")))
}
