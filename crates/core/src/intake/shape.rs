//! Which of the members that a schema declares have which types in records.

use std::sync::Arc;

use jsonschema::JsonType as Type;
use jsonschema::json::{Array, Node};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::intake::json::TapeNode;
use crate::intake::rejection::escaped;
use crate::intake::schema::SchemaId;

/// A type of JSON, as JSON Schema names it. An `integer` is a `number` here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum JsonType {
    /// `null`.
    Null,
    /// `true` or `false`.
    Boolean,
    /// A number.
    Number,
    /// A string.
    String,
    /// An array.
    Array,
    /// An object.
    Object,
}

impl JsonType {
    /// Every type.
    pub const ALL: [Self; 6] = [Self::Null, Self::Boolean, Self::Number, Self::String, Self::Array, Self::Object];

    /// The word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Boolean => "boolean",
            Self::Number => "number",
            Self::String => "string",
            Self::Array => "array",
            Self::Object => "object",
        }
    }

    /// The type that a word names.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.as_str() == word)
    }
}

/// What the records of one kind that count look like, of one upload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shape {
    /// The kind: `orders/1`.
    pub kind: String,
    /// Each type that the member at a pointer (array indexes as `*`) had.
    pub members: Vec<(String, JsonType)>,
}

/// The most members of a schema that are profiled, the outermost first: DynamoDB bounds what one update may name.
const MAX_MEMBERS: usize = 64;

/// The members that a schema declares by `properties` and `items`, at any depth.
#[derive(Debug)]
pub(crate) struct Members {
    /// Their pointers, array indexes as `*`.
    pointers: Arc<[String]>,
    root: Place,
}

/// A value that a schema declares.
#[derive(Debug, Default)]
struct Place {
    /// Its place among the pointers; none for the record itself and for elements.
    at: Option<usize>,
    properties: Vec<(Box<str>, Place)>,
    items: Option<Box<Place>>,
}

/// The types seen of each member, a bit each.
#[derive(Debug, Clone)]
pub(crate) struct Types {
    pointers: Arc<[String]>,
    bits: Vec<u8>,
}

impl Members {
    /// Those of a schema.
    pub(crate) fn declared(schema: &Value) -> Self {
        // Breadth first, so that what is cut off is the innermost.
        let mut pointers = Vec::new();
        let mut level = vec![(String::new(), schema)];
        while !level.is_empty() {
            let mut next = Vec::new();
            for (pointer, schema) in level {
                for (name, property) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
                    let pointer = format!("{pointer}/{}", escaped(name));
                    pointers.push(pointer.clone());
                    next.push((pointer, property));
                }
                if let Some(items) = schema.get("items").filter(|items| items.is_object()) {
                    next.push((format!("{pointer}/*"), items));
                }
            }
            level = next;
        }
        pointers.truncate(MAX_MEMBERS);
        Self { root: Place::of(schema, "", &pointers), pointers: pointers.into() }
    }

    /// No types yet.
    pub(crate) fn types(&self) -> Types {
        Types { pointers: Arc::clone(&self.pointers), bits: vec![0; self.pointers.len()] }
    }

    /// Takes the types of a record in.
    pub(crate) fn note(&self, record: TapeNode<'_>, types: &mut Types) {
        self.root.note(record, &mut types.bits);
    }
}

