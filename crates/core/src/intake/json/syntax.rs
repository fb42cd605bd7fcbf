//! Finds the first mistake in a text that `serde_json` refused. Runs for refused records only.
//!
//! The errors of `serde_json` differ only in their texts, which are written for programmers. This scan of the same grammar
//! knows the text around the mistake, so it can say what to write instead.

mod mistake;
mod number;
mod scanner;
mod string;

pub(crate) use mistake::Mistake;
use number::is_not_finite;
pub(crate) use scanner::is_white_space;
use scanner::{Scanned, Scanner};

/// Returns the first mistake and its offset in bytes; none in valid JSON.
pub(crate) fn first_mistake(text: &str) -> Option<(Mistake, usize)> {
    let mut scanner = Scanner { text, bytes: text.as_bytes(), at: 0, open: Vec::new() };
    if scanner.skip_white_space().is_none() {
        return Some((Mistake::Empty, 0));
    }
    scanner.document().err()
}

/// Returns the message about a character that is allowed only in strings, such as the beginning of a comment, if `rest`
/// begins with one.
pub(crate) fn stray_character(rest: &[u8]) -> Option<&'static str> {
    // The longest character takes four bytes, the longest sign of a comment two.
    let head = rest.get(..8).unwrap_or(rest).utf8_chunks().next().map(|chunk| chunk.valid()).unwrap_or_default();
    let scanner = Scanner { text: head, bytes: head.as_bytes(), at: 0, open: Vec::new() };
    scanner.stray(*head.as_bytes().first()?).map(Mistake::text)
}

/// The token that may come next.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Next {
    /// A value; `first`: or the end of the array.
    Value { first: bool },
    /// The name of a member; `first`: or the end of the object.
    Name { first: bool },
    /// A comma, or the end of the array or object. `after`: the first byte of the value before.
    Comma { after: u8 },
}

