//! Measures times: EventPulse, sonic-rs and the plain pipeline on the same inputs.

use std::hint::black_box;
use std::io::{Read as _, Write as _};

use sha2::{Digest, Sha256};

use crate::Failed;
use crate::ours::{Ours, Tally};
use crate::plain::Plain;
use crate::rows::{NDJSON, Row, Sizes, Target, rows};
use crate::sonic;
use crate::timing::{Way, alternate, median, ratio};

/// What the columns contain.
const NOTES: &str = "\
- CPU time of the thread in ns per record, or per reading of a batch; medians of alternating samples. MB/s of the input's
  own bytes.
- EventPulse: streamed in pieces of 64 KiB; framing, SHA-256, validation, exact sums of every series, compressed chunks
  ready to be stored, statistics of the 100 largest series. \"Answered\": then the statistics of every series, medians
  too, out of the chunks.
- sonic-rs: a `sonic_rs::Value` of each line, or of the whole document, dropped at once. Nothing is validated, extracted
  or computed.
- Plain: the input as one slice, a `serde_json::Value` of everything, `jsonschema` compiled once with formats asserted,
  points per series, then mean, deviation and median by statrs. It computes no digest, finds no duplicate members, stores
  nothing, and cannot locate an invalid record.
- sonic-rs and plain first decompress the whole of a compressed input. All three keep allocated memory.
";

/// Prints the table of times.
pub(crate) fn report(sizes: Sizes) -> Result<(), Failed> {
    println!(
        "| input | EventPulse | | sonic-rs, parses only | plain | ÷ sonic-rs | ÷ plain | answered ÷ plain | target |"
    );
    println!("|---|--:|--:|--:|--:|--:|--:|--:|---|");
    let mut digests = Vec::new();
    for row in rows(sizes)? {
        digests.push(format!("{:.0} ns", measure(&row)?));
        std::io::stdout().flush()?;
    }
    println!("\n{NOTES}- SHA-256 alone, by row: {}.", digests.join(", "));
    println!("- Compiled for {}.\n", processor());
    Ok(())
}

/// Measures one row and prints its line. Returns the nanoseconds of SHA-256 per record.
fn measure(row: &Row) -> Result<f64, Failed> {
    let ours = Ours::new(row.schema, row.media)?;
    let ours = if row.digest_is_known { ours.with_digest_of(&row.input) } else { ours };
    let plain = Plain::new(row.schema, ours.catalog(), row.media.format)?;
    agree(row, &ours, &plain)?;
    let (input, format) = (row.input.as_slice(), row.media.format);
    let inspect: Way<'_> = &|| drop(black_box(ours.inspect(black_box(input))));
    let answer: Way<'_> = &|| drop(black_box(ours.answer(black_box(input))));
    let parse: Way<'_> = &|| drop(black_box(row.text().map(|text| sonic::parse(format, black_box(&text)))));
    let other: Way<'_> = &|| drop(black_box(row.text().map(|text| plain.run(black_box(&text)))));
    let digest: Way<'_> = &|| {
        black_box(Sha256::digest(black_box(input)));
    };
    let [inspect, answer, parse, other, digest] = alternate([inspect, answer, parse, other, digest], row.effort);
    let ns = |samples: &[f64]| median(samples) / row.records as f64;
    let target = match row.target {
        Target::None => String::new(),
        Target::Sonic(limit) => judged(ratio(&inspect, &parse), limit, "sonic-rs"),
        Target::Plain(limit) => judged(ratio(&inspect, &other), limit, "plain"),
        Target::Decompressed(limit) => judged(to_decompressed(row, &ours)?, limit, "decompression + its NDJSON"),
    };
    println!(
        "| {} | **{:.0} ns** | {:.0} MB/s | {:.0} ns | {:.0} ns | **{:.2}** | **{:.2}** | {:.2} | {target} |",
        row.name,
        ns(&inspect),
        input.len() as f64 * 1e3 / median(&inspect),
        ns(&parse),
        ns(&other),
        ratio(&inspect, &parse),
        ratio(&inspect, &other),
        ratio(&answer, &other),
    );
    Ok(ns(&digest))
}

/// Returns EventPulse's time for compressed input, in proportion to the sum of decompression and its time for the text.
fn to_decompressed(row: &Row, ours: &Ours) -> Result<f64, Failed> {
    let text = row.text()?;
    let of_text = Ours::new(row.schema, NDJSON)?;
    let all: Way<'_> = &|| drop(black_box(ours.inspect(black_box(&row.input))));
    let decompress: Way<'_> = &|| drop(black_box(decompress(black_box(&row.input))));
    let inspect: Way<'_> = &|| drop(black_box(of_text.inspect(black_box(&text))));
    let [all, decompress, inspect] = alternate([all, decompress, inspect], row.effort);
    let sums: Vec<f64> = decompress.iter().zip(&inspect).map(|(decompress, inspect)| decompress + inspect).collect();
    Ok(ratio(&all, &sums))
}

/// Decompresses a text piece by piece and returns its size.
fn decompress(input: &[u8]) -> std::io::Result<usize> {
    let mut decoder = flate2::bufread::GzDecoder::new(input);
    let mut piece = vec![0; 64 << 10];
    let mut total = 0;
    loop {
        match decoder.read(&mut piece)? {
            0 => return Ok(total),
            read => total += read,
        }
    }
}

fn judged(found: f64, limit: f64, of: &str) -> String {
    let missed = if found > limit { ", missed" } else { "" };
    format!("{found:.2} of {of}; at most {limit:.2}{missed}")
}

/// Names the processor that the compiler may assume. sonic-rs chooses its instructions when it is compiled.
fn processor() -> String {
    let extensions = if cfg!(target_feature = "avx2") { " with AVX2" } else { "'s baseline" };
    format!("{}{extensions}", std::env::consts::ARCH)
}

/// Checks that both pipelines compute the same statistics. Otherwise, their times cannot be compared.
fn agree(row: &Row, ours: &Ours, plain: &Plain) -> Result<(), Failed> {
    let (mine, theirs): (Tally, Tally) = (ours.answer(&row.input)?, plain.run(&row.text()?)?);
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
    if same && count == row.points { Ok(()) } else { Err(format!("{}: the pipelines disagree", row.name).into()) }
}
