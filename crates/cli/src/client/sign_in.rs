//! Sign-in to Cognito's user pool by plain HTTP: three calls do not need the SDK.
//!
//! See [InitiateAuth](https://docs.aws.amazon.com/cognito-user-identity-pools/latest/APIReference/API_InitiateAuth.html)
//! and [RespondToAuthChallenge](https://docs.aws.amazon.com/cognito-user-identity-pools/latest/APIReference/API_RespondToAuthChallenge.html).

use reqwest::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::error::ClientError;
use super::http::{CALL, now};
use super::profile::Profile;
use super::retry::{Failed, Failure, Retrier, Safety};

/// The maximum number of attempts at an authenticator code.
const CODES: u32 = 3;
/// The maximum number of attempts at a new password that the user pool refuses.
const NEW_PASSWORDS: u32 = 3;
/// The maximum number of challenges in one sign-in.
const CHALLENGES: u32 = 10;

/// The user pool of an API.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct SignIn {
    /// The URL of Cognito.
    pub endpoint: String,
    /// The client of the user pool.
    pub client_id: String,
}

/// A prompt during sign-in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Prompt {
    /// A new password, in place of the administrator's temporary one. Repeated when it is too weak.
    NewPassword,
    /// The code of the authenticator app. Repeated when it is wrong.
    AuthenticatorCode,
}

/// Asks the API for its user pool.
///
/// # Errors
/// Fails when the API cannot be reached, or is not an EventPulse API.
pub async fn discover(http: &reqwest::Client, retrier: &Retrier, api: &str) -> Result<SignIn, ClientError> {
    let api = api.trim_end_matches('/');
    if !api.starts_with("https://") && !api.starts_with("http://") {
        return Err(ClientError::Other(format!("{api} is not a URL: give one that begins with https://")));
    }
    let url = format!("{api}/health");
    let mut attempts = retrier.begin(Safety::Repeatable);
    let body = loop {
        match health(http, &url).await {
            Ok(body) => break body,
            Err(failed) => attempts.after(failed).await?,
        }
    };
    let mut health: Value = serde_json::from_slice(&body).unwrap_or_default();
    let found: SignIn = serde_json::from_value(health["sign_in"].take())
        .map_err(|_| ClientError::Other(format!("{url} names no user pool: is {api} the stack's ApiUrl?")))?;
    // The password is not sent in the clear on the word of an API that is itself reached safely.
    if api.starts_with("https://") && !found.endpoint.starts_with("https://") {
        return Err(ClientError::Other(format!(
            "{} is not an https:// URL: no password is sent there",
            found.endpoint
        )));
    }
    Ok(found)
}

/// Makes one attempt at `GET /health`.
async fn health(http: &reqwest::Client, url: &str) -> Result<Vec<u8>, Failed> {
    let without_answer = |error| Failed::without_answer(url, error);
    let answer = http.get(url).timeout(CALL).send().await.map_err(without_answer)?;
    let (status, failure) = (answer.status(), Failure::of_answer(answer.status().as_u16(), answer.headers()));
    let body = answer.bytes().await.map_err(without_answer)?;
    if status.is_success() {
        return Ok(body.to_vec());
    }
    Err(Failed { error: ClientError::problem(status, &body), failure })
}

/// Signs a user in. Calls `ask` for everything that Cognito requests besides the password.
///
/// # Errors
/// Fails when Cognito cannot be reached or refuses, and when `ask` fails.
pub async fn sign_in(
    http: &reqwest::Client,
    retrier: &Retrier,
    api: &str,
    at: &SignIn,
    username: &str,
    password: &str,
    ask: &mut dyn FnMut(Prompt) -> Result<String, ClientError>,
) -> Result<Profile, ClientError> {
    let request = json!({
        "AuthFlow": "USER_PASSWORD_AUTH",
        "ClientId": at.client_id,
        "AuthParameters": { "USERNAME": username, "PASSWORD": password },
    });
    let mut answer = match call(http, retrier, &at.endpoint, "InitiateAuth", &request).await? {
        Reply::Success(answer) => answer,
        Reply::Refused(refusal) => return Err(refusal.of_sign_in()),
    };
    for _ in 0..CHALLENGES {
        if !answer["AuthenticationResult"].is_null() {
            let mut profile = Profile {
                api: api.trim_end_matches('/').to_owned(),
                endpoint: at.endpoint.clone(),
                client_id: at.client_id.clone(),
                username: username.to_owned(),
                id_token: String::new(),
                refresh_token: String::new(),
                expires_at: 0,
            };
            take_tokens(&mut profile, &answer["AuthenticationResult"])?;
            return Ok(profile);
        }
        answer = respond(http, retrier, at, username, &answer, ask).await?;
    }
    Err(ClientError::Other("Cognito sends too many challenges: sign in again".to_owned()))
}

