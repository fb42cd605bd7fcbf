//! The text of a message, with the places of the names that it mentions.

use std::fmt;
use std::ops::Range;

use crate::intake::failure::{MAX_TARGET_CHARS, shortened};

/// A text that mentions names of members of the record.
#[derive(Debug, Default)]
pub(super) struct Text {
    text: String,
    mentions: Vec<Mention>,
}

/// The place of the name of a member of the record in a text.
#[derive(Debug, Clone)]
pub(super) struct Mention {
    /// The bytes of the text.
    pub(super) range: Range<usize>,
    /// The entry of the name; none if it was not found.
    pub(super) entry: Option<u32>,
}

impl Text {
    pub(super) fn push(&mut self, text: &str) {
        self.text.push_str(text);
    }

    /// Appends the name in `entry`, shortened.
    pub(super) fn push_name(&mut self, name: &str, entry: Option<u32>) {
        let start = self.text.len();
        self.text.push_str(&shortened(name, MAX_TARGET_CHARS));
        self.mentions.push(Mention { range: start..self.text.len(), entry });
    }

    /// Returns the text, and the places of names in the order of the text.
    pub(super) fn into_parts(self) -> (String, Vec<Mention>) {
        (self.text, self.mentions)
    }
}

impl From<String> for Text {
    /// Returns a text that mentions no names of members of the record.
    fn from(text: String) -> Self {
        Self { text, mentions: Vec::new() }
    }
}

impl fmt::Display for Text {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}
