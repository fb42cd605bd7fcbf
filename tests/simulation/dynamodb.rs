//! A stand-in for DynamoDB in memory: the operations and limits that EventPulse relies on, over DynamoDB's JSON protocol.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::expression::{Item, Substitutions, compare, holds, update};

/// [The size limit of an item](https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ServiceQuotas.html).
const MAX_ITEM_BYTES: usize = 400 << 10;
/// The time that an index lags behind its table, in microseconds.
const INDEX_LAG_MICROS: i64 = 300_000;

/// The primary key of an item.
type Key = (String, String);

/// An answer: the HTTP status and the body.
pub type Answer = (u16, Value);

/// The randomness of an answer, which a real table has too.
pub struct Chance {
    /// The most items of a page.
    pub page_items: usize,
    /// The share of the items of a batch that are not processed, in percent.
    pub unprocessed_percent: u32,
    /// The generator.
    pub random: fastrand::Rng,
    /// The present time in microseconds.
    pub now_micros: i64,
}

/// The tables.
pub struct Tables {
    tables: BTreeMap<&'static str, Table>,
    /// The tokens of completed transactions.
    tokens: std::collections::BTreeSet<String>,
    /// The size of the largest item ever stored, in bytes, and its key.
    pub largest_item: (usize, String),
}

struct Table {
    has_sort_key: bool,
    /// The key attributes of each index.
    indexes: BTreeMap<&'static str, (&'static str, &'static str)>,
    items: BTreeMap<Key, Item>,
    /// The items as the indexes know them.
    indexed: BTreeMap<Key, Item>,
    /// The writes that the indexes do not know yet, oldest first.
    lagging: std::collections::VecDeque<(i64, Key, Option<Item>)>,
}

