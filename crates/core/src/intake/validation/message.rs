//! The messages of failures. They tell the sender how to fix a record and never repeat its values.

use jsonschema::error::{TypeKind, ValidationErrorKind as Kind};
use jsonschema::json::Node;
use jsonschema::{JsonType, JsonTypeSet, ValidationError};
use serde_json::Value;

use super::hints;
use super::text::Text;
use crate::intake::failure::{FailureCode, MAX_TARGET_CHARS, MAX_TARGETS, shortened};
use crate::intake::json::TapeNode;
use crate::intake::schema::Schema;
use crate::intake::schema::bundle::nearest::{did_you_mean, nearest};

/// The maximum number of characters of a schema value, such as a pattern, in a message.
const MAX_SHOWN: usize = 120;

/// The description of an error of `jsonschema`.
pub(super) struct Description {
    pub(super) code: FailureCode,
    pub(super) keyword: String,
    pub(super) targets: Vec<String>,
    /// The entries of the targets if these are names of members of the record, as far as they were found.
    pub(super) target_entries: Vec<Option<u32>>,
    pub(super) message: Text,
    /// The entry of the tape whose position the failure gets, if it is not that of the value.
    pub(super) at: Option<u32>,
}

/// Returns the member that an error reports as missing.
pub(super) fn missing_member<'e>(error: &'e ValidationError<'_>) -> Option<&'e str> {
    match error.kind() {
        Kind::Required { property } => property.as_str(),
        _ => None,
    }
}

/// Returns the JSON Pointer to the keyword that an error comes from, preceded by the `$id` of its file if that is another one.
pub(super) fn schema_pointer(error: &ValidationError<'_>, schema: &Schema) -> String {
    let own = format!("eventpulse:/{}", schema.id);
    match error.absolute_keyword_location().map(|uri| uri.as_str()) {
        Some(uri) if uri.split_once('#').is_some_and(|(file, _)| file != own) => uri.to_owned(),
        _ => error.schema_path().as_str().to_owned(),
    }
}

/// Returns the type of a value, with an article.
pub(super) fn kind_of(node: TapeNode<'_>) -> &'static str {
    match node.json_type() {
        JsonType::Boolean if node.as_boolean() == Some(true) => "true",
        JsonType::Boolean => "false",
        other => article(other),
    }
}

fn article(kind: JsonType) -> &'static str {
    match kind {
        JsonType::Null => "null",
        JsonType::Boolean => "true or false",
        JsonType::Integer => "a whole number",
        JsonType::Number => "a number",
        JsonType::String => "a string",
        JsonType::Array => "an array",
        JsonType::Object => "an object",
    }
}

/// Describes an error about `node`; `missing` are the members that it lacks, if the error is about missing members.
pub(super) fn describe(
    error: &ValidationError<'_>,
    node: TapeNode<'_>,
    schema: &Schema,
    missing: Vec<String>,
) -> Description {
    let keyword = keyword(error);
    let of_names = |code: FailureCode, message: Text| Description {
        code,
        keyword: keyword.clone(),
        targets: Vec::new(),
        target_entries: Vec::new(),
        message,
        at: None,
    };
    let description = |code: FailureCode, message: String| of_names(code, message.into());
    match error.kind() {
        Kind::Required { .. } if keyword == "dependentRequired" => {
            let mut message = missing_text(&missing, node, &declared_beside(error, schema));
            message.push(": another member requires it");
            Description { targets: missing, ..of_names(FailureCode::DependentRequired, message) }
        }
        Kind::Required { .. } => {
            let message = missing_text(&missing, node, &declared_beside(error, schema));
            Description { targets: missing, ..of_names(FailureCode::Required, message) }
        }
        Kind::AdditionalProperties { unexpected } => unexpected_members(
            description(FailureCode::AdditionalProperties, String::new()),
            unexpected,
            node,
            error,
            schema,
        ),
        Kind::UnevaluatedProperties { unexpected } => unexpected_members(
            description(FailureCode::UnevaluatedProperties, String::new()),
            unexpected,
            node,
            error,
            schema,
        ),
        Kind::PropertyNames { error: inner } => {
            let name = inner.instance().as_str().map(|name| shortened(name, MAX_TARGET_CHARS));
            let at = name.as_deref().and_then(|name| node.object()?.name_index(name));
            let targets: Vec<String> = name.into_iter().collect();
            let name = targets.first().map(|name| format!(" `{name}`")).unwrap_or_default();
            let inner = describe(inner, TapeNode::Name(""), schema, Vec::new());
            Description {
                targets,
                at,
                ..description(
                    FailureCode::PropertyNames,
                    format!("the member name{name} is not allowed: it {}", inner.message),
                )
            }
        }
        Kind::AnyOf { context } => description(
            FailureCode::AnyOf,
            format!("must fit one of the schema's forms{}", closest(context, error, node, schema)),
        ),
        Kind::OneOfNotValid { context } => description(
            FailureCode::OneOf,
            format!("must fit one of the schema's forms{}", closest(context, error, node, schema)),
        ),
        // jsonschema names the first member by its value.
        Kind::FalseSchema if keyword == "additionalProperties" => {
            let name = node.name();
            let targets = name.and_then(TapeNode::text).map(str::to_owned).into_iter().collect();
            let at = name.and_then(TapeNode::index);
            Description {
                targets,
                target_entries: vec![at],
                at,
                ..description(FailureCode::AdditionalProperties, "no members are allowed here: remove them".into())
            }
        }
        Kind::FalseSchema if keyword == "propertyNames" => {
            description(FailureCode::PropertyNames, "no members are allowed here: remove them".into())
        }
        kind => {
            let (code, message) = plain(kind, &keyword, node, error, schema);
            description(code, message)
        }
    }
}

