//! The network between EventPulse and the stand-ins for AWS. It delays, loses, refuses and repeats, at random from a seed,
//! and kills the function that makes a call.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpClient, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::http::StatusCode;
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};
use tokio::sync::Notify;
use tokio::time::Instant;

use super::dynamodb::{self, Chance, Tables};
use super::s3::{self, Buckets};

tokio::task_local! {
    /// The invocation that makes the calls of the present task.
    pub static INVOCATION: Arc<Invocation>;
}

/// An invocation of a function, which may be killed during one of its calls.
pub struct Invocation {
    /// The number of calls until it is killed.
    calls_left: AtomicU64,
    killed: Notify,
}

impl Invocation {
    /// Creates an invocation that is killed during this call, from 1; never if `None`.
    pub fn new(killed_at_call: Option<u64>) -> Arc<Self> {
        Arc::new(Self { calls_left: AtomicU64::new(killed_at_call.unwrap_or(u64::MAX)), killed: Notify::new() })
    }

    /// Waits until the invocation is killed.
    pub async fn killed(&self) {
        self.killed.notified().await;
    }
}

/// A fault of one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    /// The service refuses the call because of too many calls.
    Throttled,
    /// The service fails before it does anything.
    ServerBefore,
    /// The service fails after it did the work.
    ServerAfter,
    /// The request is lost.
    RequestLost,
    /// The answer is lost.
    AnswerLost,
    /// A transaction meets another one on the same items.
    Conflict,
}

/// The services and the present faults.
pub struct State {
    /// DynamoDB.
    pub tables: Tables,
    /// S3.
    pub buckets: Buckets,
    /// The share of calls with a fault, in percent.
    pub fault_percent: u32,
    /// The number of faults so far.
    pub faults: u64,
    random: fastrand::Rng,
}

/// The network.
#[derive(Clone)]
pub struct Network {
    state: Arc<Mutex<State>>,
    started: Instant,
}

impl std::fmt::Debug for Network {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Network")
    }
}

impl Network {
    /// Creates empty services behind a network with this share of faults, in percent.
    pub fn new(seed: u64, fault_percent: u32) -> Self {
        let state = State {
            tables: Tables::new(),
            buckets: Buckets::default(),
            fault_percent,
            faults: 0,
            random: fastrand::Rng::with_seed(seed),
        };
        Self { state: Arc::new(Mutex::new(state)), started: Instant::now() }
    }

    /// Returns the services.
    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the HTTP client of the SDK.
    pub fn client(&self) -> SharedHttpClient {
        let network = self.clone();
        http_client_fn(move |_, _| SharedHttpConnector::new(network.clone()))
    }

    /// Returns the virtual time since the start in microseconds.
    pub fn now_micros(&self) -> i64 {
        i64::try_from(self.started.elapsed().as_micros()).unwrap_or(i64::MAX)
    }

    fn fault(&self) -> Option<Fault> {
        let mut state = self.state();
        let percent = state.fault_percent;
        if state.random.u32(0..100) >= percent {
            return None;
        }
        state.faults += 1;
        let faults = [
            Fault::Throttled,
            Fault::ServerBefore,
            Fault::ServerAfter,
            Fault::RequestLost,
            Fault::AnswerLost,
            Fault::Conflict,
        ];
        state.random.choice(faults)
    }

    fn delay(&self) -> Duration {
        Duration::from_millis(self.state().random.u64(1..80))
    }

    async fn answer(self, request: HttpRequest) -> Result<HttpResponse, ConnectorError> {
        tokio::time::sleep(self.delay()).await;
        let fault = self.fault();
        let is_killed = INVOCATION.try_with(|invocation| invocation.calls_left.fetch_sub(1, Ordering::Relaxed) == 1);
        let is_killed = is_killed.unwrap_or(false);
        let happens_before_death = self.state().random.bool();
        if fault == Some(Fault::RequestLost) && !is_killed {
            return Err(lost());
        }
        let performs = !is_killed || happens_before_death;
        let answer = performs.then(|| self.perform(&request, fault));
        if is_killed {
            INVOCATION.with(|invocation| invocation.killed.notify_one());
            return std::future::pending().await;
        }
        tokio::time::sleep(self.delay()).await;
        match (answer, fault) {
            (_, Some(Fault::AnswerLost)) | (None, _) => Err(lost()),
            (Some(answer), _) => Ok(answer),
        }
    }

