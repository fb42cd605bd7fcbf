//! The signature of a record that does not conform to its schema: everything that its failures depend on, except positions
//! and the names of members that resemble no declared one.
//!
//! Records with equal signatures have equal failures, up to those positions and names. The reverse need not hold: a signature
//! may distinguish records whose failures are equal. A schema with a keyword that is not listed here has no signatures.

use std::collections::BTreeMap;

use jsonschema::Validator;
use jsonschema::json::{Array as _, JsonNumber as _, Node as _};
use serde_json::Value;

use super::hints;
use crate::intake::date_time::time_mistakes;
use crate::intake::json::{Document, TapeJson, TapeNode, TapeNumber};
use crate::intake::schema::bundle::keyword_validator;
use crate::intake::schema::bundle::nearest::{Letters, nearest};
use crate::time::Timestamp;

/// The maximum number of values and names in a record with a signature.
const MAX_ENTRIES: u32 = 128;
/// The maximum size of a signature in bytes.
const MAX_BYTES: usize = 1_024;
/// The maximum length of an unknown name in bytes. Messages shorten far longer ones before they are searched for.
const MAX_NAME_BYTES: usize = 256;
/// Integers up to this size are doubles.
const MAX_EXACT: u64 = 1 << 53;
/// Stands for a member that resembles no declared one.
const UNKNOWN: u8 = 0xff;
/// Precedes the name of any other member that is not declared.
const NAMED: u8 = 0xfe;

/// The signatures of the records of one schema.
#[derive(Debug)]
pub(super) struct SignaturePlan(Place);

/// The part of a schema that applies to one value.
#[derive(Debug, Default)]
struct Place {
    /// The members that the schema declares or requires, by name.
    members: BTreeMap<Box<str>, Member>,
    items: Option<Box<Place>>,
    has_unique_items: bool,
    /// Whether a number is allowed and a string is not.
    expects_number: bool,
    is_date_time: bool,
    /// The bounds of lengths in characters.
    min_lengths: Vec<u64>,
    max_lengths: Vec<u64>,
    /// The bounds of numbers.
    limits: Vec<f64>,
    /// The allowed values of `enum` and `const`.
    values: Vec<Vec<Value>>,
    /// The keywords whose outcome only `jsonschema` knows.
    others: Vec<Validator<TapeJson>>,
}

/// A member that a schema declares or requires.
#[derive(Debug)]
struct Member {
    number: u8,
    letters: Letters,
    /// None if the schema requires the member and does not declare it.
    place: Option<Place>,
}

/// The signature of one record, in buffers that the next one reuses.
#[derive(Debug, Default)]
pub(super) struct Signature {
    pub(super) bytes: Vec<u8>,
    /// The members that are not declared, in the order of the text.
    pub(super) names: Vec<UnknownName>,
}

/// A member that is not declared.
#[derive(Debug, Clone, Copy)]
pub(super) struct UnknownName {
    /// The entry of its object.
    pub(super) object: u32,
    /// The entry of its name.
    pub(super) name: u32,
    /// Whether the signature leaves the name out, because it resembles no declared one.
    pub(super) is_gap: bool,
}

impl SignaturePlan {
    /// Returns the plan of a schema; none if a keyword is not known here.
    pub(super) fn of(schema: &Value) -> Option<Self> {
        Place::of(schema).map(Self)
    }

    /// Writes the signature of a record. Returns `false` if the record is too large.
    pub(super) fn write(&self, document: &Document<'_>, signature: &mut Signature) -> bool {
        signature.names.clear();
        document.len() <= MAX_ENTRIES
            && self.0.write(document.root(), signature).is_some()
            && signature.bytes.len() <= MAX_BYTES
    }
}

