use eventpulse_core::intake::failure::{Failure, FailureCode};
use eventpulse_core::upload::commands;
use eventpulse_core::upload::{ObjectVersion, Origin, QuarantineLocation, RecordedEvent, UploadEvent};
use serde_json::json;

use super::*;
use crate::adapters::dynamodb::golden::json_of;

const RETENTION: Duration = Duration::from_secs(90 * 86_400);

fn at(time: &str) -> Timestamp {
    Timestamp::parse(time).unwrap()
}

fn apply(mut upload: Upload, time: &str, events: impl IntoIterator<Item = UploadEvent>) -> Upload {
    for event in events {
        upload.apply(&RecordedEvent::new(at(time), event));
    }
    upload
}

fn found(number: u8) -> Upload {
    let origin = Origin {
        owner: "u1".parse().unwrap(),
        key: "uploads/x/a.json".to_owned(),
        file_name: "a.json".to_owned(),
        schema: None,
        max_rejected: None,
        expires_at: None,
    };
    let found = RecordedEvent::new(at("2025-02-28T12:00:00Z"), UploadEvent::ObjectFound { origin });
    Upload::fold(UploadId::new(at("2025-02-28T12:00:00Z"), [number; 10]), &[found]).unwrap()
}

fn received(number: u8) -> Upload {
    let object = ObjectVersion {
        bucket: "process".to_owned(),
        key: "uploads/x/a.json".to_owned(),
        version_id: "1".to_owned(),
        size: 10,
        line: None,
    };
    let event = UploadEvent::Received { object, correlation_id: "c".to_owned(), retry_form: None };
    apply(found(number), "2025-02-28T12:00:01Z", [event])
}

fn rejected(number: u8) -> Upload {
    let upload = received(number);
    let events = commands::reject(&upload, Failure::new(FailureCode::ObjectMissing, "", "gone"), "reading/1.0");
    apply(upload, "2025-02-28T12:00:02Z", events)
}

fn quarantined(number: u8, time: &str) -> Upload {
    let location =
        QuarantineLocation { bucket: "q".to_owned(), key: None, records: false, report_key: "report".to_owned() };
    let upload = apply(rejected(number), time, [UploadEvent::Quarantined { location }]);
    let events = commands::record_occurrence(&upload);
    apply(upload, time, events)
}

fn discarded(upload: Upload) -> Upload {
    let by = upload.origin().owner.clone();
    apply(upload, "2025-03-01T12:00:00Z", [UploadEvent::Discarded { by }])
}

/// Returns the changes as `<counter> <change>`.
fn texts(changes: &CounterChanges) -> Vec<String> {
    changes.0.iter().map(|((_, counter), change)| format!("{} {change:+}", counter.name())).collect()
}

#[test]
fn an_append_counts_what_an_upload_enters_and_leaves() {
    let none = StoredState::NOTHING;
    let evening = || quarantined(1, "2025-02-28T23:59:59.999999Z");
    for (name, stored, after, expected) in [
        ("found", none.clone(), found(1), vec![]),
        ("received", none.clone(), received(1), vec!["pending +1"]),
        ("received and rejected at once: not in quarantine yet", none.clone(), rejected(1), vec![]),
        ("rejected later", StoredState::of(&received(1)), rejected(1), vec!["pending -1"]),
        ("quarantined", StoredState::of(&rejected(1)), evening(), vec!["2025-02-28 +1"]),
        ("nothing changes", StoredState::of(&evening()), evening(), vec![]),
        (
            "pending to quarantined",
            StoredState::of(&received(1)),
            quarantined(1, "2025-03-01T00:00:00Z"),
            vec!["2025-03-01 +1", "pending -1"],
        ),
        ("discarded on another day", StoredState::of(&evening()), discarded(evening()), vec!["2025-02-28 -1"]),
    ] {
        let mut changes = texts(&CounterChanges::of_append(&after, &stored));
        changes.sort();
        assert_eq!(changes, expected, "{name}");
    }
}

