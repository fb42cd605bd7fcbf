//! Finds the text positions of entries of the tape. Used only for failures.

use memchr::memchr_iter;

use super::tape::{Document, Kind};
use crate::intake::position::TextPosition;

/// Returns the positions of the entries `wanted`, which must ascend, in one pass over the text.
///
/// Tokens come in the order of the tape: a string, a number, a literal and an opening bracket each begin an entry. The text
/// was parsed before, at least up to the last entry wanted, so it is enough to tell tokens apart. The result is shorter than
/// `wanted` if the text ends early.
pub(crate) fn locate(text: &str, wanted: &[u32]) -> Vec<TextPosition> {
    let mut found = Vec::with_capacity(wanted.len());
    locate_from(text, Token::FIRST, wanted, &mut found);
    found
}

/// Returns the positions of the entries `wanted` of a document, which must ascend. Begins each search at the last string
/// before the entry: the tape has its offset.
pub(crate) fn locate_in(document: &Document<'_>, wanted: impl Iterator<Item = u32>) -> Vec<TextPosition> {
    let text = document.text;
    let mut found = Vec::with_capacity(wanted.size_hint().1.unwrap_or_default());
    let mut begin = Token::FIRST;
    for entry in wanted {
        let before = document.entries.get(begin.entry as usize..=entry as usize).unwrap_or_default();
        if let Some(ahead) = before.iter().rposition(|entry| entry.kind == Kind::Text) {
            let at = document.entry(begin.entry + ahead as u32).a as usize - 1;
            let passed = text.as_bytes().get(begin.at..at).unwrap_or_default();
            let line = begin.line + memchr_iter(b'\n', passed).count() as u64;
            begin = Token { at, line, entry: begin.entry + ahead as u32 };
        }
        locate_from(text, begin, &[entry], &mut found);
    }
    found
}

/// The beginning of an entry in the text.
#[derive(Clone, Copy)]
struct Token {
    at: usize,
    line: u64,
    entry: u32,
}

impl Token {
    const FIRST: Self = Self { at: 0, line: 1, entry: 0 };
}

fn locate_from(text: &str, begin: Token, wanted: &[u32], found: &mut Vec<TextPosition>) {
    let bytes = text.as_bytes();
    let Token { mut at, mut line, mut entry } = begin;
    let known = found.len();
    while let Some(&byte) = bytes.get(at) {
        let start = at;
        at += 1;
        match byte {
            b'\n' => {
                line += 1;
                continue;
            }
            b' ' | b'\t' | b'\r' | b',' | b':' | b']' | b'}' => continue,
            b'[' | b'{' => {}
            b'"' => at += string_length(bytes.get(at..).unwrap_or_default()),
            _ => {
                let rest = bytes.get(at..).unwrap_or_default();
                at += rest.iter().take_while(|byte| !b" \t\r\n,:]}".contains(byte)).count();
            }
        }
        while wanted.get(found.len() - known) == Some(&entry) {
            found.push(TextPosition { line, byte_offset: start as u64 });
        }
        if found.len() - known == wanted.len() {
            break;
        }
        entry += 1;
    }
}

/// Returns the length of a string behind its opening quote, including the closing quote.
fn string_length(bytes: &[u8]) -> usize {
    let mut escaped = false;
    for (at, &byte) in bytes.iter().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return at + 1,
            _ => {}
        }
    }
    bytes.len()
}

/// Returns the position of the byte at `offset`.
pub(crate) fn position(text: &str, offset: usize) -> TextPosition {
    let mut position = TextPosition::START;
    position.advance(text.as_bytes().get(..offset).unwrap_or(text.as_bytes()));
    TextPosition { byte_offset: offset as u64, ..position }
}
