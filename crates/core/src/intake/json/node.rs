//! The nodes of a parsed record.

use super::budget::Budget;
use super::number::TapeNumber;
use super::tape::{Document, Entry, Kind};

/// A value of a document, or the name of a member where a schema looks at names.
#[derive(Debug, Clone, Copy)]
pub(crate) enum TapeNode<'a> {
    At(&'a Document<'a>, u32),
    Name(&'a str),
}

impl<'a> TapeNode<'a> {
    /// Returns the value at `index` of `document`.
    pub(crate) fn at(document: &'a Document<'a>, index: u32) -> Self {
        TapeNode::At(document, index)
    }

    /// Returns the index of the entry; none for a name.
    #[inline]
    pub(crate) fn index(self) -> Option<u32> {
        match self {
            TapeNode::At(_, index) => Some(index),
            TapeNode::Name(_) => None,
        }
    }

    /// Returns the name of a value that is a member.
    pub(crate) fn name(self) -> Option<TapeNode<'a>> {
        match self {
            TapeNode::At(document, index) => Some(TapeNode::At(document, index.checked_sub(1)?)),
            TapeNode::Name(_) => None,
        }
    }

    #[inline]
    pub(super) fn entry(self) -> Option<(&'a Document<'a>, u32, Entry)> {
        match self {
            TapeNode::At(document, index) => Some((document, index, document.entry(index))),
            TapeNode::Name(_) => None,
        }
    }

    /// Returns the text of a string.
    #[inline]
    pub(crate) fn text(self) -> Option<&'a str> {
        match self {
            TapeNode::At(document, index) => document.string(document.entry(index)),
            TapeNode::Name(name) => Some(name),
        }
    }

    /// Returns the number, if the value is one.
    #[inline]
    pub(crate) fn number(self) -> Option<TapeNumber> {
        let (_, _, entry) = self.entry()?;
        match entry.kind {
            Kind::Unsigned => Some(TapeNumber::Unsigned(entry.bits())),
            Kind::Signed => Some(TapeNumber::Signed(entry.bits() as i64)),
            Kind::Float => Some(TapeNumber::Float(f64::from_bits(entry.bits()))),
            _ => None,
        }
    }

    /// Returns the object, if the value is one.
    #[inline]
    pub(crate) fn object(self) -> Option<TapeObject<'a>> {
        let (document, index, entry) = self.entry()?;
        (entry.kind == Kind::Object).then_some(TapeObject(Children { document, next: index + 1, left: entry.a }))
    }

    /// Returns the array, if the value is one.
    #[inline]
    pub(crate) fn array(self) -> Option<TapeArray<'a>> {
        let (document, index, entry) = self.entry()?;
        (entry.kind == Kind::Array).then_some(TapeArray(Children { document, next: index + 1, left: entry.a }))
    }

    /// Returns the member `name` of an object.
    #[inline]
    pub(crate) fn member(self, name: &str) -> Option<TapeNode<'a>> {
        self.object()?.find(name)
    }
}

impl<'a> Document<'a> {
    /// Returns the value of the document.
    pub(crate) fn root(&'a self) -> TapeNode<'a> {
        TapeNode::At(self, 0)
    }
}

/// The children of a container that were not visited yet.
#[derive(Debug, Clone, Copy)]
struct Children<'a> {
    document: &'a Document<'a>,
    next: u32,
    left: u32,
}

impl<'a> Children<'a> {
    /// Returns the index of the next value, which follows `names` names.
    #[inline]
    fn step(&mut self, names: u32) -> Option<u32> {
        if self.left == 0 || self.document.is_spent() {
            return None;
        }
        self.left -= 1;
        let value = self.next + names;
        self.next = self.document.behind(value);
        Some(value)
    }
}

/// An object on the tape.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TapeObject<'a>(Children<'a>);

impl<'a> TapeObject<'a> {
    /// Returns the member `name`.
    #[inline]
    pub(crate) fn find(self, name: &str) -> Option<TapeNode<'a>> {
        let mut children = self.0;
        let document = children.document;
        while children.left > 0 {
            let value = children.next + 1;
            if document.is_named(document.entry(children.next), name) {
                return Some(TapeNode::At(document, value));
            }
            children.left -= 1;
            children.next = document.behind(value);
        }
        None
    }

    /// Returns the index of the name of the member `name`.
    pub(crate) fn name_index(self, name: &str) -> Option<u32> {
        self.find(name)?.index().map(|value| value - 1)
    }

    /// Returns the number of members.
    #[inline]
    pub(crate) fn len(self) -> usize {
        self.0.left as usize
    }

    /// Returns the members in the order of the text, as far as the budget allows.
    #[inline]
    pub(crate) fn members(self) -> TapeMembers<'a> {
        let mut children = self.0;
        if children.document.budget.is_some() {
            children.left = children.left.min(Budget::NAMES_EACH);
        }
        TapeMembers(children)
    }
}

/// The members of an object, in the order of the text.
pub(crate) struct TapeMembers<'a>(Children<'a>);

impl<'a> Iterator for TapeMembers<'a> {
    type Item = (&'a str, TapeNode<'a>);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let value = self.0.step(1)?;
        let document = self.0.document;
        let mut name = document.string(document.entry(value - 1)).unwrap_or_default();
        if document.budget.is_some() {
            name = Budget::cut(name);
        }
        Some((name, TapeNode::At(document, value)))
    }
}

/// An array on the tape.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TapeArray<'a>(Children<'a>);

impl<'a> TapeArray<'a> {
    /// Returns the number of elements.
    #[inline]
    pub(crate) fn len(self) -> usize {
        self.0.left as usize
    }

    /// Returns the elements in the order of the text, as far as the budget allows.
    #[inline]
    pub(crate) fn elements(self) -> TapeElements<'a> {
        TapeElements(self.0)
    }
}

/// The elements of an array, in the order of the text.
pub(crate) struct TapeElements<'a>(Children<'a>);

impl<'a> Iterator for TapeElements<'a> {
    type Item = TapeNode<'a>;

    #[inline]
    fn next(&mut self) -> Option<TapeNode<'a>> {
        let value = self.0.step(0)?;
        Some(TapeNode::At(self.0.document, value))
    }
}