#[test]
fn a_transaction_changes_each_counter_once() {
    let mut changes = CounterChanges::default();
    for number in 0..25 {
        changes.add(&received(number), &StoredState::NOTHING);
    }
    assert_eq!(texts(&changes), ["pending +25"]);
    assert_eq!(changes.actions("uploads", 0, RETENTION).unwrap().len(), 1);
}

#[test]
fn counters_have_golden_items() {
    let stored = StoredState::of(&received(1));
    let changes = CounterChanges::of_append(&quarantined(1, "2025-02-28T13:00:00Z"), &stored);
    let actions = changes.actions("uploads", 3, RETENTION).unwrap();
    let updates: Vec<&Update> = actions.iter().map(|action| action.update().unwrap()).collect();
    let mut items: Vec<_> = updates
        .iter()
        .map(|update| (json_of(update.key()), json_of(update.expression_attribute_values().unwrap())))
        .collect();
    items.sort_by_key(|(key, _)| key.to_string());
    let expires_at = at("2025-03-01T00:00:00Z").as_secs() + (90 + 30) * 86_400;
    let expected = [
        (
            json!({"pk": {"S": "open#u1#2025-02-28#3"}}),
            json!({
                ":owner": {"S": "u1"},
                ":since": {"S": "count#2025-02-28#3"},
                ":change": {"N": "1"},
                ":expires_at": {"N": expires_at.to_string()},
            }),
        ),
        (
            json!({"pk": {"S": "open#u1#pending#3"}}),
            json!({":owner": {"S": "u1"}, ":since": {"S": "count#pending#3"}, ":change": {"N": "-1"}}),
        ),
    ];
    assert_eq!(items, expected);
}

#[test]
fn shards_are_added_up_and_expired_days_do_not_count() {
    let now = at("2025-05-30T15:00:00Z"); // 90 days after 1 March
    let shard = |since: &str, number: &str| {
        let item = [("open_since".to_owned(), s(since)), ("open_uploads".to_owned(), n(number.to_owned()))];
        Item::from(item)
    };
    let items = [
        shard("count#2025-02-28#0", "100"),
        shard("count#2025-03-01#0", "3"),
        shard("count#2025-03-01#3", "-1"),
        shard("count#2025-05-30#1", "5"),
        shard("count#pending#0", "-2"),
        shard("count#pending#1", "4"),
    ];
    let (first, last) = counter_range(now, RETENTION);
    let mut sum = CounterSum::default();
    for item in &items {
        let since = text(item, "open_since").unwrap();
        if (first.as_str()..=last.as_str()).contains(&since) {
            sum.add(item).unwrap();
        }
    }
    assert_eq!(sum.totals(), OpenTotals { quarantined: 7, pending: 2 });
    assert_eq!(CounterSum::default().add(&Item::new()), None, "no counter");
}

#[test]
fn a_quarantine_object_is_kept_to_the_midnight_after_its_retention() {
    for (now, first) in [
        ("2025-05-30T00:00:00Z", "2025-03-01"),
        ("2025-05-30T23:59:59Z", "2025-03-01"),
        ("2025-05-31T00:00:00Z", "2025-03-02"),
    ] {
        assert_eq!(first_kept_day(at(now), RETENTION), first, "{now}");
    }
}

#[test]
fn only_contended_counters_repeat_a_transaction_with_other_shards() {
    let reasons = |codes: &[&str]| -> Vec<CancellationReason> {
        codes.iter().map(|code| CancellationReason::builder().code(*code).build()).collect()
    };
    for (name, codes, expected) in [
        ("a counter", vec!["None", "None", "TransactionConflict"], true),
        ("the history", vec!["TransactionConflict", "None", "None"], false),
        ("the history and a counter", vec!["TransactionConflict", "None", "TransactionConflict"], false),
        ("a refused condition", vec!["ConditionalCheckFailed", "None", "TransactionConflict"], false),
        ("a throttled counter", vec!["None", "None", "ThrottlingError"], false),
        ("no reasons", vec![], false),
    ] {
        assert_eq!(only_counters_conflict(&reasons(&codes), 2), expected, "{name}");
    }
}
