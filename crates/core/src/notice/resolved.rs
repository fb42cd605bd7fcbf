//! The notice that uploads pass again.

use super::failing::{preferences, title};
use super::text::Text;
use super::{MAX_GROUPS_IN_NOTICE, Resolution, Room, Site, words};
use crate::group::Group;

pub(super) fn text(resolutions: &[Resolution], site: &Site<'_>, room: Room) -> String {
    let mut text = Text::default();
    let (over, it) = match resolutions.len() {
        1 => ("this problem is over".to_owned(), "it"),
        many => (format!("these {many} problems are over"), "one of them"),
    };
    text.paragraph(
        "",
        &format!(
            "Your uploads pass again, and {over}. There is nothing to do. Should {it} come back, you will hear of it \
             at once."
        ),
    );
    for Resolution { group, upload_id, at } in resolutions.iter().take(MAX_GROUPS_IN_NOTICE) {
        text.blank();
        title(&mut text, group, "", room);
        let extent = words::extent(group.uploads, group.records);
        let span = words::span(group.first_seen, group.last_seen);
        text.paragraph("    ", &format!("{extent} failed this way {span}.{}", returns(group)));
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
    text.line(&format!("{}/quarantine", site.api_url));
    text.line("eventpulse quarantine list");
    preferences(&mut text);
    text.finish()
}

fn returns(group: &Group) -> String {
    match group.returns {
        0 => String::new(),
        returns => {
            format!(" It came back {}; {} of these failed since then.", words::times(returns), group.uploads_in_life)
        }
    }
}
