//! The REST API: one place that adds the token, reads problems, and tries again what may be tried again.

use std::path::PathBuf;
use std::time::Duration;

use eventpulse_aws::clock;
use reqwest::{Method, Response, StatusCode};
use serde_json::Value;

use super::media::{MediaError, NotMaxRejected};
use super::profile::{self, Profile};
use super::send::SendError;
use super::validate::ValidateError;
use super::{http_client, sign_in};

/// How long before its end a token is exchanged for a new one, in seconds.
const FRESH_SECONDS: i64 = 60;
/// How often a call is made again that was refused for the moment.
const ATTEMPTS: u32 = 4;
/// The longest wait for that which is obeyed.
const MAX_WAIT: Duration = Duration::from_secs(30);

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// The API says no, and why.
    #[error("{title}: {detail}")]
    Problem {
        /// The HTTP status.
        status: u16,
        /// What kind of problem.
        title: String,
        /// What is wrong, and what to do.
        detail: String,
        /// Where: a line each.
        errors: Vec<String>,
    },
    /// Nobody answers there.
    #[error("{url} does not answer: {reason}")]
    Unreachable {
        /// Where.
        url: String,
        /// Why.
        reason: String,
    },
    /// Nobody is signed in, or not any more.
    #[error("{0}")]
    SignedOut(String),
    /// A file is of no type that is read here.
    #[error(transparent)]
    Media(#[from] MediaError),
    /// What was given is no limit.
    #[error(transparent)]
    MaxRejected(#[from] NotMaxRejected),
    /// A file could not be sent.
    #[error("{}", chain(.0))]
    Send(#[from] SendError),
    /// A file could not be validated.
    #[error("{}", chain(.0))]
    Validate(#[from] ValidateError),
    /// Something else.
    #[error("{0}")]
    Other(String),
}

/// An error with its causes, on one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(&format!(": {cause}"));
        source = cause.source();
    }
    text
}

impl ClientError {
    /// What the command exits with: 2 for a use that makes no sense, 3 for an API that does not answer, or refuses.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Media(_) | Self::MaxRejected(_) => 2,
            _ => 3,
        }
    }

    pub(super) fn unreachable(url: &str, source: reqwest::Error) -> Self {
        Self::Unreachable { url: url.to_owned(), reason: chain(&source.without_url()) }
    }

    pub(super) fn lapsed(api: &str) -> Self {
        Self::SignedOut(format!("your sign-in has lapsed: eventpulse login --api {api}"))
    }

    /// What an answer that is no success says.
    fn of_answer(status: StatusCode, body: &[u8]) -> Self {
        let problem: Value = serde_json::from_slice(body).unwrap_or_default();
        let text = |member: &str| problem[member].as_str().map(str::to_owned);
        let places = problem["errors"].as_array().into_iter().flatten().map(|place| {
            let at = place["pointer"].as_str().or(place["parameter"].as_str()).unwrap_or_default();
            format!("{at}: {}", place["detail"].as_str().unwrap_or_default())
        });
        Self::Problem {
            status: status.as_u16(),
            title: text("title").unwrap_or_else(|| format!("the API answers {status}")),
            detail: text("detail").unwrap_or_else(|| "it does not say why".to_owned()),
            errors: places.collect(),
        }
    }
}

/// The API, for somebody who is signed in.
#[derive(Debug, Clone)]
pub struct Api {
    http: reqwest::Client,
    profile: Profile,
    path: PathBuf,
}

/// What a call carries.
struct Call<'a> {
    method: Method,
    path: &'a str,
    query: &'a [(&'a str, &'a str)],
    content_type: Option<&'a str>,
    content_encoding: Option<&'a str>,
    body: Vec<u8>,
}

impl<'a> Call<'a> {
    fn new(method: Method, path: &'a str) -> Self {
        Self { method, path, query: &[], content_type: None, content_encoding: None, body: Vec::new() }
    }
}

impl Api {
    /// For whoever is signed in by this file.
    ///
    /// # Errors
    /// When nobody is, or the file cannot be used.
    pub fn open(path: PathBuf) -> Result<Self, ClientError> {
        Ok(Self { http: http_client()?, profile: profile::load(&path)?, path })
    }

    /// The HTTP client, for presigned URLs.
    #[must_use]
    pub fn http(&self) -> &reqwest::Client {
        &self.http
    }

    /// What a GET answers.
    ///
    /// # Errors
    /// When the API cannot be reached, or refuses.
    pub async fn get(&mut self, path: &str, query: &[(&str, &str)]) -> Result<Value, ClientError> {
        self.call(&Call { query, ..Call::new(Method::GET, path) }).await
    }

