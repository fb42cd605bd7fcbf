use super::*;
use crate::id::UploadId;

const HOUR: Duration = Duration::from_secs(3_600);

fn at(seconds: f64) -> Timestamp {
    #[allow(clippy::cast_possible_truncation)] // seconds of a test
    Timestamp::from_micros((seconds * 1e6) as i64)
}

/// Publishes every notice when it is due, until `until`. `events` are the times of new problems. Returns the time and the
/// number of problems of each notice.
fn sent(events: &[f64], until: f64) -> Vec<(f64, usize)> {
    let mut outbox = Outbox::default();
    let (mut events, mut sent) = (events.iter().copied().peekable(), Vec::new());
    let mut waiting: usize = 0;
    let mut now = 0.0;
    while now <= until {
        while events.next_if(|event| *event <= now).is_some() {
            outbox.add_pending(1, at(now));
            waiting += 1;
        }
        if let Some(Due::Pending) = outbox.due(at(now), HOUR) {
            let combined = waiting.min(MAX_PROBLEMS_IN_NOTICE);
            let keys = vec![String::new(); combined];
            outbox.begin(String::new(), OutboxEntry::Pending { kind: NoticeKind::New, keys }, at(now));
            outbox.finish(at(now));
            sent.push((now, combined));
            waiting -= combined;
        }
        now += 0.25;
    }
    sent
}

#[test]
fn the_first_notice_goes_at_once_and_pauses_double() {
    assert_eq!(sent(&[0.0], 100.0), [(0.0, 1)]);
    let trickle: Vec<f64> = (0..20).map(f64::from).collect();
    let sent = sent(&trickle, 1_000.0);
    assert_eq!(sent, [(0.0, 1), (1.25, 1), (3.75, 2), (8.75, 5), (18.75, 10), (38.75, 1)]);
}

#[test]
fn a_flood_goes_in_full_notices() {
    let flood: Vec<f64> = (0..1_000).map(|number| f64::from(number) / 100.0).collect();
    let sent = sent(&flood, 1_000.0);
    assert_eq!(sent.iter().map(|(_, problems)| problems).sum::<usize>(), 1_000);
    assert!(sent.len() <= 22, "{sent:?}");
    assert!(sent.windows(2).all(|pair| pair[1].0 - pair[0].0 >= 1.25), "{sent:?}");
    assert!(sent.last().is_some_and(|(time, _)| *time < 120.0), "{sent:?}");
}

#[test]
fn after_a_quiet_time_the_next_notice_goes_at_once() {
    assert_eq!(sent(&[0.0, 0.0, 1.0, 700.0, 700.5], 1_000.0), [(0.0, 2), (1.25, 1), (700.0, 1), (701.25, 1)]);
}

#[test]
fn there_is_one_digest_per_interval() {
    let mut outbox = Outbox::default();
    outbox.add_counts(at(10.0));
    outbox.add_counts(at(20.0));
    assert_eq!(outbox.due_at(HOUR), Some(at(3_610.0)));
    assert_eq!(outbox.due(at(3_609.0), HOUR), None);
    let Some(Due::Digest(entry)) = outbox.due(at(3_611.0), HOUR) else { panic!("{outbox:?}") };
    assert_eq!(entry, OutboxEntry::Digest { number: 0, from: at(10.0), to: at(3_611.0) });
    outbox.begin("id".to_owned(), entry, at(3_611.0));
    outbox.add_counts(at(3_612.0)); // the next digest collects while this one is published
    outbox.finish(at(3_613.0));
    assert_eq!(outbox.due_at(HOUR), Some(at(7_212.0)));
    assert_eq!(outbox.digest_number, 1);
}

#[test]
fn a_due_digest_goes_first_and_spacing_is_kept() {
    let mut outbox = Outbox::default();
    outbox.add_pending(5, at(0.0));
    outbox.immediate_published_at = Some(at(3_590.0));
    outbox.pause = Duration::from_secs(5);
    outbox.add_counts(at(0.0));
    let Some(Due::Digest(entry)) = outbox.due(at(3_600.0), HOUR) else { panic!("{outbox:?}") };
    outbox.begin("id".to_owned(), entry, at(3_600.0));
    outbox.finish(at(3_600.0));
    assert_eq!(outbox.due(at(3_601.0), HOUR), None);
    assert_eq!(outbox.due(at(3_601.25), HOUR), Some(Due::Pending));
}

