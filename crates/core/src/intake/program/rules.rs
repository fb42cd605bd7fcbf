//! The parts of a program: what each value of a record may be, and what it means.

use std::sync::{Mutex, OnceLock, PoisonError};

use jsonschema::Validator;
use serde_json::Value;

use super::layouts::Layouts;
use crate::intake::json::{TapeJson, TapeNode};
use crate::intake::schema::bundle::pattern_validator;

/// The maximum number of measures of a schema with a program.
pub(super) const MAX_MEASURES: usize = 32;

/// The maximum number of layouts that are kept for later uploads.
const MAX_KEPT: usize = 4;

/// A schema as a reader of bytes.
#[derive(Debug)]
pub(crate) struct Program {
    /// The index of the rule for the record.
    pub(super) root: usize,
    pub(super) objects: Vec<ObjectRule>,
    pub(super) arrays: Vec<ArrayRule>,
    /// The number of links that layouts have; see [`ObjectRule::first_link`].
    pub(super) links: usize,
    pub(super) scopes: Scopes,
    pub(super) kept: Mutex<Vec<Layouts>>,
}

/// Where entities, times and measures are.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scopes {
    /// Whether each element of an array has its own entity.
    pub(super) entity_in_element: bool,
    /// Whether each element of an array has its own time.
    pub(super) time_in_element: bool,
}

/// A value. A type without a rule is not allowed, or its values are left to the validator.
#[derive(Debug, Default)]
pub(super) struct ValueRule {
    pub(super) string: Option<StringRule>,
    pub(super) number: Option<NumberRule>,
    /// The index in [`Program::objects`].
    pub(super) object: Option<usize>,
    /// The index in [`Program::arrays`].
    pub(super) array: Option<usize>,
    pub(super) boolean: bool,
    pub(super) null: bool,
    /// The bit of the member in the record of types; 0 if its types are not recorded.
    pub(super) member: u64,
}

/// The meaning of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    None,
    /// The name of the schema.
    Schema,
    Entity,
    Time,
    /// The value of a measure, by its index in the plan.
    Measure(u8),
}

#[derive(Debug)]
pub(super) enum StringRule {
    /// Any text of this number of characters.
    Plain { min: usize, max: usize, role: Role },
    /// A date-time, which may be the time.
    DateTime { role: Role },
    /// A text with further requirements.
    Checked(Box<CheckedString>),
}

#[derive(Debug)]
pub(super) struct CheckedString {
    pub(super) min: usize,
    pub(super) max: usize,
    /// The only allowed texts.
    pub(super) options: Option<Vec<Box<[u8]>>>,
    pub(super) pattern: Option<Pattern>,
    pub(super) is_date_time: bool,
    pub(super) role: Role,
}

/// The keyword `pattern` with a validator of its own, so that its dialect of regular expressions is the same.
#[derive(Debug)]
pub(super) struct Pattern {
    /// A schema with this keyword only.
    schema: Value,
    /// Compiled for the first text, for the sake of a quick start. `None` if the expression is invalid.
    validator: OnceLock<Option<Validator<TapeJson>>>,
}

#[derive(Debug)]
pub(super) struct NumberRule {
    pub(super) min: f64,
    pub(super) max: f64,
    pub(super) is_integer: bool,
    pub(super) role: Role,
}

#[derive(Debug)]
pub(super) struct ObjectRule {
    pub(super) members: Vec<Member>,
    /// One bit for each member.
    pub(super) required: u64,
    /// The link from the beginning of the object. The link from each member follows it.
    pub(super) first_link: usize,
}

#[derive(Debug)]
pub(super) struct Member {
    pub(super) name: Box<[u8]>,
    pub(super) value: ValueRule,
}

#[derive(Debug)]
pub(super) struct ArrayRule {
    pub(super) element: ValueRule,
    pub(super) min: usize,
    pub(super) max: usize,
    /// Whether each element has points of its own.
    pub(super) has_points: bool,
}

impl Program {
    /// Returns layouts for the records of one upload: those of an earlier upload, or empty ones.
    pub(crate) fn layouts(&self) -> Layouts {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner).pop();
        kept.unwrap_or_else(|| Layouts::new(self.links))
    }

    /// Keeps layouts of this program for a later upload.
    pub(crate) fn keep(&self, layouts: Layouts) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() < MAX_KEPT {
            kept.push(layouts);
        }
    }
}

impl CheckedString {
    /// Returns whether a text, which has this number of characters, is allowed.
    pub(super) fn allows(&self, text: &str, chars: usize) -> bool {
        (self.min..=self.max).contains(&chars)
            && self.options.as_ref().is_none_or(|options| options.iter().any(|option| **option == *text.as_bytes()))
            && self.pattern.as_ref().is_none_or(|pattern| pattern.matches(text))
    }
}

impl Pattern {
    pub(super) fn new(schema: Value) -> Self {
        Self { schema, validator: OnceLock::new() }
    }

    /// Returns whether a text matches; no text matches an invalid expression.
    fn matches(&self, text: &str) -> bool {
        let validator = self.validator.get_or_init(|| pattern_validator(&self.schema));
        validator.as_ref().is_some_and(|validator| validator.is_valid(TapeNode::Name(text)))
    }
}

impl NumberRule {
    /// Returns whether a number is allowed.
    #[inline]
    pub(super) fn allows(&self, number: f64) -> bool {
        number >= self.min && number <= self.max && !(self.is_integer && number.fract() != 0.0)
    }
}
