//! Properties of every notice.

use eventpulse_core::notification::rendering::Notice;

use crate::support::notices;

/// All headings, those of notices about rejected uploads in their order.
const HEADINGS: [&str; 19] = [
    "Why",
    "What changed",
    "What to do",
    "Ids for support requests",
    "Retention",
    "Statistics",
    "The problem",
    "Both problems",
    "The three problems",
    "The three largest problems",
    "The largest problem",
    "The two largest problems",
    "Came back",
    "Quiet",
    "Resolved",
    "All rejected uploads",
    "Your notifications",
    "1 more new problem",
    "1 more problem that came back",
];

/// Checks the properties of every notice.
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
        let many = heading.ends_with(" more new problems") || heading.ends_with(" more problems that came back");
        assert!(HEADINGS.contains(&heading) || many, "{heading}");
    }
    for line in notice.text.lines() {
        assert!(columns(line) <= 78, "{} columns: {line}", columns(line));
    }
    has_no_link_but_the_api(&notice.text);
    for values in [&notice.codes, &notice.schemas] {
        assert!((1..=30).contains(&values.len()), "{values:?}");
        assert!(values.is_sorted_by(|a, b| a < b), "{values:?}");
    }
    let machine: serde_json::Value = serde_json::from_str(&notice.json).unwrap();
    assert_eq!(machine["text"], notice.text.as_str());
    assert_eq!(machine["kind"], notice.kind.as_str());
    assert_eq!(machine["id"], notice.id.as_str());
}

/// Returns the width of a line. East Asian letters and pictographs take two columns.
fn columns(line: &str) -> usize {
    let is_wide = |c: char| matches!(c, '\u{1100}'..='\u{115f}' | '\u{2e80}'..='\u{9fff}' | '\u{ac00}'..='\u{d7a3}' | '\u{1f300}'..='\u{1faff}');
    line.chars().map(|c| if is_wide(c) { 2 } else { 1 }).sum()
}

/// Checks that the URL of the API, on a line of its own, is the only link.
fn has_no_link_but_the_api(text: &str) {
    let ours: Vec<&str> = text.lines().filter(|line| line.trim() == notices::DEPLOYMENT.api_url).collect();
    assert!(ours.len() <= 1, "{text}");
    let others = text.replace(notices::DEPLOYMENT.api_url, "");
    assert!(!others.contains("://") && !others.to_ascii_lowercase().contains("www."), "{text}");
    let is_address = |(at, _)| !others[..at].ends_with(['/', '`', ' ', '…']);
    assert!(!others.match_indices('@').any(is_address), "{text}");
}
