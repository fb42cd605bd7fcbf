//! The search for the end of a JSON value.
//!
//! It follows the structure of JSON: brackets, strings, colons and commas. So it ends at the first byte that breaks the
//! structure, and a missing quote or bracket does not hide the rest of the upload. Numbers, literals and escapes are left to
//! the parser; a mistake in one of them hides nothing.

use super::text::is_white_space;

/// Deeper values are larger than any record.
const MAX_FOLLOWED_DEPTH: usize = 1 << 24;
/// Strings up to this length are searched eight bytes at a time, longer ones in blocks.
const SHORT: usize = 64;
/// The number of bytes that are searched at once, which compiles to vector instructions.
const BLOCK: usize = 64;

/// The end of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// The value has this many bytes.
    Complete(usize),
    /// The last of this many bytes breaks the structure, or belongs to the character after one that does.
    Broken(usize),
}

/// The state of the search, which may continue in a later piece of content.
pub(super) struct Scan {
    expected: Expected,
    is_object: bool,
    depth: usize,
    /// The kinds of the innermost containers, 64 at most, the innermost one in the lowest bit: 1 for an object.
    kinds: u64,
    /// The kinds of the containers around them, 64 each.
    outer_kinds: Vec<u64>,
}

/// The token that is expected, or the one that the next byte belongs to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Expected {
    Value,
    /// A value or, in an empty array, its end.
    Element,
    Name,
    /// A name or, in an empty object, its end.
    Member,
    Colon,
    /// A comma, or the end of the array or object.
    Comma,
    /// More of a number, or of a literal.
    Scalar,
    /// More of the name of a member.
    NameText,
    NameEscape,
    /// More of a string.
    Text,
    TextEscape,
    /// The end of a character of several bytes, which broke the structure.
    Broken,
}

impl Scan {
    /// Begins the search in a value whose first byte is `first`.
    pub(super) fn new(first: u8) -> Self {
        Self { expected: Expected::Value, is_object: first == b'{', depth: 0, kinds: 0, outer_kinds: Vec::new() }
    }

    pub(super) fn is_object(&self) -> bool {
        self.is_object
    }

    /// Finds the end of the value, if it is within `bytes`: after its closing quote or bracket or, for a number or a
    /// literal, before the first other byte. Finds the end of every value that is valid JSON; whether it is, the parser
    /// decides.
    pub(super) fn end(&mut self, bytes: &[u8]) -> Option<End> {
        let mut at = 0;
        let mut expected = self.expected;
        while let Some(&byte) = bytes.get(at) {
            match expected {
                Expected::Text | Expected::NameText => {
                    at += plain_length(bytes.get(at..).unwrap_or_default());
                    let Some(&byte) = bytes.get(at) else { break };
                    expected = match (byte, expected) {
                        (b'"', Expected::Text) if self.depth == 0 => return Some(End::Complete(at + 1)),
                        (b'"', Expected::Text) => Expected::Comma,
                        (b'"', _) => Expected::Colon,
                        (b'\\', Expected::Text) => Expected::TextEscape,
                        (b'\\', _) => Expected::NameEscape,
                        _ => return Some(End::Broken(at + 1)),
                    };
                }
                Expected::TextEscape | Expected::NameEscape if byte < b' ' => return Some(End::Broken(at + 1)),
                Expected::TextEscape => expected = Expected::Text,
                Expected::NameEscape => expected = Expected::NameText,
                Expected::Broken if byte < 0x80 => return Some(End::Broken(at + 1)),
                Expected::Scalar => {
                    at += scalar_length(bytes.get(at..).unwrap_or_default());
                    match bytes.get(at) {
                        None => break,
                        Some(b'"' | b'{' | b'[' | b':') => return Some(End::Broken(at + 1)),
                        Some(_) if self.depth == 0 => return Some(End::Complete(at)),
                        Some(_) => expected = Expected::Comma,
                    }
                    continue;
                }
                Expected::Broken => {}
                _ if is_white_space(byte) => {}
                _ => match self.token(byte, expected) {
                    Some(Expected::Comma) if self.depth == 0 => return Some(End::Complete(at + 1)),
                    Some(next) => expected = next,
                    None if byte < 0x80 => return Some(End::Broken(at + 1)),
                    None => expected = Expected::Broken,
                },
            }
            at += 1;
        }
        self.expected = expected;
        None
    }

