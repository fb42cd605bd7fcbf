use super::*;

const DAY: i64 = 86_400;
const EMAIL: &str = "ann+1@example.com";
const ARN: &str = "arn:aws:sns:eu-central-1:1:notices:1";

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_micros(1_740_744_000_000_000).plus_seconds(seconds)
}

/// Asked at 0.
fn asked() -> Subscription {
    Subscription::default().asked(EMAIL, NoticeKind::OF_OWNERS.to_vec(), Some(ARN.to_owned()), at(0))
}

fn stands(state: SubscriptionState) -> Subscription {
    match state {
        SubscriptionState::None => asked().deleted(true),
        SubscriptionState::Pending => asked(),
        SubscriptionState::Confirmed => asked().seen(ObservedState::Confirmed, at(1)),
        SubscriptionState::Gone => asked().seen(ObservedState::Confirmed, at(1)).seen(ObservedState::Unknown, at(2)),
    }
}

#[test]
fn what_sns_says_makes_the_state() {
    use SubscriptionState::{Confirmed, Gone, None, Pending};
    for (name, stored, seen, when, state, has_arn) in [
        ("nothing changed", Pending, ObservedState::Pending, 100, Pending, true),
        ("the link was followed", Pending, ObservedState::Confirmed, 100, Confirmed, true),
        ("SNS does not know it yet", Pending, ObservedState::Unknown, 59, Pending, true),
        ("confirmed and unsubscribed between two looks", Pending, ObservedState::Unknown, 60, Gone, true),
        ("the same, at the last moment", Pending, ObservedState::Unknown, DAY - 1, Gone, true),
        ("it lapsed", Pending, ObservedState::Unknown, 2 * DAY, Pending, false),
        ("nothing changed", Confirmed, ObservedState::Confirmed, 100, Confirmed, true),
        ("the unsubscribe link was followed", Confirmed, ObservedState::Unknown, 100, Gone, true),
        ("SNS switched it off", Confirmed, ObservedState::Pending, 100, Gone, true),
        ("still gone", Gone, ObservedState::Unknown, 100, Gone, true),
        ("still switched off", Gone, ObservedState::Pending, 100, Gone, true),
        ("subscribed again by SNS's own link", Gone, ObservedState::Confirmed, 100, Confirmed, true),
        ("deleted while pending", None, ObservedState::Pending, 100, None, true),
        ("deleted, then confirmed by the old link", None, ObservedState::Confirmed, 100, None, false),
        ("deleted, and nobody confirmed it", None, ObservedState::Unknown, 100, None, false),
    ] {
        let before = stands(stored);
        let after = before.clone().seen(seen, at(when));
        assert_eq!((after.state, after.arn.is_some()), (state, has_arn), "{name}");
        assert_eq!((after.looked_at, after.silent_at), (Some(at(when)), Option::None), "{name}");
        assert_eq!(after.seen(seen, at(when)).state, state, "{name}, twice");
    }
    let deleted = stands(None).seen(ObservedState::Confirmed, at(9));
    assert_eq!(
        (deleted.left.clone(), deleted.confirmed_at),
        (vec![ARN.to_owned()], Option::None),
        "it is to be removed"
    );
    assert!(deleted.asks(EMAIL, at(10)), "it may be asked for anew");
    let wanted = deleted.asked(EMAIL, NoticeKind::OF_OWNERS.to_vec(), Some(ARN.to_owned()), at(10));
    assert!(wanted.left.is_empty(), "then it is wanted");
    assert_eq!(wanted.seen(ObservedState::Confirmed, at(11)).state, Confirmed);
    let confirmed = stands(Confirmed);
    assert_eq!((confirmed.confirmed_at, confirmed.gone_at), (Some(at(1)), Option::None));
    assert_eq!(confirmed.seen(ObservedState::Confirmed, at(9)).confirmed_at, Some(at(1)), "since when, not until when");
    let gone = stands(Gone);
    assert_eq!((gone.confirmed_at, gone.gone_at), (Some(at(1)), Some(at(2))));
    let back = gone.seen(ObservedState::Confirmed, at(3));
    assert_eq!((back.confirmed_at, back.gone_at), (Some(at(3)), Option::None));
}

