//! The search for the end of a JSON value.

use memchr::memchr2;

/// The state of the search, which may continue in a later piece of content.
#[derive(Clone, Copy)]
pub(super) struct Scan {
    /// Whether no byte of the value was looked at yet.
    fresh: bool,
    depth: u32,
    in_string: bool,
    escaped: bool,
    is_object: bool,
}

impl Scan {
    /// Begins the search in a value whose first byte is `first`.
    pub(super) fn new(first: u8) -> Self {
        Self { fresh: true, depth: 0, in_string: false, escaped: false, is_object: first == b'{' }
    }

    pub(super) fn is_object(self) -> bool {
        self.is_object
    }

    /// Returns the number of `bytes` that belong to the value, if it ends within them: behind its closing quote or
    /// bracket or, for a number or a literal, before the first other byte. Finds the end of every value that is valid
    /// JSON; whether it is, the parser decides.
    pub(super) fn end(&mut self, bytes: &[u8]) -> Option<usize> {
        let mut at = 0;
        let fresh = std::mem::replace(&mut self.fresh, false);
        while let Some(byte) = bytes.get(at) {
            if self.in_string {
                if self.escaped {
                    self.escaped = false;
                    at += 1;
                    continue;
                }
                at += memchr2(b'"', b'\\', &bytes[at..])?;
                if bytes[at] == b'"' {
                    self.in_string = false;
                    if self.depth == 0 {
                        return Some(at + 1);
                    }
                } else {
                    self.escaped = true;
                }
                at += 1;
                continue;
            }
            match byte {
                b'"' => self.in_string = true,
                b'{' | b'[' => self.depth += 1,
                b'}' | b']' if self.depth > 1 => self.depth -= 1,
                b'}' | b']' if self.depth == 1 => {
                    self.depth = 0;
                    return Some(at + 1);
                }
                b'}' | b']' | b',' | b' ' | b'\t' | b'\n' | b'\r' if self.depth == 0 && !(fresh && at == 0) => {
                    return Some(at);
                }
                _ => {}
            }
            at += 1;
        }
        None
    }
}
