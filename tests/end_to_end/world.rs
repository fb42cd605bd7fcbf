//! The stack under test, and the operations that tests share.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::{InvocationType, LogType};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use eventpulse_cli::BoxError;
use eventpulse_cli::client::http::http_client;
use eventpulse_cli::dev::client::{Client, User};
use eventpulse_cli::dev::mailbox::{Mail, Mailbox};
use eventpulse_cli::dev::samples::{Expected, Sample};
use eventpulse_cli::stack::{Options, Stack};
use eventpulse_core::id::UploadId;
use eventpulse_core::statistics::series::Series;
use eventpulse_core::statistics::summary::Statistics;
use eventpulse_core::upload::{ObjectVersion, Upload};
use serde_json::{Value, json};
use tokio::sync::RwLock;

use crate::poll::PATIENCE;

/// A running stack.
pub struct World {
    pub stack: Stack,
    pub client: Client,
    pub mailbox: Mailbox,
    pub lambda: aws_sdk_lambda::Client,
    pub iam: aws_sdk_iam::Client,
    pub dynamodb: aws_sdk_dynamodb::Client,
    pub http: reqwest::Client,
    /// A lock that shared tests hold for reading and exclusive tests hold for writing.
    pub quiet: RwLock<()>,
    users: Vec<User>,
    users_taken: AtomicUsize,
}

/// The number of users created for the tests.
const USERS: usize = 160;

/// The address that is subscribed to every notice.
pub const OPERATOR_ADDRESS: &str = "operator@example.com";

/// The answer of an invocation.
pub struct Answer {
    pub error: Option<String>,
    pub payload: Value,
    pub log: String,
}

impl World {
    pub async fn start() -> Result<Self, BoxError> {
        let stack = Stack::start(Options::for_test()).await?;
        let client = Client::new(&stack).await?;
        let names: Vec<String> = (0..USERS).map(|number| format!("user-{number}")).collect();
        let users = client.users(&stack, &names).await?;
        let mailbox = Mailbox::open(&stack);
        subscribe_operator(&client, &mailbox).await?;
        Ok(Self {
            lambda: aws_sdk_lambda::Client::new(&client.sdk),
            iam: aws_sdk_iam::Client::new(&client.sdk),
            dynamodb: aws_sdk_dynamodb::Client::new(&client.sdk),
            http: http_client()?,
            stack,
            client,
            mailbox,
            quiet: RwLock::new(()),
            users,
            users_taken: AtomicUsize::new(0),
        })
    }

    pub async fn stop(self) -> Result<(), BoxError> {
        self.stack.stop().await?;
        Ok(())
    }

    /// Returns a user that no other test uses.
    pub fn user(&self) -> User {
        let taken = self.users_taken.fetch_add(1, Ordering::Relaxed);
        self.users.get(taken).expect("there are USERS users").clone()
    }

    /// Waits for mails about an upload, to its owner or to the operator. Returns none if none arrives in time.
    pub async fn mails_about(&self, id: &UploadId) -> Vec<Mail> {
        self.mailbox.wait(PATIENCE, |mail| mail.text.contains(id.as_str())).await;
        self.mailbox.about(id.as_str())
    }

    pub fn output(&self, name: &str) -> &str {
        self.stack.outputs.get(name).map_or("", String::as_str)
    }

    pub fn process_bucket(&self) -> &str {
        &self.client.services.config.process_bucket
    }

    pub fn quarantine_bucket(&self) -> &str {
        &self.client.services.config.quarantine_bucket
    }

    /// Uploads by a presigned URL and waits for the outcome.
    pub async fn upload(&self, user: &User, sample: &Sample) -> Result<Upload, BoxError> {
        let id = self.client.upload(user, sample).await?;
        self.client.settled(&id).await
    }

    /// Invokes ingest-object as EventBridge would for this object version, and waits for the answer.
    pub async fn deliver(&self, object: &ObjectVersion, correlation_id: &str) -> Result<Answer, BoxError> {
        let event = event(object, correlation_id);
        let function = self.output("IngestObjectFunctionName");
        let invoke = self.lambda.invoke().function_name(function).log_type(LogType::Tail);
        let output = invoke.payload(Blob::new(event.to_string())).send().await?;
        let log = output.log_result().map(|text| BASE64_STANDARD.decode(text)).transpose()?.unwrap_or_default();
        let payload = output.payload().map(Blob::as_ref).unwrap_or_default();
        Ok(Answer {
            error: output.function_error().map(str::to_owned),
            payload: serde_json::from_slice(payload).unwrap_or_default(),
            log: String::from_utf8(log)?,
        })
    }

    /// Invokes ingest-object asynchronously, as EventBridge does: with retries, and the failure queue after them.
    pub async fn deliver_later(&self, object: &ObjectVersion, correlation_id: &str) -> Result<(), BoxError> {
        let function = self.output("IngestObjectFunctionName");
        let invoke = self.lambda.invoke().function_name(function).invocation_type(InvocationType::Event);
        invoke.payload(Blob::new(event(object, correlation_id).to_string())).send().await?;
        Ok(())
    }

    /// Returns the statistics of a device's `value` over all accepted records.
    pub async fn statistics(&self, owner: &str, entity: &str) -> Result<Option<Statistics>, BoxError> {
        let series = Series { owner: owner.parse()?, entity: entity.to_owned(), measure: "value".to_owned() };
        Ok(self.client.services.chunks.answer(&series, None, None).await?.map(|answer| answer.statistics))
    }

    /// Returns the bytes of an object or of one version, `None` if it does not exist.
    pub async fn object(&self, bucket: &str, key: &str, version: Option<&str>) -> Result<Option<Vec<u8>>, BoxError> {
        match self.client.services.objects.get(bucket, key, version).await? {
            Some(object) => Ok(Some(object.body.collect().await?.to_vec())),
            None => Ok(None),
        }
    }

