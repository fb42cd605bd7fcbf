//! Keys as items, and items as keys.

use aws_sdk_dynamodb::types::AttributeValue;
use eventpulse_core::device::key::{Credential, KeyId, KeyState, UsageKey, UsagePlan};
use eventpulse_core::time::Timestamp;

use super::{Key, Replaced};
use crate::adapters::dynamodb::item::{Item, n, number, s, text};

const MICROS_PER_SECOND: i64 = 1_000_000;

pub(super) fn key_pk(id: &KeyId) -> String {
    format!("id#{id}")
}

pub(super) fn secret_pk(digest: &str) -> String {
    format!("key#{digest}")
}

/// Where a key stands in its owner's list.
pub(super) fn listed(key: &Key) -> String {
    format!("{}#{}", key.created_at.sortable(), key.key_id)
}

/// The id in a position.
pub(super) fn id_at(position: &str) -> Option<KeyId> {
    KeyId::parse(position.rsplit('#').next()?).ok()
}

pub(super) fn key_item(key: &Key) -> Item {
    let replaced = key.replaced.iter().map(|old| {
        AttributeValue::M(Item::from([
            ("digest".to_owned(), s(&old.digest)),
            ("hint".to_owned(), s(&old.hint)),
            ("valid_until".to_owned(), s(old.valid_until.sortable())),
        ]))
    });
    let mut item = Item::from([
        ("pk".to_owned(), s(key_pk(&key.key_id))),
        ("owner".to_owned(), s(&key.owner)),
        ("listed".to_owned(), s(listed(key))),
        ("key_id".to_owned(), s(key.key_id.as_str())),
        ("plan".to_owned(), s(key.plan.as_str())),
        ("state".to_owned(), s(key.state.as_str())),
        ("created_at".to_owned(), s(key.created_at.sortable())),
        ("hint".to_owned(), s(&key.hint)),
        ("digest".to_owned(), s(&key.digest)),
        ("replaced".to_owned(), AttributeValue::L(replaced.collect())),
        ("usage_key".to_owned(), s(key.usage_key.reveal())),
        ("usage_key_id".to_owned(), s(&key.usage_key_id)),
        ("revision".to_owned(), number(key.revision)),
    ]);
    if let Some(name) = &key.name {
        item.insert("name".to_owned(), s(name));
    }
    if let Some(at) = key.revoked_at {
        item.insert("revoked_at".to_owned(), s(at.sortable()));
        item.insert("expires_at".to_owned(), epoch(at, super::KEPT_REVOKED_SECONDS));
    }
    item
}

pub(super) fn key_of(item: &Item) -> Option<Key> {
    let replaced = |value: &AttributeValue| {
        let item = value.as_m().ok()?;
        Some(Replaced {
            digest: text(item, "digest")?.to_owned(),
            hint: text(item, "hint")?.to_owned(),
            valid_until: time(item, "valid_until")?,
        })
    };
    Some(Key {
        key_id: KeyId::parse(text(item, "key_id")?).ok()?,
        owner: text(item, "owner")?.parse().ok()?,
        name: text(item, "name").map(str::to_owned),
        plan: UsagePlan::parse(text(item, "plan")?)?,
        state: KeyState::parse(text(item, "state")?)?,
        hint: text(item, "hint")?.to_owned(),
        created_at: time(item, "created_at")?,
        revoked_at: time(item, "revoked_at"),
        replaced: item.get("replaced")?.as_l().ok()?.iter().map(replaced).collect::<Option<_>>()?,
        digest: text(item, "digest")?.to_owned(),
        usage_key: UsageKey::stored(text(item, "usage_key")?),
        usage_key_id: text(item, "usage_key_id")?.to_owned(),
        revision: item.get("revision")?.as_n().ok()?.parse().ok()?,
    })
}