impl Place {
    fn of(schema: &Value) -> Option<Self> {
        let mut place = Self::default();
        let Value::Object(keywords) = schema else { return (*schema == Value::Bool(true)).then_some(place) };
        for (keyword, value) in keywords {
            match keyword.as_str() {
                "$schema" | "$id" | "$comment" | "$defs" | "title" | "description" | "default" | "examples"
                | "deprecated" | "readOnly" | "writeOnly" | "x-eventpulse" => {}
                // Every signature holds the number of elements and of members.
                "minItems" | "maxItems" | "minProperties" | "maxProperties" => {}
                "type" => place.expects_number = expects_number(value)?,
                "format" if value == "date-time" => place.is_date_time = true,
                "format" | "pattern" | "multipleOf" => place.others.push(keyword_validator(keyword, value)?),
                "minLength" => place.min_lengths.push(value.as_u64()?),
                "maxLength" => place.max_lengths.push(value.as_u64()?),
                "minimum" | "maximum" | "exclusiveMinimum" | "exclusiveMaximum" => match exact(value) {
                    Some(limit) => place.limits.push(limit),
                    None => place.others.push(keyword_validator(keyword, value)?),
                },
                "enum" => place.values.push(value.as_array()?.clone()),
                "const" => place.values.push(vec![value.clone()]),
                "uniqueItems" => place.has_unique_items = true,
                "items" => place.items = Some(Box::new(Self::of(value)?)),
                "additionalProperties" if value.is_boolean() => {}
                "properties" => {
                    for (name, schema) in value.as_object()? {
                        place.declare(name)?.place = Some(Self::of(schema)?);
                    }
                }
                "required" => {
                    for name in value.as_array()? {
                        place.declare(name.as_str()?)?;
                    }
                }
                _ => return None,
            }
        }
        Some(place)
    }

    fn declare(&mut self, name: &str) -> Option<&mut Member> {
        let number = u8::try_from(self.members.len()).ok().filter(|number| *number < NAMED)?;
        let letters = Letters::of(name);
        Some(self.members.entry(name.into()).or_insert_with(|| Member { number, letters, place: None }))
    }

    fn write(&self, node: TapeNode<'_>, to: &mut Signature) -> Option<()> {
        let entry = node.index()?;
        if let Some(object) = node.object() {
            to.bytes.extend([b'{', u8::try_from(object.len()).ok()?]);
            for (name, value) in object.members() {
                self.write_member(entry, name, value, to)?;
            }
        } else if let Some(array) = node.array() {
            to.bytes.extend([b'[', u8::try_from(array.len()).ok()?]);
            match &self.items {
                Some(place) => array.elements().try_for_each(|element| place.write(element, to))?,
                None => write_size(node, to)?,
            }
            if self.has_unique_items {
                to.bytes.push(u8::from(array.is_unique()));
            }
        } else if let Some(text) = node.text() {
            to.bytes.push(b'"');
            self.write_text(node, text, to)?;
        } else if let Some(number) = node.number() {
            self.write_number(number, to);
        } else {
            to.bytes.push(match node.as_boolean() {
                Some(true) => b't',
                Some(false) => b'f',
                None => b'n',
            });
        }
        for values in &self.values {
            to.bytes.push(u8::from(values.iter().any(|value| node.equals_value(value))));
        }
        for other in &self.others {
            to.bytes.push(u8::from(other.is_valid(node)));
        }
        Some(())
    }

    fn write_member(&self, object: u32, name: &str, value: TapeNode<'_>, to: &mut Signature) -> Option<()> {
        if let Some(Member { number, place, .. }) = self.members.get(name) {
            to.bytes.push(*number);
            return match place {
                Some(place) => place.write(value, to),
                None => write_size(value, to),
            };
        }
        if name.len() > MAX_NAME_BYTES {
            return None;
        }
        let is_gap = self.resembles_none(name);
        to.names.push(UnknownName { object, name: value.index()?.checked_sub(1)?, is_gap });
        if is_gap {
            to.bytes.push(UNKNOWN);
        } else {
            to.bytes.push(NAMED);
            write_bytes(name.as_bytes(), to)?;
        }
        write_size(value, to)
    }

