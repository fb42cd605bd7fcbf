//! The limit on the records of a message. API Gateway does not enforce it reliably: its models ignore `maxItems` in parts,
//! see [the limits of models](https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-known-issues.html).

use std::fmt;

use serde::Deserializer as _;
use serde::de::{IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::intake::failure::{Failure, FailureCode};

/// The maximum number of records in a message.
pub const MAX_RECORDS: usize = 500;

/// Returns the failure of a message that is an array of more than [`MAX_RECORDS`] elements. Returns `None` for any other
/// text, also if it is not JSON.
#[must_use]
pub fn too_many_records(body: &[u8]) -> Option<Failure> {
    let count = serde_json::Deserializer::from_slice(body).deserialize_any(ElementCount).ok()?;
    let text = format!("{count} records in one message: send at most {MAX_RECORDS}, or upload them as a file");
    (count > MAX_RECORDS).then(|| Failure::new(FailureCode::TooManyRecords, "", text))
}

/// Counts the elements of an array. Anything else is one record.
struct ElementCount;

impl<'de> Visitor<'de> for ElementCount {
    type Value = usize;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an array or an object")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<usize, A::Error> {
        let mut count = 0;
        while elements.next_element::<IgnoredAny>()?.is_some() {
            count += 1;
        }
        Ok(count)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<usize, A::Error> {
        while members.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_arrays_of_more_than_500_elements_are_refused() {
        let array = |count: usize| format!("[{}]", vec!["{\"a\":[1,2]}"; count].join(","));
        for (name, body, is_refused) in [
            ("500 records", array(500), false),
            ("501 records", array(501), true),
            ("501 numbers", format!(" [{}] ", vec!["1"; 501].join(", ")), true),
            ("501 arrays", format!("[{}]", vec!["[]"; 501].join(",")), true),
            ("an empty array", array(0), false),
            ("an object with a large array", format!("{{\"readings\": {}}}", array(501)), false),
            ("a large array that is cut", array(501)[..5_000].to_owned(), false),
            ("a number", "1".to_owned(), false),
            ("no JSON", "device_id".to_owned(), false),
            ("nothing", String::new(), false),
        ] {
            let failure = too_many_records(body.as_bytes());
            assert_eq!(
                failure.map(|failure| failure.code),
                is_refused.then_some(FailureCode::TooManyRecords),
                "{name}"
            );
        }
    }
}
