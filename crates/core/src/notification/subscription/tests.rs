use serde_json::{Value, json};

use super::filter::{filter_policy, is_filter_policy, is_policy_of};
use super::*;

const DAY: i64 = 86_400;
const EMAIL: &str = "ann+1@example.com";
const ARN: &str = "arn:aws:sns:eu-central-1:1:notices:1";

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_secs(1_740_744_000 + seconds)
}

/// Returns a subscription with a confirmation e-mail sent at 0.
fn pending() -> Subscription {
    Subscription::default().confirmation_sent(EMAIL, NoticeKind::OF_OWNERS.to_vec(), Some(ARN.to_owned()), at(0))
}

fn in_state(state: SubscriptionState) -> Subscription {
    match state {
        SubscriptionState::None => pending().deleted(Removal::KeptWhilePending),
        SubscriptionState::Pending => pending(),
        SubscriptionState::Confirmed => pending().observe(ObservedState::Confirmed, at(1)),
        SubscriptionState::Gone => {
            pending().observe(ObservedState::Confirmed, at(1)).observe(ObservedState::Missing, at(2))
        }
    }
}

#[test]
fn checks_change_the_state() {
    use SubscriptionState::{Confirmed, Gone, None, Pending};
    for (name, stored, observed, when, state, has_arn) in [
        ("nothing changed", Pending, ObservedState::Pending, 100, Pending, true),
        ("the link was followed", Pending, ObservedState::Confirmed, 100, Confirmed, true),
        ("SNS does not know it yet", Pending, ObservedState::Missing, 59, Pending, true),
        ("confirmed and unsubscribed between two checks", Pending, ObservedState::Missing, 60, Gone, true),
        ("the same, at the last moment", Pending, ObservedState::Missing, DAY - 1, Gone, true),
        ("it expired", Pending, ObservedState::Missing, 2 * DAY, Pending, false),
        ("nothing changed", Confirmed, ObservedState::Confirmed, 100, Confirmed, true),
        ("the unsubscribe link was followed", Confirmed, ObservedState::Missing, 100, Gone, true),
        ("SNS switched it off", Confirmed, ObservedState::Pending, 100, Gone, true),
        ("still gone", Gone, ObservedState::Missing, 100, Gone, true),
        ("still switched off", Gone, ObservedState::Pending, 100, Gone, true),
        ("subscribed again by SNS's own link", Gone, ObservedState::Confirmed, 100, Confirmed, true),
        ("deleted while pending", None, ObservedState::Pending, 100, None, true),
        ("deleted, then confirmed by the old link", None, ObservedState::Confirmed, 100, None, false),
        ("deleted and never confirmed", None, ObservedState::Missing, 100, None, false),
    ] {
        let before = in_state(stored);
        let after = before.clone().observe(observed, at(when));
        assert_eq!((after.state, after.arn.is_some()), (state, has_arn), "{name}");
        assert_eq!((after.checked_at, after.check_failed_at), (Some(at(when)), Option::None), "{name}");
        assert_eq!(after.observe(observed, at(when)).state, state, "{name}, twice");
    }
    let deleted = in_state(None).observe(ObservedState::Confirmed, at(9));
    assert_eq!(
        (deleted.superseded_arns.clone(), deleted.confirmed_at),
        (vec![ARN.to_owned()], Option::None),
        "it is to be removed from SNS"
    );
    assert!(deleted.needs_confirmation(EMAIL, at(10)), "the owner can subscribe again");
    let wanted = deleted.confirmation_sent(EMAIL, NoticeKind::OF_OWNERS.to_vec(), Some(ARN.to_owned()), at(10));
    assert!(wanted.superseded_arns.is_empty(), "then it is not superseded");
    assert_eq!(wanted.observe(ObservedState::Confirmed, at(11)).state, Confirmed);
    let confirmed = in_state(Confirmed);
    assert_eq!((confirmed.confirmed_at, confirmed.gone_at), (Some(at(1)), Option::None));
    assert_eq!(confirmed.observe(ObservedState::Confirmed, at(9)).confirmed_at, Some(at(1)), "the first time");
    let gone = in_state(Gone);
    assert_eq!((gone.confirmed_at, gone.gone_at), (Some(at(1)), Some(at(2))));
    let back = gone.observe(ObservedState::Confirmed, at(3));
    assert_eq!((back.confirmed_at, back.gone_at), (Some(at(3)), Option::None));
}

