//! The servers that the function calls, on loopback in this process: the Runtime API, which delivers batches and
//! receives their results, and stand-ins for S3, DynamoDB and SNS that accept only the calls that storing a batch or
//! subscribing an owner needs.

use std::collections::{HashMap, HashSet};
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

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
use crate::tls::{HOSTS, Identity};

/// The time that the function has to answer an invocation.
const ANSWER: Duration = Duration::from_secs(60);

/// The AWS calls that storing messages needs.
pub(crate) const PUT_OBJECT: &str = "S3 PutObject";
pub(crate) const TRANSACT_WRITE_ITEMS: &str = "DynamoDB TransactWriteItems";
pub(crate) const UPDATE_ITEM: &str = "DynamoDB UpdateItem";

/// The recorded AWS calls.
#[derive(Default)]
pub(crate) struct Recorded {
    /// The number of calls by service and operation.
    pub(crate) calls: HashMap<&'static str, usize>,
    /// The number of actions in transactions.
    pub(crate) actions: usize,
    /// The keys of the created objects.
    pub(crate) objects: HashSet<String>,
    /// The primary keys of the written histories.
    pub(crate) histories: HashSet<String>,
}

/// The function's answer to an invocation with the invocation's id, or an error message.
type Answer = Result<(String, Value), String>;

/// The state of the servers.
struct Served {
    invocations: AsyncMutex<UnboundedReceiver<(String, String)>>,
    answers: UnboundedSender<Answer>,
    /// The times of the requests of an event.
    polls: UnboundedSender<Instant>,
    recorded: Mutex<Recorded>,
}

/// The addresses of the servers, for the environment of a function.
pub(crate) struct Endpoints {
    /// Host and port of the Runtime API.
    pub(crate) runtime_api: String,
    /// The URLs of the services.
    pub(crate) s3: String,
    pub(crate) dynamodb: String,
    pub(crate) sns: String,
    /// The URL of the rest of AWS, which is not called.
    pub(crate) aws: String,
    /// The root certificates, with TLS.
    pub(crate) roots: Option<PathBuf>,
}

/// The client side, for the benchmark.
pub(crate) struct Network {
    pub(crate) endpoints: Endpoints,
    invocations: UnboundedSender<(String, String)>,
    answers: UnboundedReceiver<Answer>,
    polls: UnboundedReceiver<Instant>,
    served: Arc<Served>,
    invoked: usize,
}

impl Network {
    /// Starts the servers; with an identity, S3, DynamoDB and SNS use TLS.
    pub(crate) async fn start(identity: Option<&Identity>) -> Result<Self, Failed> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let (invocations, to_deliver) = unbounded_channel();
        let (answered, answers) = unbounded_channel();
        let (polled, polls) = unbounded_channel();
        let invocations_of = AsyncMutex::new(to_deliver);
        let served =
            Served { invocations: invocations_of, answers: answered, polls: polled, recorded: Mutex::default() };
        let served = Arc::new(served);
        let router = Router::new()
            .route("/2018-06-01/runtime/invocation/next", get(next))
            .route("/2018-06-01/runtime/invocation/{id}/response", post(response))
            .route("/2018-06-01/runtime/invocation/{id}/error", post(error))
            .route("/2018-06-01/runtime/init/error", post(error))
            .fallback(aws)
            .with_state(Arc::clone(&served));
        let plain = format!("http://{address}");
        let [mut s3, mut dynamodb, mut sns] = [plain.clone(), plain.clone(), plain.clone()];
        if let Some(identity) = identity {
            for (host, url) in HOSTS.into_iter().zip([&mut s3, &mut dynamodb, &mut sns]) {
                let (listener, router) = (identity.listen(host).await?, router.clone());
                *url = format!("https://{}", axum::serve::Listener::local_addr(&listener)?);
                tokio::spawn(async move { axum::serve(listener, router).await });
            }
        }
        tokio::spawn(async move { axum::serve(listener, router).await });
        let roots = identity.map(|identity| identity.roots.clone());
        let endpoints = Endpoints { runtime_api: address.to_string(), s3, dynamodb, sns, aws: plain, roots };
        Ok(Self { endpoints, invocations, answers, polls, served, invoked: 0 })
    }

    /// Waits until a function asks for an event. Returns the time of the request.
    pub(crate) async fn polled(&mut self, within: Duration) -> Result<Instant, Failed> {
        let polled = tokio::time::timeout(within, self.polls.recv()).await;
        polled.ok().flatten().ok_or_else(|| format!("no function asks for an event within {within:?}").into())
    }

    /// Invokes the function with batches, one after the other. Fails unless the function acknowledges every message.
    pub(crate) async fn invoke(&mut self, batches: Vec<Batch>) -> Result<(), Failed> {
        let mut expected = Vec::new();
        for Batch { event, ids } in batches {
            expected.push((self.send(event)?, ids));
        }
        for (id, messages) in expected {
            let answer = self.answer(&id).await?;
            let failures = answer.get("batchItemFailures").and_then(Value::as_array);
            if failures.is_none_or(|failures| !failures.is_empty()) {
                let messages = messages.len();
                return Err(format!("not all of {messages} messages were acknowledged: {answer}").into());
            }
        }
        Ok(())
    }

    /// Sends a request to the REST API to the function. Fails unless the function answers it with 200.
    pub(crate) async fn request(&mut self, event: String) -> Result<(), Failed> {
        let id = self.send(event)?;
        let answer = self.answer(&id).await?;
        let status = answer.get("statusCode").and_then(Value::as_u64);
        if status == Some(200) { Ok(()) } else { Err(format!("the answer is not 200: {answer}").into()) }
    }

    /// Sends an event to the function. Returns the id of the invocation.
    fn send(&mut self, event: String) -> Result<String, Failed> {
        self.invoked += 1;
        let id = format!("{:08x}-0000-4000-8000-000000000000", self.invoked);
        self.invocations.send((id.clone(), event))?;
        Ok(id)
    }

    /// Waits for the next answer, which is that to an invocation.
    async fn answer(&mut self, id: &str) -> Result<Value, Failed> {
        let answer = tokio::time::timeout(ANSWER, self.answers.recv()).await;
        let answer = answer.map_err(|_| format!("no answer within {} s", ANSWER.as_secs()))?;
        let (of, answer) = answer.ok_or("the Runtime API has ended")??;
        if of == id { Ok(answer) } else { Err(format!("an answer to {of} instead of {id}: {answer}").into()) }
    }

    /// Takes the AWS calls recorded since the last time.
    pub(crate) fn recorded(&self) -> Recorded {
        std::mem::take(&mut self.served.recorded())
    }
}

