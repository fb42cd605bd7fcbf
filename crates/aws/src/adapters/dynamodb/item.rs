//! Short constructors and readers of DynamoDB's attribute values.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use eventpulse_core::time::Timestamp;

/// An item.
pub(crate) type Item = HashMap<String, AttributeValue>;

/// Returns a string.
pub(crate) fn s(text: impl Into<String>) -> AttributeValue {
    AttributeValue::S(text.into())
}

/// Returns a number with these digits.
pub(crate) fn n(digits: String) -> AttributeValue {
    AttributeValue::N(digits)
}

/// Returns a count.
pub(crate) fn number(count: usize) -> AttributeValue {
    n(count.to_string())
}

/// Returns the text of a string attribute.
pub(crate) fn text<'a>(item: &'a Item, name: &str) -> Option<&'a str> {
    item.get(name)?.as_s().ok().map(String::as_str)
}

/// Returns the seconds since 1970, as DynamoDB's
/// [time to live](https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/time-to-live-ttl-before-you-start.html)
/// expects them.
pub(crate) fn epoch_seconds(at: Timestamp) -> i64 {
    at.as_micros().div_euclid(1_000_000)
}