#[test]
fn another_confirmation_e_mail_keeps_the_age_of_a_subscription() {
    let again = pending().confirmation_sent(EMAIL, pending().kinds, Some(ARN.to_owned()), at(DAY));
    assert_eq!((again.subscribed_at, again.confirmation_sent_at), (Some(at(0)), Some(at(DAY))));
    assert_eq!(
        again.observe(ObservedState::Missing, at(DAY + 3600)).state,
        SubscriptionState::Pending,
        "it expired without an unsubscription"
    );
}

#[test]
fn an_address_gets_one_confirmation_e_mail_a_day() {
    use SubscriptionState::{Confirmed, Gone, None, Pending};
    let expired = in_state(Pending).observe(ObservedState::Missing, at(2 * DAY));
    for (name, stored, email, when, expected) in [
        ("never subscribed", Subscription::default(), EMAIL, 0, true),
        ("pending", in_state(Pending), EMAIL, 1, false),
        ("pending, nearly a day", in_state(Pending), EMAIL, DAY - 1, false),
        ("pending, a day", in_state(Pending), EMAIL, DAY, true),
        ("pending, another address", in_state(Pending), "bob@example.com", 1, true),
        ("expired", expired, EMAIL, 2 * DAY, true),
        ("confirmed", in_state(Confirmed), EMAIL, 9 * DAY, false),
        ("confirmed, another address", in_state(Confirmed), "bob@example.com", 1, true),
        ("gone", in_state(Gone), EMAIL, 3, true),
        ("deleted while pending", in_state(None), EMAIL, 3, false),
        ("deleted while pending, a day", in_state(None), EMAIL, DAY, true),
        ("deleted", in_state(Confirmed).deleted(Removal::Removed), EMAIL, 3, true),
    ] {
        assert_eq!(stored.needs_confirmation(email, at(when)), expected, "{name}");
    }
}

#[test]
fn only_pending_subscriptions_get_reminders() {
    for state in SubscriptionState::ALL {
        let stored = in_state(state);
        assert_eq!(stored.needs_reminder(at(DAY)), state == SubscriptionState::Pending, "{state:?}");
        assert!(!stored.needs_reminder(at(DAY - 1)), "{state:?}");
    }
    let sending = Subscription { sending_since: Some(at(DAY)), ..pending() };
    assert!(!sending.needs_reminder(at(DAY + 29)) && sending.needs_reminder(at(DAY + 30)));
}

#[test]
fn receipts_check_only_after_a_pause() {
    for (name, state, when, expected) in [
        ("pending, just now", SubscriptionState::Pending, 101, false),
        ("pending", SubscriptionState::Pending, 102, true),
        ("confirmed, just now", SubscriptionState::Confirmed, 159, false),
        ("confirmed", SubscriptionState::Confirmed, 160, true),
        ("gone", SubscriptionState::Gone, 160, true),
    ] {
        let checked = Subscription { checked_at: Some(at(100)), ..in_state(state) };
        assert_eq!(checked.needs_check(at(when)), expected, "{name}");
    }
    assert!(!Subscription::default().needs_check(at(0)), "there is nothing to check");
    for state in [SubscriptionState::Pending, SubscriptionState::Confirmed] {
        let failed = Subscription { check_failed_at: Some(at(100)), ..in_state(state) };
        assert!(!failed.needs_check(at(159)) && failed.needs_check(at(160)), "{state:?}");
        let answered = Subscription { checked_at: None, ..failed.observe(ObservedState::Confirmed, at(101)) };
        assert!(answered.needs_check(at(102)), "{state:?}");
        let sending = Subscription { sending_since: Some(at(100)), ..in_state(state) };
        assert!(!sending.needs_check(at(129)) && sending.needs_check(at(130)), "{state:?}");
    }
}

