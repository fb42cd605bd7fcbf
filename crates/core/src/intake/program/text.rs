//! The bytes that a program reads.
//!
//! Common tokens are read eight bytes at a time, as numbers; see [Bit Twiddling
//! Hacks](https://graphics.stanford.edu/~seander/bithacks.html#ZeroInWord). The last bytes of the content are read one by one.

/// The number of bytes of a [`Window`].
pub(super) const WINDOW: usize = 32;
/// The bytes from some offset on.
pub(super) type Window = [u8; WINDOW];

/// Each byte of a word is 1.
const EACH: u64 = u64::MAX / 0xff;
/// The highest bit of each byte of a word.
pub(super) const HIGH_BITS: u64 = EACH << 7;

/// The white space between tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WhiteSpace {
    /// As in JSON.
    Json,
    /// Without line feeds: each ends a record.
    WithinLine,
}

/// Content that begins with a record.
#[derive(Clone, Copy)]
pub(super) struct Text<'t>(pub(super) &'t [u8]);

impl<'t> Text<'t> {
    /// Returns the byte at an offset; beyond the end 0, which no token of JSON contains.
    #[inline]
    pub(super) fn byte(self, at: usize) -> u8 {
        self.0.get(at).copied().unwrap_or(0)
    }

    /// Returns the bytes from an offset on; `None` if fewer follow.
    #[inline]
    pub(super) fn window(self, at: usize) -> Option<&'t Window> {
        self.0.get(at..)?.first_chunk()
    }

    /// Returns the bytes from `start` to before `end`.
    #[inline]
    pub(super) fn slice(self, start: usize, end: usize) -> &'t [u8] {
        self.0.get(start..end).unwrap_or_default()
    }

    /// Returns the end of the literal at an offset.
    #[inline]
    pub(super) fn literal(self, at: usize, literal: &[u8]) -> Option<usize> {
        let end = at + literal.len();
        (self.0.get(at..end)? == literal).then_some(end)
    }

    /// Returns the offset of the first byte from `at` on that is not white space.
    #[inline]
    pub(super) fn skip(self, mut at: usize, white_space: WhiteSpace) -> usize {
        loop {
            match self.byte(at) {
                b' ' | b'\t' | b'\r' => at += 1,
                b'\n' if white_space == WhiteSpace::Json => at += 1,
                _ => return at,
            }
        }
    }

    /// Returns the offset of the closing quote of the string whose contents begin at `start`, and the number of its
    /// characters. `None` if the string has escapes, is not UTF-8 or does not end.
    #[inline(always)]
    pub(super) fn string(self, start: usize) -> Option<(usize, usize)> {
        let end = self.plain_end(start);
        if self.byte(end) == b'"' { Some((end, end - start)) } else { self.long_string(start, end) }
    }

    /// As [`string`](Self::string), for a string with characters beyond ASCII, the first of them at `at`.
    #[cold]
    fn long_string(self, start: usize, mut at: usize) -> Option<(usize, usize)> {
        while self.byte(at) >= 0x80 {
            at = self.plain_end(at + 1);
        }
        if self.byte(at) != b'"' {
            return None;
        }
        Some((at, std::str::from_utf8(self.slice(start, at)).ok()?.chars().count()))
    }

    /// Returns the offset of the first byte from `at` on that is a quote, a backslash, a control character or not ASCII.
    #[inline(always)]
    fn plain_end(self, at: usize) -> usize {
        // Most texts are short.
        if let Some(window) = self.window(at) {
            for part in 0..2 {
                let marks = special_bytes(word(window, 8 * part));
                if marks != 0 {
                    return at + 8 * part + (marks.trailing_zeros() / 8) as usize;
                }
            }
        }
        self.long_plain_end(at)
    }

    #[inline(never)]
    fn long_plain_end(self, mut at: usize) -> usize {
        while let Some(window) = self.window(at) {
            for part in 0..WINDOW / 8 {
                let marks = special_bytes(word(window, 8 * part));
                if marks != 0 {
                    return at + 8 * part + (marks.trailing_zeros() / 8) as usize;
                }
            }
            at += WINDOW;
        }
        let is_plain = |byte: &&u8| !matches!(byte, b'"' | b'\\' | ..b' ' | 0x80..);
        at + self.0.get(at..).unwrap_or_default().iter().take_while(is_plain).count()
    }
}

