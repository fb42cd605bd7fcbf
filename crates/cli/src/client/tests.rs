//! The client against a server in this process that answers what it is told to.

mod retries;

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::response::Response;
use serde_json::{Value, json};

use super::api::Api;
use super::error::ClientError;
use super::http::{http_client, now};
use super::profile::{self, Profile};
use super::retry::{Retrier, RetryPolicy};
use super::sign_in::{self, Prompt, SignIn};

/// What one answer is: status, `Retry-After`, body.
type Answer = (u16, Option<&'static str>, Value);

/// What was asked, and what is to be answered.
#[derive(Clone, Default)]
struct Script(Arc<Mutex<(Vec<String>, VecDeque<Answer>)>>);

impl Script {
    /// What was asked so far: method, path and query, token, body.
    fn asked(&self) -> Vec<String> {
        self.0.lock().unwrap().0.clone()
    }
}

async fn answer(State(script): State<Script>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let header = |name: &str| head.headers.get(name).map_or("", |value| value.to_str().unwrap()).to_owned();
    let body = String::from_utf8(to_bytes(body, 1 << 20).await.unwrap().to_vec()).unwrap();
    let target = header("x-amz-target").replace("AWSCognitoIdentityProviderService.", "");
    let sent = [header("authorization"), target, header("content-encoding"), body].join(" ");
    let asked = format!("{} {} {}", head.method, head.uri, sent.split_whitespace().collect::<Vec<_>>().join(" "));
    let mut script = script.0.lock().unwrap();
    script.0.push(asked.trim().to_owned());
    let (status, retry_after, value) = script.1.pop_front().unwrap_or((500, None, json!({ "title": "no more" })));
    let mut answer = Response::builder().status(status);
    if let Some(retry_after) = retry_after {
        answer = answer.header("retry-after", retry_after);
    }
    answer.body(if value.is_null() { Body::empty() } else { Body::from(value.to_string()) }).unwrap()
}

/// Starts a server that gives these answers, in this order. Returns its URL.
async fn serve(answers: impl IntoIterator<Item = Answer>) -> (String, Script) {
    let script = Script::default();
    script.0.lock().unwrap().1.extend(answers);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let app = Router::new().fallback(answer).with_state(script.clone());
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    (url, script)
}

/// Retries within milliseconds, and silently.
fn fast() -> Retrier {
    let milliseconds = std::time::Duration::from_millis;
    let policy = RetryPolicy { total: milliseconds(800), first: milliseconds(1), longest: milliseconds(300) };
    Retrier::new(policy, |_| {})
}

/// A signed-in user of a server with these answers. The directory holds the profile.
async fn api(expires_in: i64, answers: impl IntoIterator<Item = Answer>) -> (Api, Script, PathBuf, tempfile::TempDir) {
    let (url, script) = serve(answers).await;
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("profile.json");
    let profile = Profile {
        api: format!("{url}/v1"),
        endpoint: format!("{url}/cognito"),
        client_id: "client".to_owned(),
        username: "ada".to_owned(),
        id_token: "old".to_owned(),
        refresh_token: "refresh".to_owned(),
        expires_at: now() + expires_in,
    };
    profile::save(&path, &profile).unwrap();
    (Api::open(path.clone()).unwrap().with_retrier(fast()), script, path, home)
}

fn ok(value: Value) -> Answer {
    (200, None, value)
}

fn refused(kind: &str, message: &str) -> Answer {
    (400, None, json!({ "__type": kind, "message": message }))
}

fn new_token() -> Answer {
    ok(json!({ "AuthenticationResult": { "IdToken": "new", "ExpiresIn": 3600 } }))
}

const REFRESH: &str = "POST /cognito InitiateAuth \
    {\"AuthFlow\":\"REFRESH_TOKEN_AUTH\",\"AuthParameters\":{\"REFRESH_TOKEN\":\"refresh\"},\"ClientId\":\"client\"}";

#[tokio::test]
async fn refused_token_is_renewed_once_and_stored() {
    let answers = [(401, None, json!({})), new_token(), ok(json!({ "a": 1 }))];
    let (api, script, path, _home) = api(3600, answers).await;
    assert_eq!(api.get("/devices", &[("from", "a b+c&é")]).await.unwrap(), json!({ "a": 1 }));
    let get = "GET /v1/devices?from=a+b%2Bc%26%C3%A9 Bearer";
    assert_eq!(script.asked(), [format!("{get} old"), REFRESH.to_owned(), format!("{get} new")]);
    let saved = profile::load(&path).unwrap();
    assert_eq!((saved.id_token.as_str(), saved.refresh_token.as_str()), ("new", "refresh"));
    assert!(saved.expires_at > now() + 3500);
}

#[tokio::test]
async fn token_refused_twice_is_an_error() {
    let refusal = || (401, None, json!({ "title": "Unauthorized", "detail": "Sign in." }));
    let (api, script, ..) = api(3600, [refusal(), new_token(), refusal()]).await;
    assert_eq!(api.get("/devices", &[]).await.unwrap_err().to_string(), "Unauthorized (401): Sign in.");
    assert_eq!(script.asked().len(), 3);
}

#[tokio::test]
async fn token_is_renewed_a_minute_before_it_expires_once_for_all_clones() {
    let (api, script, _, _home) = api(59, [new_token(), ok(json!({})), ok(json!({}))]).await;
    let other = api.clone();
    let (one, two) = tokio::join!(api.get("/", &[]), other.get("/", &[]));
    assert!(one.is_ok() && two.is_ok());
    assert_eq!(script.asked(), [REFRESH, "GET /v1/ Bearer new", "GET /v1/ Bearer new"]);
}

#[tokio::test]
async fn valid_token_is_used() {
    let (api, script, ..) = api(70, [ok(json!({}))]).await;
    api.get("/", &[]).await.unwrap();
    assert_eq!(script.asked(), ["GET /v1/ Bearer old"]);
}

#[tokio::test]
async fn failed_renewal_asks_to_sign_in() {
    let (api, ..) = api(-1, [refused("NotAuthorizedException", "Refresh Token has expired")]).await;
    let error = api.get("/", &[]).await.unwrap_err();
    assert!(
        matches!(&error, ClientError::SignedOut(text) if text.contains("eventpulse login --api http://")),
        "{error}"
    );
}

#[tokio::test]
async fn renewal_after_sign_out_stores_nothing() {
    let (api, _, path, _home) = api(-1, [new_token(), ok(json!({}))]).await;
    profile::remove(&path).unwrap();
    api.get("/", &[]).await.unwrap();
    assert!(!path.exists());
}

#[tokio::test]
async fn pages_are_followed_up_to_the_limit() {
    let pages = || {
        [
            ok(json!({ "uploads": [1, 2], "next": "c/1+" })),
            ok(json!({ "uploads": [], "next": "c2" })),
            ok(json!({ "uploads": [3, 4], "next": null })),
        ]
    };
    let (all, script, ..) = api(3600, pages()).await;
    assert_eq!(all.pages("/uploads", &[("state", "failed")], "uploads", usize::MAX).await.unwrap(), [1, 2, 3, 4]);
    assert_eq!(script.asked()[1], "GET /v1/uploads?state=failed&limit=100&cursor=c%2F1%2B Bearer old");
    let (some, script, ..) = api(3600, pages()).await;
    assert_eq!(some.pages("/uploads", &[], "uploads", 3).await.unwrap(), [1, 2, 3]);
    assert_eq!(script.asked()[2], "GET /v1/uploads?limit=1&cursor=c2 Bearer old");
}

#[tokio::test]
async fn page_that_names_itself_as_next_is_an_error() {
    let page = || ok(json!({ "uploads": [1], "next": "c" }));
    let (api, ..) = api(3600, [page(), page(), page()]).await;
    assert!(api.pages("/uploads", &[], "uploads", 100).await.unwrap_err().to_string().contains("same page"));
}

#[tokio::test]
async fn bytes_are_sent_unchanged_and_an_empty_answer_is_null() {
    let (api, script, ..) = api(3600, [(202, None, json!({})), (204, None, Value::Null), ok(json!({}))]).await;
    api.post_bytes("/quarantine/up_1/retry", Some("application/json"), Some("gzip"), b"[]".to_vec()).await.unwrap();
    assert_eq!(api.delete("/quarantine/up_1").await.unwrap(), Value::Null);
    api.post_bytes("/quarantine/up_1/retry", None, None, Vec::new()).await.unwrap();
    let (retry, bearer) = ("POST /v1/quarantine/up_1/retry", "Bearer old");
    let expected = [format!("{retry} {bearer} gzip []"), "DELETE /v1/quarantine/up_1 Bearer old".to_owned()];
    assert_eq!(script.asked()[..2], expected);
    assert_eq!(script.asked()[2], format!("{retry} {bearer}"));
}

#[tokio::test]
async fn connection_error_names_the_cause_without_the_query() {
    let (api, _, path, _home) = api(3600, []).await;
    let mut nowhere = profile::load(&path).unwrap();
    nowhere.api = "http://127.0.0.1:1/v1".to_owned();
    profile::save(&path, &nowhere).unwrap();
    drop(api);
    let error =
        Api::open(path).unwrap().with_retrier(fast()).get("/uploads", &[("cursor", "secret")]).await.unwrap_err();
    let text = error.to_string();
    assert!(text.starts_with("http://127.0.0.1:1/v1/uploads cannot be reached: Connection refused"), "{text}");
}

/// Signs in at a server with these answers; `typed` is what the person types when asked.
async fn login(
    answers: impl IntoIterator<Item = Answer>,
    typed: &[&str],
) -> (Result<Profile, String>, Vec<Prompt>, Vec<String>) {
    let (url, script) = serve(answers).await;
    let at = SignIn { endpoint: url, client_id: "client".to_owned() };
    let (mut prompts, mut typed) = (Vec::new(), typed.iter());
    let mut ask = |prompt| {
        prompts.push(prompt);
        Ok((*typed.next().unwrap()).to_owned())
    };
    let found = sign_in::sign_in(&http_client().unwrap(), &fast(), "https://api/v1/", &at, "ada", "pw", &mut ask).await;
    (found.map_err(|error| error.to_string()), prompts, script.asked())
}

fn tokens() -> Answer {
    ok(json!({ "AuthenticationResult": { "IdToken": "id", "RefreshToken": "refresh", "ExpiresIn": 3600 } }))
}

fn challenge(name: &str) -> Answer {
    ok(json!({ "ChallengeName": name, "Session": "s", "ChallengeParameters": { "USER_ID_FOR_SRP": "uuid" } }))
}

#[tokio::test]
async fn sign_in_answers_the_challenges() {
    let wrong = || refused("CodeMismatchException", "Invalid code");
    let answers = [challenge("NEW_PASSWORD_REQUIRED"), challenge("SOFTWARE_TOKEN_MFA"), wrong(), wrong(), tokens()];
    let (profile, prompts, asked) = login(answers, &["mine", "1", "2", "3"]).await;
    let profile = profile.unwrap();
    assert_eq!((profile.id_token.as_str(), profile.refresh_token.as_str()), ("id", "refresh"));
    assert_eq!((profile.api.as_str(), profile.username.as_str()), ("https://api/v1", "ada"));
    assert_eq!(
        prompts,
        [Prompt::NewPassword, Prompt::AuthenticatorCode, Prompt::AuthenticatorCode, Prompt::AuthenticatorCode]
    );
    assert!(asked[0].contains(r#""AuthParameters":{"PASSWORD":"pw","USERNAME":"ada"}"#), "{asked:?}");
    assert!(asked[1].contains(r#""ChallengeResponses":{"NEW_PASSWORD":"mine","USERNAME":"uuid"}"#), "{asked:?}");
    assert!(asked[4].contains(r#""SOFTWARE_TOKEN_MFA_CODE":"3""#), "{asked:?}");
}

#[tokio::test]
async fn refused_sign_in_names_the_reason() {
    let wrong = || refused("CodeMismatchException", "Invalid code");
    let bad = |message| refused("com.amazonaws#NotAuthorizedException", message);
    for (answers, expected) in [
        (vec![bad("Incorrect username or password.")], "wrong e-mail address or password"),
        (vec![bad("User is disabled.")], "wrong e-mail address or password (Cognito says: User is disabled.)"),
        (vec![refused("UserNotFoundException", "")], "wrong e-mail address or password"),
        (vec![challenge("SOFTWARE_TOKEN_MFA"), wrong(), wrong(), wrong()], "the code was wrong 3 times: sign in again"),
        (vec![challenge("SMS_MFA")], "Cognito requires SMS_MFA, which this command does not support"),
        (vec![ok(json!({}))], "Cognito's answer has neither tokens nor a challenge"),
        (vec![refused("LimitExceededException", "Slow.")], "Cognito receives too many requests (400): Slow."),
    ] {
        assert_eq!(login(answers, &["1", "2", "3"]).await.0.unwrap_err(), expected);
    }
}

#[tokio::test]
async fn api_names_the_user_pool() {
    let sign_in = json!({ "endpoint": "http://cognito", "client_id": "client", "region": "eu-west-1" });
    let (url, script) = serve([ok(json!({ "status": "ok", "sign_in": sign_in })), ok(json!({ "status": "ok" }))]).await;
    let http = http_client().unwrap();
    let found = sign_in::discover(&http, &fast(), &format!("{url}/v1/")).await.unwrap();
    assert_eq!(found, SignIn { endpoint: "http://cognito".to_owned(), client_id: "client".to_owned() });
    assert_eq!(script.asked(), ["GET /v1/health"]);
    assert!(sign_in::discover(&http, &fast(), &url).await.unwrap_err().to_string().contains("ApiUrl"));
    assert!(sign_in::discover(&http, &fast(), "api").await.unwrap_err().to_string().contains("is not a URL"));
}
