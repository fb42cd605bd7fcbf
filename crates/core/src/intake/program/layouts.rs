//! Layouts: how the records of an upload are written between their values.
//!
//! Programs write the members of an object in the same order and with the same white space every time. So the text between two
//! values, such as `, "value": `, is learned when it is first read, and compared as a whole from then on. A layout is only
//! ever a faster way to read: text that equals a learned one would be read to the same result without it.

use super::text::{WINDOW, WhiteSpace, Window, halves};

/// The maximum number of learned alternatives of a schema. Beyond it, all texts are forgotten.
const MAX_ALTERNATIVES: usize = 512;
/// The maximum number of alternatives behind one member.
const MAX_BEHIND_MEMBER: usize = 7;
/// No text.
const NONE: u16 = u16::MAX;

/// The learned texts of one schema.
#[derive(Debug)]
pub(crate) struct Layouts {
    /// The text that was learned first behind each link, then the alternatives to them.
    gaps: Vec<Gap>,
    links: usize,
    /// The white space of the texts.
    white_space: WhiteSpace,
}

/// A learned text: white space, comma, name and colon before a value, or white space and the closing brace.
#[derive(Debug, Clone)]
struct Gap {
    text: [u128; 2],
    /// The bits of a window that are compared with `text`.
    mask: [u128; 2],
    read: ReadGap,
    /// Another text behind the same link.
    other: u16,
}

/// The text between two values of an object, as read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ReadGap {
    /// Its length in bytes.
    pub(super) length: u32,
    /// The index of the member whose value follows, or [`END`].
    pub(super) member: u32,
}

/// No member: the object ends.
pub(super) const END: u32 = u32::MAX;

impl Gap {
    /// Equals no window.
    const EMPTY: Self = Self { text: [1, 0], mask: [0, 0], read: ReadGap { length: 0, member: END }, other: NONE };

    fn new(window: &Window, read: ReadGap) -> Self {
        let mask = |bytes: u32| u128::MAX.checked_shr(128 - 8 * bytes.min(16)).unwrap_or(0);
        let mask = [mask(read.length), mask(read.length.saturating_sub(16))];
        let [low, high] = halves(window);
        Self { text: [low & mask[0], high & mask[1]], mask, read, other: NONE }
    }

    #[inline]
    fn begins(&self, window: &Window) -> bool {
        let [low, high] = halves(window);
        low & self.mask[0] == self.text[0] && high & self.mask[1] == self.text[1]
    }
}

impl Layouts {
    /// Returns no layouts, for a program with this number of links.
    pub(super) fn new(links: usize) -> Self {
        Self { gaps: vec![Gap::EMPTY; links], links, white_space: WhiteSpace::Json }
    }

    /// Forgets the texts of other white space: they may hold line feeds.
    #[inline]
    pub(super) fn keep_only(&mut self, white_space: WhiteSpace) {
        if self.white_space != white_space {
            self.white_space = white_space;
            self.clear();
        }
    }

    #[cold]
    fn clear(&mut self) {
        self.gaps.truncate(self.links);
        self.gaps.fill(Gap::EMPTY);
    }

    /// Returns the learned text behind a link that the window begins with.
    #[inline]
    pub(super) fn find(&self, link: usize, window: &Window) -> Option<ReadGap> {
        let mut gap = self.gaps.get(link)?;
        while !gap.begins(window) {
            gap = self.gaps.get(usize::from(gap.other))?;
        }
        Some(gap.read)
    }

    /// Learns the text behind a link that the window begins with, if it fits the window.
    pub(super) fn learn(&mut self, link: usize, window: &Window, read: ReadGap) {
        if read.length as usize > WINDOW || self.alternatives(link) >= MAX_BEHIND_MEMBER {
            return;
        }
        if self.gaps.len() >= self.links + MAX_ALTERNATIVES {
            self.clear();
        }
        let alternative = self.gaps.len() as u16;
        let learned = Gap::new(window, read);
        let Some(gap) = self.gaps.get_mut(link) else { return };
        if gap.read.length == 0 {
            *gap = learned;
            return;
        }
        let other = std::mem::replace(&mut gap.other, alternative);
        self.gaps.push(Gap { other, ..learned });
    }

    fn alternatives(&self, link: usize) -> usize {
        let other = |gap: &Gap| self.gaps.get(usize::from(gap.other));
        std::iter::successors(self.gaps.get(link).and_then(other), |gap| other(gap)).count()
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

    fn read(text: &str, member: u32) -> ReadGap {
        ReadGap { length: text.len() as u32, member }
    }

    #[test]
    fn a_learned_text_is_found_behind_its_link_only() {
        let mut layouts = Layouts::new(3);
        let long = "x".repeat(WINDOW);
        for (member, text) in ["a", "exactly sixteen!", "seventeen of them", &long].into_iter().enumerate() {
            assert_eq!(layouts.find(1, &window(text)), None, "{text}");
            layouts.learn(1, &window(text), read(text, member as u32));
            assert_eq!(layouts.find(1, &window(text)), Some(read(text, member as u32)), "{text}");
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
                assert!(
                    layouts.gaps.len() <= 1_000 + MAX_ALTERNATIVES && layouts.alternatives(link) <= MAX_BEHIND_MEMBER
                );
            }
        }
        assert!(layouts.find(999, &window("999 0")).is_some() && layouts.find(0, &window("0 0")).is_none());
    }
}
