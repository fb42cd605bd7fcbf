//! The compilation of one value of a schema, and of the values within it.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::super::rules::{
    ArrayRule, CheckedString, Member, NumberRule, ObjectRule, Pattern, Role, StringRule, ValueRule,
};
use super::annotated::Annotated;
use crate::intake::json::escaped;
use crate::intake::schema::bundle::Step;

/// The keywords that a program checks, and those that no validator checks. Keywords that begin with `x-` are among the latter.
const KNOWN: [&str; 29] = [
    "$anchor",
    "$comment",
    "$defs",
    "$id",
    "$schema",
    "additionalProperties",
    "const",
    "default",
    "deprecated",
    "description",
    "enum",
    "examples",
    "exclusiveMaximum",
    "exclusiveMinimum",
    "format",
    "items",
    "maxItems",
    "maxLength",
    "maximum",
    "minItems",
    "minLength",
    "minimum",
    "pattern",
    "properties",
    "readOnly",
    "required",
    "title",
    "type",
    "writeOnly",
];
/// Those of them that may be beside a `$ref`.
const ANNOTATIONS: [&str; 12] = [
    "$anchor",
    "$comment",
    "$defs",
    "$id",
    "$schema",
    "default",
    "deprecated",
    "description",
    "examples",
    "readOnly",
    "title",
    "writeOnly",
];
/// The maximum depth of nested values.
const MAX_DEPTH: usize = 32;
/// The maximum number of values, references followed.
const MAX_VALUES: usize = 1_024;
/// The maximum number of members of an object: the number of bits of a mask.
const MAX_MEMBERS: usize = 64;
/// The magnitude of the limits of numbers, 2^53. Below it, a double compares with a limit as the exact number does.
const MAX_LIMIT: f64 = 9_007_199_254_740_992.0;

/// The schemas of a bundle by their `$id`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bundle<'b>(pub(crate) &'b [(&'b str, &'b Value)]);

pub(super) struct Compiler<'c> {
    bundle: Bundle<'c>,
    annotated: &'c Annotated<'c>,
    /// The pointers of the members whose types are recorded.
    members: &'c [Arc<str>],
    /// The steps to the current value, and its pointer with array indexes as `*`.
    steps: Vec<Step>,
    pointer: String,
    depth: usize,
    values: usize,
    pub(super) objects: Vec<ObjectRule>,
    pub(super) arrays: Vec<ArrayRule>,
    pub(super) links: usize,
    /// The roles of the values.
    pub(super) roles: Vec<Role>,
}

/// The types that a schema allows for a value.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Types {
    string: bool,
    number: bool,
    integer: bool,
    object: bool,
    array: bool,
    boolean: bool,
    null: bool,
}

impl<'c> Compiler<'c> {
    pub(super) fn new(bundle: Bundle<'c>, annotated: &'c Annotated<'c>, members: &'c [Arc<str>]) -> Self {
        Self {
            bundle,
            annotated,
            members,
            steps: Vec::new(),
            pointer: String::new(),
            depth: 0,
            values: 0,
            objects: Vec::new(),
            arrays: Vec::new(),
            links: 0,
            roles: Vec::new(),
        }
    }

    /// Compiles the value that `schema` describes; `file` is the schema that contains it.
    pub(super) fn value(&mut self, schema: &'c Value, file: &'c Value) -> Option<ValueRule> {
        self.depth += 1;
        self.values += 1;
        if self.depth > MAX_DEPTH || self.values > MAX_VALUES {
            return None;
        }
        let rule = match schema {
            Value::Object(keywords) => match keywords.get("$ref") {
                Some(reference) => {
                    let is_alone = keywords.keys().all(|name| name == "$ref" || is_annotation(name));
                    let (target, file) = self.bundle.resolve(reference.as_str()?, file).filter(|_| is_alone)?;
                    self.value(target, file)
                }
                None => self.described(keywords, file),
            },
            _ => None,
        };
        self.depth -= 1;
        rule
    }