#[test]
fn earlier_subscriptions_are_superseded() {
    let other = "arn:aws:sns:eu-central-1:1:notices:2";
    let moved = in_state(SubscriptionState::Confirmed).confirmation_sent(
        "bob@example.com",
        vec![NoticeKind::New],
        Some(other.to_owned()),
        at(5),
    );
    assert_eq!(
        (moved.state, moved.arn.as_deref(), moved.superseded_arns.clone()),
        (SubscriptionState::Pending, Some(other), vec![ARN.into()])
    );
    assert_eq!((moved.confirmed_at, moved.subscribed_at), (None, Some(at(5))));
    let back = moved.confirmation_sent(EMAIL, vec![NoticeKind::New], Some(ARN.to_owned()), at(6));
    assert_eq!(
        (back.arn.as_deref(), back.superseded_arns.clone()),
        (Some(ARN), vec![other.to_owned()]),
        "it is not superseded any more"
    );
    let deleted = back.deleted(Removal::Removed);
    assert_eq!((deleted.email, deleted.arn, deleted.superseded_arns), (None, None, vec![other.to_owned()]));
}

#[test]
fn other_kinds_need_no_confirmation() {
    let kinds = vec![NoticeKind::Digest];
    for (stored, state) in [
        (SubscriptionState::None, SubscriptionState::Pending),
        (SubscriptionState::Pending, SubscriptionState::Pending),
        (SubscriptionState::Confirmed, SubscriptionState::Confirmed),
    ] {
        let changed = in_state(stored).with_kinds(kinds.clone());
        assert_eq!((changed.state, &changed.kinds), (state, &kinds));
    }
}

