//! Authentication. API Gateway verifies the signature, the issuer and the times of a token; this module verifies the
//! other claims.

use eventpulse_core::id::OwnerId;
use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use http::request::Parts;

use crate::api_error::ApiError;
use crate::state::App;

/// The claims of a token with a verified signature, by name.
#[derive(Debug, Clone, Default)]
pub struct Claims(pub BTreeMap<String, String>);

/// The owner: the `sub` of an ID token that was issued for this API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner(pub OwnerId);

/// The verified e-mail address of the caller, or the error response that says why there is none.
#[derive(Debug, Clone, PartialEq)]
pub struct VerifiedEmail(pub Result<String, ApiError>);

impl Claims {
    /// Returns the e-mail address if Cognito verified it before it issued the token. API Gateway passes `true` as text.
    #[must_use]
    pub fn verified_email(&self) -> VerifiedEmail {
        let claim = |name: &str| self.0.get(name).map(String::as_str).unwrap_or_default();
        let remedy = "Verify one, sign in again, and send the new token.";
        VerifiedEmail(match (claim("email"), claim("email_verified")) {
            ("", _) => Err(ApiError::conflict(format!("Your account has no e-mail address. {remedy}"))),
            (email, "true") => Ok(email.to_owned()),
            (email, _) => Err(ApiError::conflict(format!(
                "The e-mail address of your account, {email}, is not verified. {remedy}"
            ))),
        })
    }

    /// Returns the owner if these are claims of an ID token of this issuer for this client
    /// ([verifying tokens](https://docs.aws.amazon.com/cognito/latest/developerguide/amazon-cognito-user-pools-using-tokens-verifying-a-jwt.html)).
    ///
    /// # Errors
    /// Returns a 401 for any other token.
    pub fn owner(&self, issuer: &str, client_id: &str) -> Result<Owner, ApiError> {
        let claim = |name: &str| self.0.get(name).map(String::as_str).unwrap_or_default();
        if claim("token_use") != "id" {
            return Err(ApiError::unauthorized(
                "The token is not an ID token. Sign in, and send the ID token, not the access token.",
            ));
        }
        if claim("iss") != issuer || claim("aud") != client_id {
            return Err(ApiError::unauthorized(
                "The token was issued for another application. GET /health says how to sign in.",
            ));
        }
        match claim("sub") {
            "" => Err(ApiError::unauthorized("The token has no subject. Sign in again.")),
            sub => match OwnerId::parse(sub) {
                Ok(owner) => Ok(Owner(owner)),
                Err(_) => Err(ApiError::unauthorized("The token's subject is not an owner id. Sign in again.")),
            },
        }
    }
}

impl Owner {
    /// Checks that the operator did not end the owner's access: a token outlives its user by up to an hour.
    ///
    /// # Errors
    /// Returns 403 if the owner is offboarded.
    pub(crate) async fn require_active(&self, app: &App) -> Result<(), ApiError> {
        let keys = app.keys.as_ref().ok_or_else(ApiError::internal)?;
        if keys.store().is_offboarded(&self.0).await? { Err(ApiError::offboarded()) } else { Ok(()) }
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

impl FromRequestParts<Arc<App>> for VerifiedEmail {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &Arc<App>) -> Result<Self, ApiError> {
        Ok(parts.extensions.get::<Claims>().cloned().unwrap_or_default().verified_email())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn owner_is_the_subject_of_an_id_token_for_this_client() {
        let valid = [("token_use", "id"), ("iss", "pool"), ("aud", "client"), ("sub", "u1")];
        let claims = |changed: (&str, &str)| {
            let mut claims: BTreeMap<String, String> =
                valid.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
            claims.insert(changed.0.to_owned(), changed.1.to_owned());
            Claims(claims)
        };
        assert_eq!(claims(("sub", "u1")).owner("pool", "client"), Ok(Owner("u1".parse().unwrap())));
        for invalid in [("token_use", "access"), ("iss", "other"), ("aud", "other"), ("sub", ""), ("token_use", "")] {
            let error = claims(invalid).owner("pool", "client").unwrap_err();
            assert_eq!(error.status(), 401, "{invalid:?}");
        }
        assert!(Claims::default().owner("", "").is_err(), "no claims");
    }

    #[test]
    fn email_is_returned_only_if_it_is_verified() {
        for (name, email, verified, expected) in [
            ("verified", Some("ann+1@example.com"), Some("true"), Ok("ann+1@example.com")),
            ("not verified", Some("ann@example.com"), Some("false"), Err("is not verified")),
            ("without the claim", Some("ann@example.com"), None, Err("is not verified")),
            ("other capitals", Some("ann@example.com"), Some("True"), Err("is not verified")),
            ("no address", None, Some("true"), Err("has no e-mail address")),
            ("empty", Some(""), Some("true"), Err("has no e-mail address")),
        ] {
            let claims = [("email", email), ("email_verified", verified)];
            let claims = claims.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned())));
            match (Claims(claims.collect()).verified_email().0, expected) {
                (Ok(address), Ok(expected)) => assert_eq!(address, expected, "{name}"),
                (Err(error), Err(expected)) => {
                    assert_eq!(error.status(), 409, "{name}");
                    assert!(serde_json::to_string(&error).unwrap().contains(expected), "{name}: {error:?}");
                }
                (address, _) => panic!("{name}: {address:?}"),
            }
        }
    }
}
