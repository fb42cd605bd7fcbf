//! The tape as jsonschema sees it.

use std::borrow::Cow;

use jsonschema::JsonType;
use jsonschema::json::{Array, Json, Node, NodeIdentity, Object, cmp};
use serde_json::Value;

use super::{Budget, Document, Entry, Kind, TapeNumber, unique};
use crate::intake::failure::{MAX_TARGET_CHARS, shortened};

/// The representation: hand it to `jsonschema::options_for`.
pub(crate) struct TapeJson;

/// One value of a document, or the name of a member where a schema looks at names.
#[derive(Debug, Clone, Copy)]
pub(crate) enum TapeNode<'a> {
    At(&'a Document<'a>, u32),
    Name(&'a str),
}

impl<'a> TapeNode<'a> {
    /// The value at `index` of `document`.
    pub(crate) fn at(document: &'a Document<'a>, index: u32) -> Self {
        TapeNode::At(document, index)
    }

    /// The entry of the tape; none for a name.
    #[inline]
    pub(crate) fn index(self) -> Option<u32> {
        match self {
            TapeNode::At(_, index) => Some(index),
            TapeNode::Name(_) => None,
        }
    }

    /// The name of a value that is a member.
    pub(crate) fn name(self) -> Option<TapeNode<'a>> {
        match self {
            TapeNode::At(document, index) => Some(TapeNode::At(document, index.checked_sub(1)?)),
            TapeNode::Name(_) => None,
        }
    }

    #[inline]
    fn entry(self) -> Option<(&'a Document<'a>, u32, Entry)> {
        match self {
            TapeNode::At(document, index) => Some((document, index, document.entry(index))),
            TapeNode::Name(_) => None,
        }
    }

    /// The string, if it is one.
    #[inline]
    pub(crate) fn text(self) -> Option<&'a str> {
        match self {
            TapeNode::At(document, index) => document.string(document.entry(index)),
            TapeNode::Name(name) => Some(name),
        }
    }

    /// The number, if it is one.
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

    /// The members, if it is an object.
    #[inline]
    pub(crate) fn object(self) -> Option<TapeObject<'a>> {
        let (document, index, entry) = self.entry()?;
        (entry.kind == Kind::Object).then_some(TapeObject(Children { document, next: index + 1, left: entry.a }))
    }

    /// The elements, if it is an array.
    #[inline]
    pub(crate) fn array(self) -> Option<TapeArray<'a>> {
        let (document, index, entry) = self.entry()?;
        (entry.kind == Kind::Array).then_some(TapeArray(Children { document, next: index + 1, left: entry.a }))
    }

    /// The member called `name`, if it is an object that has one.
    #[inline]
    pub(crate) fn member(self, name: &str) -> Option<TapeNode<'a>> {
        self.object()?.find(name)
    }
}

impl Json for TapeJson {
    type Node<'a> = TapeNode<'a>;
    type PreparedKey = Box<str>;
    type StringBuffer = ();

    fn prepare_key(key: &str) -> Box<str> {
        key.into()
    }

    fn with_string_node<T>((): &mut (), string: &str, f: impl FnOnce(TapeNode<'_>) -> T) -> T {
        f(TapeNode::Name(string))
    }
}

impl<'a> Node<'a, TapeJson> for TapeNode<'a> {
    type Object = TapeObject<'a>;
    type Array = TapeArray<'a>;
    type Number = TapeNumber;