#[test]
fn filter_policies_are_compared_as_json() {
    let kinds = [NoticeKind::New, NoticeKind::Digest];
    let text = filter_policy("u\"1", &kinds);
    assert_eq!(
        serde_json::from_str::<Value>(&text).unwrap(),
        json!({ "owner": ["u\"1"], "kind": ["new", "digest"] }),
        "{text}"
    );
    assert!(is_filter_policy(&text, "u\"1", &kinds));
    assert!(is_filter_policy(r#"{ "owner": ["u\"1"], "kind": ["new", "digest"] }"#, "u\"1", &kinds));
    for (name, text, is_owners) in [
        ("none", "", false),
        ("no JSON", "{", false),
        ("another owner", r#"{"owner":["u2"],"kind":["new","digest"]}"#, false),
        ("two owners", r#"{"owner":["u1","u2"],"kind":["new","digest"]}"#, false),
        ("the operator's", r#"{"kind":[{"anything-but":["synthetic_check"]}]}"#, false),
        ("other kinds", r#"{"owner":["u1"],"kind":["new"]}"#, true),
    ] {
        assert!(!is_filter_policy(text, "u1", &kinds), "{name}");
        assert_eq!(is_policy_of(text, "u1"), is_owners, "{name}");
    }
}

#[test]
fn hints_name_the_next_step() {
    let (same, bob) = (Some(EMAIL), Some("bob@example.com"));
    for (name, stored, address, when, says) in [
        ("none", Subscription::default(), same, 0, "PUT /notifications subscribes ann+1@example.com."),
        ("no address", Subscription::default(), None, 0, "Have an e-mail address verified"),
        ("pending", pending(), same, 1, "After 2025-03-01T12:00:00Z, PUT /notifications sends it again."),
        ("pending for long", pending(), same, DAY, "was not followed. PUT /notifications sends it again."),
        ("confirmed", in_state(SubscriptionState::Confirmed), same, 2, "DELETE /notifications stops them."),
        ("address changed", in_state(SubscriptionState::Confirmed), bob, 2, "your address is now bob@example.com"),
        ("address lost", in_state(SubscriptionState::Confirmed), None, 2, "DELETE /notifications stops them."),
        ("gone", in_state(SubscriptionState::Gone), same, 3, "PUT /notifications subscribes it again."),
        (
            "pending, address changed",
            pending(),
            bob,
            1,
            "PUT /notifications sends a confirmation e-mail there at once.",
        ),
        (
            "pending for long, address changed",
            pending(),
            bob,
            DAY,
            "PUT /notifications sends a confirmation e-mail there at once.",
        ),
        (
            "gone, address changed",
            in_state(SubscriptionState::Gone),
            bob,
            3,
            "PUT /notifications subscribes bob@example.com.",
        ),
        (
            "deleted, address changed",
            in_state(SubscriptionState::None),
            bob,
            3,
            "PUT /notifications subscribes bob@example.com.",
        ),
    ] {
        let hint = stored.hint(address, at(when));
        assert!(hint.contains(says), "{name}: {hint}");
        assert!(hint.ends_with('.') && !hint.contains("  "), "{name}: {hint}");
    }
    // Without a verified address, PUT is refused.
    let verify = "and PUT /notifications.";
    for (name, stored, when, says) in [
        ("none", in_state(SubscriptionState::None), 1, verify),
        (
            "pending",
            pending(),
            1,
            "Follow the link in the confirmation e-mail to ann+1@example.com. Check the spam folder, too.",
        ),
        ("pending for long", pending(), DAY, verify),
        (
            "confirmed",
            in_state(SubscriptionState::Confirmed),
            2,
            "sent to ann+1@example.com. DELETE /notifications stops them.",
        ),
        ("gone", in_state(SubscriptionState::Gone), 3, verify),
    ] {
        let hint = stored.hint(None, at(when));
        assert!(hint.ends_with(says), "{name}: {hint}");
        assert!(!hint.contains("again.") && !hint.contains("sends"), "{name}: {hint}");
        assert_eq!(
            hint.contains("PUT"),
            hint.contains("address verified for your account, sign in again"),
            "{name}: {hint}"
        );
    }
    for state in SubscriptionState::ALL {
        assert_eq!(in_state(state).receipt_hint().is_none(), state == SubscriptionState::Confirmed, "{state:?}");
        assert_eq!(SubscriptionState::parse(state.as_str()), Some(state));
    }
    assert_eq!(SubscriptionState::parse("lapsed"), None);
}

#[test]
fn a_claim_ends_with_or_without_an_e_mail() {
    let claimed = pending().claim_sending(at(DAY));
    assert!(claimed.is_sending(at(DAY + 29)) && !claimed.is_sending(at(DAY + 30)));
    assert_eq!(claimed.clone().release_sending(), pending());
    let refused = claimed.clone().reminder_refused(at(DAY));
    assert!(!refused.is_sending(at(DAY)) && !refused.needs_reminder(at(2 * DAY - 1)));
    assert!(refused.needs_reminder(at(2 * DAY)));
    let sent = claimed.confirmation_sent(EMAIL, vec![NoticeKind::New], Some(ARN.to_owned()), at(DAY));
    assert!(!sent.is_sending(at(DAY)));
}

#[test]
fn a_check_without_an_arn_ends_a_failed_one() {
    let failed = pending().check_failed(at(5));
    assert_eq!((failed.checked_at, failed.check_failed_at), (None, Some(at(5))));
    let checked = failed.checked(at(6));
    assert_eq!((checked.checked_at, checked.check_failed_at), (Some(at(6)), None));
}

#[test]
fn an_address_is_subscribed_with_the_filter_that_sns_accepts() {
    let (own, other) = (filter_policy("u1", &[NoticeKind::Digest]), filter_policy("u2", &[NoticeKind::Digest]));
    let wanted = filter_policy("u1", &[NoticeKind::New]);
    for (name, email, current, expected) in [
        ("the same address with the owner's filter", EMAIL, Some(&own), &own),
        ("the same address without a filter", EMAIL, None, &wanted),
        ("the same address with another owner's filter", EMAIL, Some(&other), &wanted),
        ("another address", "bob@example.com", Some(&own), &wanted),
    ] {
        let filter = pending().filter_to_subscribe("u1", email, &[NoticeKind::New], current.map(String::as_str));
        assert_eq!(&filter, expected, "{name}");
    }
    for (name, observed, filter, expected) in [
        ("the owner's", ObservedState::Pending, Some(&own), true),
        ("another owner's", ObservedState::Pending, Some(&other), false),
        ("of a subscription that is gone", ObservedState::Missing, Some(&own), false),
        ("none", ObservedState::Confirmed, None, false),
    ] {
        assert_eq!(own_filter("u1", observed, filter.cloned()).is_some(), expected, "{name}");
    }
}

#[test]
fn a_filter_is_set_only_if_it_differs() {
    let stored = pending().with_kinds(vec![NoticeKind::New]);
    let wanted = filter_policy("u1", &[NoticeKind::New]);
    assert_eq!(stored.filter_to_set("u1", Some(&wanted)), None);
    assert_eq!(stored.filter_to_set("u1", None), Some(wanted.clone()));
    assert_eq!(stored.filter_to_set("u1", Some("{}")), Some(wanted));
    let without_arn = Subscription { arn: None, ..stored };
    assert_eq!(without_arn.filter_to_set("u1", None), None);
}
