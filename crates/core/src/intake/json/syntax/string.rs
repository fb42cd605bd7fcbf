//! The scan of a string.

use super::mistake::Mistake;
use super::scanner::{Scanned, Scanner};

impl Scanner<'_> {
    /// Reads a string, from its opening quote on.
    pub(super) fn string(&mut self) -> Scanned {
        self.at += 1;
        loop {
            let Some(byte) = self.peek() else { return self.fail(Mistake::EndsInString) };
            match byte {
                b'"' => {
                    self.at += 1;
                    return Ok(());
                }
                b'\\' => self.escape()?,
                b'\n' | b'\r' => return self.fail(Mistake::LineBreakInString),
                b'\t' => return self.fail(Mistake::TabInString),
                0..0x20 => return self.fail(Mistake::ControlInString),
                _ => self.at += 1,
            }
        }
    }

    fn escape(&mut self) -> Scanned {
        let start = self.at;
        match self.byte(1) {
            None => return Err((Mistake::EndsInString, self.bytes.len())),
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => self.at += 2,
            Some(b'u') => {
                let lone = Err((Mistake::LoneSurrogate, start));
                match self.code_unit()? {
                    0xD800..0xDC00 => match (self.byte(0), self.byte(1)) {
                        (None, _) | (Some(b'\\'), None) => return Err((Mistake::EndsInString, self.bytes.len())),
                        (Some(b'\\'), Some(b'u')) => {
                            if !matches!(self.code_unit()?, 0xDC00..0xE000) {
                                return lone;
                            }
                        }
                        _ => return lone,
                    },
                    0xDC00..0xE000 => return lone,
                    _ => {}
                }
            }
            Some(_) => return self.fail(Mistake::InvalidEscape),
        }
        Ok(())
    }

    /// Reads `\uXXXX`.
    fn code_unit(&mut self) -> Scanned<u32> {
        let mut unit = 0;
        for index in 2..6 {
            let Some(byte) = self.byte(index) else { return Err((Mistake::EndsInString, self.bytes.len())) };
            let Some(digit) = char::from(byte).to_digit(16) else { return self.fail(Mistake::InvalidUnicodeEscape) };
            unit = unit * 16 + digit;
        }
        self.at += 6;
        Ok(unit)
    }
}
