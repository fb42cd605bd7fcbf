use super::*;
use crate::adapters::dynamodb::golden::json_of;
use aws_sdk_dynamodb::config::{BehaviorVersion, Config};
use aws_sdk_dynamodb::types::error::TransactionCanceledException;
use eventpulse_core::time::Timestamp;
use eventpulse_core::upload::{ObjectVersion, Origin, UploadEvent};
use serde_json::json;

fn store() -> UploadStore {
    let client = Client::from_conf(Config::builder().behavior_version(BehaviorVersion::latest()).build());
    UploadStore::new(client, "uploads".to_owned(), "chunks".to_owned(), Duration::from_secs(90 * 86_400))
}

fn at(time: &str) -> Timestamp {
    Timestamp::parse(time).unwrap()
}

fn origin() -> Origin {
    Origin {
        owner: "u1".parse().unwrap(),
        key: "uploads/x/a b+c%2Bé.json".to_owned(),
        file_name: "a b+c%2Bé.json".to_owned(),
        schema: None,
        max_rejected: None,
        expires_at: Some(at("2025-02-28T13:00:00Z")),
    }
}

fn history() -> Vec<RecordedEvent> {
    let object = ObjectVersion {
        bucket: "process".to_owned(),
        key: origin().key,
        version_id: "1".to_owned(),
        size: 10,
        line: None,
    };
    vec![
        RecordedEvent::new(at("2025-02-28T12:00:00Z"), UploadEvent::Issued { origin: origin() }),
        RecordedEvent::new(
            at("2025-02-28T12:00:01.5Z"),
            UploadEvent::Received { object, correlation_id: "c".to_owned(), retry_form: None },
        ),
    ]
}

fn append(revision: usize, events: &[RecordedEvent], history: &[RecordedEvent]) -> AppendExpressions {
    let id = UploadId::new(at("2025-02-28T12:00:00Z"), [0; 10]);
    store().append_expressions(&Upload::fold(id, history).unwrap(), revision, events).unwrap()
}

#[test]
fn a_new_upload_has_golden_attributes() {
    let history = &history()[..1];
    let AppendExpressions { condition, values, expression, .. } = append(0, history, history);
    assert_eq!(condition, "attribute_not_exists(#revision)");
    let id = UploadId::new(at("2025-02-28T12:00:00Z"), [0; 10]);
    let expected = json!({
        ":events": {"L": [{"S": serde_json::to_string(&history[0]).unwrap()}]},
        ":revision": {"N": "1"},
        ":owner": {"S": "u1"},
        ":listed": {"S": format!("2025-02-28T12:00:00.000000Z#{id}")},
        ":state": {"S": "issued"},
        ":file_name": {"S": "a b+c%2Bé.json"},
        ":accepted": {"N": "0"},
        ":rejected": {"N": "0"},
        ":created_at": {"S": "2025-02-28T12:00:00Z"},
        ":changed_at": {"S": "2025-02-28T12:00:00Z"},
        ":url_expires_at": {"S": "2025-02-28T13:00:00.000000Z"},
        ":expires_at": {"N": (at("2025-02-28T13:00:00Z").as_micros() / 1_000_000 + 30 * 86_400).to_string()},
    });
    assert_eq!(json_of(&values), expected);
    for removed in ["open_owner", "open_since", "codes", "schemas", "quarantined_at", "retry_expires_at"] {
        let (_, remove) = expression.split_once(" REMOVE ").unwrap();
        assert!(remove.split(", ").any(|name| name == format!("#{removed}")), "{removed}: {expression}");
    }
}

#[test]
fn an_append_is_conditional_on_the_revision_and_removes_what_no_longer_holds() {
    let history = history();
    let AppendExpressions { condition, values, expression, names } = append(1, &history[1..], &history);
    assert_eq!(condition, "#revision = :read");
    assert_eq!((&values[":read"], &values[":revision"]), (&number(1), &number(2)));
    assert_eq!(
        values[":open_since"],
        s(format!("pending#2025-02-28T12:00:01.500000Z#{}", UploadId::new(at("2025-02-28T12:00:00Z"), [0; 10])))
    );
    assert_eq!((&values[":open_owner"], names["#open_owner"].as_str()), (&s("u1"), "open_owner"));
    assert!(expression.starts_with("SET #history = list_append(#history, :events), #revision = :revision"));
    for removed in ["#url_expires_at", "#expires_at"] {
        assert!(expression.split_once(" REMOVE ").unwrap().1.contains(removed), "{removed}: {expression}");
    }
}

#[test]
fn only_the_item_of_the_upload_makes_its_history_full() {
    let none = || CancellationReason::builder().code("None").build();
    let too_large = || {
        let message = "Item size to update has exceeded the maximum allowed size";
        CancellationReason::builder().code("ValidationError").message(message).build()
    };
    for (name, reasons, expected) in [
        ("the append", vec![too_large(), none(), none()], Kind::HistoryFull),
        ("a chunk or a notice", vec![none(), none(), too_large()], Kind::TooLarge),
        ("the append and a chunk", vec![too_large(), none(), too_large()], Kind::HistoryFull),
        ("no reason", vec![], Kind::Other),
    ] {
        let canceled = TransactionCanceledException::builder().set_cancellation_reasons(Some(reasons)).build();
        let error = TransactWriteItemsError::TransactionCanceledException(canceled);
        assert_eq!(append_failed("uploads/x".to_owned(), SdkError::service_error(error, ())).kind, expected, "{name}");
    }
}