impl Served {
    fn recorded(&self) -> MutexGuard<'_, Recorded> {
        self.recorded.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn fail(&self, problem: String) -> Response {
        let _ = self.answers.send(Err(problem)); // fails only after the benchmark ended
        StatusCode::NOT_IMPLEMENTED.into_response()
    }
}

async fn next(State(served): State<Arc<Served>>) -> Response {
    let _ = served.polls.send(Instant::now()); // fails only after the benchmark ended
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
    if matches!(target, Some("DynamoDB_20120810.GetItem" | "DynamoDB_20120810.PutItem")) {
        // The owner has no subscription yet.
        return ([("content-type", "application/x-amz-json-1.0")], "{}").into_response();
    }
    if target == Some("DynamoDB_20120810.UpdateItem") {
        // The owner's profile, without open problems.
        *served.recorded().calls.entry(UPDATE_ITEM).or_default() += 1;
        let attributes = r#"{"Attributes":{"open":{"S":""}}}"#;
        return ([("content-type", "application/x-amz-json-1.0")], attributes).into_response();
    }
    if target.is_none() && head.method == Method::PUT {
        return match to_bytes(body, usize::MAX).await {
            Ok(body) if !body.is_empty() => {
                let mut recorded = served.recorded();
                *recorded.calls.entry(PUT_OBJECT).or_default() += 1;
                recorded.objects.insert(head.uri.path().to_owned());
                [("x-amz-version-id", "1"), ("etag", "\"1\"")].into_response()
            }
            _ => served.fail(format!("an object without a body: {}", head.uri)),
        };
    }
    if target.is_none() && head.method == Method::POST {
        let body = to_bytes(body, usize::MAX).await.unwrap_or_default();
        return notifications(&served, &String::from_utf8_lossy(&body));
    }
    served.fail(format!("an unexpected call: {} {} {}", head.method, head.uri, target.unwrap_or_default()))
}

async fn transaction(served: &Served, body: Body) -> Response {
    let body = to_bytes(body, usize::MAX).await.ok();
    let body: Option<Value> = body.and_then(|body| serde_json::from_slice(&body).ok());
    let Some(actions) = body.as_ref().and_then(|body| body.get("TransactItems")?.as_array()) else {
        return served.fail("a transaction of nothing".to_owned());
    };
    let mut recorded = served.recorded();
    *recorded.calls.entry(TRANSACT_WRITE_ITEMS).or_default() += 1;
    recorded.actions += actions.len();
    let keys = actions.iter().filter_map(|action| action.pointer("/Update/Key/pk/S")?.as_str());
    recorded.histories.extend(keys.filter(|key| key.starts_with("upload#")).map(str::to_owned));
    ([("content-type", "application/x-amz-json-1.0")], "{}").into_response()
}

/// Answers as SNS does to a request to subscribe an address, which it has not confirmed yet.
fn notifications(served: &Served, form: &str) -> Response {
    let action = form.split('&').find_map(|member| member.strip_prefix("Action=")).unwrap_or_default();
    let result = match action {
        "Subscribe" => "<SubscriptionArn>arn:aws:sns:eu-central-1:123456789012:notices:1</SubscriptionArn>",
        "GetSubscriptionAttributes" => {
            "<Attributes><entry><key>PendingConfirmation</key><value>true</value></entry></Attributes>"
        }
        "SetSubscriptionAttributes" => "",
        _ => return served.fail(format!("an unexpected call of SNS: {form}")),
    };
    let body = format!("<{action}Response><{action}Result>{result}</{action}Result></{action}Response>");
    ([("content-type", "text/xml")], body).into_response()
}
