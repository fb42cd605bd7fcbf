//! The notice about resolved problems: none of their rejected records is open in quarantine.

use super::contents::{ChangedProblem, DeploymentInfo, MAX_PROBLEMS_IN_NOTICE};
use super::limits::DetailLimits;
use super::parts::{list, omitted, owner_field, preferences, title};
use super::text::Text;
use super::words;
use crate::notification::closing::ClosedTotals;
use crate::notification::problem::{Problem, ProblemStatus};

/// Follows the sentence about a problem that is open again.
const CAME_BACK: &str = "It has come back since then; another notice reports that.";

/// Writes the body of the e-mail.
pub(super) fn text(
    owner: &str,
    resolved: &[ChangedProblem],
    deployment: &DeploymentInfo<'_>,
    limits: DetailLimits,
) -> String {
    let mut text = Text::default();
    text.paragraph("", &opening(resolved));
    text.blank();
    owner_field(&mut text, owner);
    for one in resolved.iter().take(MAX_PROBLEMS_IN_NOTICE) {
        write_problem(&mut text, one, resolved.len() > 1, limits);
    }
    omitted(&mut text, resolved.len().saturating_sub(MAX_PROBLEMS_IN_NOTICE));
    text.heading("Statistics");
    let is_retried = resolved.iter().any(|one| !one.problem.closed.retried.is_zero());
    let retried = if is_retried { " Retried records count if the retry accepted them." } else { "" };
    text.paragraph(
        "  ",
        &format!(
            "Corrected records count towards statistics.{retried} Records that were discarded, withdrawn or expired do \
             not. To list the rejected uploads of other problems:"
        ),
    );
    list(&mut text, deployment);
    preferences(&mut text);
    text.finish()
}

/// Describes the problems as they are when the notice is published: some may be open again.
fn opening(changed: &[ChangedProblem]) -> String {
    let is_resolved = |one: &&ChangedProblem| one.problem.status == ProblemStatus::Resolved;
    let resolved = changed.iter().filter(is_resolved).count();
    match (changed.len(), resolved) {
        (1, 0) => format!("This problem was resolved. {CAME_BACK}"),
        (1, _) => "This problem is resolved: none of its rejected records is open in quarantine any more. If it comes \
                   back, you will receive a notice."
            .to_owned(),
        (all, 0) => {
            format!("These {all} problems were resolved. They have come back since then; other notices report that.")
        }
        (all, resolved) if all == resolved => format!(
            "These {all} problems are resolved: none of their rejected records is open in quarantine any more. If one of \
             them comes back, you will receive a notice."
        ),
        (all, resolved) => {
            let (are, its) = if resolved == 1 { ("is", "its") } else { ("are", "their") };
            format!(
                "{resolved} of these {all} problems {are} resolved: none of {its} rejected records is open in quarantine \
                 any more. The others have come back since then; other notices report that."
            )
        }
    }
}

fn write_problem(text: &mut Text, one: &ChangedProblem, is_one_of_many: bool, limits: DetailLimits) {
    let ChangedProblem { problem, upload_id, at } = one;
    text.blank();
    title(text, problem, "", limits);
    let extent = words::extent(problem.uploads, problem.records);
    let span = words::span(problem.first_seen, problem.last_seen);
    let recurrence = recurrence(problem, is_one_of_many);
    text.paragraph("    ", &format!("This problem affected {extent} {span}.{recurrence}"));
    if problem.status == ProblemStatus::Resolved {
        write_closed(text, &problem.closed);
    }
    text.field("  Resolved at", &words::minute(*at));
    if let Some(upload_id) = upload_id {
        text.field("  Last upload", upload_id.as_str());
    }
    text.field("  Problem", problem.id.as_str());
}

/// Writes the outcome of the rejected records.
fn write_closed(text: &mut Text, closed: &ClosedTotals) {
    let ClosedTotals { corrected, retried, discarded, withdrawn, expired } = *closed;
    for (outcome, amount) in [
        ("Corrected", corrected),
        ("Retried, and rejected again in part", retried),
        ("Discarded", discarded),
        ("Withdrawn", withdrawn),
        ("Expired", expired),
    ] {
        if !amount.is_zero() {
            text.field(&format!("  {outcome}"), &words::amount(amount));
        }
    }
}

/// Says whether the problem has come back, or how often it did before it was resolved.
fn recurrence(problem: &Problem, is_one_of_many: bool) -> String {
    match (problem.status, problem.regressions) {
        (ProblemStatus::Open | ProblemStatus::Quiet, _) if is_one_of_many => format!(" {CAME_BACK}"),
        (ProblemStatus::Open | ProblemStatus::Quiet, _) | (_, 0) => String::new(),
        (ProblemStatus::Resolved, regressions) => {
            let (times, uploads) = (words::times(regressions), words::count(problem.uploads_since_opened, "upload"));
            format!(" It came back {times} and affected {uploads} after that.")
        }
    }
}
