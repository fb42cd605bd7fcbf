//! The notice of a rejection: one SNS message, as plain text for people and as JSON for machines.
//!
//! It tells names, places and counts, never a value of the payload. File and member names are hostile text: they are
//! cleaned, and the subject is ASCII of under 100 characters, as
//! [SNS asks](https://docs.aws.amazon.com/sns/latest/api/API_Publish.html). The JSON Schema of the machines' form is
//! `contracts/notice/1.0.json`.

mod kind;
mod text;

use std::fmt::Write;

use serde::Serialize;

use crate::failure::{Code, Failure, shortened};
use crate::rejection::{FailureGroup, Rejection};
use crate::upload::{Decision, Quarantined, State, Upload};
pub use kind::NoticeKind;
use text::Text;
pub use text::visible;

/// The version of the machines' form.
pub const VERSION: &str = "1.0";
/// SNS wants fewer than 100 characters.
const MAX_SUBJECT_CHARS: usize = 99;
/// How much of a file name the subject has.
const NAME_IN_SUBJECT_CHARS: usize = 36;
/// How much of a file name the text has; no name of ours is longer.
const NAME_IN_TEXT_CHARS: usize = 200;
/// How many groups the text tells.
const GROUPS_IN_TEXT: usize = 5;

/// A notice, ready to publish.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// The e-mail's subject: printable ASCII, 1 to 99 characters.
    pub subject: String,
    /// The e-mail's body: lines of at most 78 columns, but for single words and names that are longer.
    pub text: String,
    /// The body for machines: JSON.
    pub json: String,
    /// The message attribute `owner`.
    pub owner: String,
    /// The message attribute `outcome`.
    pub outcome: &'static str,
    /// The message attribute `schema`: that of the largest group of failures that has one, or `none`.
    pub schema: String,
}

#[derive(Serialize)]
struct Machine<'a> {
    notice_version: &'static str,
    attempt: u32,
    upload_id: &'a str,
    owner: &'a str,
    file_name: &'a str,
    outcome: &'static str,
    correlation_id: Option<&'a str>,
    accepted: u64,
    rejected: u64,
    upload_failure: Option<&'a Failure>,
    groups: &'a [FailureGroup],
    groups_omitted: u64,
    quarantine: &'a Quarantined,
    text: &'a str,
}

impl Notice {
    /// The notice that an upload owes its owner; none when nothing of it was rejected or quarantined.
    #[must_use]
    pub fn of(upload: &Upload) -> Option<Self> {
        let (rejection, quarantine) = (upload.rejection()?, upload.quarantined.as_ref()?);
        let partial = matches!(upload.decision, Some(Decision::Accepted { .. }));
        let outcome = if partial { State::PartiallyAccepted } else { State::Quarantined }.as_str();
        let schema = rejection.groups.iter().find_map(|group| group.schema.clone());
        let extent = Extent::of(upload, rejection, partial);
        let text = text(upload, rejection, quarantine, extent);
        let machine = Machine {
            notice_version: VERSION,
            attempt: upload.attempt,
            upload_id: upload.id.as_str(),
            owner: &upload.intake.owner,
            file_name: &upload.intake.file_name,
            outcome,
            correlation_id: upload.correlation_id.as_deref(),
            accepted: upload.accepted_in_round(),
            rejected: upload.rejected(),
            upload_failure: rejection.upload_failure.as_ref(),
            groups: &rejection.groups,
            groups_omitted: rejection.groups_omitted,
            quarantine,
            text: &text,
        };
        Some(Self {
            subject: subject(&upload.intake.file_name, rejection, extent),
            json: serde_json::to_string(&machine).ok()?,
            owner: upload.intake.owner.clone(),
            outcome,
            schema: schema.unwrap_or_else(|| "none".to_owned()),
            text,
        })
    }
}

