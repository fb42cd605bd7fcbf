//! The texts of a failure with gaps for the names of unknown members.

use super::collect::Described;
use super::text::Mention;
use crate::intake::failure::{Failure, FailureCode, MAX_TARGET_CHARS, shortened};
use crate::intake::position::TextPosition;

/// A failure of every record of a kind.
#[derive(Debug)]
pub(crate) struct KnownFailure {
    /// The failure without its position; targets and message are those of the record that was described if they have gaps.
    failure: Failure,
    /// The index of its position among those of the record.
    pub(crate) position: usize,
    /// The targets and the message, if they have gaps.
    gaps: Option<Gaps>,
    /// Its JSON up to the line.
    json: Vec<Piece>,
}

#[derive(Debug)]
struct Gaps {
    targets: Vec<Piece>,
    message: Vec<Piece>,
}

/// A piece of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(String),
    /// The name of the unknown member with this number.
    Name(u16),
}

impl KnownFailure {
    /// Returns a failure with gaps for the names of unknown members. `number`: returns the number of the unknown member whose
    /// name is in an entry, or none. `None` if the entry of a name was not found.
    pub(super) fn of(described: &Described, position: usize, number: &impl Fn(u32) -> Option<u16>) -> Option<Self> {
        let failure = Failure { line: None, byte_offset: None, ..described.failure.clone() };
        let gaps = Gaps::of(described, number)?;
        Self::with(failure, position, gaps)
    }

    /// Returns a failure without gaps.
    pub(super) fn without_gaps(failure: &Failure, position: usize) -> Option<Self> {
        Self::with(Failure { line: None, byte_offset: None, ..failure.clone() }, position, None)
    }

    fn with(failure: Failure, position: usize, gaps: Option<Gaps>) -> Option<Self> {
        let json = json(&failure, gaps.as_ref())?;
        Some(Self { failure, position, gaps, json })
    }

    /// Returns the failure of a record. `name`: returns the unknown member with a number.
    pub(super) fn describe<'n>(&self, position: TextPosition, name: &impl Fn(u16) -> &'n str) -> Failure {
        let mut failure = self.failure.clone();
        if let Some(Gaps { targets, message }) = &self.gaps {
            failure.targets = targets.iter().map(|target| target.filled(name)).collect();
            failure.message = message.iter().map(|piece| piece.filled(name)).collect();
        }
        Failure { line: Some(position.line), byte_offset: Some(position.byte_offset), ..failure }
    }

    /// Returns the failure code.
    pub(crate) fn code(&self) -> FailureCode {
        self.failure.code
    }

    /// Returns whether a failure has the texts of this one, which has no gaps.
    pub(super) fn has_texts_of(&self, failure: &Failure) -> bool {
        let Failure { code, keyword, pointer, schema_pointer, targets, message, line: _, byte_offset: _ } = failure;
        let known = &self.failure;
        *code == known.code
            && (keyword, pointer, schema_pointer, targets, message)
                == (&known.keyword, &known.pointer, &known.schema_pointer, &known.targets, &known.message)
    }

    /// Returns the numbers of the names that the JSON mentions.
    pub(crate) fn names(&self) -> impl Iterator<Item = u16> {
        self.json.iter().filter_map(|piece| if let Piece::Name(number) = piece { Some(*number) } else { None })
    }

    /// Appends the failure of a record as JSON, as `serde_json` writes it.
    pub(crate) fn write_json<'n>(&self, position: TextPosition, name: &impl Fn(u16) -> &'n str, to: &mut Vec<u8>) {
        for piece in &self.json {
            match piece {
                Piece::Text(text) => to.extend_from_slice(text.as_bytes()),
                Piece::Name(number) => write_escaped(name(*number), to),
            }
        }
        let mut digits = itoa::Buffer::new();
        to.extend_from_slice(digits.format(position.line).as_bytes());
        to.extend_from_slice(b",\"byte_offset\":");
        to.extend_from_slice(digits.format(position.byte_offset).as_bytes());
        to.push(b'}');
    }

    pub(super) fn size_bytes(&self) -> usize {
        let of = |pieces: &[Piece]| pieces.iter().map(Piece::size_bytes).sum::<usize>();
        let Failure { pointer, message, targets, schema_pointer, .. } = &self.failure;
        let schema_pointer = schema_pointer.as_ref().map_or(0, String::len);
        let texts = pointer.len() + schema_pointer + message.len() + targets.iter().map(String::len).sum::<usize>();
        256 + 2 * texts
            + of(&self.json)
            + self.gaps.as_ref().map_or(0, |gaps| of(&gaps.message) + 128 * gaps.targets.len())
    }
}