    /// Returns the token that is expected after this byte; `None` if the byte breaks the structure.
    #[inline]
    fn token(&mut self, byte: u8, expected: Expected) -> Option<Expected> {
        let in_object = self.kinds & 1 == 1;
        match (expected, byte) {
            (Expected::Value | Expected::Element, b'{') => self.open(true),
            (Expected::Value | Expected::Element, b'[') => self.open(false),
            (Expected::Value | Expected::Element, b'"') => Some(Expected::Text),
            (Expected::Name | Expected::Member, b'"') => Some(Expected::NameText),
            (Expected::Colon, b':') => Some(Expected::Value),
            (Expected::Comma, b',') if in_object => Some(Expected::Name),
            (Expected::Comma, b',') => Some(Expected::Value),
            (Expected::Member, b'}') | (Expected::Element, b']') => self.close(),
            (Expected::Comma, b'}') if in_object => self.close(),
            (Expected::Comma, b']') if !in_object => self.close(),
            (Expected::Value | Expected::Element, b'}' | b']' | b',' | b':') => None,
            (Expected::Value | Expected::Element, _) => Some(Expected::Scalar),
            _ => None,
        }
    }

    fn open(&mut self, is_object: bool) -> Option<Expected> {
        if self.depth == MAX_FOLLOWED_DEPTH {
            return None;
        }
        if self.depth > 0 && self.depth.is_multiple_of(64) {
            self.outer_kinds.push(self.kinds);
        }
        self.depth += 1;
        self.kinds = (self.kinds << 1) | u64::from(is_object);
        Some(if is_object { Expected::Member } else { Expected::Element })
    }

    fn close(&mut self) -> Option<Expected> {
        self.depth -= 1;
        self.kinds >>= 1;
        if self.depth > 0 && self.depth.is_multiple_of(64) {
            self.kinds = self.outer_kinds.pop().unwrap_or_default();
        }
        Some(Expected::Comma)
    }
}

/// Returns the number of bytes before the first one that cannot be part of a number or a literal.
fn scalar_length(bytes: &[u8]) -> usize {
    static ENDS: [bool; 256] = {
        let mut ends = [false; 256];
        let mut rest: &[u8] = b",]} \t\n\r\"{[:";
        while let [first, others @ ..] = rest {
            ends[*first as usize] = true;
            rest = others;
        }
        ends
    };
    bytes.iter().position(|byte| ENDS[usize::from(*byte)]).unwrap_or(bytes.len())
}

/// Returns the number of bytes before the first quote, backslash or control character.
fn plain_length(bytes: &[u8]) -> usize {
    // Most strings are short. In a long one, blocks are cheaper than words.
    let (words, _) = bytes.get(..SHORT).unwrap_or(bytes).as_chunks::<8>();
    for (index, word) in words.iter().enumerate() {
        let marks = special_bytes(u64::from_le_bytes(*word));
        if marks != 0 {
            return index * 8 + (marks.trailing_zeros() / 8) as usize;
        }
    }
    let mut at = words.len() * 8;
    while let Some(block) =
        bytes.get(at..at + BLOCK).filter(|block| !block.iter().fold(false, |any, byte| any | is_special(*byte)))
    {
        at += block.len();
    }
    let rest = bytes.get(at..).unwrap_or_default();
    at + rest.iter().position(|byte| is_special(*byte)).unwrap_or(rest.len())
}

/// Returns whether this byte ends a string, begins an escape or must not be in a string.
fn is_special(byte: u8) -> bool {
    matches!(byte, b'"' | b'\\' | ..b' ')
}