/// How much of the upload was rejected.
#[derive(Debug, Clone, Copy)]
enum Extent {
    /// All of it, for a reason of its own; of records that are wrong besides, there may be some.
    Whole,
    /// Its only record.
    Only,
    /// Each of so many records.
    All(u64),
    /// Some records of many.
    Part { rejected: u64, accepted: u64 },
}

impl Extent {
    fn of(upload: &Upload, rejection: &Rejection, partial: bool) -> Self {
        match upload.rejected() {
            rejected if partial => Self::Part { rejected, accepted: upload.accepted_in_round() },
            _ if rejection.upload_failure.is_some() => Self::Whole,
            0 => Self::Whole,
            1 => Self::Only,
            rejected => Self::All(rejected),
        }
    }
}

fn subject(file_name: &str, rejection: &Rejection, extent: Extent) -> String {
    let name = file_name.replace('"', "'");
    let beyond = name.chars().count().saturating_sub(NAME_IN_SUBJECT_CHARS);
    // The end of a name says more than its beginning.
    let name: String = if beyond == 0 { name } else { "...".chars().chain(name.chars().skip(beyond + 3)).collect() };
    let mut subject = match extent {
        Extent::Whole | Extent::Only => format!("[EventPulse] \"{name}\" rejected"),
        Extent::All(rejected) => format!("[EventPulse] \"{name}\" rejected, all {rejected} records"),
        Extent::Part { rejected, accepted } => {
            format!("[EventPulse] \"{name}\", {rejected} of {} records rejected", rejected + accepted)
        }
    };
    if let Some(failure) = rejection.chief() {
        let _ = write!(subject, ": {}", failure.code);
        let of_members = matches!(failure.code, Code::Required | Code::AdditionalProperties);
        match failure.targets.first().filter(|_| of_members) {
            Some(member) => {
                let member = member.replace('~', "~0").replace('/', "~1");
                let _ = write!(subject, " {}/{member}", crate::rejection::pattern(&failure.pointer));
            }
            None if failure.pointer.is_empty() => {}
            None => {
                let _ = write!(subject, " {}", crate::rejection::pattern(&failure.pointer));
            }
        }
    }
    let ascii: String =
        subject.replace('…', "...").chars().map(|c| if c.is_ascii_graphic() || c == ' ' { c } else { '?' }).collect();
    match ascii.trim_end() {
        whole if whole.len() <= MAX_SUBJECT_CHARS => whole.to_owned(),
        long => format!("{}...", long[..MAX_SUBJECT_CHARS - 3].trim_end()),
    }
}

fn text(upload: &Upload, rejection: &Rejection, quarantine: &Quarantined, extent: Extent) -> String {
    let partial = matches!(extent, Extent::Part { .. });
    let mut text = Text::default();
    text.paragraph("", &opening(extent));
    text.blank();
    text.field("File", &shortened(&upload.intake.file_name, NAME_IN_TEXT_CHARS));
    text.field("Upload", upload.id.as_str());
    if upload.attempt > 0 {
        text.field("Retry", &upload.attempt.to_string());
    }

    text.heading("Why");
    for (group, at) in rejection.groups.iter().take(GROUPS_IN_TEXT).zip(0..) {
        if at > 0 {
            text.blank();
        }
        write_group(&mut text, group);
    }
    match rejection.groups.len().saturating_sub(GROUPS_IN_TEXT) as u64 + rejection.groups_omitted {
        0 => {}
        beyond => {
            text.blank();
            let (kinds, are) = if beyond == 1 { ("kind", "it is") } else { ("kinds", "they are") };
            text.paragraph("  ", &format!("And {beyond} more {kinds} of failure: {are} in the report."));
        }
    }

    text.heading("What to do");
    text.paragraph("  ", advice(rejection, partial));

    text.heading("Where it is now");
    let place = |key: &str| format!("s3://{}/{key}", quarantine.bucket);
    match (&quarantine.key, partial) {
        (Some(key), true) => text.field("Rejected records", &place(key)),
        (Some(key), false) => text.field("Rejected file", &place(key)),
        (None, _) => text.paragraph("  ", "There was nothing to keep but the report."),
    }
    text.field("Report", &place(&quarantine.report_key));
    let mut legend = Vec::new();
    if upload.rejected() > 0 {
        legend.push("The report tells the failures record by record.");
    }
    if rejection.groups.iter().take(GROUPS_IN_TEXT).any(|group| group.first.line.is_some()) {
        legend.push("Lines count from 1; byte offsets and record indexes count from 0, after decompression.");
    }
    if !legend.is_empty() {
        text.blank();
        text.paragraph("  ", &legend.join(" "));
    }
    if let Some(id) = &upload.correlation_id {
        text.heading("If you ask for help, quote");
        text.field("Correlation id", id);
    }
    text.finish()
}