/// One secret of a key: all that the authorizer reads.
pub(super) fn secret_item(key: &Key, digest: &str, valid_until: Option<Timestamp>) -> Item {
    let mut item = Item::from([
        ("pk".to_owned(), s(secret_pk(digest))),
        ("owner".to_owned(), s(&key.owner)),
        ("key_id".to_owned(), s(key.key_id.as_str())),
        ("state".to_owned(), s(key.state.as_str())),
        ("usage_key".to_owned(), s(key.usage_key.reveal())),
    ]);
    if let Some(until) = valid_until {
        item.insert("valid_until".to_owned(), s(until.sortable()));
        item.insert("expires_at".to_owned(), epoch(until, super::KEPT_REPLACED_SECONDS));
    }
    if let Some(at) = key.revoked_at {
        item.insert("revoked_at".to_owned(), s(at.sortable()));
        item.insert("expires_at".to_owned(), epoch(at, super::KEPT_REVOKED_SECONDS));
    }
    item
}

pub(super) fn credential_of(item: &Item) -> Option<Credential> {
    let valid_until = match item.contains_key("valid_until") {
        true => Some(time(item, "valid_until")?), // one that cannot be read is not one that never ends
        false => None,
    };
    Some(Credential {
        owner: text(item, "owner")?.parse().ok()?,
        key_id: KeyId::parse(text(item, "key_id")?).ok()?,
        state: KeyState::parse(text(item, "state")?)?,
        valid_until,
        usage_key: UsageKey::stored(text(item, "usage_key")?),
    })
}

fn time(item: &Item, name: &str) -> Option<Timestamp> {
    Timestamp::parse(text(item, name)?)
}

/// For [DynamoDB's time to live](https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/time-to-live-ttl-before-you-start.html):
/// seconds since 1970.
fn epoch(at: Timestamp, later: i64) -> AttributeValue {
    n((at.plus_seconds(later).as_micros() / MICROS_PER_SECOND).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use eventpulse_core::device::key::{ApiKey, CredentialStatus};

    fn key(name: Option<&str>, revoked_at: Option<Timestamp>) -> Key {
        let at = Timestamp::from_micros(1_740_744_000_123_456);
        Key {
            key_id: KeyId::new(at, [3; 10]),
            owner: "u1".parse().unwrap(),
            name: name.map(str::to_owned),
            plan: UsagePlan::Fast,
            state: if revoked_at.is_some() { KeyState::Revoked } else { KeyState::Active },
            hint: "abcd".to_owned(),
            created_at: at,
            revoked_at,
            replaced: vec![Replaced { digest: "d".to_owned(), hint: "wxyz".to_owned(), valid_until: at }],
            digest: ApiKey::new([1; 32]).digest(),
            usage_key: UsageKey::new([2; 20]),
            usage_key_id: "gw".to_owned(),
            revision: 7,
        }
    }

    #[test]
    fn keys_read_back_and_never_hold_a_secret() {
        for key in [key(None, None), key(Some("a b+c é"), Some(Timestamp::from_micros(5_000_000)))] {
            let item = key_item(&key);
            assert_eq!(key_of(&item), Some(key.clone()));
            assert!(!format!("{item:?}").contains(&ApiKey::new([1; 32]).reveal()[3..]));
            assert_eq!(id_at(&listed(&key)), Some(key.key_id.clone()));
            assert_eq!(item.contains_key("expires_at"), key.revoked_at.is_some());
        }
    }

    #[test]
    fn a_secret_tells_what_the_authorizer_needs_and_is_in_no_list() {
        let at = Timestamp::from_micros(1_740_744_000_123_456);
        let current = secret_item(&key(None, None), "d", None);
        assert!(!current.contains_key("listed") && !current.contains_key("expires_at"));
        assert_eq!(credential_of(&current).map(|known| known.standing(at)), Some(CredentialStatus::Good));
        let mut replaced = secret_item(&key(None, None), "d", Some(at));
        assert_eq!(replaced["expires_at"], n((1_740_744_000 + super::super::KEPT_REPLACED_SECONDS).to_string()));
        assert_eq!(credential_of(&replaced).map(|known| known.standing(at)), Some(CredentialStatus::Replaced));
        replaced.insert("valid_until".to_owned(), s("soon"));
        assert_eq!(credential_of(&replaced), None, "a time that cannot be read is not no time");
        let revoked = secret_item(&key(None, Some(at)), "d", None);
        assert_eq!(credential_of(&revoked).map(|known| known.standing(at)), Some(CredentialStatus::Revoked));
    }
}
