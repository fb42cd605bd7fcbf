//! The text that is scanned, and the reading of single bytes.

use super::mistake::Mistake;

/// Nothing, or the mistake and its offset.
pub(super) type Scanned<T = ()> = Result<T, (Mistake, usize)>;

/// A scan of one text.
pub(super) struct Scanner<'a> {
    pub(super) text: &'a str,
    pub(super) bytes: &'a [u8],
    /// The offset of the next byte.
    pub(super) at: usize,
    /// The open arrays and objects, by their opening brackets.
    pub(super) open: Vec<u8>,
}

impl Scanner<'_> {
    pub(super) fn fail<T>(&self, mistake: Mistake) -> Scanned<T> {
        Err((mistake, self.at))
    }

    /// Returns whether the byte before this one is `byte`.
    pub(super) fn is_directly_behind(&self, byte: u8) -> bool {
        self.bytes.get(self.at.wrapping_sub(1)) == Some(&byte)
    }

    pub(super) fn is_directly_behind_digit(&self) -> bool {
        self.bytes.get(self.at.wrapping_sub(1)).is_some_and(u8::is_ascii_digit)
    }

    /// Skips white space; returns the next byte.
    pub(super) fn skip_white_space(&mut self) -> Option<u8> {
        self.at += self.rest().iter().take_while(|byte| is_white_space(**byte)).count();
        self.peek()
    }

    pub(super) fn rest(&self) -> &[u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }

    pub(super) fn peek(&self) -> Option<u8> {
        self.byte(0)
    }

    /// Returns the byte at a distance from the next one.
    pub(super) fn byte(&self, distance: usize) -> Option<u8> {
        self.bytes.get(self.at + distance).copied()
    }
}

pub(crate) fn is_white_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}
