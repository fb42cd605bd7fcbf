//! Compares EventPulse's pipeline from records to statistics with a parser alone and with a plain pipeline, in time and in
//! memory.
//!
//! `cargo bench` measures all; `--speed` and `--memory` measure one of the two. `--write-inputs DIR` first writes the inputs
//! for the programs in `bench/peers`. With `--quick`, or run by `cargo test`, inputs are small and the numbers mean nothing.
//! The samples of all ways alternate in one process, so that other load on the machine affects all of them. Memory is
//! measured in child processes of this same program, one for each measurement.

mod files;
mod inputs;
mod memory;
mod ours;
mod plain;
mod rows;
mod sonic;
mod speed;
#[path = "../shared/text.rs"]
mod text;
#[path = "../shared/timing.rs"]
mod timing;

use std::path::Path;
use std::process::{Command, ExitCode};

use rows::Sizes;
use text::grouped;

type Failed = Box<dyn std::error::Error>;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let has = |flag: &str| arguments.iter().any(|argument| argument == flag);
    // `cargo bench` passes `--bench`, `cargo test` does not.
    let sizes = if has("--bench") && !has("--quick") { Sizes::FULL } else { Sizes::QUICK };
    let outcome = match arguments.split_first() {
        Some((first, [case, ..])) if first == memory::CHILD => memory::child(case, sizes),
        _ => run(sizes, &arguments),
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
fn run(sizes: Sizes, arguments: &[String]) -> Result<bool, Failed> {
    let has = |flag: &str| arguments.iter().any(|argument| argument == flag);
    if sizes.quick && !has(SPEED_CHILD) {
        println!("Small inputs, to see that everything runs: the numbers mean nothing. `cargo bench` measures.\n");
    }
    let directory = arguments.iter().skip_while(|argument| *argument != "--write-inputs").nth(1);
    if let Some(directory) = directory.filter(|_| !has(SPEED_CHILD)) {
        files::write_inputs(Path::new(directory), sizes)?;
    }
    let only = has("--speed") || has("--memory");
    if has(SPEED_CHILD) {
        speed::report(sizes)?;
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
