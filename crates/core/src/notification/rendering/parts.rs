//! Parts that several notices share.

use super::contents::DeploymentInfo;
use super::limits::DetailLimits;
use super::text::{Text, shown};
use super::words;
use crate::id::UploadId;
use crate::intake::fingerprint::NO_SCHEMA;
use crate::notification::problem::Problem;

/// Writes the owner. An operator receives the notices of all owners.
pub(super) fn owner_field(text: &mut Text, owner: &str) {
    text.field("Owner", owner);
}

/// Writes the title of a problem: its primary failure, its schema, and `suffix`.
pub(super) fn title(text: &mut Text, problem: &Problem, suffix: &str, limits: DetailLimits) {
    let (code, pointer, others) = words::primary_failure(problem, limits);
    let and_others = match others {
        0 => String::new(),
        others => format!(" and {}", words::count(others, "more failure")),
    };
    let schema = match problem.schema.as_str() {
        "" | NO_SCHEMA => String::new(),
        schema => format!(" ({})", shown(&words::schema(schema))),
    };
    text.title(&code, &pointer, &format!("{and_others}{schema}{suffix}"));
}

/// Writes a request about a quarantined upload as a method and a path, which no mail program follows.
pub(super) fn request(text: &mut Text, method: &str, id: &UploadId, action: &str) {
    text.request(&format!("{method} /quarantine/{id}{action}"), &format!("{method} /quarantine/ID{action}"));
}

/// Writes how to list the quarantine.
pub(super) fn list(text: &mut Text, deployment: &DeploymentInfo<'_>) {
    text.command("eventpulse quarantine list");
    text.paragraph("  ", "Or over REST, with your token: GET");
    text.url(&format!("{}/quarantine", deployment.api_url));
}

/// Writes the omitted number of problems, if any are omitted.
pub(super) fn omitted(text: &mut Text, omitted: usize) {
    if omitted > 0 {
        text.blank();
        text.paragraph("  ", &format!("And {omitted} more."));
    }
}

/// Writes how to change the subscription.
pub(super) fn preferences(text: &mut Text) {
    text.heading("Your notifications");
    text.paragraph(
        "  ",
        "By default, you receive a notice when a problem is new, when it comes back, when it is quiet and when it is \
         resolved. Digests count repeated rejections. To show, change or stop your notifications:",
    );
    text.command("eventpulse notifications");
    text.command("eventpulse notifications on --kinds new,regressed");
    text.command("eventpulse notifications off");
    text.paragraph(
        "  ",
        "Or over REST: GET, PUT and DELETE /notifications. The commands in this e-mail are for the owner. The operator \
         changes the address for copies by the template parameter OperatorEmail.",
    );
}
