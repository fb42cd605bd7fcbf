//! An in-process stand-in for DynamoDB: items by their primary key, and the few forms of expressions that the calls under
//! test have.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use http::{HeaderMap, StatusCode};
use serde_json::{Map, Value, json};

type Item = Map<String, Value>;

/// The items, and the calls so far.
#[derive(Default)]
pub struct Tables {
    pub items: BTreeMap<String, Item>,
    pub calls: Vec<String>,
}

/// Starts a stand-in. Returns its address and its tables.
pub async fn start() -> (SocketAddr, Arc<Mutex<Tables>>) {
    let tables = Arc::new(Mutex::new(Tables::default()));
    let shared = Arc::clone(&tables);
    let router =
        Router::new().route("/", post(async move |headers: HeaderMap, body: Bytes| answer(&shared, &headers, &body)));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    (address, tables)
}

fn answer(tables: &Mutex<Tables>, headers: &HeaderMap, body: &[u8]) -> Response {
    let target = headers["x-amz-target"].to_str().unwrap();
    let operation = target.rsplit('.').next().unwrap().to_owned();
    let input: Value = serde_json::from_slice(body).unwrap();
    let mut tables = tables.lock().unwrap();
    tables.calls.push(operation.clone());
    let answer = match operation.as_str() {
        "GetItem" => {
            let item = tables.items.get(&key(&input));
            Ok(item.map_or(json!({}), |item| json!({ "Item": item })))
        }
        "UpdateItem" => update(&mut tables.items, &input).map(|item| json!({ "Attributes": item })).map_err(|_| {
            json!({ "__type": "com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException", "message": "refused" })
        }),
        "TransactWriteItems" => transact(&mut tables.items, &input),
        other => panic!("{other} is not expected"),
    };
    let (status, body) = match answer {
        Ok(body) => (StatusCode::OK, body),
        Err(body) => (StatusCode::BAD_REQUEST, body),
    };
    (status, [("content-type", "application/x-amz-json-1.0")], body.to_string()).into_response()
}

fn key(input: &Value) -> String {
    input["Key"].as_object().unwrap().values().map(|part| part["S"].as_str().unwrap()).collect::<Vec<_>>().join("/")
}

fn transact(items: &mut BTreeMap<String, Item>, input: &Value) -> Result<Value, Value> {
    let mut after = items.clone();
    let updates = input["TransactItems"].as_array().unwrap().iter().map(|action| &action["Update"]);
    let results: Vec<_> = updates.map(|action| update(&mut after, action)).collect();
    if results.iter().all(Result::is_ok) {
        *items = after;
        return Ok(json!({}));
    }
    let reasons = results.into_iter().map(|result| match result {
        Ok(_) => json!({ "Code": "None" }),
        Err(item) => json!({ "Code": "ConditionalCheckFailed", "Item": item }),
    });
    let canceled = "com.amazonaws.dynamodb.v20120810#TransactionCanceledException";
    Err(json!({ "__type": canceled, "CancellationReasons": reasons.collect::<Vec<_>>() }))
}

/// Performs an update, and returns the new item; or the old one, if the condition does not hold.
fn update(items: &mut BTreeMap<String, Item>, input: &Value) -> Result<Item, Item> {
    let key = key(input);
    let mut item = items.get(&key).cloned().unwrap_or_default();
    let name = |name: &str| input["ExpressionAttributeNames"][name].as_str().unwrap_or(name).to_owned();
    let value = |name: &str| input["ExpressionAttributeValues"][name].clone();
    let condition = input["ConditionExpression"].as_str().unwrap_or("attribute_not_exists(no)");
    let holds = condition.split(" OR ").any(|term| match term.strip_prefix("attribute_not_exists(") {
        Some("pk)") => item.is_empty(),
        Some(attribute) => !item.contains_key(&name(attribute.trim_end_matches(')'))),
        None => {
            let [attribute, operator, bound] = term.split(' ').collect::<Vec<_>>()[..] else { panic!("{term}") };
            let (left, right) = (number(&item[&name(attribute)]), number(&value(bound)));
            match operator {
                "<=" => left <= right,
                "<" => left < right,
                "=" => left == right,
                _ => panic!("{term}"),
            }
        }
    });
    if !holds {
        return Err(item);
    }
    let expression = input["UpdateExpression"].as_str().unwrap();
    let (set, add) = expression.split_once(" ADD ").unwrap_or((expression, ""));
    let set = set.split(" REMOVE ").next().unwrap().strip_prefix("SET ").unwrap();
    for (attribute, given) in set.split(", ").filter_map(|part| part.split_once(" = ")) {
        item.insert(name(attribute), value(given));
    }
    for (attribute, given) in add.split(", ").filter_map(|part| part.split_once(' ')) {
        let sum = item.get(&name(attribute)).map_or(0, number) + number(&value(given));
        item.insert(name(attribute), json!({ "N": sum.to_string() }));
    }
    items.insert(key, item.clone());
    Ok(item)
}

fn number(value: &Value) -> i64 {
    value["N"].as_str().unwrap().parse().unwrap()
}