    /// Performs a call, unless the fault prevents that.
    fn perform(&self, request: &HttpRequest, fault: Option<Fault>) -> HttpResponse {
        match request.headers().get("x-amz-target") {
            Some(target) => {
                let operation = target.rsplit('.').next().unwrap_or_default().to_owned();
                let (status, body) = self.dynamodb(&operation, request, fault);
                response(status, &[("content-type", "application/x-amz-json-1.0".to_owned())], body.to_string().into())
            }
            None => {
                let s3::Answer { status, headers, body } = self.s3(request, fault);
                response(status, &headers, body)
            }
        }
    }

    fn dynamodb(&self, operation: &str, request: &HttpRequest, fault: Option<Fault>) -> dynamodb::Answer {
        let now_micros = self.now_micros();
        let mut state = self.state();
        let body = request.body().bytes().expect("a body in memory");
        let body: Value = serde_json::from_slice(body).expect("a request in JSON");
        let faulty = state.fault_percent > 0;
        let mut chance = Chance {
            page_items: if faulty { state.random.usize(1..6) } else { 1_000 },
            unprocessed_percent: if faulty { 20 } else { 0 },
            random: state.random.fork(),
            now_micros,
        };
        let conflict = |code: &str| {
            let actions = body["TransactItems"].as_array().map_or(1, Vec::len);
            let none = json!({"Code": "None"});
            let mut reasons = vec![none; actions];
            reasons[0] = json!({"Code": code, "Message": "fault"});
            dynamodb::canceled(reasons)
        };
        match fault {
            Some(Fault::Throttled) if operation == "TransactWriteItems" => conflict("ThrottlingError"),
            Some(Fault::Throttled) => dynamodb::error("ProvisionedThroughputExceededException", "fault"),
            Some(Fault::Conflict) if operation == "TransactWriteItems" => conflict("TransactionConflict"),
            Some(Fault::ServerBefore) => dynamodb::error("InternalServerError", "fault"),
            Some(Fault::ServerAfter) => {
                state.tables.call(operation, &body, &mut chance);
                dynamodb::error("InternalServerError", "fault")
            }
            _ => state.tables.call(operation, &body, &mut chance),
        }
    }

    fn s3(&self, request: &HttpRequest, fault: Option<Fault>) -> s3::Answer {
        if fault == Some(Fault::Throttled) {
            return s3::error(503, "SlowDown");
        }
        if fault == Some(Fault::ServerBefore) {
            return s3::error(500, "InternalError");
        }
        let url = reqwest::Url::parse(request.uri()).expect("an address");
        let header = |name: &str| request.headers().get(name).map(str::to_owned);
        let call = s3::Request {
            method: request.method(),
            target: bucket_and_key(url.path()),
            version_id: url.query_pairs().find(|(name, _)| name == "versionId").map(|(_, id)| id.into_owned()),
            copy_source: header("x-amz-copy-source").map(|source| {
                let (path, id) =
                    source.split_once("?versionId=").map_or((&*source, None), |(path, id)| (path, Some(id)));
                let (bucket, key) = bucket_and_key(path);
                (bucket, key, id.map(decoded))
            }),
            if_absent: header("if-none-match").is_some(),
            content_type: header("content-type"),
            owner: header("x-amz-meta-owner"),
            replaces_metadata: header("x-amz-metadata-directive").as_deref() == Some("REPLACE"),
            body: request.body().bytes().unwrap_or_default().to_vec(),
        };
        let answer = self.state().buckets.call(call);
        if fault == Some(Fault::ServerAfter) { s3::error(500, "InternalError") } else { answer }
    }
}

impl HttpConnector for Network {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        HttpConnectorFuture::new(self.clone().answer(request))
    }
}

fn lost() -> ConnectorError {
    ConnectorError::io("the connection was lost".into())
}

fn response(status: u16, headers: &[(&'static str, String)], body: Vec<u8>) -> HttpResponse {
    let status = StatusCode::try_from(status).expect("a status");
    let mut response = HttpResponse::new(status, body.into());
    for (name, value) in headers {
        response.headers_mut().insert(*name, value.clone());
    }
    response
}

fn bucket_and_key(path: &str) -> (String, String) {
    let (bucket, key) = path.trim_start_matches('/').split_once('/').expect("a bucket and a key");
    (decoded(bucket), decoded(key))
}

fn decoded(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}
