//! Parts that several notices have.

use super::text::{Text, shown};
use super::{DeploymentInfo, DetailLimits, words};
use crate::id::UploadId;
use crate::intake::fingerprint::NO_SCHEMA;
use crate::notification::problem::Problem;

/// Whose uploads it is about: operators receive everybody's notices.
pub(super) fn owned_by(text: &mut Text, owner: &str) {
    text.field("Owner", owner);
}

/// What a group is called: its chief failure, its schema, and what follows.
pub(super) fn title(text: &mut Text, group: &Problem, after: &str, room: DetailLimits) {
    let (code, place, more) = words::primary_failure(group, room);
    let and_more = match more {
        0 => String::new(),
        more => format!(" and {}", words::count(more, "more failure")),
    };
    let schema = match group.schema.as_str() {
        "" | NO_SCHEMA => String::new(),
        schema => format!(" ({})", shown(&words::schema(schema))),
    };
    text.title(&code, &place, &format!("{and_more}{schema}{after}"));
}

/// A request about what was rejected of an upload: a method and a path, which nobody follows by chance.
pub(super) fn request(text: &mut Text, method: &str, id: &UploadId, step: &str) {
    text.request(&format!("{method} /quarantine/{id}{step}"), &format!("{method} /quarantine/ID{step}"));
}

/// How to see everything that lies in quarantine.
pub(super) fn list(text: &mut Text, site: &DeploymentInfo<'_>) {
    text.command("eventpulse quarantine list");
    text.paragraph("  ", "Or over REST, with your token, GET");
    text.url(&format!("{}/quarantine", site.api_url));
}

/// How to change what one receives.
pub(super) fn preferences(text: &mut Text) {
    text.heading("What we send you");
    text.paragraph(
        "  ",
        "Unless you chose otherwise, you hear of a problem when it is new, when it comes back and when it is over; \
         what repeats comes in a digest. To see what you receive, to choose, and to stop:",
    );
    text.command("eventpulse notifications");
    text.command("eventpulse notifications on --kinds new,regressed");
    text.command("eventpulse notifications off");
    text.paragraph(
        "  ",
        "Or, over REST, GET, PUT and DELETE /notifications. The commands in this mail are the owner's; who receives it \
         as the operator changes the template parameter OperatorEmail.",
    );
}
