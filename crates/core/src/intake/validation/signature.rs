//! The signature of a record that does not conform to its schema: everything that its failures depend on, except positions
//! and the names of unknown members. Of these names it has only their resemblance to declared ones.
//!
//! Records with equal signatures have equal failures, up to those positions and names. The reverse need not hold: a signature
//! may distinguish records whose failures are equal. A schema with a keyword that is not listed here has no signatures.

use std::collections::BTreeMap;

use jsonschema::Validator;
use jsonschema::json::{Array as _, JsonNumber as _, Node as _};
use serde_json::Value;

use super::hints;
use crate::intake::date_time::time_mistakes;
use crate::intake::failure::MAX_TARGETS;
use crate::intake::json::{Document, TapeJson, TapeNode, TapeNumber, TapeObject};
use crate::intake::schema::bundle::keyword_validator;
use crate::intake::schema::bundle::nearest::{Letters, nearest_of};
use crate::time::Timestamp;

/// The maximum number of values and names in a record with a signature.
const MAX_ENTRIES: u32 = 128;
/// The maximum size of a signature in bytes.
const MAX_BYTES: usize = 1_024;
/// The maximum length of an unknown name in bytes. Messages shorten far longer ones before they are searched for.
const MAX_NAME_BYTES: usize = 256;
/// Integers up to this size are doubles.
const MAX_EXACT: u64 = 1 << 53;
/// Stands for a member that is not declared, and for no member.
const UNKNOWN: u8 = 0xff;

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
    /// Whether only members that the schema declares are allowed.
    is_closed: bool,
    /// Whether a number is allowed and a string is not.
    expects_number: bool,
    is_date_time: bool,
    /// The bounds of lengths in characters.
    min_lengths: Vec<u64>,
    max_lengths: Vec<u64>,
    /// The bounds of the number of elements.
    min_items: Vec<u64>,
    max_items: Vec<u64>,
    limits: Vec<Limit>,
    /// The allowed values of `enum` and `const`.
    values: Vec<Vec<Value>>,
    /// The keywords whose outcome only `jsonschema` knows.
    others: Vec<Validator<TapeJson>>,
}

/// A bound of numbers.
#[derive(Debug)]
struct Limit {
    value: f64,
    /// The keyword, for numbers that are not doubles.
    keyword: Validator<TapeJson>,
}

/// A member that a schema declares or requires.
#[derive(Debug)]
struct Member {
    number: u8,
    letters: Letters,
    is_required: bool,
    /// None if the schema requires the member and does not declare it.
    place: Option<Place>,
}

/// The members of a record that a schema declares or requires, by their numbers.
#[derive(Debug, Default)]
struct Present([u64; 4]);

/// The signature of one record, in buffers that the next one reuses.
#[derive(Debug, Default)]
pub(super) struct Signature {
    pub(super) bytes: Vec<u8>,
    /// The entries of the values and names that failures may be about, ascending. Records with equal signatures have equally
    /// many.
    pub(super) entries: Vec<u32>,
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
    letters: Letters,
}

impl Present {
    fn add(&mut self, number: u8) {
        self.0[usize::from(number >> 6)] |= 1 << (number & 63);
    }

    fn has(&self, member: &Member) -> bool {
        self.0[usize::from(member.number >> 6)] & 1 << (member.number & 63) != 0
    }
}

impl SignaturePlan {
    /// Returns the plan of a schema; none if a keyword is not known here.
    pub(super) fn of(schema: &Value) -> Option<Self> {
        Place::of(schema).map(Self)
    }

