//! The notice that uploads fail: one in full, the others in a paragraph each.

use super::advice::{Retry, advice};
use super::changed::{self, KnownTypes, PassHistory};
use super::parts::{owned_by, preferences, request, title};
use super::text::{Text, shown};
use super::{DeploymentInfo, DetailLimits, FeaturedProblem, MAX_GROUPS_IN_NOTICE, NoticeKind, OtherProblem, words};
use crate::intake::failure::shortened;
use crate::intake::fingerprint::kind_of;
use crate::intake::rejection::{FailureGroup, Rejection};
use crate::notification::problem::Problem;
use crate::time::Timestamp;
use crate::upload::{Decision, QuarantineLocation, Upload};

/// What the self-test says of itself.
const SYNTHETIC_CHECK_INTRODUCTION: &str = "This is the self-test of EventPulse. It sent something wrong on purpose, and that was \
                         rejected and told, as it must be. There is nothing to do.";
/// How many kinds of failure the text tells.
const FAILURES_IN_TEXT: usize = 5;

/// How much of the upload was rejected.
#[derive(Debug, Clone, Copy)]
pub(super) enum Extent {
    /// All of it, for a reason of its own; of records that are wrong besides, there may be some.
    Whole,
    /// Its only record.
    Only,
    /// Each of so many records.
    All(u64),
    /// Some records of many.
    Part { rejected: u64, accepted: u64 },
}

/// The upload that is told in full, and why.
pub(super) struct ProblemDetails<'a> {
    pub(super) group: &'a Problem,
    pub(super) upload: &'a Upload,
    pub(super) rejection: &'a Rejection,
    pub(super) quarantined: &'a QuarantineLocation,
    /// Its kinds of failure, those of the group first.
    pub(super) failures: Vec<&'a FailureGroup>,
    pub(super) extent: Extent,
    pub(super) past: Option<PassHistory<'a>>,
    pub(super) known: Vec<KnownTypes>,
}

impl<'a> ProblemDetails<'a> {
    /// None if nothing of the upload was rejected and quarantined.
    pub(super) fn of(case: &FeaturedProblem<'a>) -> Option<Self> {
        let FeaturedProblem { group, upload, profile } = *case;
        let (rejection, quarantined) = (upload.rejection()?, upload.quarantine_location()?);
        let is_of_group = |failure: &FailureGroup| match &failure.schema {
            Some(schema) => kind_of(schema) == group.kind,
            None => group.failures.iter().any(|at| (at.code, &at.pointer) == (failure.code, &failure.pointer)),
        };
        let mut failures: Vec<&FailureGroup> = rejection.groups.iter().collect();
        failures.sort_by_key(|failure| !is_of_group(failure));
        let extent = match upload.rejected() {
            rejected if matches!(upload.decision(), Some(Decision::Accepted { .. })) => {
                Extent::Part { rejected, accepted: upload.accepted_in_attempt() }
            }
            _ if rejection.upload_failure.is_some() => Extent::Whole,
            0 => Extent::Whole,
            1 => Extent::Only,
            rejected => Extent::All(rejected),
        };
        let past = profile.and_then(|profile| PassHistory::before(upload, profile));
        let known = past.as_ref().map(|past| changed::known(group, &failures, past)).unwrap_or_default();
        Some(Self { group, upload, rejection, quarantined, failures, extent, past, known })
    }

    /// When something of it came to lie in quarantine.
    pub(super) fn at(&self) -> Timestamp {
        self.upload.quarantined_at().unwrap_or(self.upload.changed_at())
    }

    /// Until when that is kept.
    pub(super) fn kept_until(&self, site: &DeploymentInfo<'_>) -> Timestamp {
        self.at().plus_seconds(i64::from(site.retention_days) * 86_400)
    }
}

