//! Layouts: how the records of an upload are written between their values.
//!
//! Programs write the members of an object in the same order and with the same white space every time. So the text between two
//! values, such as `, "value": `, is learned when it is first read, and compared as a whole from then on. A layout is only
//! ever a faster way to read: text that equals a learned one would be read to the same result without it.

use super::text::{WINDOW, Window, halves};

/// The maximum number of learned texts of a schema. Beyond it, all are forgotten.
const MAX_GAPS: usize = 512;
/// The maximum number of learned texts that follow one member.
const MAX_ALTERNATIVES: usize = 8;
/// No text.
const NONE: u16 = u16::MAX;

/// The learned texts of one schema.
#[derive(Debug)]
pub(crate) struct Layouts {
    /// The first learned text behind each link.
    first: Box<[u16]>,
    gaps: Vec<Gap>,
}

/// A learned text: white space, comma, name and colon before a value, or white space and the closing brace.
#[derive(Debug)]
struct Gap {
    text: [u128; 2],
    /// The bits of `text` that count.
    mask: [u128; 2],
    read: ReadGap,
    /// Another text behind the same link.
    other: u16,
}

/// The text between two values of an object, as read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ReadGap {
    /// Its length in bytes.
    pub(super) length: usize,
    /// The index of the member whose value follows; `None` at the end of the object.
    pub(super) member: Option<u8>,
}

impl Layouts {
    /// Returns no layouts, for a program with this number of links.
    pub(super) fn new(links: usize) -> Self {
        Self { first: vec![NONE; links].into(), gaps: Vec::new() }
    }

    /// Forgets everything.
    pub(crate) fn clear(&mut self) {
        self.first.fill(NONE);
        self.gaps.clear();
    }

    /// Returns the learned text behind a link that the window begins with.
    #[inline]
    pub(super) fn find(&self, link: usize, window: &Window) -> Option<ReadGap> {
        let text = halves(window);
        let mut next = *self.first.get(link)?;
        while let Some(gap) = self.gaps.get(usize::from(next)) {
            let differs = |half: usize| (text[half] ^ gap.text[half]) & gap.mask[half] != 0;
            if !differs(0) && !differs(1) {
                return Some(gap.read);
            }
            next = gap.other;
        }
        None
    }

    /// Learns the text behind a link that the window begins with, if it fits the window.
    pub(super) fn learn(&mut self, link: usize, window: &Window, read: ReadGap) {
        if read.length > WINDOW || self.alternatives(link) >= MAX_ALTERNATIVES {
            return;
        }
        if self.gaps.len() >= MAX_GAPS {
            self.clear();
        }
        let Some(first) = self.first.get_mut(link) else { return };
        let mask = |bytes: usize| u128::MAX.checked_shr(128 - 8 * bytes.min(16) as u32).unwrap_or(0);
        let mask = [mask(read.length), mask(read.length.saturating_sub(16))];
        let other = std::mem::replace(first, self.gaps.len() as u16);
        self.gaps.push(Gap { text: halves(window), mask, read, other });
    }

    fn alternatives(&self, link: usize) -> usize {
        let first = self.first.get(link).copied().unwrap_or(NONE);
        let of = |gap: u16| self.gaps.get(usize::from(gap)).map(|_| gap);
        std::iter::successors(of(first), |gap| of(self.gaps.get(usize::from(*gap))?.other)).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(text: &str) -> Window {
        let mut window = [b'~'; WINDOW];
        window[..text.len()].copy_from_slice(text.as_bytes());
        window
    }

    fn read(text: &str, member: u8) -> ReadGap {
        ReadGap { length: text.len(), member: Some(member) }
    }

    #[test]
    fn a_learned_text_is_found_behind_its_link_only() {
        let mut layouts = Layouts::new(3);
        let long = "x".repeat(WINDOW);
        for (member, text) in ["a", "exactly sixteen!", "seventeen of them", &long].into_iter().enumerate() {
            assert_eq!(layouts.find(1, &window(text)), None, "{text}");
            layouts.learn(1, &window(text), read(text, member as u8));
            assert_eq!(layouts.find(1, &window(text)), Some(read(text, member as u8)), "{text}");
            assert_eq!((layouts.find(0, &window(text)), layouts.find(2, &window(text))), (None, None), "{text}");
        }
        for at in 0..17 {
            let mut changed = window("seventeen of them");
            changed[at] ^= 1;
            assert_eq!(layouts.find(1, &changed), None, "byte {at}");
        }
    }

    #[test]
    fn layouts_are_bounded() {
        let mut layouts = Layouts::new(1_000);
        for link in 0..1_000 {
            for text in 0..20 {
                let text = format!("{link} {text}");
                layouts.learn(link, &window(&text), read(&text, 0));
                assert!(layouts.gaps.len() <= MAX_GAPS && layouts.alternatives(link) <= MAX_ALTERNATIVES);
            }
        }
        assert!(layouts.find(999, &window("999 0")).is_some() && layouts.find(0, &window("0 0")).is_none());
    }
}