/// Returns the keyword of the schema that failed. The one that `jsonschema` reports may be more general.
fn keyword(error: &ValidationError<'_>) -> String {
    let mut path =
        error.schema_path().as_str().rsplit('/').filter(|token| !token.bytes().all(|byte| byte.is_ascii_digit()));
    let (last, before) = (path.next().unwrap_or_default(), path.next().unwrap_or_default());
    match error.kind() {
        Kind::Required { .. } if last == "dependentRequired" || before == "dependentRequired" => {
            "dependentRequired".to_owned()
        }
        Kind::Contains if ["minContains", "maxContains"].contains(&last) => last.to_owned(),
        Kind::AdditionalItems { .. } => "items".to_owned(),
        Kind::FalseSchema if ["properties", "patternProperties", "dependentSchemas", "$defs"].contains(&before) => {
            before.to_owned()
        }
        Kind::FalseSchema => last.to_owned(),
        kind => kind.keyword().to_owned(),
    }
}

/// Returns code and message of a failure that concerns one value and names no members.
fn plain(
    kind: &Kind,
    keyword: &str,
    node: TapeNode<'_>,
    error: &ValidationError<'_>,
    schema: &Schema,
) -> (FailureCode, String) {
    match kind {
        Kind::Type { kind } => (FailureCode::Type, type_text(kind, node, error, schema)),
        Kind::Format { format } if format == "date-time" => {
            (FailureCode::Format, format!("must be {}{}", hints::DATE_TIME, hints::date_time(node)))
        }
        Kind::Format { format } => (FailureCode::Format, format!("must be of the format `{format}`")),
        Kind::Pattern { pattern } => {
            (FailureCode::Pattern, format!("must match the pattern `{}`", shortened(pattern, MAX_SHOWN)))
        }
        Kind::RegexEngineFailure { .. } | Kind::BacktrackLimitExceeded { .. } => (
            FailureCode::Pattern,
            "is too long or too complex to check against the schema's pattern: shorten it".into(),
        ),
        Kind::Enum { options } => (FailureCode::Enum, enum_text(options)),
        Kind::Constant { expected_value } => (FailureCode::Const, format!("must be {}", shown(expected_value))),
        Kind::Minimum { limit } => (FailureCode::Minimum, format!("must be at least {limit}")),
        Kind::ExclusiveMinimum { limit } => (FailureCode::ExclusiveMinimum, format!("must be more than {limit}")),
        Kind::Maximum { limit } => (FailureCode::Maximum, format!("must be at most {limit}")),
        Kind::ExclusiveMaximum { limit } => (FailureCode::ExclusiveMaximum, format!("must be less than {limit}")),
        Kind::MultipleOf { multiple_of } => (FailureCode::MultipleOf, format!("must be a multiple of {multiple_of}")),
        Kind::MinLength { limit } => {
            (FailureCode::MinLength, format!("must have at least {}", count(*limit, "character")))
        }
        Kind::MaxLength { limit } => {
            (FailureCode::MaxLength, format!("must have at most {}", count(*limit, "character")))
        }
        Kind::MinItems { limit } => (FailureCode::MinItems, format!("must have at least {}", count(*limit, "element"))),
        Kind::MaxItems { limit } => (FailureCode::MaxItems, format!("must have at most {}", count(*limit, "element"))),
        Kind::MinProperties { limit } => {
            (FailureCode::MinProperties, format!("must have at least {}", count(*limit, "member")))
        }
        Kind::MaxProperties { limit } => {
            (FailureCode::MaxProperties, format!("must have at most {}", count(*limit, "member")))
        }
        Kind::AdditionalItems { limit } => {
            (FailureCode::Items, format!("must have at most {}: remove the others", count(*limit as u64, "element")))
        }
        Kind::UniqueItems => (FailureCode::UniqueItems, "must not have the same element twice: remove one".into()),
        Kind::Contains if keyword == "minContains" => (
            FailureCode::MinContains,
            "has too few elements of the form that the schema's `contains` requires: add some".into(),
        ),
        Kind::Contains if keyword == "maxContains" => (
            FailureCode::MaxContains,
            "has too many elements of the form that the schema's `contains` limits: remove some".into(),
        ),
        Kind::Contains => {
            (FailureCode::Contains, "has no element of the form that the schema's `contains` requires: add one".into())
        }
        Kind::UnevaluatedItems { unexpected } => (
            FailureCode::UnevaluatedItems,
            format!("has {} that the schema does not declare: remove them", count(unexpected.len() as u64, "element")),
        ),
        Kind::ContentEncoding { content_encoding } => {
            (FailureCode::ContentEncoding, format!("must be encoded in {content_encoding}"))
        }
        Kind::FromUtf8 { .. } => (FailureCode::ContentEncoding, "must decode to text in UTF-8".into()),
        Kind::ContentMediaType { content_media_type } => {
            (FailureCode::ContentMediaType, format!("must hold a document of the type {content_media_type}"))
        }
        Kind::OneOfMultipleValid { .. } => (
            FailureCode::OneOf,
            "must fit exactly one of the schema's forms, but fits several: change it so that one is left".into(),
        ),
        Kind::Not { .. } => {
            (FailureCode::Not, format!("must not have the form that the schema forbids at {}", error.schema_path()))
        }
        Kind::FalseSchema if keyword == "items" => {
            (FailureCode::Items, "is beyond the last element that the schema allows: remove it".into())
        }
        Kind::FalseSchema => (FailureCode::FalseSchema, "is not allowed here: remove it".into()),
        _ => (FailureCode::SchemaMismatch, format!("does not fit the schema at {}", error.schema_path())),
    }
}