/// Answers one challenge.
async fn respond(
    http: &reqwest::Client,
    retrier: &Retrier,
    at: &SignIn,
    username: &str,
    challenge: &Value,
    ask: &mut dyn FnMut(Prompt) -> Result<String, ClientError>,
) -> Result<Value, ClientError> {
    let name = challenge["ChallengeName"].as_str().unwrap_or_default();
    let (prompt, member, wrong, tries) = match name {
        "NEW_PASSWORD_REQUIRED" => {
            (Prompt::NewPassword, "NEW_PASSWORD", &["InvalidPasswordException"][..], NEW_PASSWORDS)
        }
        "SOFTWARE_TOKEN_MFA" => (
            Prompt::AuthenticatorCode,
            "SOFTWARE_TOKEN_MFA_CODE",
            &["CodeMismatchException", "ExpiredCodeException", "EnableSoftwareTokenMFAException"][..],
            CODES,
        ),
        "" => return Err(ClientError::Other("Cognito's answer has neither tokens nor a challenge".to_owned())),
        other => {
            return Err(ClientError::Other(format!("Cognito requires {other}, which this command does not support")));
        }
    };
    // Cognito's own name of the user, who may have signed in by an e-mail address.
    let user = challenge["ChallengeParameters"]["USER_ID_FOR_SRP"].as_str().unwrap_or(username);
    let mut last = 1;
    loop {
        let mut request = json!({
            "ChallengeName": name,
            "ClientId": at.client_id,
            "Session": challenge["Session"],
            "ChallengeResponses": { "USERNAME": user },
        });
        request["ChallengeResponses"][member] = ask(prompt)?.into();
        match call(http, retrier, &at.endpoint, "RespondToAuthChallenge", &request).await? {
            Reply::Success(answer) => return Ok(answer),
            Reply::Refused(refusal) if wrong.contains(&refusal.kind.as_str()) && last < tries => last += 1,
            Reply::Refused(refusal) => return Err(refusal.of_challenge(prompt)),
        }
    }
}

/// Renews the ID token of a profile.
///
/// # Errors
/// Fails when Cognito cannot be reached. Returns [`ClientError::SignedOut`] when the user has to sign in again.
pub async fn refresh(http: &reqwest::Client, retrier: &Retrier, profile: &Profile) -> Result<Profile, ClientError> {
    let request = json!({
        "AuthFlow": "REFRESH_TOKEN_AUTH",
        "ClientId": profile.client_id,
        "AuthParameters": { "REFRESH_TOKEN": profile.refresh_token },
    });
    let answer = match call(http, retrier, &profile.endpoint, "InitiateAuth", &request).await? {
        Reply::Success(answer) => answer,
        Reply::Refused(refusal) => return Err(refusal.of_refresh(profile)),
    };
    let mut profile = profile.clone();
    take_tokens(&mut profile, &answer["AuthenticationResult"])?;
    Ok(profile)
}

/// Stores new tokens. After a renewal, Cognito returns a refresh token only if it rotates it.
fn take_tokens(profile: &mut Profile, result: &Value) -> Result<(), ClientError> {
    let Some(id_token) = result["IdToken"].as_str() else {
        return Err(ClientError::Other("Cognito returned no ID token".to_owned()));
    };
    profile.id_token = id_token.to_owned();
    if let Some(refresh_token) = result["RefreshToken"].as_str() {
        profile.refresh_token = refresh_token.to_owned();
    }
    profile.expires_at = now() + result["ExpiresIn"].as_i64().unwrap_or(0);
    Ok(())
}

/// The reply of Cognito to a call.
enum Reply {
    Success(Value),
    Refused(Refusal),
}

/// A refusal of Cognito.
struct Refusal {
    status: StatusCode,
    /// Such as `NotAuthorizedException`.
    kind: String,
    message: String,
}

