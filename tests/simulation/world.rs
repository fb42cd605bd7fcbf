//! A run: EventPulse over the simulated network, with deliveries as Lambda and SQS make them.

use std::future::Future;
use std::rc::Rc;
use std::time::Duration;

use aws_config::{BehaviorVersion, Region, SdkConfig};
use eventpulse_aws::Services;
use eventpulse_aws::config::Config;
use eventpulse_aws::workflows::delivery::{Delivery, DeliveryOutcome};
use eventpulse_aws::workflows::failed_delivery::{FailedDelivery, record_failed_delivery};
use eventpulse_aws::workflows::issue::{Request, issue};
use eventpulse_aws::workflows::messages::{ParsedMessage, process_messages};
use eventpulse_aws::workflows::process_upload::process_upload;
use eventpulse_aws::workflows::upload_commands::retry_unchanged;
use eventpulse_core::id::UploadId;
use eventpulse_core::intake::failure::FailureCode;
use eventpulse_core::intake::schema::{Catalog, SchemaRef};
use eventpulse_core::time::Timestamp;
use eventpulse_core::upload::UploadState;
use tokio::task::{JoinSet, LocalSet};

use super::network::{INVOCATION, Invocation, Network};
use super::plan::{Message, Plan};
use super::s3::{Created, Stored};

/// The number of deliveries by Lambda, the first one included.
const DELIVERIES: u32 = 3;
/// The number of receives of a message before it goes to the dead-letter queue.
const RECEIVES: u32 = 5;
/// The process bucket.
pub const PROCESS: &str = "process";
/// The quarantine bucket.
pub const QUARANTINE: &str = "quarantine";

/// A run.
pub struct World {
    /// The services under test.
    pub services: Services,
    /// The network and the stand-ins behind it.
    pub network: Network,
    /// The randomness of deliveries.
    random: std::cell::RefCell<fastrand::Rng>,
    /// Whether invocations are killed, and deliveries repeated.
    pub is_hostile: std::cell::Cell<bool>,
    /// The deliveries and messages in dead-letter queues.
    dead: std::cell::RefCell<(Vec<FailedDelivery>, Vec<ParsedMessage>)>,
}

