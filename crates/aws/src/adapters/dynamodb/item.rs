//! Short words for DynamoDB's attribute values.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;

/// An item.
pub(crate) type Item = HashMap<String, AttributeValue>;

/// A string.
pub(crate) fn s(text: impl Into<String>) -> AttributeValue {
    AttributeValue::S(text.into())
}

/// A number, as it is written.
pub(crate) fn n(digits: String) -> AttributeValue {
    AttributeValue::N(digits)
}

/// A count.
pub(crate) fn number(count: usize) -> AttributeValue {
    n(count.to_string())
}

/// A string member.
pub(crate) fn text<'a>(item: &'a Item, name: &str) -> Option<&'a str> {
    item.get(name)?.as_s().ok().map(String::as_str)
}
