//! Items as DynamoDB's JSON, for tests that compare them with golden items.

use aws_sdk_dynamodb::types::AttributeValue;
use serde_json::{Value, json};

use super::item::Item;

/// Returns an item as [DynamoDB's JSON](https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.LowLevelAPI.html),
/// with the bytes of binary attributes as an array, and sets in order.
pub(crate) fn json_of(item: &Item) -> Value {
    item.iter().map(|(name, value)| (name.clone(), attribute(value))).collect::<serde_json::Map<_, _>>().into()
}

fn attribute(value: &AttributeValue) -> Value {
    match value {
        AttributeValue::S(text) => json!({"S": text}),
        AttributeValue::N(digits) => json!({"N": digits}),
        AttributeValue::B(bytes) => json!({"B": bytes.as_ref()}),
        AttributeValue::L(values) => json!({"L": values.iter().map(attribute).collect::<Vec<_>>()}),
        AttributeValue::M(item) => json!({"M": json_of(item)}),
        AttributeValue::Ss(texts) => {
            let mut texts = texts.clone();
            texts.sort();
            json!({"SS": texts})
        }
        other => panic!("no item of ours has {other:?}"),
    }
}