#[test]
fn the_last_ask_does_not_make_an_old_subscription_young() {
    let again = asked().asked(EMAIL, asked().kinds, Some(ARN.to_owned()), at(DAY));
    assert_eq!((again.subscribed_at, again.asked_at), (Some(at(0)), Some(at(DAY))));
    assert_eq!(
        again.seen(ObservedState::Unknown, at(DAY + 3600)).state,
        SubscriptionState::Pending,
        "it lapsed, nobody unsubscribed"
    );
}

#[test]
fn nobody_is_asked_twice_a_day() {
    use SubscriptionState::{Confirmed, Gone, None, Pending};
    let lapsed = stands(Pending).seen(ObservedState::Unknown, at(2 * DAY));
    for (name, stored, email, when, expected) in [
        ("never asked", Subscription::default(), EMAIL, 0, true),
        ("pending", stands(Pending), EMAIL, 1, false),
        ("pending, nearly a day", stands(Pending), EMAIL, DAY - 1, false),
        ("pending, a day", stands(Pending), EMAIL, DAY, true),
        ("pending, another address", stands(Pending), "bob@example.com", 1, true),
        ("lapsed", lapsed, EMAIL, 2 * DAY, true),
        ("confirmed", stands(Confirmed), EMAIL, 9 * DAY, false),
        ("confirmed, another address", stands(Confirmed), "bob@example.com", 1, true),
        ("gone", stands(Gone), EMAIL, 3, true),
        ("deleted while pending", stands(None), EMAIL, 3, false),
        ("deleted while pending, a day", stands(None), EMAIL, DAY, true),
        ("deleted", stands(Confirmed).deleted(false), EMAIL, 3, true),
    ] {
        assert_eq!(stored.asks(email, at(when)), expected, "{name}");
    }
}

#[test]
fn news_asks_only_those_who_have_not_answered() {
    for state in SubscriptionState::ALL {
        let stored = stands(state);
        assert_eq!(stored.asks_for_news(at(DAY)), state == SubscriptionState::Pending, "{state:?}");
        assert!(!stored.asks_for_news(at(DAY - 1)), "{state:?}");
    }
    let being_asked = Subscription { asking_at: Some(at(DAY)), ..asked() };
    assert!(!being_asked.asks_for_news(at(DAY + 29)) && being_asked.asks_for_news(at(DAY + 30)));
}

#[test]
fn receipts_do_not_ask_sns_each_time() {
    for (name, state, when, expected) in [
        ("pending, just now", SubscriptionState::Pending, 101, false),
        ("pending", SubscriptionState::Pending, 102, true),
        ("confirmed, just now", SubscriptionState::Confirmed, 159, false),
        ("confirmed", SubscriptionState::Confirmed, 160, true),
        ("gone", SubscriptionState::Gone, 160, true),
    ] {
        let looked = Subscription { looked_at: Some(at(100)), ..stands(state) };
        assert_eq!(looked.is_to_be_looked_at(at(when)), expected, "{name}");
    }
    assert!(!Subscription::default().is_to_be_looked_at(at(0)), "there is nothing to look at");
    for state in [SubscriptionState::Pending, SubscriptionState::Confirmed] {
        let silent = Subscription { silent_at: Some(at(100)), ..stands(state) };
        assert!(!silent.is_to_be_looked_at(at(159)) && silent.is_to_be_looked_at(at(160)), "{state:?}");
        let spoke = Subscription { looked_at: None, ..silent.seen(ObservedState::Confirmed, at(101)) };
        assert!(spoke.is_to_be_looked_at(at(102)), "{state:?}");
        let being_asked = Subscription { asking_at: Some(at(100)), ..stands(state) };
        assert!(!being_asked.is_to_be_looked_at(at(129)) && being_asked.is_to_be_looked_at(at(130)), "{state:?}");
    }
}

#[test]
fn what_is_left_behind_is_not_forgotten() {
    let other = "arn:aws:sns:eu-central-1:1:notices:2";
    let moved = stands(SubscriptionState::Confirmed).asked(
        "bob@example.com",
        vec![NoticeKind::New],
        Some(other.to_owned()),
        at(5),
    );
    assert_eq!(
        (moved.state, moved.arn.as_deref(), moved.left.clone()),
        (SubscriptionState::Pending, Some(other), vec![ARN.into()])
    );
    assert_eq!((moved.confirmed_at, moved.subscribed_at), (None, Some(at(5))));
    let back = moved.asked(EMAIL, vec![NoticeKind::New], Some(ARN.to_owned()), at(6));
    assert_eq!(
        (back.arn.as_deref(), back.left.clone()),
        (Some(ARN), vec![other.to_owned()]),
        "it is not left any more"
    );
    let deleted = back.deleted(false);
    assert_eq!((deleted.email, deleted.arn, deleted.left), (None, None, vec![other.to_owned()]));
}

