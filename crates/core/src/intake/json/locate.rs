//! From an entry of the tape back to its place in the text.

/// A place in a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Position {
    /// From 1.
    pub(crate) line: u64,
    /// From 0.
    pub(crate) byte_offset: u64,
}

/// The places of the entries `wanted`, which must ascend, in one pass over the text.
///
/// Tokens come in the order of the tape: a string, a number, a literal and an opening bracket each began an entry. The text was read
/// before, at least up to the last entry wanted, so tokens only need to be told apart. Shorter than `wanted` if the text is.
pub(crate) fn locate(text: &str, wanted: &[u32]) -> Vec<Position> {
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
            found.push(Position { line, byte_offset: start as u64 });
        }
        if found.len() == wanted.len() {
            break;
        }
        entry += 1;
    }
    found
}

/// The bytes of a string behind its opening quote, the closing quote with them.
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

/// The place of a byte of the text.
pub(crate) fn position(text: &str, offset: usize) -> Position {
    let before = text.as_bytes().get(..offset).unwrap_or(text.as_bytes());
    Position { line: 1 + before.iter().filter(|&&byte| byte == b'\n').count() as u64, byte_offset: offset as u64 }
}
