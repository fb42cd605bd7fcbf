//! The notice that uploads pass again.

use super::failing::{preferences, title};
use super::text::Text;
use super::{MAX_GROUPS_IN_NOTICE, Resolution, Room, Site, words};

pub(super) fn text(resolutions: &[Resolution], site: &Site<'_>, room: Room) -> String {
    let mut text = Text::default();
    let (over, back) = if resolutions.len() == 1 {
        ("This problem is over".to_owned(), "it comes")
    } else {
        (format!("These {} problems are over", resolutions.len()), "one of them comes")
    };
    text.paragraph(
        "",
        &format!(
            "Your uploads pass again. {over}: there is nothing to do, and if {back} back, you will hear of it at once."
        ),
    );
    for Resolution { group, upload_id, at } in resolutions.iter().take(MAX_GROUPS_IN_NOTICE) {
        text.blank();
        title(&mut text, group, "", room);
        let failed = match (group.uploads, group.records) {
            (uploads, 0) => words::count(uploads, "upload"),
            (uploads, records) => {
                format!("{} with {}", words::count(uploads, "upload"), words::count(records, "wrong record"))
            }
        };
        text.paragraph("    ", &format!("First seen {}", words::minute(group.first_seen)));
        text.paragraph("    ", &format!("Last seen {}", words::minute(group.last_seen)));
        text.paragraph("    ", &format!("Failed so: {failed}{}", returns(group.returns, group.uploads_in_life)));
        text.paragraph("    ", &format!("Passed {}, by this upload", words::minute(*at)));
        text.field("  Upload", upload_id.as_str());
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
    text.paragraph("  ", "What you have not mended or discarded since still waits for you in quarantine:");
    text.line(&format!("{}/quarantine", site.api_url));
    text.line("eventpulse quarantine list");
    preferences(&mut text);
    text.finish()
}

fn returns(returns: u64, uploads_in_life: u64) -> String {
    match returns {
        0 => String::new(),
        returns => {
            format!("; it came back {}, and {uploads_in_life} of the uploads failed since", words::times(returns))
        }
    }
}