/// Sets the highest bit of the first byte that is a quote, a backslash or a control character; bits of later bytes may be
/// wrong. After [Bit Twiddling Hacks](https://graphics.stanford.edu/~seander/bithacks.html#ZeroInWord).
fn special_bytes(word: u64) -> u64 {
    const EACH: u64 = u64::MAX / 0xff;
    let below = |word: u64, limit: u64| word.wrapping_sub(EACH * limit) & !word;
    let equal = |byte: u8| below(word ^ (EACH * u64::from(byte)), 1);
    (equal(b'"') | equal(b'\\') | below(word, b' '.into())) & (EACH << 7)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn end_of(text: &[u8]) -> Option<End> {
        Scan::new(*text.first()?).end(text)
    }

    #[test]
    fn values_end_behind_their_last_byte() {
        let deep = |depth| format!("{}1{}", r#"[{"a":"#.repeat(depth), "}]".repeat(depth));
        let (deep, deeper) = (deep(40), deep(500));
        let rows: [&str; 11] = [
            "{}",
            "[]",
            r#""""#,
            r#"{"a":{},"b":[],"c":[{}]}"#,
            "{ \"a\" :\r\n\t1 , \"b\": [ 1 , -2.5e3,true ] }",
            r#""\"""#,
            r#"["\\","\u0022"]"#,
            r#"{"\"":"}"}"#,
            "[\"\u{7f}é\u{10ffff} and more\"]",
            &deep,
            &deeper,
        ];
        for text in rows {
            for rest in ["", ",", "]", " x", "\"", "{}"] {
                let whole = format!("{text}{rest}");
                assert_eq!(end_of(whole.as_bytes()), Some(End::Complete(text.len())), "{whole}");
            }
            assert_eq!(end_of(&text.as_bytes()[..text.len() - 1]), None, "{text}");
        }
        for text in ["12.5", "nul", "NaN", "'a'", "é", "\u{1}"] {
            assert_eq!(end_of(text.as_bytes()), None, "{text}");
            for rest in [",", "]", "}", " ", "\n"] {
                assert_eq!(end_of(format!("{text}{rest}").as_bytes()), Some(End::Complete(text.len())), "{text}");
            }
        }
    }

    /// The text up to and including the byte that breaks the structure, and the rest.
    #[test]
    fn the_search_ends_where_the_structure_breaks() {
        let far_within = "[".repeat(200) + "{}}";
        let rows: [(&str, &str, &str); 25] = [
            ("no quote behind a string", r#"{"a":"b,"c"#, r#"":"d"}"#),
            ("no quote before a string", r#"{"a":b""#, r#","c":1}"#),
            ("no quote behind a name", r#"{"a:"b"#, r#"":1}"#),
            ("no quote before a name", r#"{a"#, r#"":1}"#),
            ("a line feed in a string", "{\"a\":\"b\n", "\"}"),
            ("a tab in a name", "{\"a\t", "\":1}"),
            ("a NUL behind seven bytes", "[\"1234567\0", "\"]"),
            ("a line feed behind a backslash", "{\"a\":\"b\\\n", "\"}"),
            ("no closing brace", r#"{"a":1,{"#, r#""a":2}"#),
            ("no closing bracket", r#"{"a":[1}"#, r#",{"b":2}"#),
            ("a brace for a bracket", "[1}", ",2]"),
            ("a bracket for a brace", r#"{"a":1]"#, "}"),
            ("no comma", r#"{"a":1 ""#, r#"b":2}"#),
            ("no colon", r#"{"a" 1"#, "}"),
            ("two colons", r#"{"a"::"#, "1}"),
            ("no value", r#"{"a":,"#, r#""b":1}"#),
            ("two commas", "[1,,", "2]"),
            ("a trailing comma", "[1,]", ",2"),
            ("a trailing comma in an object", r#"{"a":1,}"#, ",2"),
            ("a comma first", "[,", "1]"),
            ("a colon in an array", "[1:", "2]"),
            ("a string in a number", "[1\"", "\"]"),
            ("a closing brace", "}", "{}"),
            ("a character of three bytes, and the next one", "{“a", "”:1}"),
            ("a wrong bracket far within", &far_within, "]"),
        ];
        for (name, until, rest) in rows {
            let whole = format!("{until}{rest}");
            assert_eq!(end_of(whole.as_bytes()), Some(End::Broken(until.len())), "{name}");
            let mut scan = Scan::new(until.as_bytes()[0]);
            let ends: Vec<_> = whole.as_bytes().chunks(1).map(|byte| scan.end(byte)).take(until.len()).collect();
            assert_eq!(ends.iter().position(Option::is_some), Some(until.len() - 1), "{name}, byte by byte");
        }
    }

    #[test]
    fn depth_is_bounded() {
        let deep = vec![b'['; MAX_FOLLOWED_DEPTH + 9];
        assert_eq!(end_of(&deep), Some(End::Broken(MAX_FOLLOWED_DEPTH + 1)));
    }

    #[test]
    fn special_bytes_are_found_in_every_place() {
        for length in [0, 1, 7, 8, 9, 40, 63, 64, 65, 127, 128, 129, 200] {
            for at in 0..=length {
                for special in 0..=255u8 {
                    let mut text = vec![0xa0; length + 1];
                    text[length] = b'"';
                    text[at] = special;
                    let expected = text.iter().position(|byte| is_special(*byte)).unwrap_or(text.len());
                    assert_eq!(plain_length(&text), expected, "{special} at {at} of {length}");
                }
            }
        }
    }

    proptest::proptest! {
        /// The structure breaks no later than the parser finds a mistake in it, and never in valid JSON.
        #[test]
        fn the_search_agrees_with_the_parser(text in proptest::collection::vec(proptest::sample::select(b"{}[],:\"\"1a \n".to_vec()), 1..40)) {
            let text = [b"[".as_slice(), &text].concat();
            let parsed = serde_json::Deserializer::from_slice(&text).into_iter::<serde::de::IgnoredAny>().next();
            match (end_of(&text), parsed) {
                (Some(End::Broken(_)), Some(parsed)) => proptest::prop_assert!(parsed.is_err_and(|error| !error.is_eof())),
                (None, Some(Err(error))) => proptest::prop_assert!(error.is_eof() || text.contains(&b'a') || text.contains(&b'1')),
                _ => {}
            }
        }
    }
}
