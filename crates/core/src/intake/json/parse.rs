//! Parses a record into a [`Tape`], and describes why a text is not valid.

use std::fmt;

use serde::de::{DeserializeSeed, Error as _, MapAccess, SeqAccess, Visitor};

use super::locate::{locate, position};
use super::pointer::{pointer_to, pointer_to_pending};
use super::syntax::{Mistake, first_mistake};
use super::tape::{Document, Entry, Kind, Tape};
use crate::intake::failure::{Failure, FailureCode, MAX_TARGET_CHARS, shortened};
use crate::intake::position::TextPosition;
use crate::intake::utf16::begins_as_utf16;

/// The maximum depth of nested arrays and objects, including the record itself.
pub const MAX_DEPTH: u32 = 64;
/// The end of a container that is still being parsed.
const OPEN: u32 = u32::MAX;
/// Objects up to this size are searched for duplicate names pair by pair.
const PAIRWISE: usize = 8;

impl Tape {
    /// Parses `record`, which must be one JSON value in UTF-8.
    pub(crate) fn read<'a>(&'a mut self, record: &'a [u8]) -> Result<Document<'a>, Box<Failure>> {
        let text = utf8(record).map_err(|failure| self.cut(record, failure))?;
        self.entries.clear();
        self.arena.clear();
        self.names.clear();
        let mut builder = Builder { base: text.as_ptr() as usize, text, tape: self, depth: 0, fault: None };
        let mut deserializer = serde_json::Deserializer::from_str(text);
        let outcome = Slot(&mut builder).deserialize(&mut deserializer).and_then(|()| deserializer.end());
        let fault = builder.fault.take();
        let document = Document { text, arena: &self.arena, entries: &self.entries, budget: None };
        match outcome {
            Ok(()) => Ok(document),
            Err(error) => Err(Box::new(match fault {
                Some(fault) => fault.describe(&document),
                None => describe(&error, &document),
            })),
        }
    }

    /// Returns the failure of a record that is not UTF-8: it is truncated if it ends within a character of a value.
    fn cut(&mut self, record: &[u8], failure: Box<Failure>) -> Box<Failure> {
        let Some(text) = before_cut(record) else { return failure };
        match self.read(text.as_bytes()) {
            Err(before) if before.code == FailureCode::Truncated => {
                let message = "the record ends within a character of several bytes: send it completely";
                let TextPosition { line, .. } = position(text, text.len());
                Box::new(Failure::at(FailureCode::Truncated, message, line, record.len() as u64))
            }
            _ => failure,
        }
    }
}

/// Returns the beginning of a text that ends within a character, without that character.
fn before_cut(record: &[u8]) -> Option<&str> {
    let error = std::str::from_utf8(record).err().filter(|error| error.error_len().is_none())?;
    std::str::from_utf8(record.get(..error.valid_up_to())?).ok()
}

/// Returns the record as text.
fn utf8(record: &[u8]) -> Result<&str, Box<Failure>> {
    if record.len() > u32::MAX as usize / 2 {
        return Err(Box::new(Failure::at(
            FailureCode::RecordTooLarge,
            "the record has more than 2 GiB: send smaller records",
            1,
            0,
        )));
    }
    let text = match std::str::from_utf8(record) {
        Ok(text) => text,
        Err(error) => {
            let start = error.valid_up_to();
            let message = match record {
                _ if begins_as_utf16(record) => "this is UTF-16: save it as UTF-8".to_owned(),
                _ => "this byte is not part of UTF-8 text: save the text as UTF-8".to_owned(),
            };
            let line = 1 + newlines(record.get(..start).unwrap_or_default());
            return Err(Box::new(Failure::at(FailureCode::NotUtf8, message, line, start as u64)));
        }
    };
    match record {
        [0xEF, 0xBB, 0xBF, ..] => {
            let message = "the text begins with a byte order mark (EF BB BF): save it as UTF-8 without one";
            Err(Box::new(Failure::at(FailureCode::ByteOrderMark, message, 1, 0)))
        }
        _ if begins_as_utf16(record) => {
            Err(Box::new(Failure::at(FailureCode::NotUtf8, "this looks like UTF-16 or UTF-32: save it as UTF-8", 1, 0)))
        }
        _ => Ok(text),
    }
}