fn opening(extent: Extent) -> String {
    match extent {
        Extent::Whole => "Your upload was rejected as a whole. Nothing of it counts.".to_owned(),
        Extent::Only => "Your upload was rejected: its only record is wrong. Nothing of it counts.".to_owned(),
        Extent::All(rejected) => {
            format!("Your upload was rejected: all {rejected} records in it are wrong. Nothing of it counts.")
        }
        Extent::Part { rejected, accepted } => {
            let were = if rejected == 1 { "was" } else { "were" };
            let total = rejected + accepted;
            let others =
                if accepted == 1 { "The other one counts.".to_owned() } else { format!("The other {accepted} count.") };
            format!("{rejected} of the {total} records in your upload {were} rejected. {others}")
        }
    }
}

/// What is wrong, where, how often, and by which schema.
fn write_group(text: &mut Text, group: &FailureGroup) {
    text.hanging(&format!("{}: {}", group.code, visible(&group.first.message)));
    let mut place = Vec::new();
    if let Some(line) = group.first.line {
        place.push(format!("line {line}"));
    }
    if let Some(byte) = group.first.byte_offset {
        place.push(format!("byte offset {byte}"));
    }
    if let Some(index) = group.first_record {
        place.push(format!("record index {index}"));
    }
    let place = place.join(", ");
    match group.count {
        _ if place.is_empty() => {}
        1 => text.detail("Where", &place),
        times => text.detail("Where", &format!("{times} times, first at {place}")),
    }
    if group.first_record.is_some() {
        match (group.pointer.as_str(), group.first.pointer.as_str()) {
            ("", _) => text.detail("Pointer", "(the record itself)"),
            (_, first) if group.count == 1 => text.detail("Pointer", first),
            (pattern, first) if pattern == first => text.detail("Pointer", first),
            (pattern, first) => {
                text.detail("Pointer", pattern);
                text.detail("First", first);
            }
        }
    }
    if let Some(schema) = &group.schema {
        text.detail("Schema", schema);
    }
}

/// What the owner can do about it.
fn advice(rejection: &Rejection, partial: bool) -> &'static str {
    if partial {
        return "Each line of the rejected records below is one record with what is wrong with it. Correct the records \
                and upload just those as a new file. Do not upload the whole file again: what counts already would \
                count twice.";
    }
    match rejection.upload_failure.as_ref().map(|failure| failure.code) {
        Some(Code::ObjectMissing) => "Upload the file again. If you deleted it on purpose, there is nothing to do.",
        Some(Code::TooManyRejected) => {
            "Correct the records and upload the whole file again, or ask for a higher max_rejected when you do: then \
             the good records count without the others."
        }
        Some(Code::ProcessingFailed) => {
            "Upload the file again in smaller parts. If that fails too, tell the operator: the file may be sound and \
             the fault ours."
        }
        Some(Code::UnsupportedContentType | Code::ContentTypeMismatch) => {
            "Send JSON as application/json, or one JSON record a line as application/x-ndjson, either of them also \
             compressed by gzip or zstd. Upload the whole file again."
        }
        _ => "Correct the file and upload the whole file again: nothing of it will count twice.",
    }
}
