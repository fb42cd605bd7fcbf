//! Round trips of an upload, and its log lines.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use aws_sdk_s3::config::{HttpClient, RuntimeComponents, SharedHttpClient};
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use eventpulse_aws::workflows::delivery::DeliveryOutcome;
use eventpulse_aws::workflows::process_upload::process_upload;
use eventpulse_aws::{Services, clock};
use eventpulse_core::intake::schema::Catalog;
use eventpulse_core::upload::UploadState;
use serde_json::Value;

use super::{bodies, delivery, id_of, put};
use crate::TestResult;
use crate::world::{World, reading};

pub async fn logs_carry_one_correlation_id_and_no_payload(world: Arc<World>) -> TestResult {
    for (name, body, ..) in bodies("payload-of-mine") {
        let object = put(&world, &format!("elsewhere/logged-{name}.ndjson"), &body).await?;
        // A key outside uploads/ triggers no event, and this invocation is denied access. The failure is logged, too.
        let denied = world.deliver(&object, &format!("trace-{name}")).await?;
        assert!(denied.error.is_some());
        let object = put(&world, &format!("uploads/logged-{name}.ndjson"), &body).await?;
        world.client.settled(&id_of(&object)).await?;
        let answer = world.deliver(&object, &format!("trace-{name}")).await?;
        for log in [denied.log, answer.log] {
            let lines: Vec<Value> = log.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
            let ours: Vec<&Value> = lines.iter().filter(|line| line.get("level").is_some()).collect();
            assert!(!ours.is_empty(), "{name}: nothing was logged: {log}");
            for line in ours {
                assert_eq!(line["span"]["correlation_id"], format!("trace-{name}"), "{name}: {line}");
            }
            assert!(!log.contains("payload-of-mine") && !log.contains("X-Amz-Signature"), "{name}: {log}");
        }
    }
    Ok(())
}

/// Counts the requests of an SDK client.
#[derive(Debug, Clone)]
struct Counting {
    inner: SharedHttpClient,
    count: Arc<AtomicUsize>,
}

#[derive(Debug)]
struct CountingConnector {
    inner: SharedHttpConnector,
    count: Arc<AtomicUsize>,
}

impl HttpClient for Counting {
    fn http_connector(&self, settings: &HttpConnectorSettings, components: &RuntimeComponents) -> SharedHttpConnector {
        let inner = self.inner.http_connector(settings, components);
        SharedHttpConnector::new(CountingConnector { inner, count: Arc::clone(&self.count) })
    }
}

impl HttpConnector for CountingConnector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        self.count.fetch_add(1, Ordering::Relaxed);
        self.inner.call(request)
    }
}

pub async fn small_upload_takes_at_most_five_round_trips(world: Arc<World>) -> TestResult {
    let count = Arc::new(AtomicUsize::new(0));
    let client = Counting { inner: eventpulse_aws::http_client(), count: Arc::clone(&count) };
    let sdk = world.client.sdk.to_builder().http_client(client).build();
    let services = Services::new(world.client.services.config.clone(), &sdk, Catalog::bundled()?);
    let object = put(&world, "elsewhere/small.ndjson", &reading("small", 0, 1.0).to_string()).await?;
    let delivery = delivery(&object, "counted");
    let outcome = process_upload(&services, &delivery, clock).await?;
    let DeliveryOutcome::Settled(upload) = outcome else { return Err("not settled".into()) };
    assert_eq!(upload.state(), UploadState::Accepted);
    let trips = count.load(Ordering::Relaxed);
    // Three until the upload is accepted, one for the owner's profile, and one for an occurrence, since the operator
    // has open problems.
    assert!(trips <= 5, "{trips} round trips");
    println!("{trips} round trips");
    Ok(())
}
