//! Compares EventPulse's pipeline from records to statistics with a plain one, in time and in memory.
//!
//! `cargo bench` measures all. With `--quick`, or run by `cargo test`, inputs are small and the numbers mean nothing.
//! The samples of both pipelines alternate in one process, so that other load on the machine affects both. Memory is
//! measured in child processes of this same program, one for each measurement.

mod inputs;
mod memory;
mod ours;
mod plain;
#[path = "../shared/text.rs"]
mod text;
#[path = "../shared/timing.rs"]
mod timing;

use std::hint::black_box;
use std::io::Write as _;
use std::process::{Command, ExitCode};

use eventpulse_core::intake::reader::Format;
use sha2::{Digest, Sha256};

use ours::{Ours, Tally};
use plain::Plain;
use text::grouped;
use timing::{Effort, Way};

/// The sizes of the inputs.
#[derive(Clone, Copy)]
struct Sizes {
    quick: bool,
    readings: usize,
    events: u64,
    devices: u64,
    stream_bytes: u64,
    record_bytes: usize,
}

impl Sizes {
    const FULL: Sizes = Sizes {
        quick: false,
        readings: 10_000,
        events: 1_000_000,
        devices: 1_000,
        stream_bytes: 1 << 30,
        record_bytes: 16 << 20,
    };
    const QUICK: Sizes = Sizes {
        quick: true,
        readings: 300,
        events: 3_000,
        devices: 100,
        stream_bytes: 1 << 20,
        record_bytes: 256 << 10,
    };
}

/// One line of the table.
struct Row {
    name: String,
    schema: &'static str,
    format: Format,
    input: Vec<u8>,
    records: u64,
    effort: Effort,
}

type Failed = Box<dyn std::error::Error>;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let has = |flag: &str| arguments.iter().any(|argument| argument == flag);
    // `cargo bench` passes `--bench`, `cargo test` does not.
    let sizes = if has("--bench") && !has("--quick") { Sizes::FULL } else { Sizes::QUICK };
    let outcome = match arguments.split_first() {
        Some((first, [case, ..])) if first == memory::CHILD => memory::child(case, sizes),
        _ => run(sizes, &has),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(problem) => {
            eprintln!("{problem}");
            ExitCode::FAILURE
        }
    }
}

/// Runs the chosen measurements. Returns `false` if one exceeds its limit.
fn run(sizes: Sizes, has: &dyn Fn(&str) -> bool) -> Result<bool, Failed> {
    if sizes.quick && !has(SPEED_CHILD) {
        println!("Small inputs, to see that everything runs: the numbers mean nothing. `cargo bench` measures.\n");
    }
    let only = has("--speed") || has("--memory");
    if has(SPEED_CHILD) {
        speed(sizes)?;
        return Ok(true);
    }
    if (!only || has("--speed")) && !speed_apart(sizes)? {
        return Ok(false);
    }
    if only && !has("--memory") {
        return Ok(true);
    }
    memory::report(sizes)
}

/// The argument that makes this program the child that measures times.
const SPEED_CHILD: &str = "--measure-speed";

/// Measures times in a child process whose allocator keeps freed memory. Otherwise, depending on the layout of the
/// heap, glibc returns the plain pipeline's 900 MB to the system after some runs; the page faults of the next run
/// double its time. The child measures the plain pipeline at its best.
fn speed_apart(sizes: Sizes) -> Result<bool, Failed> {
    let status = Command::new(std::env::current_exe()?)
        .args([SPEED_CHILD, if sizes.quick { "--quick" } else { "--bench" }])
        .envs([("MALLOC_TRIM_THRESHOLD_", "8589934592"), ("MALLOC_MMAP_THRESHOLD_", "1073741824")])
        .status()?;
    Ok(status.success())
}