    fn described(&mut self, keywords: &'c Map<String, Value>, file: &'c Value) -> Option<ValueRule> {
        let is_known = |name: &String| KNOWN.contains(&name.as_str()) || name.starts_with("x-");
        if !keywords.keys().all(is_known) {
            return None;
        }
        let role = self.annotated.role(&self.steps)?;
        let allowed = Types::of(keywords)?.with_role(role);
        // An array with points may be null, and nothing else.
        let has_points = self.annotated.has_points(&self.steps);
        let types =
            if has_points { Types { array: allowed.array, null: allowed.null, ..Types::NONE } } else { allowed };
        if role != Role::None {
            self.roles.push(role);
        }
        let member = self.members.iter().position(|pointer| **pointer == *self.pointer);
        let options = options(keywords)?;
        let is_listed = options.is_some();
        let may_be_null = options.as_ref().is_none_or(|options| options.iter().any(|option| option.is_null()));
        Some(ValueRule {
            string: if types.string { Some(string(keywords, options, role)?) } else { None },
            number: if types.number && !is_listed { Some(number(keywords, types.integer, role)?) } else { None },
            object: if types.object && !is_listed { Some(self.object(keywords, file)?) } else { None },
            array: if types.array && !is_listed { Some(self.array(keywords, file, has_points)?) } else { None },
            boolean: types.boolean && !is_listed,
            null: types.null && may_be_null,
            member: member.map_or(0, |index| 1_u64.checked_shl(index as u32).unwrap_or(0)),
        })
    }

    fn object(&mut self, keywords: &'c Map<String, Value>, file: &'c Value) -> Option<usize> {
        if !matches!(keywords.get("additionalProperties"), None | Some(Value::Bool(_))) {
            return None;
        }
        let mut members = Vec::new();
        for (name, schema) in keywords.get("properties").and_then(Value::as_object).into_iter().flatten() {
            let value = self.within(Step::Member(name.clone()), &escaped(name), schema, file)?;
            members.push(Member { name: name.as_bytes().into(), value });
        }
        let mut required = 0;
        for name in keywords.get("required").and_then(Value::as_array).into_iter().flatten() {
            let name = name.as_str()?.as_bytes();
            required |= 1_u64.checked_shl(members.iter().position(|member| *member.name == *name)? as u32)?;
        }
        if members.len() > MAX_MEMBERS {
            return None;
        }
        let first_link = self.links;
        self.links += members.len() + 1;
        self.objects.push(ObjectRule { members, required, first_link });
        Some(self.objects.len() - 1)
    }

    fn array(&mut self, keywords: &'c Map<String, Value>, file: &'c Value, has_points: bool) -> Option<usize> {
        let element = match keywords.get("items") {
            Some(schema) => self.within(Step::Each, "*", schema, file)?,
            None => ValueRule::default(),
        };
        let (min, max) = (size(keywords, "minItems", 0)?, size(keywords, "maxItems", usize::MAX)?);
        self.arrays.push(ArrayRule { element, min, max, has_points });
        Some(self.arrays.len() - 1)
    }

    /// Compiles a member or the elements of the current value.
    fn within(&mut self, step: Step, token: &str, schema: &'c Value, file: &'c Value) -> Option<ValueRule> {
        let length = self.pointer.len();
        self.steps.push(step);
        self.pointer.push('/');
        self.pointer.push_str(token);
        let rule = self.value(schema, file)?;
        self.pointer.truncate(length);
        self.steps.pop();
        Some(rule)
    }
}

impl Types {
    const NONE: Self =
        Self { string: false, number: false, integer: false, object: false, array: false, boolean: false, null: false };

    /// Returns the types that the keyword `type` allows. Without it, arrays and objects are allowed whose contents are
    /// described.
    fn of(keywords: &Map<String, Value>) -> Option<Self> {
        let names = match keywords.get("type") {
            None => {
                let (object, array) = (keywords.contains_key("properties"), keywords.contains_key("items"));
                return Some(Self {
                    string: true,
                    number: true,
                    boolean: true,
                    null: true,
                    object,
                    array,
                    ..Self::NONE
                });
            }
            Some(Value::Array(names)) => names.iter().map(Value::as_str).collect::<Option<Vec<_>>>()?,
            Some(name) => vec![name.as_str()?],
        };
        let has = |name: &str| names.contains(&name);
        Some(Self {
            string: has("string"),
            number: has("number") || has("integer"),
            integer: !has("number"),
            object: has("object"),
            array: has("array"),
            boolean: has("boolean"),
            null: has("null"),
        })
    }

