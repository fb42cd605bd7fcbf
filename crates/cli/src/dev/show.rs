//! Uploads and mails as text for a person.

use std::fmt::Write;

use eventpulse_core::intake::rejection::Rejection;
use eventpulse_core::statistics::summary::Statistics;
use eventpulse_core::upload::{Decision, SeriesStatistics, Upload};

use super::mailbox::Mail;
use crate::client::text::number;

/// The maximum number of series shown for one upload.
pub const SERIES_SHOWN: usize = 10;

/// Returns one upload as text.
#[must_use]
pub fn upload(upload: &Upload, about: &str, statistics: &[(SeriesStatistics, Statistics)]) -> String {
    let mut text = String::new();
    let name = &upload.origin().file_name;
    let _ = writeln!(text, "\n── {name} {}", "─".repeat(74usize.saturating_sub(name.chars().count())));
    if !about.is_empty() {
        let _ = writeln!(text, "   {about}");
    }
    let (state, accepted, rejected) = (upload.state().as_str(), upload.accepted(), upload.rejected());
    let _ = writeln!(text, "   {state}: {accepted} accepted, {rejected} rejected   (upload {})", upload.id());
    if let Some(Decision::Duplicate { of }) = upload.decision() {
        let _ = writeln!(text, "   the same bytes were accepted before, as upload {of}");
    }
    table(&mut text, upload, statistics);
    if let Some(rejection) = upload.rejection() {
        failures(&mut text, rejection);
    }
    if let Some(quarantined) = upload.quarantine_location() {
        if let Some(key) = &quarantined.key {
            let _ = writeln!(text, "   now at s3://{}/{key}", quarantined.bucket);
        }
        let _ = writeln!(text, "   report s3://{}/{}", quarantined.bucket, quarantined.report_key);
    }
    text
}

/// Returns a delivered mail as text, with the footer of SNS.
#[must_use]
pub fn mail(mail: &Mail) -> String {
    let mut text = format!("\n   ┌ {}\n", mail.file.display());
    for (name, value) in [("From", &mail.from), ("To", &mail.to), ("Subject", &mail.subject)] {
        let _ = writeln!(text, "   │ {name}: {value}");
    }
    text.push_str("   │\n");
    for line in mail.text.lines().chain(mail.footer.lines()) {
        let _ = writeln!(text, "   │ {line}");
    }
    text.push_str("   └\n");
    text
}

fn table(text: &mut String, upload: &Upload, statistics: &[(SeriesStatistics, Statistics)]) {
    if statistics.is_empty() {
        return;
    }
    let mut rows = vec![["entity", "measure", "count", "mean", "median", "std. dev.", "min", "max"].map(str::to_owned)];
    for (series, statistics) in statistics {
        rows.push([
            series.entity.clone(),
            series.measure.clone(),
            statistics.count.to_string(),
            number(statistics.mean),
            number(statistics.median),
            statistics.standard_deviation.map_or_else(|| "n/a".to_owned(), number),
            number(statistics.min),
            number(statistics.max),
        ]);
    }
    let widths: Vec<usize> =
        (0..8).map(|at| rows.iter().map(|row| row[at].chars().count()).max().unwrap_or(0)).collect();
    for row in &rows {
        let _ = write!(text, "  ");
        for (at, (cell, width)) in row.iter().zip(&widths).enumerate() {
            // Names are aligned left, numbers right.
            let _ = if at < 2 { write!(text, " {cell:<width$} ") } else { write!(text, " {cell:>width$} ") };
        }
        let _ = writeln!(text);
    }
    let omitted = upload.series_report().count.saturating_sub(statistics.len() as u64);
    if omitted > 0 {
        let _ = writeln!(text, "   ... and {omitted} further series");
    }
}

fn failures(text: &mut String, rejection: &Rejection) {
    for group in &rejection.groups {
        let failure = &group.first;
        let pointer = if failure.pointer.is_empty() { String::new() } else { format!(" at {}", failure.pointer) };
        let times = if group.count > 1 { format!(" ({} times; the first:)", group.count) } else { String::new() };
        let position = match (failure.line, failure.byte_offset) {
            (Some(line), Some(byte)) => format!(", line {line}, byte {byte}"),
            _ => String::new(),
        };
        let _ = writeln!(text, "   {}{pointer}{position}{times}", failure.code.as_str());
        let _ = writeln!(text, "      {}", failure.message);
    }
    if rejection.groups_omitted > 0 {
        let _ = writeln!(text, "   ... and {} further kinds of failure, in the report", rejection.groups_omitted);
    }
}
