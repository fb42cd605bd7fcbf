//! The user pool, as its administrator.

use serde_json::{Value, json};

use super::signed::Aws;
use crate::client::error::ClientError;

/// The user pool of a stack.
pub struct UserPool<'a> {
    aws: &'a Aws,
    id: String,
}

/// A user of the pool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PoolUser {
    /// Cognito's name of the user.
    pub username: String,
    /// The owner: Cognito's `sub`.
    pub owner: String,
}

/// The way to find a user.
#[derive(Debug, Clone, Copy)]
pub enum Who<'a> {
    /// By the owner, Cognito's `sub`.
    Owner(&'a str),
    /// By the e-mail address.
    Email(&'a str),
}

impl<'a> UserPool<'a> {
    /// Creates the access to the pool of this id.
    #[must_use]
    pub fn new(aws: &'a Aws, id: String) -> Self {
        Self { aws, id }
    }

    /// Finds a user
    /// ([ListUsers](https://docs.aws.amazon.com/cognito-user-identity-pools/latest/APIReference/API_ListUsers.html)).
    /// Returns `None` if there is none, or it was deleted.
    ///
    /// # Errors
    /// Fails if Cognito refuses, or several users have the e-mail address.
    pub async fn find(&self, who: Who<'_>) -> Result<Option<PoolUser>, ClientError> {
        let (attribute, value) = match who {
            Who::Owner(sub) => ("sub", sub),
            Who::Email(email) => ("email", email),
        };
        let answer = self.call("ListUsers", json!({ "Filter": filter(attribute, value), "Limit": 2 })).await?;
        match answer["Users"].as_array().map_or(&[][..], Vec::as_slice) {
            [] => Ok(None),
            [user] => Ok(Some(pool_user(user)?)),
            _ => Err(ClientError::Other(format!("several users have the e-mail address {value}: give the owner id"))),
        }
    }

    /// Disables a user, and ends the sign-ins: nobody can get a new token. Issued tokens stay valid until they expire.
    ///
    /// # Errors
    /// Fails if Cognito refuses.
    pub async fn disable(&self, username: &str) -> Result<(), ClientError> {
        self.call("AdminDisableUser", json!({ "Username": username })).await?;
        self.call("AdminUserGlobalSignOut", json!({ "Username": username })).await.map(drop)
    }

    /// Enables a user.
    ///
    /// # Errors
    /// Fails if Cognito refuses.
    pub async fn enable(&self, username: &str) -> Result<(), ClientError> {
        self.call("AdminEnableUser", json!({ "Username": username })).await.map(drop)
    }

    async fn call(&self, operation: &str, mut input: Value) -> Result<Value, ClientError> {
        input["UserPoolId"] = json!(self.id);
        let target = format!("AWSCognitoIdentityProviderService.{operation}");
        let headers = [("content-type", "application/x-amz-json-1.1"), ("x-amz-target", target.as_str())];
        let answer = self.aws.call("cognito-idp", &headers, input.to_string().into_bytes()).await?;
        if answer.status.is_success() {
            Ok(serde_json::from_slice(&answer.body).unwrap_or_default())
        } else {
            Err(ClientError::problem(answer.status, &answer.body))
        }
    }
}

/// Returns a filter of `ListUsers`. Quotes in the value are escaped.
fn filter(attribute: &str, value: &str) -> String {
    format!("{attribute} = \"{}\"", value.replace('\\', "\\\\").replace('"', "\\\""))
}

fn pool_user(user: &Value) -> Result<PoolUser, ClientError> {
    let unreadable = || ClientError::Other("Cognito's answer names no user: try again".to_owned());
    let attributes = user["Attributes"].as_array().map_or(&[][..], Vec::as_slice);
    let sub = attributes.iter().find(|attribute| attribute["Name"] == "sub");
    let owner = sub.and_then(|attribute| attribute["Value"].as_str()).ok_or_else(unreadable)?.to_owned();
    Ok(PoolUser { username: user["Username"].as_str().ok_or_else(unreadable)?.to_owned(), owner })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_escape_quotes() {
        assert_eq!(filter("email", "ann+1@example.com"), "email = \"ann+1@example.com\"");
        assert_eq!(filter("email", r#"a"b\@x"#), r#"email = "a\"b\\@x""#);
    }

    #[test]
    fn a_user_has_a_name_and_a_subject() {
        let user = json!({ "Username": "ann", "Attributes": [
            { "Name": "email", "Value": "ann@example.com" }, { "Name": "sub", "Value": "0a1b" } ] });
        assert_eq!(pool_user(&user).unwrap(), PoolUser { username: "ann".to_owned(), owner: "0a1b".to_owned() });
        assert!(pool_user(&json!({ "Username": "ann" })).is_err());
    }
}
