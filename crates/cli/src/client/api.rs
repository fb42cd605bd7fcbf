//! Calls of the REST API as the signed-in user.

use std::path::PathBuf;
use std::sync::Arc;

use reqwest::{Method, StatusCode, Url};
use serde_json::Value;
use tokio::sync::Mutex;

use super::error::ClientError;
use super::http::{CALL, http_client, now};
use super::profile::{self, Profile};
use super::retry::{Failed, Failure, Retrier, Safety};
use super::sign_in;

/// An ID token is renewed this many seconds before it expires.
const EARLY: i64 = 60;
/// The largest page of the API, in items.
const PAGE: usize = 100;

/// The REST API, for one user. Clones share the tokens.
#[derive(Debug, Clone)]
pub struct Api {
    http: reqwest::Client,
    profile: Arc<Mutex<Profile>>,
    profile_path: PathBuf,
    retrier: Retrier,
}

/// The body of a call.
#[derive(Default)]
struct Body<'a> {
    content_type: Option<&'a str>,
    content_encoding: Option<&'a str>,
    idempotency_key: Option<&'a str>,
    bytes: Vec<u8>,
}

impl Api {
    /// Opens the API for the user of a profile.
    ///
    /// # Errors
    /// Fails when nobody is signed in, or the profile cannot be read.
    pub fn open(profile_path: PathBuf) -> Result<Self, ClientError> {
        let profile = Arc::new(Mutex::new(profile::load(&profile_path)?));
        Ok(Self { http: http_client()?, profile, profile_path, retrier: Retrier::default() })
    }

    /// Returns the API with another way to retry.
    #[must_use]
    pub fn with_retrier(self, retrier: Retrier) -> Self {
        Self { retrier, ..self }
    }

    /// Returns the way to retry.
    #[must_use]
    pub fn retrier(&self) -> &Retrier {
        &self.retrier
    }

    /// Returns the HTTP client, for presigned URLs. It sends no token.
    #[must_use]
    pub fn http(&self) -> &reqwest::Client {
        &self.http
    }

    /// Calls `GET`. Returns the JSON body.
    ///
    /// # Errors
    /// Fails when there is no answer, or the API refuses.
    pub async fn get(&self, path: &str, query: &[(&str, &str)]) -> Result<Value, ClientError> {
        self.call(Method::GET, path, query, None, Safety::Repeatable).await
    }

    /// Calls `DELETE`. Returns the JSON body, `null` if there is none.
    ///
    /// # Errors
    /// Fails as [`Api::get`].
    pub async fn delete(&self, path: &str) -> Result<Value, ClientError> {
        self.call(Method::DELETE, path, &[], None, Safety::Repeatable).await
    }

    /// Calls `POST` with a JSON document. Does not repeat a call that may have had its effect.
    ///
    /// # Errors
    /// Fails as [`Api::get`].
    pub async fn post_json(&self, path: &str, document: &Value) -> Result<Value, ClientError> {
        let bytes = document.to_string().into_bytes();
        self.post_bytes(path, Some("application/json"), None, bytes).await
    }

    /// Calls `POST` with a JSON document and an `Idempotency-Key`, by which the API recognises a repeated call.
    ///
    /// # Errors
    /// Fails as [`Api::get`].
    pub async fn post_json_with_key(&self, path: &str, document: &Value, key: &str) -> Result<Value, ClientError> {
        let bytes = document.to_string().into_bytes();
        let body =
            Body { content_type: Some("application/json"), idempotency_key: Some(key), bytes, ..Body::default() };
        self.call(Method::POST, path, &[], Some(body), Safety::Repeatable).await
    }

    /// Calls `PUT` with a JSON document.
    ///
    /// # Errors
    /// Fails as [`Api::get`].
    pub async fn put_json(&self, path: &str, document: &Value) -> Result<Value, ClientError> {
        let bytes = document.to_string().into_bytes();
        let body = Body { content_type: Some("application/json"), bytes, ..Body::default() };
        self.call(Method::PUT, path, &[], Some(body), Safety::Repeatable).await
    }

    /// Calls `POST` with bytes. Does not repeat a call that may have had its effect.
    ///
    /// # Errors
    /// Fails as [`Api::get`].
    pub async fn post_bytes(
        &self,
        path: &str,
        content_type: Option<&str>,
        content_encoding: Option<&str>,
        bytes: Vec<u8>,
    ) -> Result<Value, ClientError> {
        let body = Body { content_type, content_encoding, bytes, ..Body::default() };
        self.call(Method::POST, path, &[], Some(body), Safety::Once).await
    }

