//! What holds of every notice, whatever it tells.

use eventpulse_core::id::UploadId;
use eventpulse_core::notice::Notice;

use crate::support::news;

/// The headings that there are, of the failing uploads' notices in their order.
const HEADINGS: [&str; 16] = [
    "Why",
    "What changed",
    "What to do",
    "If you ask for help, quote",
    "How long it is kept",
    "What was rejected before",
    "The problem",
    "Both problems",
    "The three problems",
    "The three largest problems",
    "Came back",
    "Resolved",
    "See them all",
    "What we send you",
    "One more problem that is new",
    "One more problem that came back",
];

/// What holds of every notice.
pub fn check(notice: &Notice) {
    let subject = &notice.subject;
    assert!((1..=99).contains(&subject.len()), "{subject}");
    assert!(subject.chars().all(|c| c.is_ascii_graphic() || c == ' ') && subject.trim() == subject, "{subject:?}");
    assert!(subject.starts_with("[EventPulse] "), "{subject}");
    let hidden = |c: char| {
        c != '\n'
            && (c.is_control()
                || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}'))
    };
    assert!(!notice.text.contains(hidden), "{:?}", notice.text);
    let (opening, sections) = notice.text.split_once("\n\n").unwrap();
    assert!(opening.lines().all(|line| !line.starts_with(' ')), "{opening}");
    for heading in sections.lines().filter(|line| !line.is_empty() && !line.starts_with(' ')) {
        let many =
            heading.ends_with(" more problems that are new") || heading.ends_with(" more problems that came back");
        assert!(HEADINGS.contains(&heading) || many, "{heading}");
    }
    let lines: Vec<&str> = notice.text.lines().collect();
    for (at, line) in lines.iter().enumerate().filter(|(_, line)| line.chars().count() > 78) {
        // What cannot be broken has a line of its own: one word, a name between backticks, what a field holds, a pointer.
        let is_one_word = !line.trim_start().contains(' ') || line.contains('`');
        let is_copied = line.starts_with("    /") || (line.starts_with("    ") && lines[at - 1].ends_with(':'));
        assert!(is_one_word || is_copied, "{line}");
    }
    links_are_for_get(&notice.text);
    for values in [&notice.codes, &notice.schemas] {
        assert!((1..=30).contains(&values.len()), "{values:?}");
        assert!(values.is_sorted_by(|a, b| a < b), "{values:?}");
    }
    let machine: serde_json::Value = serde_json::from_str(&notice.json).unwrap();
    assert_eq!(machine["text"], notice.text.as_str());
    assert_eq!(machine["kind"], notice.kind.as_str());
    assert_eq!(machine["id"], notice.id.as_str());
}

/// A link of ours stands alone on its line, and shows something.
fn links_are_for_get(text: &str) {
    for line in text.lines().filter(|line| line.contains(news::SITE.api_url)) {
        let path = line.trim_start().strip_prefix(news::SITE.api_url).unwrap();
        let is_item = path.strip_prefix("/quarantine/").is_some_and(|id| UploadId::parse(id).is_ok());
        assert!(is_item || path == "/quarantine", "{line}");
    }
}
