//! Measures peak memory, each input in a process of its own.

use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::Instant;

use crate::inputs::{self, Events, Push};
use crate::ours::Ours;
use crate::plain::Plain;
use crate::rows::{JSON, NDJSON, Sizes};
use crate::{Failed, grouped};

/// The argument that makes this program a child.
pub(crate) const CHILD: &str = "--measure-memory-of";

/// The maximum peak memory of the pipeline for any input, in MiB.
const LIMIT_MIB: f64 = 256.0;

const EVENTS_OURS: &str = "events, EventPulse";
const EVENTS_PLAIN: &str = "events, plain";
const STREAM: &str = "stream";
const MANY_SERIES: &str = "many series";

/// Prints the table of memory. Returns `false` if an input exceeds the limit.
pub(crate) fn report(sizes: Sizes) -> Result<bool, Failed> {
    let events = grouped(sizes.events);
    let stream = format!("{} MiB of NDJSON", grouped(sizes.stream_bytes >> 20));
    let hostile = format!("{} KiB: ", grouped(sizes.record_bytes as u64 >> 10));
    let mut cases = vec![
        (format!("NDJSON, {events} events, plain pipeline"), EVENTS_PLAIN, false),
        (format!("NDJSON, {events} events"), EVENTS_OURS, true),
        (stream, STREAM, true),
        (format!("{events} events of {} devices in random order", grouped(sizes.events / 10)), MANY_SERIES, true),
    ];
    cases.extend(inputs::HOSTILE.map(|name| (format!("{hostile}{name}"), name, true)));
    println!(
        "Peak memory of the whole process (VmHWM); the limit of EventPulse is {LIMIT_MIB:.0} MiB for any input.\n"
    );
    println!("| input | peak | of the limit | accepted | rejected | time |");
    println!("|---|--:|--:|--:|--:|--:|");
    let mut within = true;
    for (title, case, limited) in cases {
        let start = Instant::now();
        let Measured { accepted, rejected, peak_mib } = measure(case, sizes)?;
        let of_limit = if limited { format!("{:.0} %", peak_mib / LIMIT_MIB * 100.0) } else { String::new() };
        let seconds = start.elapsed().as_secs_f64();
        let (accepted, rejected) = (grouped(accepted), grouped(rejected));
        println!("| {title} | {peak_mib:.0} MiB | {of_limit} | {accepted} | {rejected} | {seconds:.1} s |");
        std::io::stdout().flush()?;
        within &= !limited || peak_mib <= LIMIT_MIB;
    }
    println!();
    if !within {
        eprintln!("an input took more than {LIMIT_MIB:.0} MiB");
    }
    Ok(within)
}

/// The result of a child process.
struct Measured {
    accepted: u64,
    rejected: u64,
    peak_mib: f64,
}

fn measure(case: &str, sizes: Sizes) -> Result<Measured, Failed> {
    let size = if sizes.quick { "--quick" } else { "--bench" };
    let child = Command::new(std::env::current_exe()?)
        .args([CHILD, case, size])
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()?;
    if !child.status.success() {
        return Err(format!("{case}: {}", child.status).into());
    }
    let output = String::from_utf8(child.stdout)?;
    let numbers: Vec<u64> = output.split_whitespace().map(str::parse).collect::<Result<_, _>>()?;
    match numbers.as_slice() {
        [accepted, rejected, kib] => {
            Ok(Measured { accepted: *accepted, rejected: *rejected, peak_mib: *kib as f64 / 1024.0 })
        }
        _ => Err(format!("{case}: unexpected output of the child: {output}").into()),
    }
}

/// Runs one case and prints its result.
pub(crate) fn child(case: &str, sizes: Sizes) -> Result<bool, Failed> {
    let Sizes { devices, events, stream_bytes, record_bytes, .. } = sizes;
    let reading = || Ours::new("reading/1.0", NDJSON);
    let (accepted, rejected) = match case {
        EVENTS_PLAIN => {
            let plain = Plain::new("reading/1.0", reading()?.catalog(), NDJSON.format)?;
            let input = Events::new(events, devices).collect();
            (plain.run(&input)?.iter().map(|line| line.count).sum(), 0)
        }
        EVENTS_OURS => reading()?.stream(&|push| Events::new(events, devices).stream(u64::MAX, push)),
        MANY_SERIES => {
            let events = |push: Push<'_>| Events::new(events, events / 10).in_random_order().stream(u64::MAX, push);
            reading()?.stream(&events)
        }
        STREAM => reading()?.stream(&|push| Events::new(u64::MAX, devices).stream(stream_bytes, push)),
        _ => {
            let ours = Ours::new("batch/1.0", JSON)?;
            if !inputs::HOSTILE.contains(&case) {
                return Err("no such case".into());
            }
            ours.stream(&|push| {
                inputs::hostile(case, record_bytes, push);
            })
        }
    };
    println!("{accepted} {rejected} {}", peak_kib()?);
    Ok(true)
}

/// Returns the peak memory of this process in KiB, from
/// [proc(5)](https://man7.org/linux/man-pages/man5/proc_pid_status.5.html).
fn peak_kib() -> Result<u64, Failed> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).ok_or("no VmHWM")?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}