/// Returns eight bytes of a window, the first one in the lowest bits; `at` is at most 24.
#[inline]
pub(super) fn word(window: &Window, at: usize) -> u64 {
    match window.get(at..).and_then(<[u8]>::first_chunk) {
        Some(bytes) => u64::from_le_bytes(*bytes),
        None => 0,
    }
}

/// Returns both halves of a window.
#[inline]
pub(super) fn halves(window: &Window) -> [u128; 2] {
    let (low, high) = window.split_at(16);
    [low, high].map(|half| half.first_chunk().map_or(0, |bytes| u128::from_le_bytes(*bytes)))
}

/// Sets the highest bit of the first byte that is a quote, a backslash, a control character or not ASCII; bits of later bytes
/// may be wrong.
#[inline]
fn special_bytes(word: u64) -> u64 {
    let zero = |word: u64| word.wrapping_sub(EACH) & !word;
    let quote = zero(word ^ (EACH * u64::from(b'"')));
    let backslash = zero(word ^ (EACH * u64::from(b'\\')));
    (quote | backslash | word.wrapping_sub(EACH * u64::from(b' ')) | word) & HIGH_BITS
}

/// Returns the number of digits that a word begins with, 8 if it has no other byte, and their value.
#[inline]
pub(super) fn digits(word: u64) -> (usize, u64) {
    let values = word ^ (EACH * u64::from(b'0'));
    let others = (values.wrapping_add(EACH * 0x76) | values) & HIGH_BITS;
    match (others.trailing_zeros() / 8) as usize {
        0 => (0, 0),
        count => (count, decimal(values << (64 - 8 * count))),
    }
}

/// Returns the value of eight digits, one a byte, the highest one in the lowest byte.
#[inline]
fn decimal(digits: u64) -> u64 {
    const EVEN: u64 = 0xff | 0xff << 32;
    let pairs = digits.wrapping_mul(10).wrapping_add(digits >> 8);
    let high = (pairs & EVEN).wrapping_mul(100 + (1_000_000 << 32));
    let low = (pairs >> 16 & EVEN).wrapping_mul(1 + (10_000 << 32));
    high.wrapping_add(low) >> 32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_end_at_their_closing_quote() {
        let long = "x".repeat(70);
        let rows: [(&str, Option<(usize, usize)>); 9] = [
            ("\"", Some((0, 0))),
            ("abc\", ", Some((3, 3))),
            (&format!("{long}\""), Some((70, 70))),
            (&format!("{long}é{long}ü\""), Some((144, 142))),
            ("a\\\"", None),
            ("a\u{1f}\"", None),
            ("\u{7f}\"", Some((1, 1))),
            ("abc", None),
            ("é", None),
        ];
        for (text, expected) in rows {
            for padding in ["", "                                                "] {
                let padded = format!("{text}{padding}");
                assert_eq!(Text(padded.as_bytes()).string(0), expected, "{padded:?}");
            }
        }
        for cut in [&b"\xc3\""[..], b"\xff\"", b"\xed\xa0\x80\"", b"\xc0\x80\""] {
            assert_eq!(Text(cut).string(0), None, "{cut:?}");
        }
    }

    #[test]
    fn every_special_byte_ends_a_plain_text_in_every_place() {
        for length in [0, 1, 7, 8, 9, 31, 32, 33, 64, 65] {
            for special in 0..=255u8 {
                let mut text = vec![b'~'; length];
                text.extend([special, b'"', b'\\']);
                text.extend([b' '; WINDOW]);
                let is_plain = matches!(special, b' '..=0x7f) && special != b'"' && special != b'\\';
                let expected = if is_plain { length + 1 } else { length };
                assert_eq!(Text(&text).plain_end(0), expected, "{special} behind {length}");
                text.truncate(length + 3);
                assert_eq!(Text(&text).plain_end(0), expected, "{special} behind {length}, at the end");
            }
        }
    }

    #[test]
    fn digits_are_counted_and_read() {
        for (text, expected) in [
            (b"12345678", (8, 12_345_678)),
            (b"1234567.", (7, 1_234_567)),
            (b"0012,345", (4, 12)),
            (b"9/999999", (1, 9)),
            (b"9:999999", (1, 9)),
            (b"9\xb9999999", (1, 9)),
            (b" 1234567", (0, 0)),
        ] {
            assert_eq!(digits(u64::from_le_bytes(*text)), expected, "{text:?}");
        }
    }
}