impl Scanner<'_> {
    fn document(&mut self) -> Scanned {
        let first = self.peek().unwrap_or_default();
        let mut next = Next::Value { first: false };
        loop {
            self.skip_white_space();
            if self.open.is_empty() && matches!(next, Next::Comma { .. }) {
                return self.end(first);
            }
            next = match next {
                Next::Value { first } => self.value(first)?,
                Next::Name { first } => self.name(first)?,
                Next::Comma { after } => self.comma(after)?,
            };
        }
    }

    fn value(&mut self, first: bool) -> Scanned<Next> {
        let Some(byte) = self.peek() else {
            return self.fail(match self.open.last() {
                Some(b'[') => Mistake::EndsInArray,
                _ => Mistake::EndsBeforeValue,
            });
        };
        match byte {
            b'{' => self.opened(byte, Next::Name { first: true }),
            b'[' => self.opened(byte, Next::Value { first: true }),
            b']' if first => self.closed(),
            b'"' => self.string().map(|()| Next::Comma { after: byte }),
            b'-' | b'0'..=b'9' => self.number().map(|()| Next::Comma { after: b'0' }),
            b'a'..=b'z' | b'A'..=b'Z' => self.word().map(|()| Next::Comma { after: b'a' }),
            _ => self.fail(self.no_value(byte)),
        }
    }

    fn name(&mut self, first: bool) -> Scanned<Next> {
        let Some(byte) = self.peek() else { return self.fail(Mistake::EndsInObject) };
        match byte {
            b'}' if first => return self.closed(),
            b'"' => self.string()?,
            b'}' => return self.fail(Mistake::TrailingComma),
            b',' => return self.fail(Mistake::MissingMember),
            b']' => return self.fail(Mistake::WrongBracket),
            _ => return self.fail(self.stray(byte).unwrap_or(Mistake::UnquotedName)),
        }
        match self.skip_white_space() {
            Some(b':') => self.at += 1,
            Some(b'=') => return self.fail(Mistake::EqualsSign),
            Some(byte) if byte.is_ascii_alphanumeric() && self.is_directly_behind(b'"') => {
                return self.fail(Mistake::TextAfterString);
            }
            Some(byte) => return self.fail(self.stray(byte).unwrap_or(Mistake::MissingColon)),
            None => return self.fail(Mistake::EndsInObject),
        }
        Ok(Next::Value { first: false })
    }

    /// After a value in an array or an object.
    fn comma(&mut self, after: u8) -> Scanned<Next> {
        let is_array = self.open.last() == Some(&b'[');
        let Some(byte) = self.peek() else {
            return self.fail(if is_array { Mistake::EndsInArray } else { Mistake::EndsInObject });
        };
        match (byte, is_array) {
            (b']', true) | (b'}', false) => self.closed(),
            (b',', true) => {
                self.at += 1;
                match self.skip_white_space() {
                    Some(b']') => self.fail(Mistake::TrailingComma),
                    _ => Ok(Next::Value { first: false }),
                }
            }
            (b',', false) => {
                let digit_follows = self.byte(1).is_some_and(|byte| byte.is_ascii_digit());
                if after == b'0' && digit_follows && self.is_directly_behind_digit() {
                    return self.fail(Mistake::DecimalComma);
                }
                self.at += 1;
                Ok(Next::Name { first: false })
            }
            (b']' | b'}', _) => self.fail(Mistake::WrongBracket),
            (b';', _) => self.fail(Mistake::Semicolon),
            _ if after == b'"' && self.is_directly_behind(b'"') && (byte.is_ascii_alphanumeric() || byte == b'"') => {
                self.fail(Mistake::TextAfterString)
            }
            _ => self.fail(self.stray(byte).unwrap_or(Mistake::MissingComma)),
        }
    }

    /// After the whole text; `first` is its first byte.
    fn end(&mut self, first: u8) -> Scanned {
        let Some(byte) = self.peek() else { return Ok(()) };
        let is_structure = matches!(first, b'{' | b'[');
        let before = self.bytes.get(..self.at).unwrap_or_default();
        let space = before.iter().rev().take_while(|byte| is_white_space(**byte));
        let (mut returns, mut feeds) = (0, 0);
        space.for_each(|byte| match byte {
            b'\r' => returns += 1,
            b'\n' => feeds += 1,
            _ => {}
        });
        self.fail(match byte {
            b'{' | b'[' | b'"' if returns > 0 && feeds == 0 => Mistake::CarriageReturns,
            b',' if is_structure => Mistake::CommaAfterRecord,
            b',' | b';' => Mistake::Csv,
            _ if !is_structure && before.last() == Some(&b'\t') => Mistake::Csv,
            b']' | b'}' => Mistake::BracketAfterRecord,
            b'{' | b'[' | b'"' => Mistake::SecondValue,
            _ => self.stray(byte).unwrap_or(Mistake::TextAfterRecord),
        })
    }

    /// Reads `true`, `false` or `null`.
    fn word(&mut self) -> Scanned {
        let length = self.rest().iter().take_while(|byte| byte.is_ascii_alphanumeric()).count();
        let word = self.rest().get(..length).unwrap_or_default();
        if matches!(word, b"true" | b"false" | b"null") {
            self.at += length;
            return Ok(());
        }
        let is_last = self.at + length == self.bytes.len();
        let is_any = |words: &[&str]| words.iter().any(|known| word.eq_ignore_ascii_case(known.as_bytes()));
        if is_last && [&b"true"[..], b"false", b"null"].iter().any(|known| known.starts_with(word)) {
            return Err((Mistake::EndsInWord, self.bytes.len()));
        }
        self.fail(match word {
            _ if is_not_finite(self.rest()) => Mistake::NotFinite,
            _ if is_any(&["true", "false", "null"]) => Mistake::Capitals,
            _ if is_any(&["none", "undefined", "nil", "na"]) => Mistake::NullWord,
            _ if self.open.is_empty() => self.foreign_format(),
            _ => Mistake::UnquotedText,
        })
    }

    /// Returns the mistake of a record that begins with a word.
    fn foreign_format(&self) -> Mistake {
        let line = self.rest().split(|byte| matches!(byte, b'\n' | b'\r')).next().unwrap_or_default();
        if [&b"data:"[..], b"event:", b"id:", b"retry:"].iter().any(|field| line.starts_with(field)) {
            Mistake::ServerSentEvents
        } else if line.contains(&b'=') {
            Mistake::FormData
        } else if line.iter().any(|byte| matches!(byte, b',' | b';' | b'\t')) {
            Mistake::Csv
        } else {
            Mistake::NotARecord
        }
    }

    /// Returns the mistake of a byte that begins no value.
    fn no_value(&self, byte: u8) -> Mistake {
        let digit_follows = self.byte(1).is_some_and(|byte| byte.is_ascii_digit());
        match byte {
            b'+' if is_not_finite(self.rest().get(1..).unwrap_or_default()) => Mistake::NotFinite,
            b'+' => Mistake::PlusSign,
            b'.' if digit_follows => Mistake::PointAtStart,
            b',' | b'}' if self.open.last() == Some(&b'{') => Mistake::MissingValue,
            b',' if self.open.last() == Some(&b'[') => Mistake::MissingElement,
            b']' | b'}' if self.open.is_empty() => Mistake::BracketAfterRecord,
            b']' | b'}' => Mistake::WrongBracket,
            b'<' if self.open.is_empty() => Mistake::Markup,
            b':' if self.open.is_empty() => Mistake::ServerSentEvents,
            b',' | b';' if self.open.is_empty() => Mistake::Csv,
            _ => {
                self.stray(byte).unwrap_or(if self.open.is_empty() { Mistake::NotARecord } else { Mistake::NotAValue })
            }
        }
    }

    /// Returns the mistake of a character that is allowed only in strings.
    fn stray(&self, byte: u8) -> Option<Mistake> {
        let character = self.text.get(self.at..).and_then(|rest| rest.chars().next()).unwrap_or_default();
        match byte {
            b'\'' | b'`' => Some(Mistake::SingleQuotes),
            b'#' => Some(Mistake::Comment),
            b'/' if matches!(self.byte(1), Some(b'/' | b'*')) => Some(Mistake::Comment),
            b'\\' => Some(Mistake::EscapedJson),
            0 => Some(Mistake::Nul),
            0x1E => Some(Mistake::RecordSeparator),
            _ if matches!(character, '\u{2018}'..='\u{201F}' | '\u{AB}' | '\u{BB}') => Some(Mistake::CurlyQuotes),
            _ if matches!(character, '\u{FEFF}' | '\u{200B}'..='\u{200F}') => Some(Mistake::StrangeSpace),
            _ if character.is_whitespace() && !character.is_ascii() => Some(Mistake::StrangeSpace),
            _ if character.is_control() => Some(Mistake::ControlCharacter),
            _ => None,
        }
    }

    fn opened(&mut self, bracket: u8, next: Next) -> Scanned<Next> {
        self.open.push(bracket);
        self.at += 1;
        Ok(next)
    }

    fn closed(&mut self) -> Scanned<Next> {
        self.open.pop();
        self.at += 1;
        Ok(Next::Comma { after: b']' })
    }
}

#[cfg(test)]
mod tests;
