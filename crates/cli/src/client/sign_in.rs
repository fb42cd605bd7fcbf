//! Signing in: [Cognito's](https://docs.aws.amazon.com/cognito-user-identity-pools/latest/APIReference/API_InitiateAuth.html)
//! calls that take no AWS credentials, as plain HTTP.

use eventpulse_aws::clock;
use serde_json::{Value, json};

use super::api::ClientError;
use super::profile::Profile;

/// How often a wrong code may be given.
const CODE_ATTEMPTS: u32 = 3;
/// How many challenges may follow each other.
const MAX_CHALLENGES: u32 = 6;

/// Where to sign in, and as which client of the user pool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignIn {
    /// Where Cognito answers.
    pub endpoint: String,
    /// The client.
    pub client_id: String,
}

/// What Cognito wants to know besides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Prompt {
    /// A password of one's own: that of the invitation is used up.
    NewPassword,
    /// The code that an authenticator shows.
    Code,
}

/// Asks the API where to sign in.
///
/// # Errors
/// When it does not answer as EventPulse does.
pub async fn discover(http: &reqwest::Client, api: &str) -> Result<SignIn, ClientError> {
    let url = format!("{api}/health");
    let unreachable = |source| ClientError::unreachable(&url, source);
    let answer = http.get(&url).send().await.map_err(unreachable)?;
    let health: Value = serde_json::from_slice(&answer.bytes().await.map_err(unreachable)?).unwrap_or_default();
    let member = |name: &str| health["sign_in"][name].as_str().map(str::to_owned);
    match (member("endpoint"), member("client_id")) {
        (Some(endpoint), Some(client_id)) => Ok(SignIn { endpoint, client_id }),
        _ => Err(ClientError::Other(format!("{url} does not answer as EventPulse does: is that the stack's ApiUrl?"))),
    }
}

/// Signs in. `prompt` is asked for what Cognito wants to know besides.
///
/// # Errors
/// When Cognito does not answer, or refuses.
pub async fn sign_in(
    http: &reqwest::Client,
    api: &str,
    sign_in: &SignIn,
    username: &str,
    password: &str,
    prompt: &mut dyn FnMut(Prompt) -> Result<String, ClientError>,
) -> Result<Profile, ClientError> {
    let SignIn { endpoint, client_id } = sign_in;
    let request = json!({ "AuthFlow": "USER_PASSWORD_AUTH", "ClientId": client_id,
        "AuthParameters": { "USERNAME": username, "PASSWORD": password } });
    let mut answer = call(http, endpoint, "InitiateAuth", &request).await?;
    let (mut challenges, mut wrong_codes) = (0, 0);
    while let Some(challenge) = answer["ChallengeName"].as_str() {
        challenges += 1;
        let (member, wanted) = match challenge {
            "NEW_PASSWORD_REQUIRED" => ("NEW_PASSWORD", Prompt::NewPassword),
            "SOFTWARE_TOKEN_MFA" => ("SOFTWARE_TOKEN_MFA_CODE", Prompt::Code),
            other => return Err(ClientError::SignedOut(format!("Cognito asks for {other}, which is not known here"))),
        };
        if challenges > MAX_CHALLENGES {
            return Err(ClientError::SignedOut("Cognito asks for more and more: sign in again".to_owned()));
        }
        let name = answer["ChallengeParameters"]["USER_ID_FOR_SRP"].as_str().unwrap_or(username).to_owned();
        let request = json!({ "ChallengeName": challenge, "ClientId": client_id, "Session": answer["Session"],
            "ChallengeResponses": { "USERNAME": name, member: prompt(wanted)? } });
        answer = match call(http, endpoint, "RespondToAuthChallenge", &request).await {
            Err(ClientError::SignedOut(why)) if wanted == Prompt::Code && wrong_codes + 1 < CODE_ATTEMPTS => {
                wrong_codes += 1;
                eprintln!("{why}; once more");
                answer
            }
            answered => answered?,
        };
    }
    let profile = Profile {
        api: api.to_owned(),
        endpoint: endpoint.clone(),
        client_id: client_id.clone(),
        username: username.to_owned(),
        id_token: String::new(),
        refresh_token: String::new(),
        expires_at: 0,
    };
    with_tokens(profile, &answer)
}

/// Gets a new ID token.
///
/// # Errors
/// When Cognito does not answer, or the sign-in has lapsed.
pub async fn refresh(http: &reqwest::Client, profile: &Profile) -> Result<Profile, ClientError> {
    let request = json!({ "AuthFlow": "REFRESH_TOKEN_AUTH", "ClientId": profile.client_id,
        "AuthParameters": { "REFRESH_TOKEN": profile.refresh_token } });
    let answer = match call(http, &profile.endpoint, "InitiateAuth", &request).await {
        Err(ClientError::SignedOut(_)) => return Err(ClientError::lapsed(&profile.api)),
        answer => answer?,
    };
    with_tokens(profile.clone(), &answer)
}

fn with_tokens(profile: Profile, answer: &Value) -> Result<Profile, ClientError> {
    let tokens = &answer["AuthenticationResult"];
    let Some(id_token) = tokens["IdToken"].as_str() else {
        return Err(ClientError::Other("Cognito answered without a token".to_owned()));
    };
    let refresh_token = tokens["RefreshToken"].as_str().map_or(profile.refresh_token, str::to_owned);
    let seconds = tokens["ExpiresIn"].as_i64().unwrap_or(300);
    let expires_at = clock().as_micros() / 1_000_000 + seconds;
    Ok(Profile { id_token: id_token.to_owned(), refresh_token, expires_at, ..profile })
}

async fn call(http: &reqwest::Client, endpoint: &str, name: &str, request: &Value) -> Result<Value, ClientError> {
    let unreachable = |source| ClientError::unreachable(endpoint, source);
    let post = http.post(endpoint).header("content-type", "application/x-amz-json-1.1");
    let post = post.header("x-amz-target", format!("AWSCognitoIdentityProviderService.{name}"));
    let answer = post.body(request.to_string()).send().await.map_err(unreachable)?;
    let is_success = answer.status().is_success();
    let body: Value = serde_json::from_slice(&answer.bytes().await.map_err(unreachable)?).unwrap_or_default();
    if is_success {
        return Ok(body);
    }
    let kind = body["__type"].as_str().unwrap_or_default().rsplit('#').next().unwrap_or_default();
    let message = body["message"].as_str().or(body["Message"].as_str()).unwrap_or("it refuses without a reason");
    Err(ClientError::SignedOut(match kind {
        "NotAuthorizedException" | "UserNotFoundException" => "wrong user name or password".to_owned(),
        "CodeMismatchException" | "ExpiredCodeException" => "that is not the code".to_owned(),
        "PasswordResetRequiredException" => "your administrator has to set a new password for you".to_owned(),
        _ => format!("Cognito: {message}"),
    }))
}