#[test]
fn other_kinds_need_no_other_mail() {
    let kinds = vec![NoticeKind::Digest];
    for (stored, state) in [
        (SubscriptionState::None, SubscriptionState::Pending),
        (SubscriptionState::Pending, SubscriptionState::Pending),
        (SubscriptionState::Confirmed, SubscriptionState::Confirmed),
    ] {
        let wanting = stands(stored).wanting(kinds.clone());
        assert_eq!((wanting.state, &wanting.kinds), (state, &kinds));
    }
}

#[test]
fn a_filter_policy_is_known_again() {
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
        ("the operator's", r#"{"kind":[{"anything-but":["self_test"]}]}"#, false),
        ("other kinds", r#"{"owner":["u1"],"kind":["new"]}"#, true),
    ] {
        assert!(!is_filter_policy(text, "u1", &kinds), "{name}");
        assert_eq!(is_policy_of(text, "u1"), is_owners, "{name}");
    }
}

#[test]
fn hints_say_what_to_do_next() {
    let (same, bob) = (Some(EMAIL), Some("bob@example.com"));
    for (name, stored, address, when, says) in [
        ("none", Subscription::default(), same, 0, "mailed to ann+1@example.com."),
        ("no address", Subscription::default(), None, 0, "Have an e-mail address verified"),
        ("pending", asked(), same, 1, "From 2025-03-01T12:00:00Z on, PUT /notifications has it mailed again."),
        ("pending for long", asked(), same, DAY, "Nobody followed the link"),
        ("confirmed", stands(SubscriptionState::Confirmed), same, 2, "DELETE /notifications ends it."),
        ("address changed", stands(SubscriptionState::Confirmed), bob, 2, "your address is bob@example.com now"),
        ("address lost", stands(SubscriptionState::Confirmed), None, 2, "DELETE /notifications ends it."),
        ("gone", stands(SubscriptionState::Gone), same, 3, "PUT /notifications asks anew."),
        ("pending, address changed", asked(), bob, 1, "PUT /notifications has one mailed there, at once."),
        ("pending for long, address changed", asked(), bob, DAY, "PUT /notifications has one mailed there, at once."),
        ("gone, address changed", stands(SubscriptionState::Gone), bob, 3, "PUT /notifications asks bob@example.com."),
        ("deleted, address changed", stands(SubscriptionState::None), bob, 3, "mailed to bob@example.com."),
    ] {
        let hint = stored.hint(address, at(when));
        assert!(hint.contains(says), "{name}: {hint}");
        assert!(hint.ends_with('.') && !hint.contains("  "), "{name}: {hint}");
    }
    // Without a verified address, PUT is refused.
    let verify = "and PUT /notifications.";
    for (name, stored, when, says) in [
        ("none", stands(SubscriptionState::None), 1, verify),
        ("pending", asked(), 1, "Follow the link in the mail to ann+1@example.com; look among the spam, too."),
        ("pending for long", asked(), DAY, verify),
        (
            "confirmed",
            stands(SubscriptionState::Confirmed),
            2,
            "mailed to ann+1@example.com. DELETE /notifications ends it.",
        ),
        ("gone", stands(SubscriptionState::Gone), 3, verify),
    ] {
        let hint = stored.hint(None, at(when));
        assert!(hint.ends_with(says), "{name}: {hint}");
        assert!(!hint.contains("anew") && !hint.contains("mailed again"), "{name}: {hint}");
        assert_eq!(
            hint.contains("PUT"),
            hint.contains("address verified for your account, sign in again"),
            "{name}: {hint}"
        );
    }
    for state in SubscriptionState::ALL {
        assert_eq!(stands(state).receipt_hint().is_none(), state == SubscriptionState::Confirmed, "{state:?}");
        assert_eq!(SubscriptionState::parse(state.as_str()), Some(state));
    }
    assert_eq!(SubscriptionState::parse("lapsed"), None);
}