fn rows(sizes: Sizes) -> Vec<Row> {
    let effort = |samples, sample_ms| {
        if sizes.quick { Effort { samples: 2, sample_ms: 0 } } else { Effort { samples, sample_ms } }
    };
    let (readings, events, devices) = (sizes.readings, sizes.events, sizes.devices);
    vec![
        Row {
            name: "one event".to_owned(),
            schema: "reading/1.0",
            format: Format::Json,
            input: inputs::EVENT.to_vec(),
            records: 1,
            effort: effort(31, 30),
        },
        Row {
            name: format!("one batch of {} readings", grouped(readings as u64)),
            schema: "batch/1.0",
            format: Format::Json,
            input: inputs::batch(readings),
            records: readings as u64,
            effort: effort(31, 30),
        },
        Row {
            name: format!("NDJSON, {} events of {} devices", grouped(events), grouped(devices)),
            schema: "reading/1.0",
            format: Format::Ndjson,
            input: inputs::Events::new(events, devices).collect(),
            records: events,
            effort: effort(9, 0),
        },
    ]
}

/// Prints the table of times.
fn speed(sizes: Sizes) -> Result<(), Failed> {
    println!(
        "ns per record or reading, and MB/s of JSON; medians of alternating samples. x: speed relative to the plain pipeline.\n"
    );
    println!("| input | EventPulse | | and answered | plain pipeline | | x | x answered |");
    println!("|---|--:|--:|--:|--:|--:|--:|--:|");
    let mut digests = Vec::new();
    for row in rows(sizes) {
        let ours = Ours::new(row.schema, row.format)?;
        let plain = Plain::new(row.schema, ours.catalog(), row.format)?;
        agree(&row, &ours, &plain)?;
        let input = row.input.as_slice();
        let inspect: Way<'_> = &|| drop(black_box(ours.inspect(black_box(input))));
        let answer: Way<'_> = &|| drop(black_box(ours.answer(black_box(input))));
        let peer: Way<'_> = &|| drop(black_box(plain.run(black_box(input))));
        let digest: Way<'_> = &|| {
            black_box(Sha256::digest(black_box(input)));
        };
        let [inspect, answer, peer, digest] = timing::alternate([inspect, answer, peer, digest], row.effort);
        let ns = |samples: &[f64]| timing::median(samples) / row.records as f64;
        let rate = |samples: &[f64]| input.len() as f64 * 1e3 / timing::median(samples);
        println!(
            "| {} | **{:.0} ns** | {:.0} MB/s | {:.0} ns | {:.0} ns | {:.0} MB/s | **{:.2}** | {:.2} |",
            row.name,
            ns(&inspect),
            rate(&inspect),
            ns(&answer),
            ns(&peer),
            rate(&peer),
            timing::ratio(&peer, &inspect),
            timing::ratio(&peer, &answer),
        );
        std::io::stdout().flush()?;
        digests.push(format!("{:.0} ns", ns(&digest)));
    }
    println!();
    println!(
        "- EventPulse: streamed in pieces of 64 KiB; framing, SHA-256, validation, and chunks ready to be stored (summaries"
    );
    println!(
        "  by statrs, compressed points). \"And answered\": then the statistics of every series, medians too, out of the chunks."
    );
    println!(
        "- Plain pipeline: the input as one slice, a `serde_json::Value` of everything, `jsonschema` compiled once with formats"
    );
    println!(
        "  asserted, points per series, then mean, deviation and median by statrs. It computes no digest, finds no duplicate"
    );
    println!("  members, stores nothing, and cannot locate an invalid record.");
    println!("- Both keep allocated memory. In a fresh process, the plain pipeline also needs time for page faults.");
    println!("- The digest's part of EventPulse's time, by row: {}.\n", digests.join(", "));
    Ok(())
}

/// Checks that both pipelines compute the same statistics. Otherwise, their times cannot be compared.
fn agree(row: &Row, ours: &Ours, plain: &Plain) -> Result<(), Failed> {
    let (mine, theirs): (Tally, Tally) = (ours.answer(&row.input)?, plain.run(&row.input)?);
    let near = |a: f64, b: f64| (a - b).abs() <= 1e-9 * a.abs().max(1.0);
    let same = mine.len() == theirs.len()
        && mine.iter().zip(&theirs).all(|(a, b)| {
            a.series == b.series
                && a.count == b.count
                && near(a.mean, b.mean)
                && a.median == b.median
                && near(a.standard_deviation.unwrap_or(0.0), b.standard_deviation.unwrap_or(0.0))
        });
    let count: u64 = mine.iter().map(|line| line.count).sum();
    if same && count == row.records { Ok(()) } else { Err(format!("{}: the pipelines disagree", row.name).into()) }
}
