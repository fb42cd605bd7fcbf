//! The view of `jsonschema` on the nodes of a parsed record.

use std::borrow::Cow;

use jsonschema::JsonType;
use jsonschema::json::{Array, Json, Node, NodeIdentity, Object, cmp};
use serde_json::Value;

use super::node::{TapeArray, TapeElements, TapeMembers, TapeNode, TapeObject};
use super::number::TapeNumber;
use super::tape::Kind;
use super::unique;
use crate::intake::failure::{MAX_TARGET_CHARS, shortened};

/// The representation of instances, for `jsonschema::options_for`.
pub(crate) struct TapeJson;

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

    /// Returns a stand-in for the value, see [`Budget`](super::budget::Budget). Values are compared above and in [`unique`].
    fn to_value(&self) -> Cow<'a, Value> {
        Cow::Owned(match self.entry() {
            Some((document, index, entry)) => {
                let members = if entry.kind == Kind::Object { entry.a } else { 0 };
                document.budget.as_ref().map_or(Value::Null, |budget| budget.error_at(index, members))
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

impl<'a> Object<'a, TapeJson> for TapeObject<'a> {
    type Node = TapeNode<'a>;
    type MemberName = &'a str;
    type MembersIter = TapeMembers<'a>;

    #[inline]
    fn len(&self) -> usize {
        TapeObject::len(*self)
    }

    #[inline]
    fn get(&self, key: &Box<str>) -> Option<TapeNode<'a>> {
        self.find(key)
    }

    #[inline]
    fn members(&self) -> TapeMembers<'a> {
        TapeObject::members(*self)
    }
}

impl<'a> Array<'a, TapeJson> for TapeArray<'a> {
    type Node = TapeNode<'a>;
    type ElementsIter = TapeElements<'a>;

    #[inline]
    fn len(&self) -> usize {
        TapeArray::len(*self)
    }

    #[inline]
    fn elements(&self) -> TapeElements<'a> {
        TapeArray::elements(*self)
    }

    fn is_unique(&self) -> bool {
        unique::is_unique(*self)
    }
}