fn newlines(bytes: &[u8]) -> u64 {
    bytes.iter().filter(|&&byte| byte == b'\n').count() as u64
}

/// Appends the values that `serde_json` parses to the tape.
struct Builder<'t, 'r> {
    text: &'r str,
    /// The address of the text: the offset of a borrowed string is its distance from here.
    base: usize,
    tape: &'t mut Tape,
    depth: u32,
    fault: Option<Fault>,
}

/// A violation of a rule beyond the grammar of JSON, with the index of its entry.
enum Fault {
    TooDeep(u32),
    Duplicate(u32),
}

impl Builder<'_, '_> {
    fn push(&mut self, kind: Kind, a: usize, b: usize) {
        self.tape.entries.push(Entry { kind, a: a as u32, b: b as u32 });
    }

    fn own(&mut self, string: &str) {
        let start = self.tape.arena.len();
        self.tape.arena.push_str(string);
        self.push(Kind::OwnText, start, string.len());
    }

    fn borrow(&mut self, string: &str) {
        self.push(Kind::Text, string.as_ptr() as usize - self.base, string.len());
    }

    fn open<E: serde::de::Error>(&mut self, kind: Kind) -> Result<usize, E> {
        let index = self.tape.entries.len();
        self.tape.entries.push(Entry { kind, a: 0, b: OPEN });
        if self.depth == MAX_DEPTH {
            self.fault = Some(Fault::TooDeep(index as u32));
            return Err(E::custom("too deep"));
        }
        self.depth += 1;
        Ok(index)
    }

    fn close(&mut self, index: usize, count: u32) {
        self.depth -= 1;
        let end = self.tape.entries.len() as u32;
        if let Some(entry) = self.tape.entries.get_mut(index) {
            entry.a = count;
            entry.b = end;
        }
    }

    /// Returns the first name in the closed object at `index` that repeats an earlier one.
    fn duplicate(&mut self, index: u32, count: u32) -> Option<u32> {
        let Tape { entries, arena, names } = &mut *self.tape;
        let document = Document { text: self.text, arena, entries, budget: None };
        let bytes = |name: u32| document.string(document.entry(name)).unwrap_or_default().as_bytes();
        let mut name = index + 1;
        if count as usize <= PAIRWISE {
            // Most names differ in length, which the entries hold.
            let mut before = [(0, 0); PAIRWISE];
            for number in 0..count as usize {
                let length = document.entry(name).b;
                let (earlier, rest) = before.split_at_mut(number);
                if earlier.iter().any(|&(other, other_length)| other_length == length && bytes(other) == bytes(name)) {
                    return Some(name);
                }
                if let Some(slot) = rest.first_mut() {
                    *slot = (name, length);
                }
                name = document.behind(name + 1);
            }
            return None;
        }
        names.clear();
        for _ in 0..count {
            names.push(name);
            name = document.behind(name + 1);
        }
        // Equal names stay in the order of the text.
        names.sort_unstable_by(|&one, &other| bytes(one).cmp(bytes(other)).then(one.cmp(&other)));
        let pairs = names.iter().zip(names.iter().skip(1));
        pairs.filter(|&(&one, &other)| bytes(one) == bytes(other)).map(|(_, &other)| other).min()
    }
}

/// The destination of the next value.
struct Slot<'b, 't, 'r>(&'b mut Builder<'t, 'r>);

