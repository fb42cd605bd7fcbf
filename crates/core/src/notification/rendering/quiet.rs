//! The notice about quiet problems: they have not occurred for some time, and rejected records are still in quarantine.

use super::contents::{ChangedProblem, DeploymentInfo, MAX_PROBLEMS_IN_NOTICE};
use super::limits::DetailLimits;
use super::parts::{omitted, owner_field, preferences, title};
use super::text::Text;
use super::words;
use crate::notification::open_records::Amount;
use crate::notification::problem::{Problem, ProblemStatus};

/// Writes the body of the e-mail.
pub(super) fn text(
    owner: &str,
    quiet: &[ChangedProblem],
    deployment: &DeploymentInfo<'_>,
    limits: DetailLimits,
) -> String {
    let mut text = Text::default();
    text.paragraph("", &opening(quiet));
    text.blank();
    owner_field(&mut text, owner);
    for one in quiet.iter().take(MAX_PROBLEMS_IN_NOTICE) {
        write_problem(&mut text, one, quiet.len() > 1, limits);
    }
    omitted(&mut text, quiet.len().saturating_sub(MAX_PROBLEMS_IN_NOTICE));
    text.heading("What to do");
    let filter = match quiet {
        [one] => filter(&one.problem),
        _ => String::new(),
    };
    write_actions(&mut text, &filter, deployment);
    preferences(&mut text);
    text.finish()
}

/// Describes the problems as they are when the notice is published: some may have changed.
fn opening(quiet: &[ChangedProblem]) -> String {
    let open = quiet.iter().map(|one| one.problem.open.total()).fold(Amount::default(), Amount::plus);
    let missing = match (words::records(open), open.records.max(open.uploads)) {
        (_, 0) => "None of its records is open in quarantine any more.".to_owned(),
        (records, 1) => format!(
            "But {records} is still in quarantine. It is missing from every statistic until you correct it or retry it."
        ),
        (records, _) => format!(
            "But {records} are still in quarantine. They are missing from every statistic until you correct them or \
             retry them."
        ),
    };
    let [one] = quiet else {
        return format!(
            "These {} problems are quiet: they have not occurred for some time, and uploads of the same kind and source \
             pass. {missing}",
            quiet.len()
        );
    };
    match since_then(&one.problem) {
        "" => format!(
            "This problem is quiet: it has not occurred since {}, and uploads of the same kind and source pass. {missing}",
            words::minute(one.problem.last_seen)
        ),
        since_then => format!("This problem was quiet. {since_then} {missing}"),
    }
}

/// Describes a change since the problem became quiet.
fn since_then(problem: &Problem) -> &'static str {
    match problem.status {
        ProblemStatus::Open => "It has come back since then; another notice reports that.",
        ProblemStatus::Resolved => "It was resolved since then; another notice reports that.",
        ProblemStatus::Quiet => "",
    }
}

fn write_problem(text: &mut Text, one: &ChangedProblem, is_one_of_many: bool, limits: DetailLimits) {
    let ChangedProblem { problem, at, .. } = one;
    text.blank();
    title(text, problem, "", limits);
    let extent = words::extent(problem.uploads, problem.records);
    let span = words::span(problem.first_seen, problem.last_seen);
    let since_then = if is_one_of_many { since_then(problem) } else { "" };
    text.paragraph("    ", &format!("This problem affected {extent} {span}. {since_then}"));
    let open = problem.open.total();
    if !open.is_zero() {
        text.field("  Still in quarantine", &words::amount(open));
    }
    text.field("  Last rejected at", &words::minute(problem.last_seen));
    text.field("  Quiet since", &words::minute(*at));
    text.field("  Problem", problem.id.as_str());
}

/// Returns the options that list the uploads of a problem. Names with other characters are left out.
fn filter(problem: &Problem) -> String {
    let is_plain = |schema: &&str| {
        schema.contains('/') && schema.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/._-".contains(&byte))
    };
    let code = problem.failures.first().map(|at| format!(" --code {}", at.code)).unwrap_or_default();
    let schema = Some(problem.schema.as_str()).filter(is_plain);
    code + &schema.map(|schema| format!(" --schema {schema}")).unwrap_or_default()
}

fn write_actions(text: &mut Text, filter: &str, deployment: &DeploymentInfo<'_>) {
    let days = words::count(u64::from(deployment.retention_days), "day");
    text.paragraph(
        "  ",
        &format!("Rejected data is deleted {days} after its rejection, unless you handle it before. To list it:"),
    );
    text.command(&format!("eventpulse quarantine list{filter}"));
    text.paragraph("  ", "To show the report on an upload and save its rejected data in this directory:");
    text.command("eventpulse quarantine show UPLOAD_ID --download .");
    text.paragraph("  ", "To send corrected data:");
    text.command("eventpulse quarantine retry UPLOAD_ID CORRECTED_FILE");
    text.paragraph("  ", "To retry the data unchanged, for example after a change of the schema:");
    text.command("eventpulse quarantine retry UPLOAD_ID");
    text.paragraph("  ", "To discard data that nobody needs:");
    text.command("eventpulse quarantine discard UPLOAD_ID");
    text.blank();
    text.paragraph("  ", "Or over REST, with your token: GET");
    text.url(&format!("{}/quarantine", deployment.api_url));
    text.paragraph("  ", "and then, with the id of an upload:");
    for request in [
        "GET /quarantine/UPLOAD_ID",
        "POST /quarantine/UPLOAD_ID/retry",
        "POST /quarantine/UPLOAD_ID/correction",
        "DELETE /quarantine/UPLOAD_ID",
    ] {
        text.request(request, request);
    }
}
