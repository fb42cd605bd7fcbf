//! The item of a subscription.

use aws_sdk_dynamodb::types::AttributeValue;
use eventpulse_core::notification::kind::NoticeKind;
use eventpulse_core::notification::subscription::{Subscription, SubscriptionState};
use eventpulse_core::time::Timestamp;

use crate::adapters::dynamodb::item::{Item, number, s, text};
use crate::adapters::notice_store::owner_pk;

/// The sort key.
pub(super) const SK: &str = "subscription";

/// Encodes a subscription as an item.
pub(super) fn item_of(owner: &str, subscription: &Subscription) -> Item {
    let Subscription { state, email, kinds, arn, superseded_arns, revision, .. } = subscription;
    let list = |words: Vec<&str>| AttributeValue::L(words.into_iter().map(s).collect());
    let mut item = Item::from([
        ("pk".to_owned(), s(owner_pk(owner))),
        ("sk".to_owned(), s(SK)),
        ("state".to_owned(), s(state.as_str())),
        ("kinds".to_owned(), list(kinds.iter().map(|kind| kind.as_str()).collect())),
        ("superseded_arns".to_owned(), list(superseded_arns.iter().map(String::as_str).collect())),
        ("revision".to_owned(), number(*revision)),
    ]);
    for (name, value) in [("email", email), ("arn", arn)] {
        item.extend(value.as_ref().map(|value| (name.to_owned(), s(value))));
    }
    for (name, at) in [
        ("subscribed_at", subscription.subscribed_at),
        ("confirmation_sent_at", subscription.confirmation_sent_at),
        ("confirmed_at", subscription.confirmed_at),
        ("gone_at", subscription.gone_at),
        ("checked_at", subscription.checked_at),
        ("check_failed_at", subscription.check_failed_at),
        ("sending_since", subscription.sending_since),
    ] {
        item.extend(at.map(|at| (name.to_owned(), s(at.sortable()))));
    }
    item
}

/// Decodes an item; `None` if it is corrupt.
pub(super) fn subscription_of(item: &Item) -> Option<Subscription> {
    // An unreadable time is an error, not a missing time.
    let time = |name: &str| match text(item, name) {
        Some(at) => Timestamp::parse(at).map(Some),
        None => Some(None),
    };
    let list = |name: &str| -> Option<Vec<&str>> {
        item.get(name)?.as_l().ok()?.iter().map(|word| word.as_s().ok().map(String::as_str)).collect()
    };
    Some(Subscription {
        state: SubscriptionState::parse(text(item, "state")?)?,
        email: text(item, "email").map(str::to_owned),
        kinds: list("kinds")?.into_iter().map(NoticeKind::parse).collect::<Option<_>>()?,
        arn: text(item, "arn").map(str::to_owned),
        subscribed_at: time("subscribed_at")?,
        confirmation_sent_at: time("confirmation_sent_at")?,
        confirmed_at: time("confirmed_at")?,
        gone_at: time("gone_at")?,
        checked_at: time("checked_at")?,
        check_failed_at: time("check_failed_at")?,
        sending_since: time("sending_since")?,
        superseded_arns: list("superseded_arns")?.into_iter().map(str::to_owned).collect(),
        revision: item.get("revision")?.as_n().ok()?.parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_are_read_back() {
        let at = |micros: i64| Some(Timestamp::from_micros(1_740_744_000_000_000 + micros));
        let full = Subscription {
            state: SubscriptionState::Gone,
            email: Some("ann+é@example.com".to_owned()),
            kinds: vec![NoticeKind::Digest, NoticeKind::New],
            arn: Some("arn:aws:sns:eu-central-1:1:notices:1".to_owned()),
            subscribed_at: at(1),
            confirmation_sent_at: at(2),
            confirmed_at: at(3),
            gone_at: at(4),
            checked_at: at(5),
            check_failed_at: at(6),
            sending_since: at(7),
            superseded_arns: vec!["arn:aws:sns:eu-central-1:1:notices:2".to_owned()],
            revision: 7,
        };
        for subscription in [Subscription::default(), full.clone()] {
            assert_eq!(subscription_of(&item_of("u1", &subscription)), Some(subscription));
        }
        let mut item = item_of("u1", &full);
        assert_eq!((&item["pk"], &item["sk"]), (&s("owner#u1"), &s("subscription")));
        item.insert("confirmation_sent_at".to_owned(), s("soon"));
        assert_eq!(subscription_of(&item), None);
    }
}