impl<'de> DeserializeSeed<'de> for Slot<'_, '_, '_> {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Slot<'_, '_, '_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        self.0.push(Kind::Null, 0, 0);
        Ok(())
    }

    fn visit_bool<E>(self, value: bool) -> Result<(), E> {
        self.0.push(if value { Kind::True } else { Kind::False }, 0, 0);
        Ok(())
    }

    fn visit_u64<E>(self, value: u64) -> Result<(), E> {
        self.0.tape.entries.push(Entry::number(Kind::Unsigned, value));
        Ok(())
    }

    fn visit_i64<E>(self, value: i64) -> Result<(), E> {
        let kind = if value < 0 { Kind::Signed } else { Kind::Unsigned };
        self.0.tape.entries.push(Entry::number(kind, value as u64));
        Ok(())
    }

    fn visit_f64<E>(self, value: f64) -> Result<(), E> {
        self.0.tape.entries.push(Entry::number(Kind::Float, value.to_bits()));
        Ok(())
    }

    fn visit_borrowed_str<E>(self, string: &'de str) -> Result<(), E> {
        self.0.borrow(string);
        Ok(())
    }

    fn visit_str<E>(self, string: &str) -> Result<(), E> {
        self.0.own(string);
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<(), A::Error> {
        let index = self.0.open::<A::Error>(Kind::Array)?;
        let mut count = 0;
        while elements.next_element_seed(Slot(&mut *self.0))?.is_some() {
            count += 1;
        }
        self.0.close(index, count);
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        let index = self.0.open::<A::Error>(Kind::Object)?;
        let mut count = 0;
        while members.next_key_seed(Slot(&mut *self.0))?.is_some() {
            members.next_value_seed(Slot(&mut *self.0))?;
            count += 1;
        }
        self.0.close(index, count);
        if count > 1
            && let Some(name) = self.0.duplicate(index as u32, count)
        {
            self.0.fault = Some(Fault::Duplicate(name));
            return Err(A::Error::custom("duplicate member"));
        }
        Ok(())
    }
}

impl Fault {
    fn describe(self, document: &Document<'_>) -> Failure {
        let (code, entry, name) = match self {
            Fault::TooDeep(entry) => (FailureCode::TooDeep, entry, None),
            Fault::Duplicate(entry) => (FailureCode::DuplicateMember, entry, document.string(document.entry(entry))),
        };
        let message = match name {
            None => format!("arrays and objects are nested more than {MAX_DEPTH} deep: flatten the record"),
            Some(name) => {
                format!("the object has the member `{}` twice: remove one", shortened(name, MAX_TARGET_CHARS))
            }
        };
        let at = locate(document.text, &[entry]).first().copied().unwrap_or(TextPosition::START);
        let failure = Failure::at(code, message, at.line, at.byte_offset).with_pointer(&pointer_to(document, entry));
        Failure { targets: name.map(|name| shortened(name, MAX_TARGET_CHARS)).into_iter().collect(), ..failure }
    }
}

/// Describes the mistake for which `serde_json` refused the text. Its own words are for programmers, so the text is scanned again.
fn describe(error: &serde_json::Error, document: &Document<'_>) -> Failure {
    let text = document.text;
    // The scan knows the same grammar; the fallback is a position without advice.
    let (mistake, offset) = first_mistake(text)
        .unwrap_or_else(|| (Mistake::Unknown, byte_offset(text.as_bytes(), error.line(), error.column())));
    let at = position(text, offset);
    let pointer = match mistake {
        Mistake::OutOfRange | Mistake::LoneSurrogate => pointer_to_pending(document),
        _ => String::new(),
    };
    Failure::at(mistake.code(), mistake.text(), at.line, at.byte_offset).with_pointer(&pointer)
}

/// Returns the offset of the byte at which `serde_json` stopped. It counts lines from 1, and bytes within the line.
fn byte_offset(text: &[u8], line: usize, column: usize) -> usize {
    let start = match line {
        0 | 1 => 0,
        _ => text.iter().enumerate().filter(|&(_, &byte)| byte == b'\n').nth(line - 2).map_or(0, |(at, _)| at + 1),
    };
    // Column 0 is the newline before the line.
    (start + column).saturating_sub(1).min(text.len())
}