pub(super) fn text(
    owner: &str,
    kind: NoticeKind,
    told: &ProblemDetails<'_>,
    others: &[OtherProblem],
    site: &DeploymentInfo<'_>,
    room: DetailLimits,
) -> String {
    let ProblemDetails { upload, group, quarantined, .. } = told;
    let mut text = Text::default();
    match kind {
        NoticeKind::SelfTest => text.paragraph("", SYNTHETIC_CHECK_INTRODUCTION),
        _ => text.paragraph("", &format!("{} {}", opening(told), life(kind, group))),
    }
    text.blank();
    match &upload.message() {
        None => text.field("File", &upload.origin().file_name),
        Some(message) => {
            if let Some(key) = &message.key_id {
                text.field("Sent with the key", key);
            }
        }
    }
    text.field("Schema", &group.schema);
    text.field("Rejected at", &words::minute(told.at()));

    text.heading("Why");
    why(&mut text, told, room);
    what_changed(&mut text, told, room);
    if kind != NoticeKind::SelfTest {
        text.heading("What to do");
        what_to_do(&mut text, told, site);
    }
    write_others(&mut text, kind, others, room);

    text.heading("If you ask for help, quote");
    owned_by(&mut text, owner);
    text.field("Upload", upload.id().as_str());
    if upload.attempt() > 0 {
        text.field("Retry", &upload.attempt().to_string());
    }
    text.field("Group", group.id.as_str());
    if let Some(id) = &upload.correlation_id() {
        text.field("Correlation id", id);
    }

    text.heading("How long it is kept");
    let days = words::count(u64::from(site.retention_days), "day");
    let until = words::day(told.kept_until(site));
    let what = match (&quarantined.key, told.extent, &upload.message()) {
        (None, ..) => "There was nothing to keep but the report. It stays",
        (Some(_), Extent::Part { .. }, _) => "The rejected records and the report stay",
        (Some(_), _, None) => "The file and the report stay",
        (Some(_), _, Some(_)) => "The message and the report stay",
    };
    text.paragraph("  ", &format!("{what} for {days}, until {until}."));
    if kind != NoticeKind::SelfTest {
        preferences(&mut text);
    }
    text.finish()
}

fn opening(told: &ProblemDetails<'_>) -> String {
    let upload = told.upload;
    let is_message = upload.message().is_some();
    let (yours, it) = match (is_message, upload.attempt()) {
        (false, 0) => ("Your upload".to_owned(), "your upload"),
        (true, 0) => ("A message that came by POST /data".to_owned(), "a message that came by POST /data"),
        (_, attempt) => (format!("Retry {attempt} of your upload"), "your retry"),
    };
    let nothing = match upload.accepted() - upload.accepted_in_attempt() {
        0 => "Nothing of it counts.".to_owned(),
        earlier => format!("What counted before still does: {}.", words::count(earlier, "record")),
    };
    match told.extent {
        Extent::Whole => format!("{yours} was rejected as a whole. {nothing}"),
        Extent::Only => format!("{yours} was rejected: its only record is wrong. {nothing}"),
        Extent::All(rejected) => format!("{yours} was rejected: all {rejected} records in it are wrong. {nothing}"),
        Extent::Part { rejected, accepted } => {
            let were = if rejected == 1 { "was" } else { "were" };
            let total = rejected + accepted;
            let others =
                if accepted == 1 { "The other one counts.".to_owned() } else { format!("The other {accepted} count.") };
            format!("{rejected} of the {total} records in {it} {were} rejected. {others}")
        }
    }
}

/// Where the group stands in its life.
fn life(kind: NoticeKind, group: &Problem) -> String {
    let so_far = match group.uploads_in_life {
        0 | 1 => String::new(),
        uploads => format!(" {uploads} uploads have failed this way so far."),
    };
    let since = match group.uploads_in_life {
        0 | 1 => String::new(),
        uploads => format!(" {uploads} uploads have failed this way since it came back."),
    };
    match (kind, group.resolved_at) {
        (NoticeKind::Regressed, Some(at)) => {
            let again =
                if group.returns > 1 { format!(" for the {} time", ordinal(group.returns)) } else { String::new() };
            format!("This problem was over on {}, and is back{again}.{since}", words::day(at))
        }
        (NoticeKind::Regressed, None) => format!("This problem was over, and is back.{since}"),
        _ => format!("This problem is new.{so_far}"),
    }
}

fn ordinal(number: u64) -> String {
    let end = match (number % 100, number % 10) {
        (11..=13, _) => "th",
        (_, 1) => "st",
        (_, 2) => "nd",
        (_, 3) => "rd",
        _ => "th",
    };
    format!("{number}{end}")
}