impl Tables {
    /// Creates the empty tables of `template.yaml`.
    pub fn new() -> Self {
        let table = |has_sort_key, indexes: &[(&'static str, (&'static str, &'static str))]| Table {
            has_sort_key,
            indexes: indexes.iter().copied().collect(),
            items: BTreeMap::new(),
            indexed: BTreeMap::new(),
            lagging: Default::default(),
        };
        let tables = BTreeMap::from([
            ("uploads", table(false, &[("by_owner", ("owner", "listed")), ("by_open", ("open_owner", "open_since"))])),
            ("chunks", table(true, &[("by_upload", ("upload_id", "sk")), ("by_owner", ("owner", "series"))])),
            ("usage", table(false, &[])),
            ("notices", table(true, &[("by_due", ("due", "due_at"))])),
        ]);
        Self { tables, tokens: Default::default(), largest_item: (0, String::new()) }
    }

    /// Performs an operation.
    pub fn call(&mut self, operation: &str, request: &Value, chance: &mut Chance) -> Answer {
        for table in self.tables.values_mut() {
            table.catch_up(chance.now_micros - INDEX_LAG_MICROS);
        }
        match operation {
            "GetItem" => {
                let table = self.table(request);
                match table.items.get(&table.key_of(&request["Key"])) {
                    Some(item) => (200, json!({"Item": item})),
                    None => (200, json!({})),
                }
            }
            "PutItem" | "UpdateItem" | "DeleteItem" => self.write_one(operation, request, chance),
            "TransactWriteItems" => self.transact(request, chance),
            "Query" => self.query(request, chance),
            "BatchGetItem" => self.batch_get(request, chance),
            "BatchWriteItem" => self.batch_write(request, chance),
            other => panic!("the stand-in for DynamoDB has no {other}"),
        }
    }

    fn table(&mut self, request: &Value) -> &mut Table {
        let name = request["TableName"].as_str().unwrap_or_default();
        self.tables.get_mut(name).unwrap_or_else(|| panic!("no table {name}"))
    }

    fn write_one(&mut self, operation: &str, request: &Value, chance: &Chance) -> Answer {
        let action = action_of(operation);
        match self.plan(action, request) {
            Err(Refusal::Condition(_)) => error("ConditionalCheckFailedException", "The conditional request failed"),
            Err(Refusal::TooLarge) => too_large(),
            Ok(write) => {
                let attributes = write.item.clone();
                self.perform(write, chance.now_micros);
                let wants_new = matches!(request["ReturnValues"].as_str(), Some("UPDATED_NEW" | "ALL_NEW"));
                (200, if wants_new { json!({"Attributes": attributes}) } else { json!({}) })
            }
        }
    }

    fn transact(&mut self, request: &Value, chance: &Chance) -> Answer {
        let token = request["ClientRequestToken"].as_str().unwrap_or_default().to_owned();
        if self.tokens.contains(&token) {
            return (200, json!({})); // a repetition of a completed transaction
        }
        let actions = request["TransactItems"].as_array().cloned().unwrap_or_default();
        assert!((1..=100).contains(&actions.len()), "{} actions in a transaction", actions.len());
        assert!(request.to_string().len() <= 4 << 20, "a transaction of over 4 MiB");
        let (mut writes, mut reasons, mut is_refused) = (Vec::new(), Vec::new(), false);
        for action in &actions {
            let (kind, inner) = action.as_object().and_then(|action| action.iter().next()).expect("an action");
            match self.plan(kind, inner) {
                Ok(write) => {
                    writes.push(write);
                    reasons.push(json!({"Code": "None"}));
                }
                Err(Refusal::Condition(old)) => {
                    is_refused = true;
                    let wants_old = inner["ReturnValuesOnConditionCheckFailure"] == "ALL_OLD";
                    let old = old.filter(|_| wants_old).map(|old| json!(old)).unwrap_or(Value::Null);
                    reasons.push(json!({"Code": "ConditionalCheckFailed", "Message": "refused", "Item": old}));
                }
                Err(Refusal::TooLarge) => {
                    is_refused = true;
                    let message = "Item size has exceeded the maximum allowed size";
                    reasons.push(json!({"Code": "ValidationError", "Message": message}));
                }
            }
        }
        if is_refused {
            return canceled(reasons);
        }
        let mut keys: Vec<_> = writes.iter().map(|write| (write.table.clone(), write.key.clone())).collect();
        keys.sort();
        keys.dedup();
        assert_eq!(keys.len(), writes.len(), "a transaction with two actions on one item");
        for write in writes {
            self.perform(write, chance.now_micros);
        }
        self.tokens.insert(token);
        (200, json!({}))
    }

    /// Returns the write of an action, or the reason to refuse it.
    fn plan(&mut self, action: &str, request: &Value) -> Result<Write, Refusal> {
        let substitutions = Substitutions {
            names: &request["ExpressionAttributeNames"],
            values: &request["ExpressionAttributeValues"],
        };
        let table = self.table(request);
        let key = table.key_of(if action == "Put" { &request["Item"] } else { &request["Key"] });
        let stored = table.items.get(&key).cloned();
        if let Some(condition) = request["ConditionExpression"].as_str()
            && !holds(condition, &stored.clone().unwrap_or_default(), &substitutions)
        {
            return Err(Refusal::Condition(stored));
        }
        let item = match action {
            "Put" => Some(item_of(&request["Item"])),
            "Delete" => None,
            "ConditionCheck" => stored,
            "Update" => {
                let mut item = stored.unwrap_or_else(|| item_of(&request["Key"]));
                update(request["UpdateExpression"].as_str().unwrap_or_default(), &mut item, &substitutions);
                Some(item)
            }
            other => panic!("unknown action {other}"),
        };
        if item.as_ref().is_some_and(|item| size(item) > MAX_ITEM_BYTES) {
            return Err(Refusal::TooLarge);
        }
        Ok(Write { table: request["TableName"].as_str().unwrap_or_default().to_owned(), key, item })
    }

    fn perform(&mut self, Write { table, key, item }: Write, now_micros: i64) {
        if let Some(size) = item.as_ref().map(size)
            && size > self.largest_item.0
        {
            self.largest_item = (size, format!("{table}: {} {}", key.0, key.1));
        }
        let table = self.tables.get_mut(table.as_str()).expect("the table of a write");
        table.lagging.push_back((now_micros, key.clone(), item.clone()));
        match item {
            Some(item) => table.items.insert(key, item),
            None => table.items.remove(&key),
        };
    }

    fn query(&mut self, request: &Value, chance: &mut Chance) -> Answer {
        let substitutions = Substitutions {
            names: &request["ExpressionAttributeNames"],
            values: &request["ExpressionAttributeValues"],
        };
        let table = self.table(request);
        let (items, sort_attribute) = match request["IndexName"].as_str() {
            Some(index) => (&table.indexed, table.indexes[index].1),
            None => (&table.items, "sk"),
        };
        let condition = request["KeyConditionExpression"].as_str().unwrap_or_default();
        let mut found: Vec<(&Key, &Item)> =
            items.iter().filter(|(_, item)| holds(condition, item, &substitutions)).collect();
        found.sort_by(|(left_key, left), (right_key, right)| {
            let order = compare(&left[sort_attribute], &right[sort_attribute]).expect("sort keys of one type");
            order.then_with(|| left_key.cmp(right_key))
        });
        if request["ScanIndexForward"] == false {
            found.reverse();
        }
        if let Some(start) = request["ExclusiveStartKey"].as_object() {
            let start = table.key_of(&json!(start));
            let after = found.iter().position(|(key, _)| **key == start).map_or(0, |index| index + 1);
            found.drain(..after);
        }
        let limit = request["Limit"].as_u64().map_or(usize::MAX, |limit| limit as usize).min(chance.page_items);
        let is_last = found.len() <= limit;
        found.truncate(limit);
        let last = found.last().filter(|_| !is_last).map(|(_, item)| {
            let keys = table.indexes.values().flat_map(|(hash, range)| [*hash, *range]).chain(["pk", "sk"]);
            let keys = keys.filter_map(|name| Some((name.to_owned(), item.get(name)?.clone())));
            keys.collect::<Item>()
        });
        let scanned = found.len();
        if let Some(filter) = request["FilterExpression"].as_str() {
            found.retain(|(_, item)| holds(filter, item, &substitutions));
        }
        let items: Vec<&Item> = found.into_iter().map(|(_, item)| item).collect();
        let mut answer = json!({"Count": items.len(), "ScannedCount": scanned});
        if request["Select"] != "COUNT" {
            answer["Items"] = json!(items);
        }
        if let Some(last) = last {
            answer["LastEvaluatedKey"] = json!(last);
        }
        (200, answer)
    }

    fn batch_get(&mut self, request: &Value, chance: &mut Chance) -> Answer {
        let (mut responses, mut unprocessed) = (json!({}), json!({}));
        for (name, of_table) in request["RequestItems"].as_object().expect("requests") {
            let table = self.tables.get_mut(name.as_str()).expect("a table");
            let keys = of_table["Keys"].as_array().expect("keys");
            assert!((1..=100).contains(&keys.len()), "{} keys in a batch", keys.len());
            let (mut items, mut left) = (Vec::new(), Vec::new());
            for (index, key) in keys.iter().enumerate() {
                if index > 0 && chance.random.u32(0..100) < chance.unprocessed_percent {
                    left.push(key);
                } else {
                    items.extend(table.items.get(&table.key_of(key)));
                }
            }
            responses[name] = json!(items);
            if !left.is_empty() {
                unprocessed[name] = json!({"Keys": left, "ConsistentRead": of_table["ConsistentRead"]});
            }
        }
        (200, json!({"Responses": responses, "UnprocessedKeys": unprocessed}))
    }

    fn batch_write(&mut self, request: &Value, chance: &mut Chance) -> Answer {
        let mut unprocessed = json!({});
        for (name, requests) in request["RequestItems"].as_object().expect("requests") {
            let requests = requests.as_array().expect("requests of a table");
            assert!((1..=25).contains(&requests.len()), "{} requests in a batch", requests.len());
            let mut left = Vec::new();
            for (index, request) in requests.iter().enumerate() {
                if index > 0 && chance.random.u32(0..100) < chance.unprocessed_percent {
                    left.push(request);
                    continue;
                }
                let (item, key) = match request["PutRequest"]["Item"].as_object() {
                    Some(_) => (Some(item_of(&request["PutRequest"]["Item"])), &request["PutRequest"]["Item"]),
                    None => (None, &request["DeleteRequest"]["Key"]),
                };
                if item.as_ref().is_some_and(|item| size(item) > MAX_ITEM_BYTES) {
                    return too_large();
                }
                let key = self.tables[name.as_str()].key_of(key);
                self.perform(Write { table: name.clone(), key, item }, chance.now_micros);
            }
            if !left.is_empty() {
                unprocessed[name] = json!(left);
            }
        }
        (200, json!({"UnprocessedItems": unprocessed}))
    }
}

impl Table {
    fn key_of(&self, attributes: &Value) -> Key {
        let text = |name: &str| attributes[name]["S"].as_str().unwrap_or_default().to_owned();
        (text("pk"), if self.has_sort_key { text("sk") } else { String::new() })
    }