fn count(number: u64, of: &str) -> String {
    format!("{number} {of}{}", if number == 1 { "" } else { "s" })
}

/// Returns a value of the schema as text.
fn shown(value: &Value) -> String {
    shortened(&value.to_string(), MAX_SHOWN)
}

fn enum_text(options: &Value) -> String {
    const MOST: usize = 20;
    let options = options.as_array().map(Vec::as_slice).unwrap_or_default();
    let list: Vec<String> = options.iter().take(MOST).map(shown).collect();
    let more = if options.len() > MOST { format!(", or {} others", options.len() - MOST) } else { String::new() };
    format!("must be one of {}{more}", list.join(", "))
}

fn type_text(kind: &TypeKind, node: TapeNode<'_>, error: &ValidationError<'_>, schema: &Schema) -> String {
    let kinds = match kind {
        TypeKind::Single(kind) => JsonTypeSet::from(*kind),
        TypeKind::Multiple(kinds) => *kinds,
    };
    if node.number().is_some() && kinds.contains(JsonType::String) && is_date_time(error, schema) {
        return format!("must be {}, but is a number{}", hints::DATE_TIME, hints::date_time(node));
    }
    let (null, others): (Vec<JsonType>, Vec<JsonType>) = kinds.iter().partition(|kind| *kind == JsonType::Null);
    let wanted: Vec<&str> = others.into_iter().chain(null).map(article).collect();
    let wanted = match wanted.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
        _ => wanted.concat(),
    };
    if node.number().is_some() && kinds.contains(JsonType::Integer) {
        return format!("must be {wanted}, but has a fraction");
    }
    format!("must be {wanted}, but is {}{}", kind_of(node), hints::quoted_number(node, &wanted))
}

/// Returns names in backquotes, at most [`MAX_TARGETS`].
fn listed(names: &[String]) -> String {
    let list: Vec<String> =
        names.iter().take(MAX_TARGETS).map(|name| format!("`{}`", shortened(name, MAX_TARGET_CHARS))).collect();
    let more =
        if names.len() > MAX_TARGETS { format!(" and {} more", names.len() - MAX_TARGETS) } else { String::new() };
    list.join(", ") + &more
}

