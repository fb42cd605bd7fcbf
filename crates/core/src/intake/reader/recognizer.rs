//! Records that are accepted as they are read, so that their end need not be found first.

use super::text::is_white_space;
use crate::intake::position::TextPosition;

/// Takes records that it accepts from the beginning of content that may go on behind them.
pub trait Recognizer {
    /// Returns whether any record may be taken.
    fn is_active(&self) -> bool;

    /// Returns the length of the record that `content` begins with, if it is accepted. It must be a JSON object, complete in
    /// `content`, however that goes on. In a line, it has no line feeds.
    fn find(&mut self, content: &[u8], between: Between) -> Option<usize>;

    /// Takes the record that was found last. Returns whether the next one may be taken, too.
    fn take(&mut self, record: &[u8]) -> bool;
}

/// Takes nothing.
impl Recognizer for () {
    fn is_active(&self) -> bool {
        false
    }

    fn find(&mut self, _: &[u8], _: Between) -> Option<usize> {
        None
    }

    fn take(&mut self, _: &[u8]) -> bool {
        false
    }
}

/// The text between one record and the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Between {
    /// None: the record is a document.
    Nothing,
    /// A comma: the records are the elements of an array.
    Comma,
    /// A line feed: each line is a record.
    LineFeed,
}

impl Between {
    /// Returns the offset of the end of a record whose JSON ends before the offset `at`. `None` if something else follows in
    /// its line, or not yet its line feed.
    #[inline]
    pub(super) fn end(self, content: &[u8], at: usize) -> Option<usize> {
        if self != Self::LineFeed || content.get(at) == Some(&b'\n') {
            return Some(at);
        }
        let behind = content.get(at..)?.iter().take_while(|byte| **byte != b'\n' && is_white_space(**byte)).count();
        (content.get(at + behind) == Some(&b'\n')).then_some(at + behind)
    }

    /// Returns the offset of the object that follows a record, which ends before the offset `end`; of a line, whatever it is.
    #[inline]
    pub(super) fn next(self, content: &[u8], end: usize) -> Option<usize> {
        let skip = |at: usize| {
            let space = content.get(at..).unwrap_or_default().iter().take_while(|byte| is_white_space(**byte));
            at + space.count()
        };
        match self {
            Self::Nothing => None,
            Self::LineFeed => Some(end + 1),
            Self::Comma => {
                let comma = skip(end);
                let next = skip(comma + 1);
                (content.get(comma) == Some(&b',') && content.get(next) == Some(&b'{')).then_some(next)
            }
        }
    }
}

/// Successive records that were taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Taken {
    /// The number of records, at least 1.
    pub records: u64,
    /// The position of the last one in the upload.
    pub last: TextPosition,
    /// The offset behind the last one in the upload.
    pub end: u64,
}