impl Place {
    fn of(schema: &Value, pointer: &str, pointers: &[String]) -> Self {
        let mut place = Self { at: pointers.iter().position(|known| known == pointer), ..Self::default() };
        for (name, property) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
            let pointer = format!("{pointer}/{}", escaped(name));
            let inner = Self::of(property, &pointer, pointers);
            if inner.is_of_use() {
                place.properties.push((name.as_str().into(), inner));
            }
        }
        if let Some(items) = schema.get("items").filter(|items| items.is_object()) {
            let inner = Self::of(items, &format!("{pointer}/*"), pointers);
            place.items = inner.is_of_use().then(|| Box::new(inner));
        }
        place
    }

    fn is_of_use(&self) -> bool {
        self.at.is_some() || !self.properties.is_empty() || self.items.is_some()
    }

    fn note(&self, node: TapeNode<'_>, bits: &mut [u8]) {
        if let Some(bits) = self.at.and_then(|at| bits.get_mut(at)) {
            *bits |= bit(type_of(node));
        }
        if !self.properties.is_empty()
            && let Some(object) = node.object()
        {
            for (name, place) in &self.properties {
                if let Some(member) = object.find(name) {
                    place.note(member, bits);
                }
            }
        }
        if let (Some(place), Some(array)) = (&self.items, node.array()) {
            for element in array.elements() {
                place.note(element, bits);
            }
        }
    }
}

impl Types {
    /// What was seen, of the kind of upload that a schema is for.
    pub(crate) fn shape(&self, schema: &SchemaId) -> Shape {
        let members = self.pointers.iter().zip(&self.bits).flat_map(|(pointer, bits)| {
            let seen = JsonType::ALL.into_iter().filter(move |known| bits & bit(*known) != 0);
            seen.map(move |known| (pointer.clone(), known))
        });
        Shape { kind: format!("{}/{}", schema.name, schema.major), members: members.collect() }
    }
}

fn bit(json_type: JsonType) -> u8 {
    1 << (json_type as u8)
}

fn type_of(node: TapeNode<'_>) -> JsonType {
    match node.json_type() {
        Type::Null => JsonType::Null,
        Type::Boolean => JsonType::Boolean,
        Type::Integer | Type::Number => JsonType::Number,
        Type::String => JsonType::String,
        Type::Array => JsonType::Array,
        Type::Object => JsonType::Object,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::intake::schema::{Catalog, SchemaRef};
    use crate::intake::validation::Parser;

    fn shapes(records: &[&str]) -> Vec<String> {
        let catalog = Catalog::bundled().unwrap();
        let default = SchemaRef::parse("reading/1.0").unwrap();
        let mut parser = Parser::new();
        for record in records {
            catalog.check(&mut parser, record.as_bytes(), None, &default, &mut |_, _, _, _| {});
        }
        let told = |shape: Shape| {
            let members = shape.members.iter().map(|(pointer, known)| format!("{pointer} {}", known.as_str()));
            format!("{}: {}", shape.kind, members.collect::<Vec<_>>().join(", "))
        };
        parser.shapes().into_iter().map(told).collect()
    }

    #[test]
    fn the_types_of_declared_members_of_accepted_records_are_told() {
        let good = r#"{"device_id":"a","timestamp":"2025-02-28T12:00:00Z","value":1}"#;
        let wrong = r#"{"device_id":"a","timestamp":"2025-02-28T12:00:00Z","value":"1"}"#;
        assert_eq!(shapes(&[good, wrong]), ["reading/1: /device_id string, /timestamp string, /value number"]);
        assert_eq!(shapes(&[wrong]), Vec::<String>::new());
    }

    #[test]
    fn elements_and_several_types_of_a_member() {
        let batch =
            r#"{"schema":"batch/1.0","device_id":"a","readings":[{"timestamp":"2025-02-28T12:00:00Z","value":1}]}"#;
        let told = "batch/1: /device_id string, /readings array, /schema string, /readings/*/timestamp string, \
                    /readings/*/value number";
        assert_eq!(shapes(&[batch]), [told]);
        let dry = r#"{"schema":"weather/1.0","station":"s","observed_at":"2025-02-28T12:00:00Z","wind_m_s":null}"#;
        let windy = r#"{"schema":"weather/1.0","station":"s","observed_at":"2025-02-28T12:00:00Z","wind_m_s":3.5}"#;
        let told = "weather/1: /observed_at string, /schema string, /station string, /wind_m_s null, /wind_m_s number";
        assert_eq!(shapes(&[dry, windy]), [told]);
    }
}