    /// Returns the types that a value with this role may have.
    fn with_role(self, role: Role) -> Self {
        let Self { string, number, integer, null, .. } = self;
        match role {
            Role::None => self,
            Role::Schema | Role::Time => Self { string, ..Self::NONE },
            Role::Entity => Self { string, number, integer, ..Self::NONE },
            Role::Measure(_) => Self { number, integer, null, ..Self::NONE },
        }
    }
}

impl<'b> Bundle<'b> {
    /// Returns the schema that a reference in `file` leads to, and the schema that contains it.
    fn resolve(self, reference: &str, file: &'b Value) -> Option<(&'b Value, &'b Value)> {
        let (id, pointer) = reference.split_once('#').unwrap_or((reference, ""));
        let file = match id {
            "" => file,
            _ => self.0.iter().find(|(known, _)| *known == id)?.1,
        };
        let is_pointer = (pointer.is_empty() || pointer.starts_with('/')) && !pointer.contains('%');
        Some((file.pointer(pointer).filter(|_| is_pointer && !reference.is_empty())?, file))
    }
}

fn is_annotation(name: &str) -> bool {
    ANNOTATIONS.contains(&name) || name.starts_with("x-")
}

/// Returns the values that `enum` and `const` allow; none for any value.
#[allow(clippy::option_option, reason = "as for every keyword, `None` is a value that a program cannot check")]
fn options(keywords: &Map<String, Value>) -> Option<Option<Vec<&Value>>> {
    let mut options: Option<Vec<&Value>> = match keywords.get("enum") {
        Some(options) => Some(options.as_array()?.iter().collect()),
        None => None,
    };
    if let Some(only) = keywords.get("const") {
        options = Some(
            options.map_or_else(|| vec![only], |options| options.into_iter().filter(|one| *one == only).collect()),
        );
    }
    Some(options)
}

fn string(keywords: &Map<String, Value>, options: Option<Vec<&Value>>, role: Role) -> Option<StringRule> {
    let is_date_time = match keywords.get("format") {
        Some(format) if format != "date-time" => return None,
        format => format.is_some() || role == Role::Time,
    };
    let (min, max) = (size(keywords, "minLength", 0)?, size(keywords, "maxLength", usize::MAX)?);
    let pattern = keywords.get("pattern").map(|pattern| Pattern::new(json!({ "pattern": pattern })));
    let text = |option: &Value| option.as_str().map(|text| text.as_bytes().into());
    let options: Option<Vec<Box<[u8]>>> = options.map(|options| options.into_iter().filter_map(text).collect());
    let has_more = options.is_some() || pattern.is_some();
    Some(match (is_date_time, has_more, (min, max)) {
        (true, false, (0, usize::MAX)) if matches!(role, Role::None | Role::Time) => StringRule::DateTime { role },
        (false, false, _) => StringRule::Plain { min, max, role },
        _ => StringRule::Checked(Box::new(CheckedString { min, max, options, pattern, is_date_time, role })),
    })
}

fn number(keywords: &Map<String, Value>, is_integer: bool, role: Role) -> Option<NumberRule> {
    let limit = |name: &str, none: f64| match keywords.get(name) {
        None => Some(none),
        Some(limit) => limit.as_f64().filter(|limit| limit.abs() < MAX_LIMIT),
    };
    let above = limit("exclusiveMinimum", f64::NEG_INFINITY)?.next_up();
    let below = limit("exclusiveMaximum", f64::INFINITY)?.next_down();
    let min = limit("minimum", f64::NEG_INFINITY)?.max(above);
    let max = limit("maximum", f64::INFINITY)?.min(below);
    Some(NumberRule { min, max, is_integer, role })
}

/// Returns the value of a keyword that is a size.
fn size(keywords: &Map<String, Value>, name: &str, none: usize) -> Option<usize> {
    keywords.get(name).map_or(Some(none), |size| usize::try_from(size.as_u64()?).ok())
}