    /// Reads a list page by page. Returns its first `limit` items in the API's order. `member` names the items of a page.
    ///
    /// # Errors
    /// Fails as [`Api::get`], and when an answer is not a page.
    pub async fn pages(
        &self,
        path: &str,
        query: &[(&str, &str)],
        member: &str,
        limit: usize,
    ) -> Result<Vec<Value>, ClientError> {
        let mut items = Vec::new();
        let mut cursor: Option<String> = None;
        while items.len() < limit {
            let size = (limit - items.len()).min(PAGE).to_string();
            let mut query = query.to_vec();
            query.push(("limit", &size));
            query.extend(cursor.as_deref().map(|cursor| ("cursor", cursor)));
            let mut page = self.get(path, &query).await?;
            let Value::Array(found) = page[member].take() else {
                return Err(ClientError::Other(format!("the answer of {path} has no member {member}")));
            };
            items.extend(found);
            match page["next"].as_str() {
                Some(next) if cursor.as_deref() == Some(next) => {
                    return Err(ClientError::Other(format!("{path} names the same page as the next one")));
                }
                Some(next) => cursor = Some(next.to_owned()),
                None => break,
            }
        }
        items.truncate(limit);
        Ok(items)
    }

    /// Makes a call. Retries it as far as that is safe, and once with a new token.
    async fn call(
        &self,
        method: Method,
        path: &str,
        query: &[(&str, &str)],
        body: Option<Body<'_>>,
        safety: Safety,
    ) -> Result<Value, ClientError> {
        let url = self.url(path, query).await?;
        let mut token = self.token(None).await?;
        let (mut refreshed, mut attempts) = (false, self.retrier.begin(safety));
        loop {
            match self.attempt(&method, &url, body.as_ref(), &token).await {
                Ok(value) => return Ok(value),
                Err(Failed { error: ClientError::Problem { status: 401, .. }, .. }) if !refreshed => {
                    refreshed = true;
                    token = self.token(Some(&token)).await?;
                }
                Err(failed) => attempts.after(failed).await?,
            }
        }
    }

    /// Makes one attempt at a call.
    async fn attempt(&self, method: &Method, url: &Url, body: Option<&Body<'_>>, token: &str) -> Result<Value, Failed> {
        let without_answer = |error| Failed::without_answer(url.as_str(), error);
        let mut request = self.http.request(method.clone(), url.clone()).timeout(CALL).bearer_auth(token);
        if let Some(Body { content_type, content_encoding, idempotency_key, bytes }) = body {
            let headers = [
                ("content-type", content_type),
                ("content-encoding", content_encoding),
                ("idempotency-key", idempotency_key),
            ];
            for (name, value) in headers {
                if let Some(value) = value {
                    request = request.header(name, *value);
                }
            }
            request = request.header("content-length", bytes.len()).body(bytes.clone());
        }
        let answer = request.send().await.map_err(without_answer)?;
        let (status, failure) = (answer.status(), Failure::of_answer(answer.status().as_u16(), answer.headers()));
        let body = answer.bytes().await.map_err(without_answer)?;
        value(status, url, &body).map_err(|error| Failed { error, failure })
    }

    async fn url(&self, path: &str, query: &[(&str, &str)]) -> Result<Url, ClientError> {
        let url = format!("{}{path}", self.profile.lock().await.api);
        let mut url = Url::parse(&url).map_err(|error| ClientError::Other(format!("{url} is not a URL: {error}")))?;
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        Ok(url)
    }

    /// Returns the ID token. Renews it when it expires soon, or when the API has just refused it.
    async fn token(&self, refused: Option<&str>) -> Result<String, ClientError> {
        // Held over the refresh: the other clones wait for the new token and do not each get one.
        let mut profile = self.profile.lock().await;
        if refused == Some(&profile.id_token) || profile.expires_at - EARLY <= now() {
            let new = sign_in::refresh(&self.http, &self.retrier, &profile).await?;
            // Somebody may have signed out or in meanwhile, and then the file is theirs.
            if profile::load(&self.profile_path).is_ok_and(|saved| saved.refresh_token == profile.refresh_token) {
                profile::save(&self.profile_path, &new)?;
            }
            *profile = new;
        }
        Ok(profile.id_token.clone())
    }
}

/// Returns the body of an answer, or the error that it is.
fn value(status: StatusCode, url: &Url, body: &[u8]) -> Result<Value, ClientError> {
    if !status.is_success() {
        return Err(ClientError::problem(status, body));
    }
    if body.is_empty() {
        return Ok(Value::Null);
    }
    serde_json::from_slice(body)
        .map_err(|error| ClientError::Other(format!("the answer of {} is not JSON: {error}", url.path())))
}
