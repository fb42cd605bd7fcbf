//! Records that are accepted as they are read, so that their end need not be found first.

/// Accepts records at the beginning of content that may go on behind them.
pub trait Recognizer {
    /// Returns whether any record may be recognized.
    fn is_active(&self) -> bool;

    /// Returns the length of the record that `content` begins with, if it is accepted. It must be a JSON object, complete in
    /// `content`, however that goes on. In a line, it has no line feeds.
    fn recognize(&mut self, content: &[u8], in_line: bool) -> Option<usize>;
}

/// Recognizes nothing.
impl Recognizer for () {
    fn is_active(&self) -> bool {
        false
    }

    fn recognize(&mut self, _: &[u8], _: bool) -> Option<usize> {
        None
    }
}

/// Whether a record was recognized.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recognition {
    /// Its recognizer did not see the whole record.
    Untried,
    /// Its recognizer is not sure.
    NotSure,
    /// Its recognizer accepts it.
    Accepted,
}
