//! The scan of a number.

use super::mistake::Mistake;
use super::scanner::{Scanned, Scanner};

impl Scanner<'_> {
    /// Reads a number.
    pub(super) fn number(&mut self) -> Scanned {
        let start = self.at;
        let found = |mistake| Err((mistake, start));
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        match (self.byte(0), self.byte(1)) {
            (None, _) => return self.number_ends(start, Mistake::LoneMinus),
            (Some(b'0'), Some(b'0'..=b'9')) => return found(self.digits_without_quotes(Mistake::LeadingZero)),
            (Some(b'0'), Some(b'x' | b'X' | b'b' | b'B' | b'o' | b'O')) => return found(Mistake::NotDecimal),
            (Some(b'0'..=b'9'), _) => self.digits(),
            (Some(b'.'), Some(b'0'..=b'9')) => return found(Mistake::PointAtStart),
            (Some(b'-'), _) if start == 0 => return found(Mistake::Multipart),
            _ if is_not_finite(self.rest()) => return found(Mistake::NotFinite),
            _ => return found(Mistake::LoneMinus),
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            match self.peek() {
                Some(b'0'..=b'9') => self.digits(),
                None => return self.number_ends(start, Mistake::PointAtEnd),
                _ => return found(Mistake::PointAtEnd),
            }
        }
        if let Some(b'e' | b'E') = self.peek() {
            self.at += 1;
            if let Some(b'+' | b'-') = self.peek() {
                self.at += 1;
            }
            match self.peek() {
                Some(b'0'..=b'9') => self.digits(),
                None => return self.number_ends(start, Mistake::ExponentAtEnd),
                _ => return found(Mistake::ExponentAtEnd),
            }
        }
        let is_finite = |text: &str| text.parse::<f64>().is_ok_and(f64::is_finite);
        if !self.text.get(start..self.at).is_some_and(is_finite) {
            return found(Mistake::OutOfRange);
        }
        match self.peek() {
            Some(b'_') => found(Mistake::DigitSeparator),
            Some(b'-' | b':' | b'/') => found(self.digits_without_quotes(Mistake::MissingComma)),
            Some(byte) if byte.is_ascii_alphabetic() => found(Mistake::NumberSuffix),
            _ => Ok(()),
        }
    }

    /// Returns the mistake of a number that the text ends in. Outside of arrays and objects, it may be an element of an array.
    fn number_ends(&self, start: usize, mistake: Mistake) -> Scanned {
        if self.open.is_empty() { Err((mistake, start)) } else { self.fail(Mistake::EndsInNumber) }
    }

    /// Returns the mistake of digits that may belong to a date or a time.
    fn digits_without_quotes(&self, otherwise: Mistake) -> Mistake {
        let rest = self.rest().iter().skip_while(|byte| byte.is_ascii_digit());
        let mut rest = rest.copied();
        match (rest.next(), rest.next()) {
            (Some(b'-' | b':' | b'/'), Some(b'0'..=b'9')) => Mistake::UnquotedTime,
            _ => otherwise,
        }
    }

    fn digits(&mut self) {
        self.at += self.rest().iter().take_while(|byte| byte.is_ascii_digit()).count();
    }
}

/// Returns whether a text begins with a name of NaN or of infinity.
pub(super) fn is_not_finite(text: &[u8]) -> bool {
    let length = text.iter().take_while(|byte| byte.is_ascii_alphabetic()).count();
    let word = text.get(..length).unwrap_or_default();
    ["nan", "inf", "infinity", "infty", "qnan", "snan"].iter().any(|name| word.eq_ignore_ascii_case(name.as_bytes()))
}
