//! Compares the time to reject records with that of a plain pipeline, on the same inputs.
//!
//! `cargo bench` measures all. With `--quick`, or run by `cargo test`, inputs are small and the numbers mean nothing. A name
//! as argument chooses the inputs whose names contain it. The samples of all ways alternate in one process, so that other
//! load on the machine affects all of them.

mod inputs;
mod ours;
mod plain;
mod timing;

use std::hint::black_box;
use std::io::Write as _;
use std::process::ExitCode;

use inputs::Input;
use ours::Ours;
use plain::Plain;
use timing::Way;

type Failed = Box<dyn std::error::Error>;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let has = |flag: &str| arguments.iter().any(|argument| argument == flag);
    // `cargo bench` passes `--bench`, `cargo test` does not.
    let is_quick = !has("--bench") || has("--quick");
    let only: Vec<&str> = arguments.iter().map(String::as_str).filter(|argument| !argument.starts_with('-')).collect();
    match run(is_quick, &|name| only.is_empty() || only.iter().any(|part| name.contains(part))) {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("{problem}");
            ExitCode::FAILURE
        }
    }
}

fn run(is_quick: bool, is_chosen: &dyn Fn(&str) -> bool) -> Result<(), Failed> {
    println!(
        "ns of processor time per rejected record; medians of alternating samples. x: speed relative to the plain pipeline.\n"
    );
    println!("| input | records | whole | first reading | plain | parsed only | x |");
    println!("|---|--:|--:|--:|--:|--:|--:|");
    let samples = if is_quick { 2 } else { 3 };
    for input in inputs::all(is_quick).into_iter().filter(|input| is_chosen(input.name)) {
        row(&input, samples)?;
    }
    println!();
    println!(
        "- Whole: every reading that the function does, in pieces of 64 KiB, until the rejected records are NDJSON."
    );
    println!("- First reading: the one that decides about the upload.");
    println!(
        "- Plain pipeline: a `serde_json::Value` of each record, `jsonschema` with formats asserted, the texts of its"
    );
    println!(
        "  errors, and the number of errors with one keyword and JSON Pointer. It has no positions and writes nothing."
    );
    println!("- Parsed only: a `serde_json::Value` of each record.");
    Ok(())
}

fn row(input: &Input, samples: usize) -> Result<(), Failed> {
    let ours = Ours::new(input.format)?;
    let plain = Plain::new(ours.catalog(), input.format)?;
    let content = input.content.as_slice();
    let rejected = ours.whole(content);
    if rejected != plain.run(content)? && rejected < ours::MAX_REJECTED {
        return Err(format!("{}: the pipelines disagree", input.name).into());
    }
    let whole: Way<'_> = &|| _ = black_box(ours.whole(black_box(content)));
    let first: Way<'_> = &|| _ = black_box(ours.first(black_box(content)));
    let peer: Way<'_> = &|| _ = black_box(plain.run(black_box(content)));
    let parse: Way<'_> = &|| _ = black_box(plain.parse(black_box(content)));
    let [whole, first, peer, parse] = timing::alternate([whole, first, peer, parse], samples);
    let ns = |samples: &[f64]| timing::median(samples) / rejected as f64;
    println!(
        "| {} | {rejected} | **{:.0} ns** | {:.0} ns | {:.0} ns | {:.0} ns | **{:.2}** |",
        input.name,
        ns(&whole),
        ns(&first),
        ns(&peer),
        ns(&parse),
        timing::ratio(&peer, &whole),
    );
    std::io::stdout().flush()?;
    Ok(())
}
