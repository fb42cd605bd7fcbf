//! Who asks. API Gateway has checked the token's signature, issuer and times; what it does not check is checked here.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use http::request::Parts;

use crate::problem::Problem;
use crate::state::App;

/// The claims of a token whose signature was checked, by name.
#[derive(Debug, Clone, Default)]
pub struct Claims(pub BTreeMap<String, String>);

/// The tenant: the `sub` of an ID token that was made for this API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner(pub String);

impl Claims {
    /// The owner, if these are claims of an ID token of this issuer, made for this client
    /// ([verifying tokens](https://docs.aws.amazon.com/cognito/latest/developerguide/amazon-cognito-user-pools-using-tokens-verifying-a-jwt.html)).
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn owner(&self, issuer: &str, client_id: &str) -> Result<Owner, Problem> {
        let claim = |name: &str| self.0.get(name).map(String::as_str).unwrap_or_default();
        if claim("token_use") != "id" {
            return Err(Problem::unauthorized(
                "This is not an ID token. Sign in, and send the ID token, not the access token.",
            ));
        }
        if claim("iss") != issuer || claim("aud") != client_id {
            return Err(Problem::unauthorized(
                "The token was made for another application. Sign in as GET /health tells.",
            ));
        }
        match claim("sub") {
            "" => Err(Problem::unauthorized("The token names nobody. Sign in again.")),
            owner => Ok(Owner(owner.to_owned())),
        }
    }
}

impl FromRequestParts<Arc<App>> for Owner {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Problem> {
        let Some(claims) = parts.extensions.get::<Claims>() else {
            return Err(Problem::unauthorized("Sign in, and send the ID token in the header Authorization."));
        };
        claims.owner(&app.config.user_pool_issuer, &app.config.user_pool_client_id)
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
        assert_eq!(claims(("sub", "u1")).owner("pool", "client"), Ok(Owner("u1".to_owned())));
        for wrong in [("token_use", "access"), ("iss", "other"), ("aud", "other"), ("sub", ""), ("token_use", "")] {
            let problem = claims(wrong).owner("pool", "client").unwrap_err();
            assert_eq!(problem.status(), 401, "{wrong:?}");
        }
        assert!(Claims::default().owner("", "").is_err(), "no claims at all");
    }
}
