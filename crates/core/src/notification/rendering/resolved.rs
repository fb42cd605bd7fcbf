//! The notice that uploads pass again.

use super::parts::{list, owned_by, preferences, title};
use super::text::Text;
use super::{DeploymentInfo, DetailLimits, MAX_GROUPS_IN_NOTICE, ResolvedProblem, words};
use crate::notification::problem::{Problem, ProblemStatus};

/// Of a group that is open again.
const SINCE: &str = "It has come back since; you hear of that separately.";

pub(super) fn text(
    owner: &str,
    resolutions: &[ResolvedProblem],
    site: &DeploymentInfo<'_>,
    room: DetailLimits,
) -> String {
    let mut text = Text::default();
    text.paragraph("", &opening(resolutions));
    text.blank();
    owned_by(&mut text, owner);
    for ResolvedProblem { group, upload_id, at } in resolutions.iter().take(MAX_GROUPS_IN_NOTICE) {
        text.blank();
        title(&mut text, group, "", room);
        let extent = words::extent(group.uploads, group.records);
        let span = words::span(group.first_seen, group.last_seen);
        text.paragraph("    ", &format!("{extent} failed this way {span}.{}", since(group, resolutions.len() > 1)));
        text.field("  Passed at", &words::minute(*at));
        text.field("  Upload that passed", upload_id.as_str());
        text.field("  Group", group.id.as_str());
    }
    match resolutions.len().saturating_sub(MAX_GROUPS_IN_NOTICE) {
        0 => {}
        beyond => {
            text.blank();
            text.paragraph("  ", &format!("And {beyond} more."));
        }
    }
    text.heading("What was rejected before");
    let days = words::count(u64::from(site.retention_days), "day");
    text.paragraph(
        "  ",
        &format!(
            "What you have not corrected or discarded since is still in quarantine. Each upload stays there for {days} \
             after it was rejected:"
        ),
    );
    list(&mut text, site);
    preferences(&mut text);
    text.finish()
}

/// The groups are told as they are when the notice is sent: some may be open again.
fn opening(resolutions: &[ResolvedProblem]) -> String {
    let over = resolutions.iter().filter(|resolution| resolution.group.life == ProblemStatus::Resolved).count();
    let state = match (resolutions.len(), over) {
        (1, 0) => return format!("Uploads of yours passed, and this problem was over. {SINCE}"),
        (many, 0) => {
            return format!(
                "Uploads of yours passed, and these {many} problems were over. They have come back since; you hear of \
                 that separately."
            );
        }
        (1, _) => "this problem is over",
        (many, over) if many == over => &format!("these {many} problems are over"),
        (many, over) => {
            let are = if over == 1 { "is" } else { "are" };
            return format!(
                "Your uploads pass again, and {over} of these {many} problems {are} over. The others came back since; \
                 you hear of that separately."
            );
        }
    };
    let it = if over == 1 { "it" } else { "one of them" };
    format!(
        "Your uploads pass again, and {state}. There is nothing to do. Should {it} come back, you will hear of that."
    )
}

/// What became of the group after it was over, or how it came to be over more than once.
fn since(group: &Problem, is_one_of_many: bool) -> String {
    match group.returns {
        _ if group.life == ProblemStatus::Open && is_one_of_many => format!(" {SINCE}"),
        _ if group.life == ProblemStatus::Open => String::new(),
        0 => String::new(),
        returns => {
            format!(" It came back {}; {} of these failed since then.", words::times(returns), group.uploads_in_life)
        }
    }
}
