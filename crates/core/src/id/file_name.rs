//! File names of clients: untrusted text that becomes a part of a key, a line of an e-mail and the name of a download.

use crate::encoding::is_invisible;

/// The maximum length of a file name in a key in bytes.
const MAX_FILE_NAME_BYTES: usize = 200;

/// Returns a file name as one path segment that looks like what it is: at most the last 200 bytes (which include the
/// extension), never empty.
///
/// Slashes, control characters and line separators become `_`. Invisible characters, such as direction marks, are removed:
/// with one, `report\u{202e}gpj.exe` would be shown as `reportexe.jpg`. A joiner stays between two characters that are not
/// ASCII, where Persian words and emoji need it. Everything else is unchanged, and so is a clean name.
#[must_use]
pub fn clean_file_name(name: &str) -> String {
    let mut cleaned = String::with_capacity(name.len());
    let mut rest = name.chars().filter(|c| !is_invisible(*c) || is_joiner(*c)).peekable();
    while let Some(c) = rest.next() {
        if is_joiner(c) {
            let is_between = cleaned.ends_with(is_joinable) && rest.peek().is_some_and(|next| is_joinable(*next));
            cleaned.extend(is_between.then_some(c));
        } else {
            cleaned.push(if is_separator(c) { '_' } else { c });
        }
    }
    let mut start = cleaned.len().saturating_sub(MAX_FILE_NAME_BYTES);
    while !cleaned.is_char_boundary(start) {
        start += 1;
    }
    match cleaned[start..].trim_start_matches(is_joiner) {
        "" | "." | ".." => "object".to_owned(),
        name => name.to_owned(),
    }
}

fn is_separator(c: char) -> bool {
    matches!(c, '/' | '\\' | '\u{2028}' | '\u{2029}') || c.is_control()
}

/// Returns whether a character joins its neighbours or keeps them apart, which some scripts and emoji need.
fn is_joiner(c: char) -> bool {
    matches!(c, '\u{200c}' | '\u{200d}')
}

fn is_joinable(c: char) -> bool {
    !c.is_ascii() && !is_joiner(c) && !is_separator(c)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn file_names_lose_every_character_that_is_not_seen() {
        for (name, text, expected) in [
            ("override", "report\u{202e}gpj.exe", "reportgpj.exe"),
            ("embeddings", "a\u{202a}b\u{202b}c\u{202c}d\u{202d}e.json", "abcde.json"),
            ("isolates", "a\u{2066}b\u{2067}c\u{2068}d\u{2069}.json", "abcd.json"),
            ("marks", "a\u{200e}b\u{200f}c\u{61c}.json", "abc.json"),
            ("no width", "a\u{200b}b\u{2060}c\u{feff}d\u{ad}.json", "abcd.json"),
            ("tags", "a\u{e0001}\u{e0041}\u{e007f}.json", "a.json"),
            ("operators and annotations", "a\u{2061}\u{206f}\u{fff9}\u{fffb}.json", "a.json"),
            ("line ends", "a\nb\u{85}c\u{2028}d\u{2029}e", "a_b_c_d_e"),
            ("escape", "\u{1b}[31m\u{7f}", "_[31m_"),
            ("joiners beside ASCII", "a\u{200d}b\u{200c}é.json", "abé.json"),
            ("joiners at the ends", "\u{200d}é\u{200c}", "é"),
            ("a run of joiners", "é\u{200d}\u{200d}\u{200c}é", "é\u{200c}é"),
            ("a joiner and an override", "é\u{202e}\u{200d}\u{202e}é", "é\u{200d}é"),
            ("only invisible", "\u{202e}\u{200b}", "object"),
            ("dots behind invisible ones", "\u{200b}.\u{200b}.", "object"),
        ] {
            assert_eq!(clean_file_name(text), expected, "{name}");
        }
    }

    #[test]
    fn ordinary_international_names_are_unchanged() {
        for name in [
            "température.json",
            "cafe\u{301}.json",
            "温度計 1+2%2B.ndjson",
            "שלום.json",
            "می\u{200c}خواهم.json",
            "👩\u{200d}🚀 ❤\u{fe0f}.json",
        ] {
            assert_eq!(clean_file_name(name), name);
        }
    }

    #[test]
    fn long_file_names_keep_their_end() {
        let name = clean_file_name(&format!("{}.json", "é".repeat(300)));
        assert!(name.len() <= 200 && name.ends_with("é.json"), "{name}");
        let joined = clean_file_name(&"é\u{200d}".repeat(300));
        assert!(joined.starts_with('é') && clean_file_name(&joined) == joined, "{joined:?}");
    }

    proptest! {
        #[test]
        fn clean_name_is_unchanged(name in "(.|[\u{200b}-\u{200f}\u{2028}-\u{202e}\u{e0041}/é]){0,120}") {
            let clean = clean_file_name(&name);
            prop_assert_eq!(clean_file_name(&clean), clean.clone());
            prop_assert!(!clean.contains(|c: char| is_separator(c) || (is_invisible(c) && !is_joiner(c))), "{:?}", clean);
        }
    }
}
