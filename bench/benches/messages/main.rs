//! How many events a second one core of the function `ingest-message` takes, and how many calls of AWS an event costs, by
//! the size of the batch: the calls must fall as batches grow.
//!
//! `cargo bench --bench messages` builds the function in release and runs it as Lambda would, with the network played by
//! this process. What is counted is the CPU time of the function's process; waiting for AWS, which this leaves out, is
//! shared by the messages of a batch as the calls are. All sizes take turns, so that what else the machine does falls on
//! all. With `--quick`, inputs are small and the times mean nothing.

mod batches;
mod function;
mod network;
#[path = "../shared/text.rs"]
mod text;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use batches::{Batches, Kind};
use function::Function;
use network::{Network, PUT_OBJECT, TRANSACT_WRITE_ITEMS, UPDATE_ITEM};
use text::grouped;

type Failed = Box<dyn std::error::Error>;

/// After a first one to warm up.
const ROUNDS: usize = 5;
/// The part of each turn that `--quick` takes.
const QUICK: usize = 20;

/// One line of the table.
struct Row {
    kind: Kind,
    /// How many batches make a turn.
    batches: usize,
    measured: Measured,
}

/// All turns of a row.
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
    match runtime.map_err(Failed::from).and_then(|runtime| runtime.block_on(run(quick))) {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("{problem}");
            ExitCode::FAILURE
        }
    }
}

async fn run(quick: bool) -> Result<(), Failed> {
    let program = function::build()?;
    let mut network = Network::start().await?;
    let function = Function::start(&program, network.address)?;
    let mut made = Batches::new()?;
    // The sizes that are compared, then the batch of 100 in other shapes.
    let mut sizes = [Row::new(1, 1_000), Row::new(10, 400), Row::new(100, 100), Row::new(1_000, 20)];
    let mut shapes = [Row::new(100, 100), Row::new(100, 100)];
    let [one_device, keyed] = &mut shapes;
    one_device.kind.devices = 1;
    keyed.kind.keyed = true;
    for round in 0..=if quick { 1 } else { ROUNDS } {
        for row in sizes.iter_mut().chain(&mut shapes) {
            let batches = if quick { row.batches.div_ceil(QUICK) } else { row.batches };
            let turn = turn(&mut network, &function, &mut made, row.kind, batches).await?;
            if round > 0 {
                row.measured.add(&turn);
            }
        }
    }
    let [one, ..] = &sizes;
    report(sizes.iter().chain(&shapes), one.measured.per_second());
    if quick {
        println!("Small inputs, to see that everything runs: the times mean nothing.");
    }
    falls(&sizes)
}

/// Has the function deal with so many batches.
async fn turn(
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
    let asked = network.asked();
    let calls = |name| asked.calls.get(name).copied().unwrap_or_default();
    let (puts, transactions, updates) = (calls(PUT_OBJECT), calls(TRANSACT_WRITE_ITEMS), calls(UPDATE_ITEM));
    if asked.histories.len() != events || asked.objects.len() != batches || puts != batches {
        let (histories, objects) = (asked.histories.len(), asked.objects.len());
        let told = format!("{events} messages in {batches} batches made {histories} histories and {objects} objects");
        return Err(told.into());
    }
    let (dynamodb, items) = (transactions + updates, asked.actions + updates);
    Ok(Measured { events, cpu, wall, puts, dynamodb, items })
}

impl Measured {
    fn add(&mut self, turn: &Measured) {
        self.events += turn.events;
        self.cpu += turn.cpu;
        self.wall += turn.wall;
        self.puts += turn.puts;
        self.dynamodb += turn.dynamodb;
        self.items += turn.items;
    }
}

fn report<'r>(rows: impl Iterator<Item = &'r Row>, one: f64) {
    println!("Readings of 100 devices. ×: times as many as in batches of one. Calls and items are an event's share.\n");
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
        "- The function's own CPU time, in all threads, user and kernel: the Runtime API's and the SDK's part, too."
    );
    println!("- Every message was acknowledged, and has its history in a transaction; every batch is one object.");
    println!(
        "- Items written, by transactions and by the update of the owner's profile: DynamoDB bills these, not calls.\n"
    );
}

/// An event must cost fewer calls the larger its batch is.
fn falls(sizes: &[Row]) -> Result<(), Failed> {
    for (smaller, larger) in sizes.iter().zip(sizes.iter().skip(1)) {
        let (of_smaller, of_larger) = (smaller.measured.calls_per_event(), larger.measured.calls_per_event());
        if of_larger >= of_smaller {
            let (smaller, larger) = (smaller.name(), larger.name());
            let told =
                format!("calls per event: {of_larger} in batches of {larger}, {of_smaller} in batches of {smaller}");
            return Err(told.into());
        }
    }
    Ok(())
}