    /// What a DELETE answers.
    ///
    /// # Errors
    /// As [`Api::get`].
    pub async fn delete(&mut self, path: &str) -> Result<Value, ClientError> {
        self.call(&Call::new(Method::DELETE, path)).await
    }

    /// What a POST of JSON answers.
    ///
    /// # Errors
    /// As [`Api::get`].
    pub async fn post_json(&mut self, path: &str, body: &Value) -> Result<Value, ClientError> {
        self.post_bytes(path, Some("application/json"), None, body.to_string().into_bytes()).await
    }

    /// What a POST of data answers.
    ///
    /// # Errors
    /// As [`Api::get`].
    pub async fn post_bytes(
        &mut self,
        path: &str,
        content_type: Option<&str>,
        content_encoding: Option<&str>,
        body: Vec<u8>,
    ) -> Result<Value, ClientError> {
        self.call(&Call { content_type, content_encoding, body, ..Call::new(Method::POST, path) }).await
    }

    /// The entries of a list, page by page, at most `most`.
    ///
    /// # Errors
    /// As [`Api::get`].
    pub async fn pages(
        &mut self,
        path: &str,
        query: &[(&str, &str)],
        member: &str,
        most: usize,
    ) -> Result<Vec<Value>, ClientError> {
        let mut entries = Vec::new();
        let mut cursor = String::new();
        loop {
            let limit = (most - entries.len()).clamp(1, 100).to_string();
            let mut query = query.to_vec();
            query.push(("limit", &limit));
            if !cursor.is_empty() {
                query.push(("cursor", &cursor));
            }
            let mut page = self.get(path, &query).await?;
            if let Value::Array(found) = page[member].take() {
                entries.extend(found);
            }
            match page["next"].as_str() {
                Some(next) if entries.len() < most => next.clone_into(&mut cursor),
                _ => {
                    entries.truncate(most);
                    return Ok(entries);
                }
            }
        }
    }

    async fn call(&mut self, call: &Call<'_>) -> Result<Value, ClientError> {
        if self.profile.expires_at - FRESH_SECONDS < clock().as_micros() / 1_000_000 {
            self.refresh().await?;
        }
        let (mut refreshed, mut attempt) = (false, 1);
        loop {
            let answer = self.send(call).await?;
            let status = answer.status();
            match status.as_u16() {
                401 if !refreshed => {
                    refreshed = true;
                    self.refresh().await?;
                }
                429 | 503 if attempt < ATTEMPTS => {
                    attempt += 1;
                    tokio::time::sleep(wait(&answer)).await;
                }
                _ => {
                    let url = format!("{}{}", self.profile.api, call.path);
                    let body = answer.bytes().await.map_err(|error| ClientError::unreachable(&url, error))?;
                    return match status.is_success() {
                        true if body.is_empty() => Ok(Value::Null),
                        true => serde_json::from_slice(&body)
                            .map_err(|error| ClientError::Other(format!("{url} does not answer JSON: {error}"))),
                        false => Err(ClientError::of_answer(status, &body)),
                    };
                }
            }
        }
    }

    async fn send(&self, call: &Call<'_>) -> Result<Response, ClientError> {
        let url = format!("{}{}", self.profile.api, call.path);
        let encoded = percent_encoding::NON_ALPHANUMERIC;
        let query: Vec<String> = call
            .query
            .iter()
            .map(|(name, value)| format!("{name}={}", percent_encoding::utf8_percent_encode(value, encoded)))
            .collect();
        let full = if query.is_empty() { url.clone() } else { format!("{url}?{}", query.join("&")) };
        let mut request = self.http.request(call.method.clone(), full);
        request = request.header("authorization", format!("Bearer {}", self.profile.id_token));
        if let Some(content_type) = call.content_type {
            request = request.header("content-type", content_type);
        }
        if let Some(encoding) = call.content_encoding {
            request = request.header("content-encoding", encoding);
        }
        request.body(call.body.clone()).send().await.map_err(|error| ClientError::unreachable(&url, error))
    }

    async fn refresh(&mut self) -> Result<(), ClientError> {
        self.profile = sign_in::refresh(&self.http, &self.profile).await?;
        profile::save(&self.path, &self.profile)
    }
}

/// How long the API wants to be left alone.
fn wait(answer: &Response) -> Duration {
    let seconds = answer.headers().get("retry-after").and_then(|value| value.to_str().ok()?.parse().ok());
    seconds.map_or(Duration::from_secs(1), Duration::from_secs).min(MAX_WAIT)
}

#[cfg(test)]
#[path = "api/tests.rs"]
mod tests;