impl Refusal {
    fn of_sign_in(self) -> ClientError {
        match self.kind.as_str() {
            "UserNotFoundException" => ClientError::SignedOut("wrong e-mail address or password".to_owned()),
            // Also for a disabled user, and after too many attempts.
            "NotAuthorizedException" if self.message.contains("Incorrect username or password") => {
                ClientError::SignedOut("wrong e-mail address or password".to_owned())
            }
            "NotAuthorizedException" => {
                ClientError::SignedOut(format!("wrong e-mail address or password (Cognito says: {})", self.message))
            }
            "PasswordResetRequiredException" => {
                ClientError::SignedOut("an administrator has reset this password: ask for a new one".to_owned())
            }
            "UserNotConfirmedException" => ClientError::SignedOut("this user is not confirmed yet".to_owned()),
            _ => self.other(),
        }
    }

    fn of_challenge(self, prompt: Prompt) -> ClientError {
        match (self.kind.as_str(), prompt) {
            ("CodeMismatchException" | "ExpiredCodeException" | "EnableSoftwareTokenMFAException", _) => {
                ClientError::SignedOut(format!("the code was wrong {CODES} times: sign in again"))
            }
            ("InvalidPasswordException", _) => {
                ClientError::SignedOut(format!("the user pool refuses this password: {}", self.message))
            }
            ("NotAuthorizedException", Prompt::AuthenticatorCode) => {
                ClientError::SignedOut(format!("the code has expired: sign in again (Cognito says: {})", self.message))
            }
            _ => self.of_sign_in(),
        }
    }

    fn of_refresh(self, profile: &Profile) -> ClientError {
        match self.kind.as_str() {
            "NotAuthorizedException" | "UserNotFoundException" | "PasswordResetRequiredException" => {
                let Profile { api, username, .. } = profile;
                ClientError::SignedOut(format!("{username} is no longer signed in: eventpulse login --api {api}"))
            }
            _ => self.other(),
        }
    }

    fn other(self) -> ClientError {
        let title = match self.kind.as_str() {
            "ResourceNotFoundException" => "Cognito does not know this user pool's client".to_owned(),
            "TooManyRequestsException" | "LimitExceededException" => "Cognito receives too many requests".to_owned(),
            "" => "Cognito refused".to_owned(),
            kind => format!("Cognito refused: {kind}"),
        };
        ClientError::Problem { status: self.status.as_u16(), title, detail: self.message, errors: Vec::new() }
    }
}

/// Calls Cognito. The answer to a challenge is valid once, so only the other calls are repeated after an unknown outcome.
async fn call(
    http: &reqwest::Client,
    retrier: &Retrier,
    endpoint: &str,
    operation: &str,
    request: &Value,
) -> Result<Reply, ClientError> {
    let safety = if operation == "InitiateAuth" { Safety::Repeatable } else { Safety::Once };
    let mut attempts = retrier.begin(safety);
    loop {
        match attempt(http, endpoint, operation, request).await {
            Ok(reply) => return Ok(reply),
            Err(failed) => attempts.after(failed).await?,
        }
    }
}

/// Makes one attempt at a call of Cognito.
async fn attempt(http: &reqwest::Client, endpoint: &str, operation: &str, request: &Value) -> Result<Reply, Failed> {
    let without_answer = |error| Failed::without_answer(endpoint, error);
    let post = http.post(endpoint).timeout(CALL).header("content-type", "application/x-amz-json-1.1");
    let post = post.header("x-amz-target", format!("AWSCognitoIdentityProviderService.{operation}"));
    let answer = post.body(request.to_string()).send().await.map_err(without_answer)?;
    let (status, failure) = (answer.status(), Failure::of_answer(answer.status().as_u16(), answer.headers()));
    let body = answer.bytes().await.map_err(without_answer)?;
    match (failure, reply(status, &body)) {
        (Some(failure), Reply::Refused(refusal)) => Err(Failed { error: refusal.other(), failure: Some(failure) }),
        (_, reply) => Ok(reply),
    }
}

/// Reads an answer of Cognito.
fn reply(status: StatusCode, body: &[u8]) -> Reply {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    if status.is_success() {
        return Reply::Success(body);
    }
    let text = |member: &str| body[member].as_str().map(str::to_owned);
    let kind = text("__type").unwrap_or_default();
    let kind = kind.rsplit('#').next().unwrap_or_default().to_owned();
    let message = text("message").or_else(|| text("Message")).unwrap_or_default();
    Reply::Refused(Refusal { status, kind, message })
}
