//! All that the function says HTTP to, on loopback in this process: the Runtime API, which hands out batches and takes their
//! outcomes, and stand-ins for S3 and DynamoDB that say yes to what storing a batch takes, and to nothing else.

use std::collections::{HashMap, HashSet};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Path, Request, State};
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::Mutex as AsyncMutex;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::Failed;
use crate::batches::Batch;

/// One that takes longer does not come.
const ANSWER: Duration = Duration::from_secs(60);

/// The calls of AWS that storing messages takes.
pub(crate) const PUT_OBJECT: &str = "S3 PutObject";
pub(crate) const TRANSACT_WRITE_ITEMS: &str = "DynamoDB TransactWriteItems";
pub(crate) const UPDATE_ITEM: &str = "DynamoDB UpdateItem";

/// What was asked of AWS.
#[derive(Default)]
pub(crate) struct Asked {
    /// How often, by service and operation.
    pub(crate) calls: HashMap<&'static str, usize>,
    /// How many actions the transactions had.
    pub(crate) actions: usize,
    /// The keys of the objects that were put.
    pub(crate) objects: HashSet<String>,
    /// The histories that were written, by the primary key.
    pub(crate) histories: HashSet<String>,
}

/// What the function answered to an invocation: the invocation's id and the answer, or what went wrong.
type Answer = Result<(String, Value), String>;

/// The side of the function.
struct Served {
    invocations: AsyncMutex<UnboundedReceiver<(String, String)>>,
    answers: UnboundedSender<Answer>,
    asked: Mutex<Asked>,
}

/// The side of the bench.
pub(crate) struct Network {
    pub(crate) address: SocketAddr,
    invocations: UnboundedSender<(String, String)>,
    answers: UnboundedReceiver<Answer>,
    served: Arc<Served>,
    invoked: usize,
}

impl Network {
    pub(crate) async fn start() -> Result<Self, Failed> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let (invocations, to_hand_out) = unbounded_channel();
        let (answered, answers) = unbounded_channel();
        let served = Served { invocations: AsyncMutex::new(to_hand_out), answers: answered, asked: Mutex::default() };
        let served = Arc::new(served);
        let router = Router::new()
            .route("/2018-06-01/runtime/invocation/next", get(next))
            .route("/2018-06-01/runtime/invocation/{id}/response", post(response))
            .route("/2018-06-01/runtime/invocation/{id}/error", post(error))
            .route("/2018-06-01/runtime/init/error", post(error))
            .fallback(aws)
            .with_state(Arc::clone(&served));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Ok(Self { address, invocations, answers, served, invoked: 0 })
    }

    /// Has the function deal with batches, one after the other, and sees to it that it acknowledges every message.
    pub(crate) async fn invoke(&mut self, batches: Vec<Batch>) -> Result<(), Failed> {
        let mut expected = Vec::new();
        for Batch { event, ids } in batches {
            self.invoked += 1;
            let id = format!("{:08x}-0000-4000-8000-000000000000", self.invoked);
            self.invocations.send((id.clone(), event))?;
            expected.push((id, ids));
        }
        for (id, messages) in expected {
            let answer = tokio::time::timeout(ANSWER, self.answers.recv()).await;
            let answer = answer.map_err(|_| format!("no answer within {} s", ANSWER.as_secs()))?;
            let (of, answer) = answer.ok_or("the Runtime API has ended")??;
            let failures = answer.get("batchItemFailures").and_then(Value::as_array);
            if of != id || failures.is_none_or(|failures| !failures.is_empty()) {
                let messages = messages.len();
                return Err(format!("not all of {messages} messages were acknowledged: {of}, {answer}").into());
            }
        }
        Ok(())
    }

    /// What was asked of AWS since the last time.
    pub(crate) fn asked(&self) -> Asked {
        std::mem::take(&mut self.served.asked())
    }
}

impl Served {
    fn asked(&self) -> MutexGuard<'_, Asked> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn fail(&self, problem: String) -> Response {
        let _ = self.answers.send(Err(problem)); // who would hear it has given up
        StatusCode::NOT_IMPLEMENTED.into_response()
    }
}

async fn next(State(served): State<Arc<Served>>) -> Response {
    let Some((id, event)) = served.invocations.lock().await.recv().await else {
        return StatusCode::GONE.into_response();
    };
    let headers = [
        ("content-type", "application/json"),
        ("lambda-runtime-aws-request-id", &id),
        ("lambda-runtime-deadline-ms", "4102444800000"),
        ("lambda-runtime-invoked-function-arn", "arn:aws:lambda:eu-central-1:123456789012:function:ingest-message"),
    ];
    (headers, event).into_response()
}

async fn response(State(served): State<Arc<Served>>, Path(id): Path<String>, body: String) -> Response {
    match serde_json::from_str(&body) {
        Ok(answer) => {
            let _ = served.answers.send(Ok((id, answer)));
            StatusCode::ACCEPTED.into_response()
        }
        Err(error) => served.fail(format!("the answer is no JSON: {error}")),
    }
}

async fn error(State(served): State<Arc<Served>>, body: String) -> Response {
    served.fail(format!("the function failed: {body}"))
}

async fn aws(State(served): State<Arc<Served>>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let target = head.headers.get("x-amz-target").and_then(|target| target.to_str().ok());
    if target == Some("DynamoDB_20120810.TransactWriteItems") {
        return transaction(&served, body).await;
    }
    if target == Some("DynamoDB_20120810.UpdateItem") {
        // The owner's profile, in which no group is open.
        *served.asked().calls.entry(UPDATE_ITEM).or_default() += 1;
        let attributes = r#"{"Attributes":{"open":{"S":""}}}"#;
        return ([("content-type", "application/x-amz-json-1.0")], attributes).into_response();
    }
    if target.is_none() && head.method == Method::PUT {
        return match to_bytes(body, usize::MAX).await {
            Ok(body) if !body.is_empty() => {
                let mut asked = served.asked();
                *asked.calls.entry(PUT_OBJECT).or_default() += 1;
                asked.objects.insert(head.uri.path().to_owned());
                [("x-amz-version-id", "1"), ("etag", "\"1\"")].into_response()
            }
            _ => served.fail(format!("an object without a body: {}", head.uri)),
        };
    }
    served.fail(format!("an unexpected call: {} {} {}", head.method, head.uri, target.unwrap_or_default()))
}

async fn transaction(served: &Served, body: Body) -> Response {
    let body = to_bytes(body, usize::MAX).await.ok();
    let body: Option<Value> = body.and_then(|body| serde_json::from_slice(&body).ok());
    let Some(actions) = body.as_ref().and_then(|body| body.get("TransactItems")?.as_array()) else {
        return served.fail("a transaction of nothing".to_owned());
    };
    let mut asked = served.asked();
    *asked.calls.entry(TRANSACT_WRITE_ITEMS).or_default() += 1;
    asked.actions += actions.len();
    let keys = actions.iter().filter_map(|action| action.pointer("/Update/Key/pk/S")?.as_str());
    asked.histories.extend(keys.filter(|key| key.starts_with("upload#")).map(str::to_owned));
    ([("content-type", "application/x-amz-json-1.0")], "{}").into_response()
}
