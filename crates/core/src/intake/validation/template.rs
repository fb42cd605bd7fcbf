//! The texts of a failure with gaps for the names of unknown members.

use crate::intake::failure::{Failure, FailureCode, MAX_TARGET_CHARS, shortened};
use crate::intake::position::TextPosition;

/// A failure of every record of a kind.
#[derive(Debug)]
pub(crate) struct KnownFailure {
    /// The failure without its position; targets and message are those of the first record if they have gaps.
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
    targets: Vec<Vec<Piece>>,
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
    /// Returns a failure with gaps for `names`, each with its number: the unknown members of an object in the order of the
    /// text. `None` if the texts do not mention just these names.
    pub(super) fn of(failure: &Failure, position: usize, names: &[(u16, &str)]) -> Option<Self> {
        let failure = Failure { line: None, byte_offset: None, ..failure.clone() };
        let gaps = if names.is_empty() { None } else { Some(Gaps::of(&failure, names)?) };
        let json = json(&failure, gaps.as_ref())?;
        Some(Self { failure, position, gaps, json })
    }

    /// Returns the failure of a record. `name`: returns the unknown member with a number.
    pub(super) fn describe<'n>(&self, position: TextPosition, name: &impl Fn(u16) -> &'n str) -> Failure {
        let mut failure = self.failure.clone();
        if let Some(Gaps { targets, message }) = &self.gaps {
            failure.targets = targets.iter().map(|target| filled(target, name)).collect();
            failure.message = filled(message, name);
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
        let Failure { pointer, message, targets, .. } = &self.failure;
        let texts = pointer.len() + message.len() + targets.iter().map(String::len).sum::<usize>();
        256 + 2 * texts
            + of(&self.json)
            + self.gaps.as_ref().map_or(0, |gaps| of(&gaps.message) + 128 * gaps.targets.len())
    }
}

impl Gaps {
    fn of(failure: &Failure, names: &[(u16, &str)]) -> Option<Self> {
        let targets = failure.targets.iter().zip(names);
        let is_listed = failure.targets.len() == names.len()
            && targets.clone().all(|(target, (_, name))| *target == shortened(name, MAX_TARGET_CHARS));
        if failure.code != FailureCode::AdditionalProperties || !is_listed {
            return None;
        }
        let targets = targets.map(|(_, (number, _))| vec![Piece::Name(*number)]).collect();
        let (mut message, mut rest) = (Vec::new(), failure.message.as_str());
        for (number, name) in names {
            let name = shortened(name, MAX_TARGET_CHARS);
            let (before, after) = rest.split_once(&format!("`{name}`")).filter(|_| !name.contains('`'))?;
            message.extend([Piece::Text(format!("{before}`")), Piece::Name(*number), Piece::Text("`".to_owned())]);
            rest = after;
        }
        message.push(Piece::Text(rest.to_owned()));
        Some(Self { targets, message })
    }
}

impl Piece {
    fn size_bytes(&self) -> usize {
        size_of::<Self>() + if let Self::Text(text) = self { text.len() } else { 0 }
    }
}

fn filled<'n>(pieces: &[Piece], name: &impl Fn(u16) -> &'n str) -> String {
    let text = |piece: &Piece| match piece {
        Piece::Text(text) => text.clone(),
        Piece::Name(number) => shortened(name(*number), MAX_TARGET_CHARS),
    };
    pieces.iter().map(text).collect()
}

/// Returns the JSON of a failure up to its line.
fn json(failure: &Failure, gaps: Option<&Gaps>) -> Option<Vec<Piece>> {
    let Some(Gaps { targets, message }) = gaps else {
        let text = serde_json::to_string(failure).ok()?;
        return Some(vec![Piece::Text(format!("{},\"line\":", text.strip_suffix('}')?))]);
    };
    let bare = Failure { targets: Vec::new(), message: String::new(), ..failure.clone() };
    let mut pieces = vec![serde_json::to_string(&bare).ok()?.strip_suffix("\"message\":\"\"}")?.to_owned().into()];
    for (index, target) in targets.iter().enumerate() {
        pieces.push(if index == 0 { "\"targets\":[\"" } else { "\",\"" }.to_owned().into());
        pieces.extend(target.iter().cloned());
    }
    pieces.push("\"],\"message\":\"".to_owned().into());
    for piece in message {
        pieces.push(match piece {
            Piece::Text(text) => escaped(text).into(),
            name => name.clone(),
        });
    }
    pieces.push("\",\"line\":".to_owned().into());
    Some(joined(pieces))
}

impl From<String> for Piece {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
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
