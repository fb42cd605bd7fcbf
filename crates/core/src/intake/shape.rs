//! The types that the members of a schema have in records.

use std::sync::Arc;

use jsonschema::JsonType as Type;
use jsonschema::json::Node;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::intake::json::{TapeNode, escaped};

/// A JSON type, by its name in JSON Schema. An `integer` is a `number` here.
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

    /// Returns the name.
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

    /// Returns the type with this name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.as_str() == name)
    }
}

/// The member types of the accepted records of one kind in one upload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shape {
    /// The kind of upload, such as `orders/1`.
    pub kind: Arc<str>,
    /// Each type of each member, by its JSON Pointer with array indexes as `*`.
    pub members: Vec<(Arc<str>, JsonType)>,
}

/// The maximum number of members of a schema that are recorded, the outermost first: DynamoDB limits the names in one update,
/// and a mask has as many bits.
const MAX_MEMBERS: usize = 64;

/// The members that a schema declares by `properties` and `items`, at any depth.
#[derive(Debug)]
pub(crate) struct DeclaredMembers {
    /// The kind of upload.
    kind: Arc<str>,
    /// Their JSON Pointers, with array indexes as `*`.
    pointers: Arc<[Arc<str>]>,
    root: DeclaredValue,
}

/// A value that a schema declares.
#[derive(Debug, Default)]
struct DeclaredValue {
    /// Its index in the pointers; none for the record itself and for elements.
    index: Option<usize>,
    properties: Vec<(Box<str>, DeclaredValue)>,
    items: Option<Box<DeclaredValue>>,
}

/// The types of each member.
#[derive(Debug, Clone)]
pub(crate) struct MemberTypes {
    kind: Arc<str>,
    pointers: Arc<[Arc<str>]>,
    masks: TypeMasks,
}

/// For each type a mask of the members that have it: one bit for each of at most 64 members, in the order of their pointers.
#[derive(Debug, Clone, Default)]
pub(crate) struct TypeMasks([u64; JsonType::ALL.len()]);

impl DeclaredMembers {
    /// Returns the members that a schema of a kind declares.
    pub(crate) fn of(schema: &Value, kind: &str) -> Self {
        // Breadth first, so that the limit cuts off the innermost members.
        let mut pointers: Vec<Arc<str>> = Vec::new();
        let mut level = vec![(String::new(), schema)];
        while !level.is_empty() {
            let mut next = Vec::new();
            for (pointer, schema) in level {
                for (name, property) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
                    let pointer = format!("{pointer}/{}", escaped(name));
                    pointers.push(pointer.as_str().into());
                    next.push((pointer, property));
                }
                if let Some(items) = schema.get("items").filter(|items| items.is_object()) {
                    next.push((format!("{pointer}/*"), items));
                }
            }
            level = next;
        }
        pointers.truncate(MAX_MEMBERS);
        Self { kind: kind.into(), root: DeclaredValue::of(schema, "", &pointers), pointers: pointers.into() }
    }

    /// Returns an empty record of types.
    pub(crate) fn no_types(&self) -> MemberTypes {
        MemberTypes { kind: Arc::clone(&self.kind), pointers: Arc::clone(&self.pointers), masks: TypeMasks::default() }
    }

    /// Returns the pointers of the members whose types are recorded, at most 64.
    pub(crate) fn pointers(&self) -> &[Arc<str>] {
        &self.pointers
    }

    /// Adds the types of a record.
    pub(crate) fn record(&self, record: TapeNode<'_>, types: &mut MemberTypes) {
        self.root.record(record, &mut types.masks);
    }
}