#[test]
fn an_expired_publication_is_resumed_unchanged() {
    let mut outbox = Outbox::default();
    outbox.add_pending(3, at(0.0));
    let entry = OutboxEntry::Pending { kind: NoticeKind::New, keys: vec!["a".to_owned(), "b".to_owned()] };
    outbox.begin("id".to_owned(), entry.clone(), at(0.0));
    outbox.add_pending(1, at(1.0));
    assert_eq!(outbox.due(at(59.0), HOUR), None, "the sender may still be active");
    let Some(Due::Resume(publication)) = outbox.due(at(60.0), HOUR) else { panic!("{outbox:?}") };
    assert_eq!((publication.notice_id.as_str(), publication.entry), ("id", entry));
    outbox.resume(at(60.0));
    outbox.finish(at(61.0));
    assert_eq!(outbox.pending, 2);
    assert_eq!(outbox.due(at(63.0), HOUR), Some(Due::Pending));
}

#[test]
fn pending_notices_are_due_since_they_are_pending() {
    let mut outbox = Outbox { published_at: Some(at(0.0)), immediate_published_at: Some(at(0.0)), ..Outbox::default() };
    outbox.add_pending(1, at(9_000.0));
    outbox.add_pending(2, at(9_001.0));
    assert_eq!(outbox.due_at(HOUR), Some(at(9_000.0)));
}

fn pending(second: i64, kind: NoticeKind, problem: &str) -> (String, PendingNotice) {
    let at = Timestamp::from_micros(second * 1_000_000);
    let (upload_id, problem_id) = (UploadId::new(at, [0; 10]), ProblemId::of(problem, &[]));
    let kind_of_upload = "a/1".to_owned();
    (
        second.to_string(),
        PendingNotice { at, kind, problem_id, kind_of_upload, upload_id: Some(upload_id), revision: 1 },
    )
}

fn combine(pending: &[(String, PendingNotice)]) -> OutboxEntry {
    OutboxEntry::combine(pending.iter().map(|(key, notice)| (key.as_str(), notice)))
}

#[test]
fn a_notice_combines_one_kind_and_keeps_the_order_of_each_problem() {
    use NoticeKind::{New, Regressed, Resolved};
    type Row = (&'static str, &'static [(NoticeKind, &'static str)], NoticeKind, &'static [&'static str]);
    let rows: [Row; 5] = [
        ("none", &[], New, &[]),
        ("all new", &[(New, "a"), (New, "b"), (New, "c")], New, &["0", "1", "2"]),
        ("the kind of the oldest", &[(Resolved, "a"), (New, "b"), (Resolved, "c")], Resolved, &["0", "2"]),
        ("not before an older one", &[(New, "a"), (Resolved, "b"), (New, "b")], New, &["0"]),
        ("one per problem", &[(Regressed, "a"), (Resolved, "a"), (Regressed, "a")], Regressed, &["0"]),
    ];
    for (name, notices, kind, expected) in rows {
        let notices: Vec<_> = (0..).zip(notices).map(|(at, (kind, problem))| pending(at, *kind, problem)).collect();
        let keys = expected.iter().map(|key| (*key).to_owned()).collect();
        assert_eq!(combine(&notices), OutboxEntry::Pending { kind, keys }, "{name}");
    }
    let many: Vec<_> = (0..60).map(|at| pending(at, New, &at.to_string())).collect();
    assert_eq!(combine(&many).keys().len(), MAX_PROBLEMS_IN_NOTICE);
}

#[test]
fn only_the_current_publication_is_finished() {
    let mut outbox = Outbox::default();
    assert!(!outbox.is_publishing("id"));
    outbox.begin("id".to_owned(), OutboxEntry::Pending { kind: NoticeKind::New, keys: Vec::new() }, at(0.0));
    assert!(outbox.is_publishing("id") && !outbox.is_publishing("another"));
    outbox.finish(at(1.0));
    assert!(!outbox.is_publishing("id"));
}

#[test]
fn an_outbox_is_stored_with_its_pause_in_milliseconds() {
    let mut outbox = Outbox::default();
    outbox.add_pending(1, at(0.0));
    outbox.begin("id".to_owned(), OutboxEntry::Pending { kind: NoticeKind::New, keys: vec!["a".to_owned()] }, at(0.0));
    let stored = serde_json::to_value(&outbox).unwrap();
    assert_eq!(
        stored,
        serde_json::json!({
            "pending": 1, "pending_since": "1970-01-01T00:00:00Z", "digest_number": 0, "pause_ms": 1_250,
            "publication": {
                "notice_id": "id", "begun_at": "1970-01-01T00:00:00Z",
                "entry": { "pending": { "kind": "new", "keys": ["a"] } },
            },
        })
    );
    assert_eq!(serde_json::from_value::<Outbox>(stored).unwrap(), outbox);
}
