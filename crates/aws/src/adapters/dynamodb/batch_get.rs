//! Reads of many items by their keys.

use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::KeysAndAttributes;

use super::item::Item;
use crate::error::{Error, Kind};

/// A batch takes [100 keys](https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchGetItem.html).
pub(crate) const MAX_KEYS: usize = 100;
/// How often a batch is sent until every key is processed. The pause is 25 ms, doubled each time, 6 s in all, or up to twice as
/// long.
const ATTEMPTS: u32 = 9;

/// Reads the items with these keys, each key once, in no order, by consistent reads. Missing items are left out.
///
/// # Errors
/// Returns an [AWS failure](crate::error) about `target`: also if DynamoDB leaves some keys unprocessed each time.
pub(crate) async fn batch_get(client: &Client, table: &str, target: &str, keys: &[Item]) -> Result<Vec<Item>, Error> {
    let mut items = Vec::with_capacity(keys.len());
    for keys in keys.chunks(MAX_KEYS) {
        let mut unprocessed = keys.to_vec();
        let mut attempt = 0;
        while !unprocessed.is_empty() {
            if attempt == ATTEMPTS {
                return Err(Error::new("BatchGetItem", target, Kind::Throttled));
            }
            if attempt > 0 {
                tokio::time::sleep(pause(attempt, unprocessed.len())).await;
            }
            let request = KeysAndAttributes::builder().set_keys(Some(unprocessed)).consistent_read(true).build();
            let request =
                request.map_err(|error| Error::new("BatchGetItem", target, Kind::Other).with_source(error))?;
            let sent = client.batch_get_item().request_items(table, request).send().await;
            let output = sent.map_err(|error| Error::sdk("BatchGetItem", target, error))?;
            items.extend(output.responses.into_iter().flatten().flat_map(|(_, items)| items));
            let rest = output.unprocessed_keys.into_iter().flatten();
            unprocessed = rest.flat_map(|(_, keys)| keys.keys).collect();
            attempt += 1;
        }
    }
    Ok(items)
}

/// Returns the pause before an attempt. Jitter: the keys that are left differ from caller to caller.
fn pause(attempt: u32, unprocessed: usize) -> Duration {
    let percent = u32::try_from(unprocessed).unwrap_or(u32::MAX).min(100);
    Duration::from_millis(25 << (attempt - 1)) * (100 + percent) / 100
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_end() {
        for (attempt, unprocessed, millis) in [(1, 1, 25.25), (1, 100, 50.0), (2, 1, 50.5), (8, 50, 4_800.0)] {
            let expected = Duration::from_secs_f64(millis / 1_000.0);
            assert_eq!(pause(attempt, unprocessed), expected, "attempt {attempt}, {unprocessed} keys");
        }
    }
}