fn missing_text(missing: &[String], node: TapeNode<'_>, declared: &[&str]) -> Text {
    let members = node.object().into_iter().flat_map(|object| object.members()).take(64).map(|(name, _)| name);
    let strangers: Vec<&str> = members.filter(|name| !declared.contains(name)).collect();
    let plural = if missing.len() == 1 { "" } else { "s" };
    let mut text: Text = format!("missing required member{plural} {}", listed(missing)).into();
    for name in missing.iter().take(MAX_TARGETS) {
        if let Some(slip) = nearest(name, strangers.iter().copied()) {
            text.push("; did you write `");
            text.push_name(slip, name_entry(node, slip));
            text.push(&format!("` for `{name}`?"));
        }
    }
    text
}

/// Describes members that the schema does not allow, each with the name that was probably meant.
fn unexpected_members(
    description: Description,
    unexpected: &[String],
    node: TapeNode<'_>,
    error: &ValidationError<'_>,
    schema: &Schema,
) -> Description {
    let declared = declared_beside(error, schema);
    let absent = || declared.iter().copied().filter(|name| node.member(name).is_none());
    let listed: Vec<&String> = unexpected.iter().take(MAX_TARGETS).collect();
    let entries: Vec<Option<u32>> = listed.iter().map(|name| name_entry(node, name)).collect();
    let mut message: Text = if unexpected.len() == 1 { "the member " } else { "the members " }.to_owned().into();
    for (index, (name, entry)) in listed.iter().zip(&entries).enumerate() {
        message.push(if index == 0 { "`" } else { ", `" });
        message.push_name(name, *entry);
        message.push("`");
        message.push(&did_you_mean(name, absent()));
    }
    message.push(&match unexpected.len() {
        1 => " is not allowed here".to_owned(),
        0..=MAX_TARGETS => " are not allowed here".to_owned(),
        all => format!(" and {} more are not allowed here", all - MAX_TARGETS),
    });
    let targets = listed.into_iter().cloned().collect();
    Description { targets, at: entries.first().copied().flatten(), target_entries: entries, message, ..description }
}

/// Returns the entry of the name of a member.
fn name_entry(node: TapeNode<'_>, name: &str) -> Option<u32> {
    node.object()?.name_index(name)
}

/// Returns the part of the schema that holds the keyword that failed.
fn part<'s>(error: &ValidationError<'_>, schema: &'s Schema) -> Option<&'s Value> {
    let pointer = schema_pointer(error, schema);
    schema.source()?.pointer(pointer.rsplit_once('/').map_or("", |(parent, _)| parent))
}

/// Returns whether the part of the schema that failed requires a date-time.
fn is_date_time(error: &ValidationError<'_>, schema: &Schema) -> bool {
    part(error, schema).is_some_and(|part| part["format"] == "date-time")
}

/// Returns the members that the schema declares beside the keyword that failed.
fn declared_beside<'s>(error: &ValidationError<'_>, schema: &'s Schema) -> Vec<&'s str> {
    let properties = part(error, schema).and_then(|part| part.get("properties")).and_then(Value::as_object);
    properties.into_iter().flat_map(|properties| properties.keys().map(String::as_str)).collect()
}

/// Returns the requirement of the closest alternative: the one with the fewest errors.
fn closest(
    context: &[Vec<ValidationError<'static>>],
    outer: &ValidationError<'_>,
    node: TapeNode<'_>,
    schema: &Schema,
) -> String {
    let nearest = context.iter().filter(|errors| !errors.is_empty()).min_by_key(|errors| errors.len());
    let Some(error) = nearest.and_then(|errors| errors.first()) else {
        return String::new();
    };
    let index = error.instance().as_u64().and_then(|index| u32::try_from(index).ok());
    let (Some(index), TapeNode::At(document, _)) = (index, node) else {
        return String::new();
    };
    let missing = missing_member(error).map(str::to_owned).into_iter().collect();
    let description = describe(error, TapeNode::At(document, index), schema, missing);
    match error.instance_path().as_str() {
        pointer if pointer == outer.instance_path().as_str() => {
            format!("; the nearest form says: {}", description.message)
        }
        pointer => {
            format!("; the nearest form says, at {}: {}", shortened(pointer, MAX_SHOWN), description.message)
        }
    }
}
