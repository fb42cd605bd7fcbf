//! Who asks. API Gateway has checked the token's signature, issuer and times; what it does not check is checked here.

use eventpulse_core::id::OwnerId;
use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use http::request::Parts;

use crate::problem::ApiError;
use crate::state::App;

/// The claims of a token whose signature was checked, by name.
#[derive(Debug, Clone, Default)]
pub struct Claims(pub BTreeMap<String, String>);

/// The tenant: the `sub` of an ID token that was made for this API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner(pub OwnerId);

/// The e-mail address of who asks, if it is verified, or why there is none.
#[derive(Debug, Clone, PartialEq)]
pub struct Address(pub Result<String, ApiError>);

impl Claims {
    /// The e-mail address, if Cognito knows that whoever signs in reads its mails. A token tells what was so when it was
    /// made; API Gateway hands its `true` on as text.
    #[must_use]
    pub fn address(&self) -> Address {
        let claim = |name: &str| self.0.get(name).map(String::as_str).unwrap_or_default();
        let what_to_do = "Have one verified, sign in again, and send the new token.";
        Address(match (claim("email"), claim("email_verified")) {
            ("", _) => Err(ApiError::conflict(format!("Your account has no e-mail address. {what_to_do}"))),
            (email, "true") => Ok(email.to_owned()),
            (email, _) => Err(ApiError::conflict(format!(
                "The e-mail address of your account, {email}, is not verified. {what_to_do}"
            ))),
        })
    }

    /// The owner, if these are claims of an ID token of this issuer, made for this client
    /// ([verifying tokens](https://docs.aws.amazon.com/cognito/latest/developerguide/amazon-cognito-user-pools-using-tokens-verifying-a-jwt.html)).
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn owner(&self, issuer: &str, client_id: &str) -> Result<Owner, ApiError> {
        let claim = |name: &str| self.0.get(name).map(String::as_str).unwrap_or_default();
        if claim("token_use") != "id" {
            return Err(ApiError::unauthorized(
                "This is not an ID token. Sign in, and send the ID token, not the access token.",
            ));
        }
        if claim("iss") != issuer || claim("aud") != client_id {
            return Err(ApiError::unauthorized(
                "The token was made for another application. Sign in as GET /health tells.",
            ));
        }
        match claim("sub") {
            "" => Err(ApiError::unauthorized("The token names nobody. Sign in again.")),
            sub => match OwnerId::parse(sub) {
                Ok(owner) => Ok(Owner(owner)),
                Err(_) => Err(ApiError::unauthorized("The token's subject is not an owner id. Sign in again.")),
            },
        }
    }
}

impl FromRequestParts<Arc<App>> for Owner {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, ApiError> {
        let Some(claims) = parts.extensions.get::<Claims>() else {
            return Err(ApiError::unauthorized("Sign in, and send the ID token in the header Authorization."));
        };
        claims.owner(&app.config.user_pool_issuer, &app.config.user_pool_client_id)
    }
}

impl FromRequestParts<Arc<App>> for Address {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &Arc<App>) -> Result<Self, ApiError> {
        Ok(parts.extensions.get::<Claims>().cloned().unwrap_or_default().address())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_id_token_of_this_pool_and_client_names_an_owner() {
        let sound = [("token_use", "id"), ("iss", "pool"), ("aud", "client"), ("sub", "u1")];
        let claims = |changed: (&str, &str)| {
            let mut claims: BTreeMap<String, String> =
                sound.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
            claims.insert(changed.0.to_owned(), changed.1.to_owned());
            Claims(claims)
        };
        assert_eq!(claims(("sub", "u1")).owner("pool", "client"), Ok(Owner("u1".parse().unwrap())));
        for wrong in [("token_use", "access"), ("iss", "other"), ("aud", "other"), ("sub", ""), ("token_use", "")] {
            let problem = claims(wrong).owner("pool", "client").unwrap_err();
            assert_eq!(problem.status(), 401, "{wrong:?}");
        }
        assert!(Claims::default().owner("", "").is_err(), "no claims at all");
    }

    #[test]
    fn only_a_verified_address_is_mailed() {
        for (name, email, verified, expected) in [
            ("verified", Some("ann+1@example.com"), Some("true"), Ok("ann+1@example.com")),
            ("not verified", Some("ann@example.com"), Some("false"), Err("is not verified")),
            ("nothing said", Some("ann@example.com"), None, Err("is not verified")),
            ("another word", Some("ann@example.com"), Some("True"), Err("is not verified")),
            ("none", None, Some("true"), Err("has no e-mail address")),
            ("empty", Some(""), Some("true"), Err("has no e-mail address")),
        ] {
            let claims = [("email", email), ("email_verified", verified)];
            let claims = claims.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned())));
            match (Claims(claims.collect()).address().0, expected) {
                (Ok(address), Ok(expected)) => assert_eq!(address, expected, "{name}"),
                (Err(problem), Err(says)) => {
                    assert_eq!(problem.status(), 409, "{name}");
                    assert!(serde_json::to_string(&problem).unwrap().contains(says), "{name}: {problem:?}");
                }
                (address, _) => panic!("{name}: {address:?}"),
            }
        }
    }
}
