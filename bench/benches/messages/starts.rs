//! Measures the start of the functions: until they ask for their first event, and the first event with calls of AWS.

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::Failed;
use crate::batches::{Batches, Kind};
use crate::environment::{CLIENT, ISSUER};
use crate::function::{self, Function, INGEST_MESSAGE};
use crate::network::Network;
use crate::tls::Identity;

/// The number of processes of each row, after a first one that reads the program into memory.
const STARTS: usize = 40;

/// The time that a function has to ask for its first event.
const FIRST_POLL: Duration = Duration::from_secs(10);

/// What one process needed, in milliseconds.
#[derive(Default)]
struct Samples {
    /// From the start of the process to the request of the first event.
    first_poll: Vec<f64>,
    /// The CPU time until then.
    cpu: Vec<f64>,
    /// The CPU time of the first event.
    first_event: Vec<f64>,
}

/// The first event of a function.
#[derive(Clone, Copy)]
enum First {
    /// None is sent.
    Nothing,
    /// One message: a call of S3 and three of DynamoDB.
    Message,
    /// A request to subscribe the owner: four calls of DynamoDB and three of SNS.
    Subscription,
}

const ROWS: [(&str, First); 3] =
    [("ingest-object", First::Nothing), (INGEST_MESSAGE, First::Message), ("manage", First::Subscription)];

/// Prints the table of starts.
pub(crate) async fn measure(quick: bool) -> Result<(), Failed> {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("starts");
    let identity = Identity::make(&directory)?;
    println!("| function | AWS | first poll, ms | CPU until then, ms | CPU of the first event, ms |");
    println!("|---|---|--:|--:|--:|");
    for (name, first) in ROWS {
        let program = function::build(name)?;
        for over_tls in [false, true] {
            let mut network = Network::start(over_tls.then_some(&identity)).await?;
            // One file of certificates, as on Lambda; the directories of this machine may have hundreds.
            network.endpoints.roots = Some(identity.roots.clone());
            let samples = samples((name, first), &program, network, if quick { 1 } else { STARTS }).await?;
            let event = match first {
                First::Nothing => String::new(),
                First::Message | First::Subscription => format!("**{:.1}**", median(&samples.first_event)),
            };
            println!(
                "| `{name}` | {} | **{:.1}** | {:.1} | {event} |",
                if over_tls { "TLS" } else { "no TLS" },
                median(&samples.first_poll),
                median(&samples.cpu),
            );
        }
    }
    println!();
    println!("- Medians of {STARTS} processes. A process starts from the page cache, on a processor of this machine.");
    println!("- The first event of `{INGEST_MESSAGE}` is one message: a call of S3 and three of DynamoDB.");
    println!("- That of `manage` subscribes an owner to notices: calls of DynamoDB and of SNS.");
    println!("- Each service has one connection. With TLS, each handshake verifies a chain of three certificates.\n");
    Ok(())
}

async fn samples(
    (name, first): (&str, First),
    program: &Path,
    mut network: Network,
    count: usize,
) -> Result<Samples, Failed> {
    let mut made = Batches::new()?;
    let mut samples = Samples::default();
    for number in 0..=count {
        let begun = Instant::now();
        let function = Function::start(program, name, &network.endpoints)?;
        let polled = network.polled(FIRST_POLL).await?;
        let cpu = function.cpu_ms()?;
        match first {
            First::Nothing => {}
            First::Message => network.invoke(made.make(Kind { size: 1, devices: 1, keyed: false }, 1)?).await?,
            First::Subscription => network.request(subscription().to_string()).await?,
        }
        if !matches!(first, First::Nothing) {
            network.polled(FIRST_POLL).await?;
        }
        if number > 0 {
            samples.first_poll.push((polled - begun).as_secs_f64() * 1e3);
            samples.cpu.push(cpu);
            samples.first_event.push(function.cpu_ms()? - cpu);
        }
    }
    Ok(samples)
}

/// Returns the event of `PUT /notifications`, as API Gateway sends it.
fn subscription() -> Value {
    json!({
        "resource": "/{proxy+}", "path": "/notifications", "httpMethod": "PUT",
        "headers": { "Content-Type": "application/json" },
        "multiValueHeaders": { "Content-Type": ["application/json"] },
        "queryStringParameters": null, "multiValueQueryStringParameters": null,
        "pathParameters": { "proxy": "notifications" }, "stageVariables": null,
        "requestContext": {
            "requestId": "bench", "stage": "v1", "httpMethod": "PUT", "path": "/v1/notifications", "identity": {},
            "authorizer": { "claims": {
                "sub": "owner-1", "iss": ISSUER, "aud": CLIENT, "token_use": "id",
                "email": "owner@example.com", "email_verified": "true",
            } },
        },
        "body": "{}", "isBase64Encoded": false,
    })
}

fn median(samples: &[f64]) -> f64 {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}
