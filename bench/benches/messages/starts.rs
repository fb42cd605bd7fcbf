//! Measures the start of the functions: until they ask for their first event, and the first event with calls of AWS.

use std::path::Path;
use std::time::{Duration, Instant};

use crate::Failed;
use crate::batches::{Batches, Kind};
use crate::function::{self, Function};
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

/// Prints the table of starts.
pub(crate) async fn measure(quick: bool) -> Result<(), Failed> {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("starts");
    let identity = Identity::make(&directory)?;
    println!("| function | AWS | first poll, ms | CPU until then, ms | CPU of the first event, ms |");
    println!("|---|---|--:|--:|--:|");
    for name in ["ingest-object", "ingest-message"] {
        let program = function::build(name)?;
        for over_tls in [false, true] {
            let mut network = Network::start(over_tls.then_some(&identity)).await?;
            // One file of certificates, as on Lambda; the directories of this machine may have hundreds.
            network.endpoints.roots = Some(identity.roots.clone());
            let samples = samples(name, &program, network, if quick { 1 } else { STARTS }).await?;
            let event = if samples.first_event.is_empty() {
                "not measured".to_owned()
            } else {
                format!("**{:.1}**", median(&samples.first_event))
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
    println!("- The first event is one message: a call of S3 and three of DynamoDB, over one connection to each.");
    println!(
        "- The root certificates of this machine are trusted. With TLS, each handshake verifies a chain of three.\n"
    );
    Ok(())
}

async fn samples(name: &'static str, program: &Path, mut network: Network, count: usize) -> Result<Samples, Failed> {
    let mut made = Batches::new()?;
    let mut samples = Samples::default();
    for number in 0..=count {
        let begun = Instant::now();
        let function = Function::start(program, name, &network.endpoints)?;
        let polled = network.polled(FIRST_POLL).await?;
        let cpu = function.cpu_ms()?;
        if number > 0 {
            samples.first_poll.push((polled - begun).as_secs_f64() * 1e3);
            samples.cpu.push(cpu);
        }
        if name == function::INGEST_MESSAGE {
            network.invoke(made.make(Kind { size: 1, devices: 1, keyed: false }, 1)?).await?;
            network.polled(FIRST_POLL).await?;
            if number > 0 {
                samples.first_event.push(function.cpu_ms()? - cpu);
            }
        }
    }
    Ok(samples)
}

fn median(samples: &[f64]) -> f64 {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}