impl Gaps {
    /// Returns the gaps of a failure, if it has any. `None` if the entry of a name was not found.
    fn of(described: &Described, number: &impl Fn(u32) -> Option<u16>) -> Option<Option<Self>> {
        let Described { failure: Failure { targets, message, .. }, target_entries, mentions, .. } = described;
        let piece = |text: &str, entry: Option<u32>| Some(number(entry?).map_or_else(|| text.into(), Piece::Name));
        let targets: Vec<Piece> = if target_entries.is_empty() {
            targets.iter().map(|target| target.as_str().into()).collect()
        } else {
            targets.iter().zip(target_entries).map(|(target, entry)| piece(target, *entry)).collect::<Option<_>>()?
        };
        let (mut pieces, mut done) = (Vec::new(), 0);
        for Mention { range, entry } in mentions {
            pieces.push(message.get(done..range.start)?.into());
            pieces.push(piece(message.get(range.clone())?, *entry)?);
            done = range.end;
        }
        pieces.push(message.get(done..)?.into());
        let has_gaps = targets.iter().chain(&pieces).any(|piece| matches!(piece, Piece::Name(_)));
        Some(has_gaps.then(|| Self { targets, message: joined(pieces) }))
    }
}

impl Piece {
    fn filled<'n>(&self, name: &impl Fn(u16) -> &'n str) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Name(number) => shortened(name(*number), MAX_TARGET_CHARS),
        }
    }

    /// Returns the piece with its text as the inside of a JSON string.
    fn escaped(&self) -> Self {
        match self {
            Self::Text(text) => Self::Text(escaped(text)),
            Self::Name(number) => Self::Name(*number),
        }
    }

    fn size_bytes(&self) -> usize {
        size_of::<Self>() + if let Self::Text(text) = self { text.len() } else { 0 }
    }
}

impl From<&str> for Piece {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

/// Returns the JSON of a failure up to its line.
fn json(failure: &Failure, gaps: Option<&Gaps>) -> Option<Vec<Piece>> {
    let Some(Gaps { targets, message }) = gaps else {
        let text = serde_json::to_string(failure).ok()?;
        return Some(vec![Piece::Text(format!("{},\"line\":", text.strip_suffix('}')?))]);
    };
    let bare = Failure { targets: Vec::new(), message: String::new(), ..failure.clone() };
    let mut pieces: Vec<Piece> = vec![serde_json::to_string(&bare).ok()?.strip_suffix("\"message\":\"\"}")?.into()];
    for (index, target) in targets.iter().enumerate() {
        pieces.push(if index == 0 { "\"targets\":[\"" } else { "\",\"" }.into());
        pieces.push(target.escaped());
    }
    pieces.push(if targets.is_empty() { "\"message\":\"" } else { "\"],\"message\":\"" }.into());
    pieces.extend(message.iter().map(Piece::escaped));
    pieces.push("\",\"line\":".into());
    Some(joined(pieces))
}

/// Joins adjacent texts.
fn joined(pieces: Vec<Piece>) -> Vec<Piece> {
    let mut joined: Vec<Piece> = Vec::new();
    for piece in pieces {
        match (joined.last_mut(), piece) {
            (Some(Piece::Text(before)), Piece::Text(text)) => before.push_str(&text),
            (_, piece) => joined.push(piece),
        }
    }
    joined
}

/// Returns a text as the inside of a JSON string.
fn escaped(text: &str) -> String {
    let quoted = serde_json::to_string(text).unwrap_or_default();
    quoted.get(1..quoted.len().saturating_sub(1)).unwrap_or_default().to_owned()
}

/// Appends a name, shortened, as the inside of a JSON string.
fn write_escaped(name: &str, to: &mut Vec<u8>) {
    let is_plain =
        name.len() <= MAX_TARGET_CHARS && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if is_plain {
        to.extend_from_slice(name.as_bytes());
    } else {
        to.extend_from_slice(escaped(&shortened(name, MAX_TARGET_CHARS)).as_bytes());
    }
}