    /// Returns whether a name is no probable misspelling of a declared one, nor the reverse.
    fn resembles_none(&self, name: &str) -> bool {
        let letters = Letters::of(name);
        self.members.iter().all(|(declared, member)| {
            letters.is_far_from(member.letters)
                || (nearest(name, [&**declared]).is_none() && nearest(declared, [name]).is_none())
        })
    }

    fn write_text(&self, node: TapeNode<'_>, text: &str, to: &mut Signature) -> Option<()> {
        if !self.min_lengths.is_empty() || !self.max_lengths.is_empty() {
            let length = text.chars().count() as u64;
            to.bytes.extend(self.min_lengths.iter().map(|least| u8::from(length >= *least)));
            to.bytes.extend(self.max_lengths.iter().map(|most| u8::from(length <= *most)));
        }
        if self.is_date_time {
            write_time_mistakes(text, to);
        }
        if self.expects_number {
            write_bytes(hints::quoted_number(node, "a number").as_bytes(), to)?;
        }
        Some(())
    }

    fn write_number(&self, number: TapeNumber, to: &mut Signature) {
        to.bytes.extend([b'0', u8::from(number.is_integer())]);
        let value = number.to_f64();
        let is_exact = match number {
            TapeNumber::Unsigned(number) => number <= MAX_EXACT,
            TapeNumber::Signed(number) => number.unsigned_abs() <= MAX_EXACT,
            TapeNumber::Float(_) => true,
        };
        if !is_exact && !self.limits.is_empty() {
            let (kind, bits) = match number {
                TapeNumber::Unsigned(number) => (0, number),
                TapeNumber::Signed(number) => (1, number as u64),
                TapeNumber::Float(number) => (2, number.to_bits()),
            };
            to.bytes.push(kind);
            to.bytes.extend(bits.to_le_bytes());
        } else {
            to.bytes.push(3);
            to.bytes
                .extend(self.limits.iter().map(|limit| value.partial_cmp(limit).map_or(2, |order| order as i8 as u8)));
        }
        if self.is_date_time {
            write_time_mistakes(&value.trunc().to_string(), to);
        }
    }
}

/// Returns whether a `type` allows numbers but no strings.
fn expects_number(types: &Value) -> Option<bool> {
    let types: Vec<&str> = match types {
        Value::Array(types) => types.iter().map(Value::as_str).collect::<Option<_>>()?,
        single => vec![single.as_str()?],
    };
    Some(types.iter().any(|name| ["number", "integer"].contains(name)) && !types.contains(&"string"))
}

/// Returns a number that is a double.
fn exact(number: &Value) -> Option<f64> {
    let is_large = |integer: u64| integer > MAX_EXACT;
    if number.as_u64().is_some_and(is_large) || number.as_i64().map(i64::unsigned_abs).is_some_and(is_large) {
        return None;
    }
    number.as_f64()
}

/// Writes the number of entries of a value, so that equal signatures have equal entries.
fn write_size(node: TapeNode<'_>, to: &mut Signature) -> Option<()> {
    to.bytes.push(u8::try_from(node.size()).ok()?);
    Some(())
}

fn write_bytes(bytes: &[u8], to: &mut Signature) -> Option<()> {
    to.bytes.extend(u16::try_from(bytes.len()).ok()?.to_le_bytes());
    to.bytes.extend_from_slice(bytes);
    Some(())
}

/// Writes whether a text is a date-time, and if not, its mistakes.
fn write_time_mistakes(text: &str, to: &mut Signature) {
    let is_valid = Timestamp::parse(text).is_some();
    let mistakes = if is_valid { Vec::new() } else { time_mistakes(text) };
    to.bytes.extend([u8::from(is_valid), mistakes.len() as u8]);
    to.bytes.extend(mistakes.into_iter().map(|mistake| mistake as u8));
}