/// Each kind of failure: its code, where, how often, and the masked message.
fn why(text: &mut Text, told: &ProblemDetails<'_>, room: DetailLimits) {
    let most = FAILURES_IN_TEXT.min(room.failures);
    for (failure, at) in told.failures.iter().take(most).zip(0..) {
        if at > 0 {
            text.blank();
        }
        let mut rest = String::new();
        let line = failure.first.line.map(|line| match failure.first.byte_offset {
            // A text on one line is found by its bytes.
            Some(byte) if line == 1 => format!("line 1, byte {byte}"),
            _ => format!("line {line}"),
        });
        match (failure.count, line) {
            (1, None) => {}
            (1, Some(line)) => rest = format!(", {line}"),
            (count, None) => rest = format!(", {}", words::times(count)),
            (count, Some(line)) => rest = format!(", {}, first on {line}", words::times(count)),
        }
        if let Some(schema) = failure.schema.as_ref().filter(|schema| **schema != told.group.schema) {
            rest.push_str(&format!(" ({})", shown(&words::schema(schema))));
        }
        let place = shortened(&words::place(failure), room.pointer);
        text.title(failure.code.as_str(), &place, &rest);
        text.paragraph("    ", &shown(&shortened(&failure.first.message, room.message)));
    }
    match told.failures.len().saturating_sub(most) as u64 + told.rejection.groups_omitted {
        0 => {}
        1 => {
            text.blank();
            text.paragraph("  ", "And 1 more kind of failure: it is in the report.");
        }
        beyond => {
            text.blank();
            text.paragraph("  ", &format!("And {beyond} more kinds of failure: they are in the report."));
        }
    }
}

fn what_changed(text: &mut Text, told: &ProblemDetails<'_>, room: DetailLimits) {
    let Some(past) = told.past.as_ref() else { return };
    if told.known.is_empty() && past.last_passed_at.is_none() {
        return;
    }
    text.heading("What changed");
    for known in &told.known {
        text.paragraph("  ", &known.sentence(past, room));
    }
    if let Some(at) = past.last_passed_at {
        text.paragraph("  ", &format!("An upload of this kind last passed {}.", words::on(at)));
    }
}

fn what_to_do(text: &mut Text, told: &ProblemDetails<'_>, site: &DeploymentInfo<'_>) {
    let id = told.upload.id();
    let advice = advice(told);
    text.paragraph("  ", advice.words);
    let (again, file) = match advice.retry {
        Retry::Corrected => ("To send it corrected", " CORRECTED_FILE"),
        Retry::Again => ("To send it again", " FILE"),
        Retry::Unchanged => ("To try it again as it is", ""),
    };
    text.blank();
    if told.quarantined.key.is_some() {
        text.paragraph("  ", "To see the report, and save what was rejected in this directory:");
        text.command(&format!("eventpulse quarantine show {id} --download ."));
    } else {
        text.paragraph("  ", "To see the report:");
        text.command(&format!("eventpulse quarantine show {id}"));
    }
    text.paragraph("  ", &format!("{again}:"));
    text.command(&format!("eventpulse quarantine retry {id}{file}"));
    text.blank();
    text.paragraph("  ", "Or over REST, with your token, at");
    text.url(site.api_url);
    text.paragraph("  ", "To see the report:");
    request(text, "GET", id, "");
    // What came with a call can be sent by one.
    let is_small = told.upload.message().is_some();
    text.paragraph(
        "  ",
        &match advice.retry {
            Retry::Unchanged => format!("{again}, without a body:"),
            _ if is_small => format!("{again}, as the body:"),
            _ => format!("{again}, as the body, if it has at most 4 MiB:"),
        },
    );
    request(text, "POST", id, "/retry");
    if advice.retry != Retry::Unchanged && !is_small {
        text.paragraph("  ", "To be told where to PUT it, if it has more:");
        request(text, "POST", id, "/correction");
    }
}

/// The others: a title and two ids each.
fn write_others(text: &mut Text, kind: NoticeKind, others: &[OtherProblem], room: DetailLimits) {
    if others.is_empty() {
        return;
    }
    let state = if kind == NoticeKind::Regressed { "that came back" } else { "that are new" };
    text.heading(&match others.len() {
        1 if kind == NoticeKind::Regressed => "One more problem that came back".to_owned(),
        1 => "One more problem that is new".to_owned(),
        many => format!("{many} more problems {state}"),
    });
    for (other, at) in others.iter().take(MAX_GROUPS_IN_NOTICE - 1).zip(0..) {
        if at > 0 {
            text.blank();
        }
        title(text, &other.group, "", room);
        text.field("  Group", other.group.id.as_str());
        text.field("  Upload", other.upload_id.as_str());
    }
    match others.len().saturating_sub(MAX_GROUPS_IN_NOTICE - 1) {
        0 => {}
        beyond => {
            text.blank();
            text.paragraph("  ", &format!("And {beyond} more: `eventpulse quarantine list` has them all."));
        }
    }
    text.blank();
    text.paragraph("  ", "`eventpulse quarantine show` tells each in full, by the id of its upload.");
}
