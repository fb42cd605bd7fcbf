//! The notice about resolved problems.

use super::contents::{DeploymentInfo, MAX_PROBLEMS_IN_NOTICE, ResolvedProblem};
use super::limits::DetailLimits;
use super::parts::{list, owner_field, preferences, title};
use super::text::Text;
use super::words;
use crate::notification::problem::{Problem, ProblemStatus};

/// Follows the sentence about a problem that is open again.
const CAME_BACK: &str = "It has come back since then; another notice reports that.";

/// Writes the body of the e-mail.
pub(super) fn text(
    owner: &str,
    resolutions: &[ResolvedProblem],
    deployment: &DeploymentInfo<'_>,
    limits: DetailLimits,
) -> String {
    let mut text = Text::default();
    text.paragraph("", &opening(resolutions));
    text.blank();
    owner_field(&mut text, owner);
    for resolution in resolutions.iter().take(MAX_PROBLEMS_IN_NOTICE) {
        write_problem(&mut text, resolution, resolutions.len() > 1, limits);
    }
    let omitted = resolutions.len().saturating_sub(MAX_PROBLEMS_IN_NOTICE);
    if omitted > 0 {
        text.blank();
        text.paragraph("  ", &format!("And {omitted} more."));
    }
    text.heading("Earlier rejections");
    let days = words::count(u64::from(deployment.retention_days), "day");
    text.paragraph(
        "  ",
        &format!(
            "Uploads that you have not corrected or discarded are still in quarantine. Each is kept for {days} after its \
             rejection. To list them:"
        ),
    );
    list(&mut text, deployment);
    preferences(&mut text);
    text.finish()
}

/// Describes the problems as they are when the notice is published: some may be open again.
fn opening(resolutions: &[ResolvedProblem]) -> String {
    let is_resolved = |resolution: &&ResolvedProblem| resolution.problem.status == ProblemStatus::Resolved;
    let resolved = resolutions.iter().filter(is_resolved).count();
    match (resolutions.len(), resolved) {
        (1, 0) => format!("Your uploads passed, and this problem was resolved. {CAME_BACK}"),
        (1, _) => {
            "Your uploads pass again, and this problem is resolved. There is nothing to do. If it comes back, you \
                   will receive a notice."
                .to_owned()
        }
        (all, 0) => format!(
            "Your uploads passed, and these {all} problems were resolved. They have come back since then; other notices \
             report that."
        ),
        (all, resolved) if all == resolved => format!(
            "Your uploads pass again, and these {all} problems are resolved. There is nothing to do. If one of them \
             comes back, you will receive a notice."
        ),
        (all, resolved) => {
            let are = if resolved == 1 { "is" } else { "are" };
            format!(
                "Your uploads pass again, and {resolved} of these {all} problems {are} resolved. The others have come \
                 back since then; other notices report that."
            )
        }
    }
}

fn write_problem(text: &mut Text, resolution: &ResolvedProblem, is_one_of_many: bool, limits: DetailLimits) {
    let ResolvedProblem { problem, upload_id, at } = resolution;
    text.blank();
    title(text, problem, "", limits);
    let extent = words::extent(problem.uploads, problem.records);
    let span = words::span(problem.first_seen, problem.last_seen);
    let recurrence = recurrence(problem, is_one_of_many);
    text.paragraph("    ", &format!("This problem affected {extent} {span}.{recurrence}"));
    text.field("  Passed at", &words::minute(*at));
    text.field("  Upload that passed", upload_id.as_str());
    text.field("  Problem", problem.id.as_str());
}

/// Says whether the problem has come back, or how often it did before it was resolved.
fn recurrence(problem: &Problem, is_one_of_many: bool) -> String {
    match (problem.status, problem.regressions) {
        (ProblemStatus::Open, _) if is_one_of_many => format!(" {CAME_BACK}"),
        (ProblemStatus::Open, _) | (_, 0) => String::new(),
        (ProblemStatus::Resolved, regressions) => {
            let (times, uploads) = (words::times(regressions), words::count(problem.uploads_since_opened, "upload"));
            format!(" It came back {times} and affected {uploads} after that.")
        }
    }
}