    /// Writes the signature of a record. Returns `false` if the record is too large.
    pub(super) fn write(&self, document: &Document<'_>, signature: &mut Signature) -> bool {
        signature.entries.clear();
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
                // Every signature holds the number of members.
                "minProperties" | "maxProperties" => {}
                "minItems" => place.min_items.push(value.as_u64()?),
                "maxItems" => place.max_items.push(value.as_u64()?),
                "type" => place.expects_number = expects_number(value)?,
                "format" if value == "date-time" => place.is_date_time = true,
                "format" | "pattern" | "multipleOf" => place.others.push(keyword_validator(keyword, value)?),
                "minLength" => place.min_lengths.push(value.as_u64()?),
                "maxLength" => place.max_lengths.push(value.as_u64()?),
                "minimum" | "maximum" | "exclusiveMinimum" | "exclusiveMaximum" => {
                    let validator = keyword_validator(keyword, value)?;
                    match exact(value) {
                        Some(limit) => place.limits.push(Limit { value: limit, keyword: validator }),
                        None => place.others.push(validator),
                    }
                }
                "enum" => place.values.push(value.as_array()?.clone()),
                "const" => place.values.push(vec![value.clone()]),
                "uniqueItems" => place.has_unique_items = true,
                "items" => place.items = Some(Box::new(Self::of(value)?)),
                "additionalProperties" => place.is_closed = !value.as_bool()?,
                "properties" => {
                    for (name, schema) in value.as_object()? {
                        place.declare(name)?.place = Some(Self::of(schema)?);
                    }
                }
                "required" => {
                    for name in value.as_array()? {
                        place.declare(name.as_str()?)?.is_required = true;
                    }
                }
                _ => return None,
            }
        }
        Some(place)
    }

    fn declare(&mut self, name: &str) -> Option<&mut Member> {
        let number = u8::try_from(self.members.len()).ok().filter(|number| *number < UNKNOWN)?;
        let new = || Member { number, letters: Letters::of(name), is_required: false, place: None };
        Some(self.members.entry(name.into()).or_insert_with(new))
    }

    fn write(&self, node: TapeNode<'_>, to: &mut Signature) -> Option<()> {
        to.entries.push(node.index()?);
        if let Some(object) = node.object() {
            self.write_object(node, object, to)?;
        } else if let Some(array) = node.array() {
            to.bytes.push(b'[');
            let length = array.len() as u64;
            to.bytes.extend(self.min_items.iter().map(|least| u8::from(length >= *least)));
            to.bytes.extend(self.max_items.iter().map(|most| u8::from(length <= *most)));
            if let Some(place) = &self.items {
                to.bytes.push(u8::try_from(length).ok()?);
                array.elements().try_for_each(|element| place.write(element, to))?;
            }
            if self.has_unique_items {
                to.bytes.push(u8::from(array.is_unique()));
            }
        } else if let Some(text) = node.text() {
            to.bytes.push(b'"');
            self.write_text(node, text, to)?;
        } else if let Some(number) = node.number() {
            self.write_number(node, number, to);
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

    fn write_object(&self, node: TapeNode<'_>, object: TapeObject<'_>, to: &mut Signature) -> Option<()> {
        to.bytes.extend([b'{', u8::try_from(object.len()).ok()?]);
        let (first, mut present, mut is_far) = (to.names.len(), Present::default(), true);
        for (name, value) in object.members() {
            let entry = value.index()?.checked_sub(1)?;
            match self.members.get(name) {
                Some(member) => {
                    to.bytes.push(member.number);
                    present.add(member.number);
                    match &member.place {
                        Some(place) => place.write(value, to)?,
                        None => to.entries.push(entry),
                    }
                }
                None if name.len() > MAX_NAME_BYTES => return None,
                None => {
                    to.bytes.push(UNKNOWN);
                    to.entries.push(entry);
                    let letters = Letters::of(name);
                    is_far = is_far && self.members.values().all(|member| letters.is_far_from(member.letters));
                    to.names.push(UnknownName { object: node.index()?, name: entry, letters });
                }
            }
        }
        to.bytes.push(u8::from(is_far));
        if !is_far {
            self.write_resemblances(node, first, &present, to);
        }
        Some(())
    }

    /// Writes which declared members the unknown members of an object resemble, and the reverse: messages suggest them.
    /// `first`: the index of the first unknown member.
    fn write_resemblances(&self, node: TapeNode<'_>, first: usize, present: &Present, to: &mut Signature) {
        let TapeNode::At(document, object) = node else { return };
        let Signature { bytes, names, .. } = to;
        let unknown = || names.iter().skip(first).filter(|unknown| unknown.object == object);
        if self.is_closed {
            let absent = || self.members.iter().filter(|(_, member)| member.place.is_some() && !present.has(member));
            for UnknownName { name, letters, .. } in unknown().take(MAX_TARGETS) {
                let candidates = absent().map(|(other, member)| (&**other, member.letters, member.number));
                bytes.push(nearest_of(document.name(*name), *letters, candidates).unwrap_or(UNKNOWN));
            }
        }
        for (name, member) in self.members.iter().filter(|(_, member)| member.is_required && !present.has(member)) {
            let unknown = (0_u8..).zip(unknown());
            let unknown = unknown.map(|(number, it)| (document.name(it.name), it.letters, [b'?', number]));
            let undeclared = self.members.iter().filter(|(_, member)| member.place.is_none() && present.has(member));
            let undeclared = undeclared.map(|(other, member)| (&**other, member.letters, [b'!', member.number]));
            bytes.extend(nearest_of(name, member.letters, unknown.chain(undeclared)).unwrap_or([b'-', UNKNOWN]));
        }
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

    fn write_number(&self, node: TapeNode<'_>, number: TapeNumber, to: &mut Signature) {
        to.bytes.extend([b'0', u8::from(number.is_integer())]);
        let value = number.to_f64();
        let is_exact = match number {
            TapeNumber::Unsigned(number) => number <= MAX_EXACT,
            TapeNumber::Signed(number) => number.unsigned_abs() <= MAX_EXACT,
            TapeNumber::Float(_) => true,
        };
        to.bytes.extend(self.limits.iter().map(|Limit { value: limit, keyword }| match value.partial_cmp(limit) {
            Some(order) if is_exact => order as i8 as u8,
            _ => b'0' + u8::from(keyword.is_valid(node)),
        }));
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
