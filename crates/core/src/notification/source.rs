//! Sources: the senders of uploads, as far as notices distinguish them.
//!
//! The source of a message is its API key. The source of a file is the stem of its name: `readings-2025-02-28.json.gz`
//! and `readings-2025-03-01.json.gz` are of one source. A retry has no source: its data comes from the owner.

use serde::{Deserialize, Serialize};

use crate::upload::Upload;

/// The endings of a file name that are no part of its stem.
const EXTENSIONS: [&str; 7] = [".json", ".ndjson", ".jsonl", ".txt", ".gz", ".zst", ".zstd"];
/// The maximum number of characters of a stem that are compared.
const MAX_STEM_CHARS: usize = 64;

/// The sender of uploads: `key:<id>`, `file:<stem>`, or `message` for messages without a key.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Source(String);

impl Source {
    /// Returns the source of an upload; `None` for a retry.
    #[must_use]
    pub fn of(upload: &Upload) -> Option<Self> {
        if upload.attempt() > 0 {
            return None;
        }
        Some(match upload.message() {
            None => Self::of_file(&upload.origin().file_name),
            Some(message) => Self(message.key_id.as_ref().map_or("message".to_owned(), |key| format!("key:{key}"))),
        })
    }

    /// Returns the source of files with this name.
    #[must_use]
    pub fn of_file(name: &str) -> Self {
        Self(format!("file:{}", stem(name)))
    }
}

/// Returns a file name without its extensions, and without digits, dates and separators at both ends.
fn stem(name: &str) -> String {
    let lower = name.to_lowercase();
    let mut stem = lower.trim();
    while let Some(shorter) = EXTENSIONS.iter().find_map(|extension| stem.strip_suffix(extension)) {
        stem = shorter;
    }
    let is_counted = |c: char| c.is_numeric() || matches!(c, '-' | '_' | '.' | ':' | '+' | '(' | ')' | ' ');
    loop {
        stem = stem.trim_end_matches(is_counted);
        // The letters of a time, such as 2025-02-28T12:00:00Z.
        let is_time = |rest: &&str| rest.ends_with(|c: char| c.is_numeric());
        match stem.strip_suffix(['t', 'z']).filter(is_time) {
            Some(rest) => stem = rest,
            None => return stem.trim_start_matches(is_counted).chars().take(MAX_STEM_CHARS).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_one_series_have_one_source() {
        for (name, expected) in [
            ("readings.json", "file:readings"),
            ("readings-2025-02-28.json", "file:readings"),
            ("Readings_20250301.NDJSON.gz", "file:readings"),
            ("readings 2025-02-28T12:00:00Z.json", "file:readings"),
            ("2025-02-28-readings (3).json.zst", "file:readings"),
            ("20250228T120000.json", "file:"),
            ("7.json", "file:"),
            ("hall-2-meter.json", "file:hall-2-meter"),
            ("data.json.bak", "file:data.json.bak"),
            ("température+1%2B.json", "file:température+1%2b"),
            ("", "file:"),
        ] {
            assert_eq!(Source::of_file(name), Source(expected.to_owned()), "{name}");
        }
        assert_eq!(Source::of_file(&"x".repeat(200)).0.len(), "file:".len() + MAX_STEM_CHARS);
    }
}