impl World {
    /// Creates empty services. `fault_percent` is the share of faulty calls.
    pub fn new(seed: u64, fault_percent: u32, is_hostile: bool) -> Rc<Self> {
        let network = Network::new(seed, fault_percent);
        let sdk = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::from_static("eu-central-1"))
            .endpoint_url("http://aws.test")
            .credentials_provider(aws_sdk_s3::config::SharedCredentialsProvider::new(
                aws_sdk_s3::config::Credentials::new("key", "secret", None, None, "simulation"),
            ))
            .http_client(network.client())
            .retry_config(aws_config::retry::RetryConfig::standard())
            .build();
        let config = Config {
            uploads_table: "uploads".to_owned(),
            chunks_table: "chunks".to_owned(),
            process_bucket: PROCESS.to_owned(),
            quarantine_bucket: QUARANTINE.to_owned(),
            quarantine_retention_days: 90,
            notices_topic_arn: "arn:aws:sns:eu-central-1:1:notices".to_owned(),
            notices_table: "notices".to_owned(),
            usage_table: "usage".to_owned(),
            default_schema: SchemaRef::parse("reading/1.0").expect("a schema"),
            s3_path_style: true,
        };
        let catalog = Catalog::bundled().expect("schemas that compile");
        let services = Services::new(config, &sdk, catalog);
        let random = fastrand::Rng::with_seed(seed ^ 0x5eed).into();
        Rc::new(Self { services, network, random, is_hostile: is_hostile.into(), dead: Default::default() })
    }

    /// Returns the virtual time.
    pub fn now(&self) -> Timestamp {
        let start = Timestamp::parse("2025-03-01T00:00:00Z").expect("a time");
        Timestamp::from_micros(start.as_micros() + self.network.now_micros())
    }

    fn random<T>(&self, draw: impl FnOnce(&mut fastrand::Rng) -> T) -> T {
        draw(&mut self.random.borrow_mut())
    }

    /// Runs an invocation of a function, which may be killed. Returns `None` if it was.
    pub async fn invoke<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        let is_killed = self.is_hostile.get() && self.random(|random| random.u32(0..5) == 0);
        let invocation = Invocation::new(is_killed.then(|| self.random(|random| random.u64(1..25))));
        tokio::select! {
            output = INVOCATION.scope(invocation.clone(), work) => Some(output),
            () = invocation.killed() => None,
        }
    }

    /// Issues the upload of a file and puts its object into the process bucket. Returns the id.
    pub async fn upload(&self, owner: &str, content: &str, index: usize) -> UploadId {
        let owner = owner.parse().expect("an owner");
        let file_name = format!("readings-{index}.ndjson");
        let request = Request {
            owner: &owner,
            file_name: &file_name,
            content_type: "application/x-ndjson",
            content_encoding: None,
            size: content.len() as u64,
            sha256_base64: None,
            schema: None,
            max_rejected: None,
            expires_in: Duration::from_secs(900),
        };
        let issued = loop {
            let random = self.random(|random| std::array::from_fn(|_| random.u8(..)));
            if let Ok(issued) = issue(&self.services, &request, self.now(), random).await {
                break issued;
            }
        };
        let header = |name: &str| {
            let found = issued.put.headers.iter().find(|(header, _)| header == name);
            found.map(|(_, value)| value.clone())
        };
        let (content_type, owner) = (header("content-type"), header("x-amz-meta-owner"));
        let object = Stored { bytes: content.into(), content_type, owner };
        self.network.state().buckets.create((PROCESS.to_owned(), issued.key), object);
        issued.upload_id
    }

    /// Delivers an object as EventBridge and Lambda do: three times, then to the failure queue.
    pub async fn deliver(self: Rc<Self>, created: Created) {
        let Created { bucket, key, version_id, size } = created;
        let correlation_id = format!("event-{version_id}");
        let delivery = Delivery { bucket, key, version_id: Some(version_id), size, correlation_id };
        let (mut deaths, mut reason) = (0, String::new());
        let mut attempts = 0;
        while attempts < DELIVERIES {
            attempts += 1;
            match self.invoke(process_upload(&self.services, &delivery, || self.now())).await {
                // The waiting queue delivers the upload again.
                Some(Ok(DeliveryOutcome::Waiting(_))) => (attempts, deaths) = (0, 0),
                Some(Ok(_)) => return,
                Some(Err(error)) => reason = error.to_string(),
                None => deaths += 1,
            }
            tokio::time::sleep(Duration::from_secs(self.random(|random| random.u64(1..120)))).await;
        }
        self.deliver_failed(FailedDelivery { delivery, reason, deaths }).await;
    }

    async fn deliver_failed(self: &Rc<Self>, failed: FailedDelivery) {
        for _ in 0..RECEIVES {
            let recorded = self.invoke(record_failed_delivery(&self.services, &failed, || self.now())).await;
            if matches!(recorded, Some(Ok(_))) {
                return;
            }
            tokio::time::sleep(Duration::from_secs(60)).await;
        }
        self.dead.borrow_mut().0.push(failed);
    }

    /// Delivers messages as SQS does: in batches, at least once.
    pub async fn deliver_messages(self: Rc<Self>, messages: Vec<ParsedMessage>) {
        let mut queue: Vec<(u32, ParsedMessage)> = messages.into_iter().map(|message| (1, message)).collect();
        while !queue.is_empty() {
            self.random(|random| random.shuffle(&mut queue));
            let size = self.random(|random| random.usize(1..11)).min(queue.len());
            let batch = queue.split_off(queue.len() - size);
            let messages = batch.iter().map(|(_, message)| message.clone()).collect();
            let log_name = format!("log-{}", self.random(|random| random.u64(..)));
            let processed = process_messages(&self.services, messages, &log_name, || self.now());
            let failed = self.invoke(processed).await;
            for (receives, message) in batch {
                let is_failed = failed
                    .as_ref()
                    .is_none_or(|failed| failed.iter().any(|failed| failed.message_id == message.message_id));
                let is_repeated = self.is_hostile.get() && self.random(|random| random.u32(0..20) == 0);
                match (is_failed || is_repeated, receives < RECEIVES) {
                    (true, true) => queue.push((receives + 1, message)),
                    (true, false) if is_failed => self.dead.borrow_mut().1.push(message),
                    _ => {}
                }
            }
            tokio::time::sleep(Duration::from_secs(self.random(|random| random.u64(0..40)))).await;
        }
    }

    /// Delivers new objects until all deliveries are done and `others` are, too.
    pub async fn run(self: &Rc<Self>, mut others: JoinSet<()>) {
        loop {
            let created = std::mem::take(&mut self.network.state().buckets.created);
            let created =
                created.into_iter().filter(|created| created.bucket == PROCESS && created.key.starts_with("uploads/"));
            for created in created {
                let copies = 1 + u32::from(self.is_hostile.get() && self.random(|random| random.u32(0..8) == 0));
                for _ in 0..copies {
                    others.spawn_local(self.clone().deliver(created.clone()));
                }
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
            while let Some(done) = others.try_join_next() {
                done.expect("a delivery that does not panic");
            }
            if others.is_empty() && self.network.state().buckets.created.is_empty() {
                return;
            }
        }
    }

    /// Ends all faults and delivers the dead letters again, as an operator does. Returns their number. Owners retry the uploads
    /// that killed the function three times.
    pub async fn recover(self: &Rc<Self>, uploads: &[UploadId]) -> usize {
        self.is_hostile.set(false);
        self.network.state().fault_percent = 0;
        let (deliveries, messages) = self.dead.take();
        let dead = deliveries.len() + messages.len();
        let mut tasks = JoinSet::new();
        for failed in deliveries {
            let world = self.clone();
            tasks.spawn_local(async move { world.deliver_failed(failed).await });
        }
        tasks.spawn_local(self.clone().deliver_messages(messages));
        self.run(tasks).await;
        let mut tasks = JoinSet::new();
        for id in uploads {
            let upload = self.services.uploads.load(id).await.expect("a call without a fault").expect("an upload");
            if let (UploadState::Failed | UploadState::Received, Some(object)) = (upload.state(), upload.object()) {
                let (bucket, key) = (object.bucket.clone(), object.key.clone());
                let (version_id, size) = (object.version_id.clone(), object.size);
                tasks.spawn_local(self.clone().deliver(Created { bucket, key, version_id, size }));
            }
            let failure = upload.rejection().and_then(|rejection| rejection.upload_failure.as_ref());
            if failure.is_some_and(|failure| failure.code == FailureCode::ProcessingFailed) {
                let retried = retry_unchanged(&self.services, &upload.origin().owner, id, self.now());
                retried.await.expect("a call without a fault");
            }
        }
        self.run(tasks).await;
        dead
    }
}

/// Returns the messages of a plan as the queue holds them.
pub fn parsed(plan: &Plan, now: Timestamp) -> Vec<ParsedMessage> {
    let parsed = |(index, Message { owner, body }): (usize, &Message)| {
        let correlation_id = format!("request-{index}=");
        ParsedMessage {
            message_id: format!("message-{index}"),
            upload_id: UploadId::of_message(&correlation_id).expect("a correlation id"),
            owner: owner.parse().expect("an owner"),
            correlation_id,
            key_id: None,
            idempotency_key: None,
            posted_at: now,
            body: body.clone().into_bytes(),
        }
    };
    plan.messages.iter().enumerate().map(parsed).collect()
}

/// Runs a future on a single thread whose time passes when all tasks wait.
pub fn in_virtual_time<T>(run: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build();
    LocalSet::new().block_on(&runtime.expect("a runtime"), run)
}
