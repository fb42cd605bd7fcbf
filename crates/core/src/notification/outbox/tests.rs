use super::*;

const HOUR: u32 = 3_600;

fn at(seconds: f64) -> Timestamp {
    #[allow(clippy::cast_possible_truncation)] // seconds of a test
    Timestamp::from_micros((seconds * 1e6) as i64)
}

/// Sends whatever is due, as soon as it is, until `until`; `events` are the times at which groups become new.
fn sent(events: &[f64], until: f64) -> Vec<(f64, usize)> {
    let mut outbox = Outbox::default();
    let (mut events, mut sent) = (events.iter().copied().peekable(), Vec::new());
    let mut waiting: usize = 0;
    let mut now = 0.0;
    while now <= until {
        while events.next_if(|event| *event <= now).is_some() {
            outbox.owe(1, at(now));
            waiting += 1;
        }
        if let Some(Due::Tells) = outbox.due(at(now), HOUR) {
            let told = waiting.min(MAX_GROUPS_IN_NOTICE);
            let keys = vec![String::new(); told];
            outbox.begin(String::new(), OutboxEntry::Tells { kind: NoticeKind::New, keys }, at(now));
            outbox.sent(at(now));
            sent.push((now, told));
            waiting -= told;
        }
        now += 0.25;
    }
    sent
}

#[test]
fn the_first_goes_at_once_and_pauses_grow() {
    assert_eq!(sent(&[0.0], 100.0), [(0.0, 1)]);
    let trickle: Vec<f64> = (0..20).map(f64::from).collect();
    let told = sent(&trickle, 1_000.0);
    assert_eq!(told, [(0.0, 1), (1.25, 1), (3.75, 2), (8.75, 5), (18.75, 10), (38.75, 1)]);
}

#[test]
fn a_flood_goes_in_full_notices_one_after_the_other() {
    let flood: Vec<f64> = (0..1_000).map(|number| f64::from(number) / 100.0).collect();
    let told = sent(&flood, 1_000.0);
    assert_eq!(told.iter().map(|(_, groups)| groups).sum::<usize>(), 1_000);
    assert!(told.len() <= 22, "{told:?}");
    assert!(told.windows(2).all(|pair| pair[1].0 - pair[0].0 >= 1.25), "{told:?}");
    assert!(told.last().is_some_and(|(time, _)| *time < 120.0), "{told:?}");
}

#[test]
fn who_was_left_in_peace_is_told_at_once_again() {
    assert_eq!(sent(&[0.0, 0.0, 1.0, 700.0, 700.5], 1_000.0), [(0.0, 2), (1.25, 1), (700.0, 1), (701.25, 1)]);
}

#[test]
fn a_digest_waits_for_its_hour_and_there_is_one_an_hour() {
    let mut outbox = Outbox::default();
    outbox.gather(at(10.0));
    outbox.gather(at(20.0));
    assert_eq!(outbox.due_at(HOUR), Some(at(3_610.0)));
    assert_eq!(outbox.due(at(3_609.0), HOUR), None);
    let Some(Due::Digest(what)) = outbox.due(at(3_611.0), HOUR) else { panic!("{outbox:?}") };
    assert_eq!(what, OutboxEntry::Digest { epoch: 0, from: at(10.0), to: at(3_611.0) });
    outbox.begin("id".to_owned(), what, at(3_611.0));
    outbox.gather(at(3_612.0)); // the next one is gathered while this one is sent
    outbox.sent(at(3_613.0));
    assert_eq!(outbox.due_at(HOUR), Some(at(7_212.0)));
    assert_eq!(outbox.epoch, 1);
}

#[test]
fn a_digest_that_is_due_goes_before_new_groups_and_neither_right_after_the_other() {
    let mut outbox = Outbox::default();
    outbox.owe(5, at(0.0));
    outbox.told_at = Some(at(3_590.0));
    outbox.pause_micros = 5_000_000;
    outbox.gather(at(0.0));
    let Some(Due::Digest(what)) = outbox.due(at(3_600.0), HOUR) else { panic!("{outbox:?}") };
    outbox.begin("id".to_owned(), what, at(3_600.0));
    outbox.sent(at(3_600.0));
    assert_eq!(outbox.due(at(3_601.0), HOUR), None);
    assert_eq!(outbox.due(at(3_601.25), HOUR), Some(Due::Tells));
}

#[test]
fn what_was_being_sent_when_the_sender_died_is_sent_again_as_it_was() {
    let mut outbox = Outbox::default();
    outbox.owe(3, at(0.0));
    let what = OutboxEntry::Tells { kind: NoticeKind::New, keys: vec!["a".to_owned(), "b".to_owned()] };
    outbox.begin("id".to_owned(), what.clone(), at(0.0));
    outbox.owe(1, at(1.0));
    assert_eq!(outbox.due(at(59.0), HOUR), None, "it may still be at work");
    let Some(Due::Again(sending)) = outbox.due(at(60.0), HOUR) else { panic!("{outbox:?}") };
    assert_eq!((sending.id.as_str(), sending.what), ("id", what));
    outbox.begin_again(at(60.0));
    outbox.sent(at(61.0));
    assert_eq!(outbox.tells, 2);
    assert_eq!(outbox.due(at(63.0), HOUR), Some(Due::Tells));
}

#[test]
fn what_is_owed_is_due_since_it_is_owed() {
    let mut outbox = Outbox { sent_at: Some(at(0.0)), told_at: Some(at(0.0)), ..Outbox::default() };
    outbox.owe(1, at(9_000.0));
    outbox.owe(2, at(9_001.0));
    assert_eq!(outbox.due_at(HOUR), Some(at(9_000.0)));
}