    #[inline]
    fn as_object(&self) -> Option<TapeObject<'a>> {
        self.object()
    }

    #[inline]
    fn as_array(&self) -> Option<TapeArray<'a>> {
        self.array()
    }

    #[inline]
    fn as_string(&self) -> Option<Cow<'a, str>> {
        self.text().map(Cow::Borrowed)
    }

    #[inline]
    fn as_number(&self) -> Option<TapeNumber> {
        self.number()
    }

    #[inline]
    fn as_boolean(&self) -> Option<bool> {
        match self.entry()?.2.kind {
            Kind::True => Some(true),
            Kind::False => Some(false),
            _ => None,
        }
    }

    #[inline]
    fn is_null(&self) -> bool {
        self.entry().is_some_and(|(_, _, entry)| entry.kind == Kind::Null)
    }

    #[inline]
    fn json_type(&self) -> JsonType {
        match self.entry().map(|(_, _, entry)| entry.kind) {
            None | Some(Kind::Text | Kind::OwnText) => JsonType::String,
            Some(Kind::Null) => JsonType::Null,
            Some(Kind::False | Kind::True) => JsonType::Boolean,
            Some(Kind::Unsigned | Kind::Signed | Kind::Float) => JsonType::Number,
            Some(Kind::Array) => JsonType::Array,
            Some(Kind::Object) => JsonType::Object,
        }
    }

    fn equals_value(&self, expected: &Value) -> bool {
        match expected {
            Value::Null => self.is_null(),
            Value::Bool(expected) => self.as_boolean() == Some(*expected),
            Value::Number(expected) => self.number().is_some_and(|number| cmp::equal_numbers(&number, expected)),
            Value::String(expected) => self.text() == Some(expected),
            Value::Array(expected) => self.array().is_some_and(|array| {
                array.len() == expected.len()
                    && array.elements().zip(expected).all(|(one, other)| one.equals_value(other))
            }),
            Value::Object(expected) => self.object().is_some_and(|object| {
                let has = |(name, value): (&str, TapeNode<'_>)| {
                    expected.get(name).is_some_and(|other| value.equals_value(other))
                };
                object.len() == expected.len() && object.members().all(has)
            }),
        }
    }

    /// Not the value: see [`Budget`]. What jsonschema would compare by value is compared above and in [`unique`].
    fn to_value(&self) -> Cow<'a, Value> {
        Cow::Owned(match self.entry() {
            Some((document, index, entry)) => {
                document.budget.as_ref().map_or(Value::Null, |budget| budget.error_at(index, entry))
            }
            None => self.text().map_or(Value::Null, |name| Value::from(shortened(name, MAX_TARGET_CHARS))),
        })
    }

    fn identity(&self) -> Option<NodeIdentity> {
        Some(match self {
            TapeNode::At(document, index) => NodeIdentity::tagged(std::ptr::from_ref(*document) as usize, *index),
            TapeNode::Name(name) => NodeIdentity::new(name.as_ptr() as usize),
        })
    }
}

/// The rest of a container.
#[derive(Debug, Clone, Copy)]
struct Children<'a> {
    document: &'a Document<'a>,
    next: u32,
    left: u32,
}

impl<'a> Children<'a> {
    /// The next value that is not a member's name, `names` entries on.
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
    /// The member of that name.
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

    /// The entry of the name of the first member that is called so.
    pub(crate) fn name_index(self, name: &str) -> Option<u32> {
        self.find(name)?.index().map(|value| value - 1)
    }
}

impl<'a> Object<'a, TapeJson> for TapeObject<'a> {
    type Node = TapeNode<'a>;
    type MemberName = &'a str;
    type MembersIter = TapeMembers<'a>;

    #[inline]
    fn len(&self) -> usize {
        self.0.left as usize
    }

    #[inline]
    fn get(&self, key: &Box<str>) -> Option<TapeNode<'a>> {
        self.find(key)
    }

    #[inline]
    fn members(&self) -> TapeMembers<'a> {
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

impl<'a> Array<'a, TapeJson> for TapeArray<'a> {
    type Node = TapeNode<'a>;
    type ElementsIter = TapeElements<'a>;

    #[inline]
    fn len(&self) -> usize {
        self.0.left as usize
    }

    #[inline]
    fn elements(&self) -> TapeElements<'a> {
        TapeElements(self.0)
    }

    fn is_unique(&self) -> bool {
        unique::is_unique(*self)
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