    /// Lets the indexes know the writes until `micros`.
    fn catch_up(&mut self, micros: i64) {
        while self.lagging.front().is_some_and(|(at, _, _)| *at <= micros) {
            let Some((_, key, item)) = self.lagging.pop_front() else { return };
            match item {
                Some(item) => self.indexed.insert(key, item),
                None => self.indexed.remove(&key),
            };
        }
    }
}

/// A write that is allowed. `None` deletes the item.
struct Write {
    table: String,
    key: Key,
    item: Option<Item>,
}

/// The reason to refuse a write.
enum Refusal {
    /// The condition does not hold for the stored item.
    Condition(Option<Item>),
    /// The item exceeds 400 KiB.
    TooLarge,
}

/// Returns a cancelled transaction.
pub fn canceled(reasons: Vec<Value>) -> Answer {
    let codes: Vec<&str> = reasons.iter().map(|reason| reason["Code"].as_str().unwrap_or_default()).collect();
    let message = format!("Transaction cancelled, please refer cancellation reasons for specific reasons {codes:?}");
    let (status, mut body) = error("TransactionCanceledException", &message);
    body["CancellationReasons"] = json!(reasons);
    (status, body)
}

/// Returns an error of DynamoDB.
pub fn error(code: &str, message: &str) -> Answer {
    let status = if code == "InternalServerError" { 500 } else { 400 };
    (
        status,
        json!({"__type": format!("com.amazonaws.dynamodb.v20120810#{code}"), "message": message, "Message": message}),
    )
}

fn too_large() -> Answer {
    error("ValidationException", "Item size has exceeded the maximum allowed size")
}

fn action_of(operation: &str) -> &str {
    operation.strip_suffix("Item").unwrap_or(operation)
}

fn item_of(attributes: &Value) -> Item {
    attributes.as_object().expect("attributes").clone().into_iter().collect()
}

/// Returns the approximate [size of an item](https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html)
/// in bytes.
fn size(item: &Item) -> usize {
    item.iter().map(|(name, value)| name.len() + size_of_value(value)).sum()
}

fn size_of_value(value: &Value) -> usize {
    let Some((kind, value)) = value.as_object().and_then(|value| value.iter().next()) else { return 1 };
    match (kind.as_str(), value) {
        ("L", Value::Array(values)) => 3 + values.iter().map(|value| 1 + size_of_value(value)).sum::<usize>(),
        ("M", value) => 3 + size(&item_of(value)),
        ("B", Value::String(text)) => text.len() / 4 * 3,
        (_, Value::Array(values)) => values.iter().filter_map(Value::as_str).map(str::len).sum(),
        (_, Value::String(text)) => text.len(),
        _ => 1,
    }
}