impl DeclaredValue {
    fn of(schema: &Value, pointer: &str, pointers: &[Arc<str>]) -> Self {
        let mut value = Self { index: pointers.iter().position(|known| **known == *pointer), ..Self::default() };
        for (name, property) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
            let pointer = format!("{pointer}/{}", escaped(name));
            let inner = Self::of(property, &pointer, pointers);
            if inner.is_recorded() {
                value.properties.push((name.as_str().into(), inner));
            }
        }
        if let Some(items) = schema.get("items").filter(|items| items.is_object()) {
            let inner = Self::of(items, &format!("{pointer}/*"), pointers);
            value.items = inner.is_recorded().then(|| Box::new(inner));
        }
        value
    }

    fn is_recorded(&self) -> bool {
        self.index.is_some() || !self.properties.is_empty() || self.items.is_some()
    }

    fn record(&self, node: TapeNode<'_>, masks: &mut TypeMasks) {
        if let Some(index) = self.index {
            masks.add(type_of(node), 1 << index);
        }
        if !self.properties.is_empty()
            && let Some(object) = node.object()
        {
            for (name, value) in &self.properties {
                if let Some(member) = object.find(name) {
                    value.record(member, masks);
                }
            }
        }
        if let (Some(value), Some(array)) = (&self.items, node.array()) {
            for element in array.elements() {
                value.record(element, masks);
            }
        }
    }
}

impl TypeMasks {
    /// Adds a type of the members in a mask.
    #[inline]
    pub(crate) fn add(&mut self, json_type: JsonType, members: u64) {
        self.0[json_type as usize] |= members;
    }

    /// Adds the types of another record.
    #[inline]
    pub(crate) fn merge(&mut self, other: &Self) {
        self.0.iter_mut().zip(other.0).for_each(|(mask, other)| *mask |= other);
    }

    fn has(&self, json_type: JsonType, index: usize) -> bool {
        self.0[json_type as usize] >> index & 1 == 1
    }
}

impl MemberTypes {
    /// Adds the types of a record.
    #[inline]
    pub(crate) fn merge(&mut self, types: &TypeMasks) {
        self.masks.merge(types);
    }

    /// Returns the shape of the records.
    pub(crate) fn shape(&self) -> Shape {
        let mut members = Vec::with_capacity(self.pointers.len());
        for (index, pointer) in self.pointers.iter().enumerate() {
            let seen = JsonType::ALL.into_iter().filter(|known| self.masks.has(*known, index));
            members.extend(seen.map(|known| (Arc::clone(pointer), known)));
        }
        Shape { kind: Arc::clone(&self.kind), members }
    }
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
    use crate::intake::validation::Validator;

    fn shapes(records: &[&str]) -> Vec<String> {
        let catalog = Catalog::bundled().unwrap();
        let default = SchemaRef::parse("reading/1.0").unwrap();
        let mut validator = Validator::new(&catalog, None, default);
        for record in records {
            validator.check(record.as_bytes());
        }
        let text = |shape: Shape| {
            let members = shape.members.iter().map(|(pointer, known)| format!("{pointer} {}", known.as_str()));
            format!("{}: {}", shape.kind, members.collect::<Vec<_>>().join(", "))
        };
        validator.shapes().into_iter().map(text).collect()
    }

    #[test]
    fn declared_members_of_accepted_records_have_types() {
        let good = r#"{"device_id":"a","timestamp":"2025-02-28T12:00:00Z","value":1}"#;
        let wrong = r#"{"device_id":"a","timestamp":"2025-02-28T12:00:00Z","value":"1"}"#;
        assert_eq!(shapes(&[good, wrong]), ["reading/1: /device_id string, /timestamp string, /value number"]);
        assert_eq!(shapes(&[wrong]), Vec::<String>::new());
    }

    #[test]
    fn elements_and_members_of_several_types() {
        let batch =
            r#"{"schema":"batch/1.0","device_id":"a","readings":[{"timestamp":"2025-02-28T12:00:00Z","value":1}]}"#;
        let expected = "batch/1: /device_id string, /readings array, /schema string, /readings/*/timestamp string, \
                    /readings/*/value number";
        assert_eq!(shapes(&[batch]), [expected]);
        let dry = r#"{"schema":"weather/1.0","station":"s","observed_at":"2025-02-28T12:00:00Z","wind_m_s":null}"#;
        let windy = r#"{"schema":"weather/1.0","station":"s","observed_at":"2025-02-28T12:00:00Z","wind_m_s":3.5}"#;
        let expected =
            "weather/1: /observed_at string, /schema string, /station string, /wind_m_s null, /wind_m_s number";
        assert_eq!(shapes(&[dry, windy]), [expected]);
    }
}
