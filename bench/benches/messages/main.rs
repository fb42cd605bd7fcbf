//! Measures the events per second and core of the function `ingest-message`, and the AWS calls per event, by the size
//! of the batch. Larger batches must need fewer calls per event.
//!
//! `cargo bench --bench messages` builds the function in release and runs it as Lambda does; this process stands in for
//! the Runtime API and for AWS. It measures the CPU time of the function's process, without the time spent waiting for
//! AWS, which the messages of a batch share as they share the calls. The samples of all sizes alternate, so that other
//! load on the machine affects all of them.
//!
//! Before that, it measures the start of the functions that ingest uploads and messages; with `--start`, only that. With
//! `--quick`, inputs are small and the times mean nothing.

mod batches;
mod environment;
mod function;
mod network;
mod starts;
#[path = "../shared/text.rs"]
mod text;
mod tls;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use batches::{Batches, Kind};
use function::{Function, INGEST_MESSAGE};
use network::{Network, PUT_OBJECT, TRANSACT_WRITE_ITEMS, UPDATE_ITEM};
use text::grouped;

type Failed = Box<dyn std::error::Error>;

/// The number of samples of each row, after a first one to warm up.
const SAMPLES: usize = 5;
/// The factor by which `--quick` reduces the batches of a sample.
const QUICK: usize = 20;

/// One line of the table.
struct Row {
    kind: Kind,
    /// The number of batches in a sample.
    batches: usize,
    measured: Measured,
}

/// The totals of all samples of a row.
#[derive(Default)]
struct Measured {
    events: usize,
    cpu: f64,
    wall: Duration,
    puts: usize,
    dynamodb: usize,
    items: usize,
}

impl Row {
    const fn new(size: usize, batches: usize) -> Self {
        let kind = Kind { size, devices: 100, keyed: false };
        let measured = Measured { events: 0, cpu: 0.0, wall: Duration::ZERO, puts: 0, dynamodb: 0, items: 0 };
        Self { kind, batches, measured }
    }

    fn name(&self) -> String {
        let Kind { size, devices, keyed } = self.kind;
        let of = if devices == 1 { ", of one device" } else { "" };
        format!("{}{of}{}", grouped(size), if keyed { ", with `Idempotency-Key`" } else { "" })
    }
}

impl Measured {
    fn per_second(&self) -> f64 {
        self.events as f64 / self.cpu
    }

    fn per_event(&self, number: usize) -> f64 {
        number as f64 / self.events as f64
    }

    fn calls_per_event(&self) -> f64 {
        self.per_event(self.puts + self.dynamodb)
    }
}

fn main() -> ExitCode {
    let quick = std::env::args().any(|argument| argument == "--quick");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let starts_only = std::env::args().any(|argument| argument == "--start");
    let measured = runtime.map_err(Failed::from).and_then(|runtime| {
        runtime.block_on(starts::measure(quick))?;
        if starts_only { Ok(()) } else { runtime.block_on(run(quick)) }
    });
    match measured {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("{problem}");
            ExitCode::FAILURE
        }
    }
}

async fn run(quick: bool) -> Result<(), Failed> {
    let program = function::build(INGEST_MESSAGE)?;
    let mut network = Network::start(None).await?;
    let function = Function::start(&program, INGEST_MESSAGE, &network.endpoints)?;
    let mut made = Batches::new()?;
    // The compared sizes, then the batch of 100 in other shapes.
    let mut sizes = [Row::new(1, 1_000), Row::new(10, 400), Row::new(100, 100), Row::new(1_000, 20)];
    let mut shapes = [Row::new(100, 100), Row::new(100, 100)];
    let [one_device, keyed] = &mut shapes;
    one_device.kind.devices = 1;
    keyed.kind.keyed = true;
    for number in 0..=if quick { 1 } else { SAMPLES } {
        for row in sizes.iter_mut().chain(&mut shapes) {
            let batches = if quick { row.batches.div_ceil(QUICK) } else { row.batches };
            let sample = measure(&mut network, &function, &mut made, row.kind, batches).await?;
            if number > 0 {
                row.measured.add(&sample);
            }
        }
    }
    let [one, ..] = &sizes;
    report(sizes.iter().chain(&shapes), one.measured.per_second());
    if quick {
        println!("Small inputs, to see that everything runs: the times mean nothing.");
    }
    check_calls(&sizes)
}

