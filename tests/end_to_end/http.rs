//! Calls of the REST API as any client makes them.

use eventpulse_cli::BoxError;
use eventpulse_cli::dev::client::User;
use eventpulse_cli::dev::samples::Sample;
use reqwest::Method;
use reqwest::header::HeaderMap;
use serde_json::{Value, json};

use crate::poll::{SOON, found, poll};
use crate::world::World;

/// A response of the API.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub headers: HeaderMap,
    pub text: String,
    /// The body, `null` if it is not JSON.
    pub body: Value,
}

impl Reply {
    /// Reads a response to its end.
    pub async fn of(response: reqwest::Response) -> Result<Self, BoxError> {
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let text = String::from_utf8_lossy(&response.bytes().await?).into_owned();
        let body = serde_json::from_str(&text).unwrap_or_default();
        Ok(Self { status, headers, text, body })
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// Fails unless the response has this status. Returns the body.
    pub fn expect(self, status: u16) -> Result<Value, BoxError> {
        if self.status == status { Ok(self.body) } else { Err(format!("not {status}: {self:?}").into()) }
    }

    /// Fails unless the response is this error as RFC 9457 problem details. Returns the body.
    pub fn problem(self, status: u16, slug: &str) -> Result<Value, BoxError> {
        let body = &self.body;
        let sound = self.status == status
            && self.header("content-type") == "application/problem+json"
            && body["type"] == format!("urn:eventpulse:problem:{slug}")
            && body["status"] == status
            && body["title"].as_str().is_some_and(|title| !title.is_empty())
            && body["detail"].as_str().is_some_and(|detail| detail.len() > 10);
        if sound { Ok(self.body) } else { Err(format!("not the error {slug} ({status}): {self:?}").into()) }
    }
}

impl World {
    /// Sends a request with headers and a body.
    pub async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Vec<u8>,
    ) -> Result<Reply, BoxError> {
        let mut request =
            self.http.request(Method::from_bytes(method.as_bytes())?, format!("{}{path}", self.client.api));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if !body.is_empty() {
            request = request.body(body);
        }
        Reply::of(request.send().await?).await
    }

    /// Sends a request of a signed-in user, with a JSON body unless it is `null`.
    pub async fn call(&self, user: &User, method: &str, path: &str, body: Value) -> Result<Reply, BoxError> {
        let token = format!("Bearer {}", user.token);
        let mut headers = vec![("authorization", token.as_str())];
        let body = match body {
            Value::Null => Vec::new(),
            body => {
                headers.push(("content-type", "application/json"));
                body.to_string().into_bytes()
            }
        };
        self.send(method, path, &headers, body).await
    }

    /// Returns the body of a GET. Fails unless the status is 200.
    pub async fn get(&self, user: &User, path: &str) -> Result<Value, BoxError> {
        self.call(user, "GET", path, Value::Null).await?.expect(200).map_err(|error| format!("{path}: {error}").into())
    }

    /// Uploads through the REST API only and waits for the outcome. Returns the receipt.
    pub async fn upload_by_rest(&self, user: &User, sample: &Sample) -> Result<Value, BoxError> {
        let issued = self.client.issue(user, sample).await?;
        let status = self.client.put(&issued, sample.bytes.clone()).await?;
        if status != 200 {
            return Err(format!("the presigned URL answers {status}").into());
        }
        self.outcome(user, issued.upload_id.as_str()).await
    }

    /// Waits until a receipt shows an outcome. Returns the receipt.
    pub async fn outcome(&self, user: &User, id: &str) -> Result<Value, BoxError> {
        self.receipt(user, id, |receipt| {
            !matches!(receipt["state"].as_str(), Some("issued" | "received" | "waiting"))
                && receipt["quarantine"]["status"] != "retrying"
        })
        .await
    }

    /// Waits until a receipt satisfies `ready`. Returns the receipt.
    pub async fn receipt(&self, user: &User, id: &str, ready: impl Fn(&Value) -> bool) -> Result<Value, BoxError> {
        poll(SOON, async || {
            let receipt = self.get(user, &format!("/uploads/{id}")).await?;
            let rejected = matches!(receipt["state"].as_str(), Some("quarantined" | "partially_accepted"));
            // The object is moved to quarantine after the decision.
            let is_ready = ready(&receipt) && (!rejected || !receipt["quarantine"].is_null());
            let seen = format!("still not ready: {receipt:#}");
            found(is_ready.then_some(receipt), || seen)
        })
        .await
    }

    /// Corrects a quarantined upload, or retries it unchanged without a correction. Returns the response.
    pub async fn retry(&self, user: &User, id: &str, correction: Option<(&str, &str)>) -> Result<Reply, BoxError> {
        let path = format!("/quarantine/{id}/retry");
        let token = format!("Bearer {}", user.token);
        let mut headers = vec![("authorization", token.as_str())];
        let mut body = Vec::new();
        if let Some((content_type, text)) = correction {
            headers.push(("content-type", content_type));
            body = text.as_bytes().to_vec();
        }
        self.send("POST", &path, &headers, body).await
    }

    /// Returns the statistics of a device's only measure over all time, `null` if there are none.
    pub async fn stats(&self, user: &User, device: &str) -> Result<Value, BoxError> {
        let reply = self.call(user, "GET", &format!("/?device_id={device}"), Value::Null).await?;
        if reply.status == 404 {
            reply.problem(404, "not-found")?;
            return Ok(json!(null));
        }
        reply.expect(200)
    }
}