    /// Returns the inline policy of a function's role: the role's name, the policy's name and the document.
    /// `role_part` is a part of the role's name.
    pub async fn policy(&self, role_part: &str) -> Result<(String, String, Value), BoxError> {
        let mut roles = self.iam.list_roles().into_paginator().items().send();
        while let Some(role) = roles.next().await {
            let name = role?.role_name().to_owned();
            if !name.contains(role_part) {
                continue;
            }
            let policies = self.iam.list_role_policies().role_name(&name).send().await?;
            let policy = policies.policy_names().first().ok_or("the role has no inline policy")?.clone();
            let got = self.iam.get_role_policy().role_name(&name).policy_name(&policy).send().await?;
            let document = percent_encoding::percent_decode_str(got.policy_document()).decode_utf8()?;
            return Ok((name, policy, serde_json::from_str(&document)?));
        }
        Err(format!("there is no role {role_part}").into())
    }

    /// Calls SQS through the Python SDK of the stack. Another Rust SDK would take longer to build than its tests take
    /// to run.
    pub async fn sqs(&self, operation: &str, input: &Value) -> Result<Value, BoxError> {
        let script = "import boto3, json, os, sys\n\
                      client = boto3.client('sqs', region_name=os.environ['AWS_REGION'])\n\
                      answer = getattr(client, sys.argv[1])(**json.loads(sys.argv[2]))\n\
                      json.dump(answer, sys.stdout)";
        self.python(operation, &[script, operation, &input.to_string()]).await
    }

    /// Returns the JSON lines of a log group. `group` is the name of the output that holds the group's name.
    pub async fn logs(&self, group: &str) -> Result<Vec<Value>, BoxError> {
        let script = "import boto3, json, os, sys\n\
                      logs = boto3.client('logs', region_name=os.environ['AWS_REGION'])\n\
                      pages = logs.get_paginator('filter_log_events').paginate(logGroupName=sys.argv[1])\n\
                      json.dump([event['message'] for page in pages for event in page['events']], sys.stdout)";
        let lines: Vec<String> = serde_json::from_value(self.python(group, &[script, self.output(group)]).await?)?;
        Ok(lines.iter().filter_map(|line| serde_json::from_str(line).ok()).collect())
    }

    /// Runs a script with the stack's Python and returns its output, parsed as JSON. `what` names the call in an error.
    async fn python(&self, what: &str, script_and_arguments: &[&str]) -> Result<Value, BoxError> {
        let output = self.stack.python().arg("-c").args(script_and_arguments).output().await?;
        if !output.status.success() {
            return Err(format!("{what}: {}", String::from_utf8_lossy(&output.stderr)).into());
        }
        Ok(serde_json::from_slice(&output.stdout)?)
    }

    pub async fn put_policy(&self, role: &str, policy: &str, document: &Value) -> Result<(), BoxError> {
        let put = self.iam.put_role_policy().role_name(role).policy_name(policy);
        put.policy_document(document.to_string()).send().await?;
        Ok(())
    }
}

/// Subscribes the operator to the notices of all owners, as the parameter `OperatorEmail` does.
async fn subscribe_operator(client: &Client, mailbox: &Mailbox) -> Result<(), BoxError> {
    let sns = aws_sdk_sns::Client::new(&client.sdk);
    let topic = &client.services.config.notices_topic_arn;
    let subscribe = sns.subscribe().topic_arn(topic).protocol("email").endpoint(OPERATOR_ADDRESS);
    subscribe.attributes("FilterPolicy", r#"{"kind": [{"anything-but": ["synthetic_check"]}]}"#).send().await?;
    let asks = mailbox.wait(PATIENCE, |mail| mail.to == OPERATOR_ADDRESS && mail.confirm_url.is_some()).await;
    mailbox.confirm(&asks.ok_or("the operator is not asked to confirm")?).await
}

/// Builds a document from bytes.
pub fn document(name: &str, bytes: impl Into<Vec<u8>>) -> Sample {
    let expected: Expected = serde_json::from_value(json!({ "outcome": "" })).expect("an expectation");
    Sample { path: PathBuf::from(name), bytes: bytes.into(), expected }
}

/// Builds a reading of a device at a second of 2025-02-28.
pub fn reading(device: &str, second: u32, value: f64) -> Value {
    let (hour, minute, second) = (second / 3600 % 24, second / 60 % 60, second % 60);
    json!({ "device_id": device, "timestamp": format!("2025-02-28T{hour:02}:{minute:02}:{second:02}Z"), "value": value })
}

/// Builds an event in the form that AWS sends for versioned buckets.
pub fn event(object: &ObjectVersion, correlation_id: &str) -> Value {
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../events/object-created.json"))
        .expect("events/object-created.json");
    let mut event: Value = serde_json::from_str(&text).expect("an event");
    event["id"] = json!(correlation_id);
    event["detail"]["bucket"]["name"] = json!(object.bucket);
    event["detail"]["object"]["key"] = json!(object.key);
    event["detail"]["object"]["size"] = json!(object.size);
    event["detail"]["object"]["version-id"] = json!(object.version_id);
    event
}

/// Returns the number of events of each kind in an upload's history.
pub fn kinds(history: &[eventpulse_core::upload::RecordedEvent]) -> BTreeMap<String, usize> {
    let mut kinds = BTreeMap::new();
    for event in history {
        let value = serde_json::to_value(event).unwrap_or_default();
        *kinds.entry(value["event"].as_str().unwrap_or_default().to_owned()).or_default() += 1;
    }
    kinds
}

/// Compresses bytes into one gzip member.
pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).expect("gzip");
    encoder.finish().expect("gzip")
}