/// Measures one sample: the function processes this many batches.
async fn measure(
    network: &mut Network,
    function: &Function,
    made: &mut Batches,
    kind: Kind,
    batches: usize,
) -> Result<Measured, Failed> {
    let events = kind.size * batches;
    let batches_made = made.make(kind, batches)?;
    let (begun, cpu) = (Instant::now(), function.cpu_seconds()?);
    network.invoke(batches_made).await?;
    let (wall, cpu) = (begun.elapsed(), function.cpu_seconds()? - cpu);
    let recorded = network.recorded();
    let calls = |name| recorded.calls.get(name).copied().unwrap_or_default();
    let (puts, transactions, updates) = (calls(PUT_OBJECT), calls(TRANSACT_WRITE_ITEMS), calls(UPDATE_ITEM));
    if recorded.histories.len() != events || recorded.objects.len() != batches || puts != batches {
        let (histories, objects) = (recorded.histories.len(), recorded.objects.len());
        let message =
            format!("{events} messages in {batches} batches made {histories} histories and {objects} objects");
        return Err(message.into());
    }
    let (dynamodb, items) = (transactions + updates, recorded.actions + updates);
    Ok(Measured { events, cpu, wall, puts, dynamodb, items })
}

impl Measured {
    fn add(&mut self, sample: &Measured) {
        self.events += sample.events;
        self.cpu += sample.cpu;
        self.wall += sample.wall;
        self.puts += sample.puts;
        self.dynamodb += sample.dynamodb;
        self.items += sample.items;
    }
}

fn report<'r>(rows: impl Iterator<Item = &'r Row>, one: f64) {
    println!("Readings of 100 devices. ×: relative to batches of one. Calls and items are per event.\n");
    println!(
        "| messages a batch | events | events/s/core | × | wall, events/s | S3 calls | DynamoDB calls | calls | items |"
    );
    println!("|---|--:|--:|--:|--:|--:|--:|--:|--:|");
    for row in rows {
        let measured = &row.measured;
        println!(
            "| {} | {} | **{}** | {:.1} | {} | {:.3} | {:.3} | **{:.3}** | {:.2} |",
            row.name(),
            grouped(measured.events),
            grouped(measured.per_second() as usize),
            measured.per_second() / one,
            grouped((measured.events as f64 / measured.wall.as_secs_f64()) as usize),
            measured.per_event(measured.puts),
            measured.per_event(measured.dynamodb),
            measured.calls_per_event(),
            measured.per_event(measured.items),
        );
    }
    println!();
    println!(
        "- CPU time of the function's process: all threads, user and kernel, with the Runtime API client and the SDK."
    );
    println!(
        "- Every message was acknowledged and its history was written in a transaction. Every batch is one object."
    );
    println!(
        "- Items written, by transactions and by the update of the owner's profile: DynamoDB bills these, not calls.\n"
    );
}

/// Checks that an event needs fewer calls in larger batches.
fn check_calls(sizes: &[Row]) -> Result<(), Failed> {
    for (smaller, larger) in sizes.iter().zip(sizes.iter().skip(1)) {
        let (of_smaller, of_larger) = (smaller.measured.calls_per_event(), larger.measured.calls_per_event());
        if of_larger >= of_smaller {
            let (smaller, larger) = (smaller.name(), larger.name());
            let message =
                format!("calls per event: {of_larger} in batches of {larger}, {of_smaller} in batches of {smaller}");
            return Err(message.into());
        }
    }
    Ok(())
}
