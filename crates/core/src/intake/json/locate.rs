//! Finds the text positions of entries of the tape. Used only for failures.

use crate::intake::position::TextPosition;

/// Returns the positions of the entries `wanted`, which must ascend, in one pass over the text.
///
/// Tokens come in the order of the tape: a string, a number, a literal and an opening bracket each begin an entry. The text
/// was parsed before, at least up to the last entry wanted, so it is enough to tell tokens apart. The result is shorter than
/// `wanted` if the text ends early.
pub(crate) fn locate(text: &str, wanted: &[u32]) -> Vec<TextPosition> {
    let bytes = text.as_bytes();
    let mut found = Vec::with_capacity(wanted.len());
    let (mut at, mut line, mut entry) = (0, 1, 0);
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
        while wanted.get(found.len()) == Some(&entry) {
            found.push(TextPosition { line, byte_offset: start as u64 });
        }
        if found.len() == wanted.len() {
            break;
        }
        entry += 1;
    }
    found
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
