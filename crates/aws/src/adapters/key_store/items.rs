//! Translates keys and secrets to items, and back.

use std::time::Duration;

use eventpulse_core::device::key::{Credential, KeyId};
use eventpulse_core::device::key_commands::{Key, SecretState};
use eventpulse_core::time::Timestamp;
use serde::{Deserialize, Serialize};
use serde_dynamo::aws_sdk_dynamodb_1::{from_item, to_item};

use crate::adapters::dynamodb::item::{Item, epoch_seconds};

/// How long a revoked key is listed.
const KEEP_REVOKED: Duration = Duration::from_secs(90 * 86_400);
/// How long the item of a replaced secret is kept after the secret's end, for investigations.
const KEEP_REPLACED: Duration = Duration::from_secs(86_400);

/// The item of a key.
#[derive(Serialize, Deserialize)]
struct KeyItem {
    pk: String,
    /// The position in the owner's list.
    listed: String,
    #[serde(flatten)]
    key: Key,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<i64>,
}

/// The item of a secret.
#[derive(Serialize, Deserialize)]
struct SecretItem {
    pk: String,
    #[serde(flatten)]
    credential: Credential,
    #[serde(skip_serializing_if = "Option::is_none")]
    revoked_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<i64>,
}

pub(super) fn key_pk(id: &KeyId) -> String {
    format!("id#{id}")
}

pub(super) fn secret_pk(digest: &str) -> String {
    format!("key#{digest}")
}

/// Returns the position of a key in its owner's list.
fn position(key: &Key) -> String {
    format!("{}#{}", key.created_at.sortable(), key.key_id)
}

/// Parses the id in a position.
pub(super) fn id_at(position: &str) -> Option<KeyId> {
    KeyId::parse(position.rsplit('#').next()?).ok()
}

pub(super) fn key_item(key: &Key) -> Result<Item, serde_dynamo::Error> {
    to_item(KeyItem {
        pk: key_pk(&key.key_id),
        listed: position(key),
        key: key.clone(),
        expires_at: key.revoked_at.map(|at| epoch_seconds(at + KEEP_REVOKED)),
    })
}

pub(super) fn key_of(item: Item) -> Result<Key, serde_dynamo::Error> {
    from_item(item).map(|KeyItem { key, .. }| key)
}

pub(super) fn secret_item(key: &Key, secret: &SecretState) -> Result<Item, serde_dynamo::Error> {
    let of_replaced = secret.valid_until.map(|until| epoch_seconds(until + KEEP_REPLACED));
    to_item(SecretItem {
        pk: secret_pk(&secret.digest),
        credential: Credential {
            owner: key.owner.clone(),
            key_id: key.key_id.clone(),
            state: key.state,
            valid_until: secret.valid_until,
            usage_key: key.usage_key.clone(),
        },
        revoked_at: key.revoked_at,
        expires_at: key.revoked_at.map(|at| epoch_seconds(at + KEEP_REVOKED)).or(of_replaced),
    })
}

pub(super) fn credential_of(item: Item) -> Result<Credential, serde_dynamo::Error> {
    from_item(item).map(|SecretItem { credential, .. }| credential)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapters::dynamodb::golden::json_of;
    use crate::adapters::dynamodb::item::s;
    use eventpulse_core::device::key::{ApiKey, CredentialStatus, KeyState, UsageKey, UsagePlan};
    use eventpulse_core::device::key_commands::ReplacedSecret;
    use serde_json::json;

    const SECOND: i64 = 1_740_744_000;

    fn at(micros: i64) -> Timestamp {
        Timestamp::from_micros(SECOND * 1_000_000 + micros)
    }

    fn key(name: Option<&str>, revoked_at: Option<Timestamp>) -> Key {
        Key {
            key_id: KeyId::new(at(0), [3; 10]),
            owner: "u1".parse().unwrap(),
            name: name.map(str::to_owned),
            plan: UsagePlan::Fast,
            state: if revoked_at.is_some() { KeyState::Revoked } else { KeyState::Active },
            hint: "abcd".to_owned(),
            created_at: at(123_456),
            revoked_at,
            replaced: vec![ReplacedSecret { digest: "d".to_owned(), hint: "wxyz".to_owned(), valid_until: at(0) }],
            digest: ApiKey::new([1; 32]).digest(),
            usage_key: UsageKey::new([2; 20]),
            usage_key_id: "gw".to_owned(),
            revision: 7,
        }
    }

    fn secret(valid_until: Option<Timestamp>) -> SecretState {
        SecretState { digest: "d".to_owned(), valid_until }
    }

    #[test]
    fn a_key_has_a_golden_item() {
        let key = key(Some("north é"), Some(at(0)));
        let expected = json!({
            "pk": {"S": format!("id#{}", key.key_id)},
            "listed": {"S": format!("2025-02-28T12:00:00.123456Z#{}", key.key_id)},
            "key_id": {"S": key.key_id.as_str()},
            "owner": {"S": "u1"},
            "name": {"S": "north é"},
            "plan": {"S": "fast"},
            "state": {"S": "revoked"},
            "hint": {"S": "abcd"},
            "created_at": {"S": "2025-02-28T12:00:00.123456Z"},
            "revoked_at": {"S": "2025-02-28T12:00:00Z"},
            "expires_at": {"N": (SECOND + 90 * 86_400).to_string()},
            "replaced": {"L": [{"M": {
                "hint": {"S": "wxyz"}, "valid_until": {"S": "2025-02-28T12:00:00Z"}, "digest": {"S": "d"},
            }}]},
            "digest": {"S": key.digest},
            "usage_key": {"S": "02".repeat(20)},
            "usage_key_id": {"S": "gw"},
            "revision": {"N": "7"},
        });
        assert_eq!(json_of(&key_item(&key).unwrap()), expected);
    }

    #[test]
    fn a_secret_has_a_golden_item() {
        let key = key(None, None);
        let expected = json!({
            "pk": {"S": "key#d"},
            "owner": {"S": "u1"},
            "key_id": {"S": key.key_id.as_str()},
            "state": {"S": "active"},
            "valid_until": {"S": "2025-02-28T12:00:00.5Z"},
            "usage_key": {"S": "02".repeat(20)},
            "expires_at": {"N": (SECOND + 86_400).to_string()},
        });
        assert_eq!(json_of(&secret_item(&key, &secret(Some(at(500_000)))).unwrap()), expected);
    }

    #[test]
    fn items_of_keys_read_back_and_hold_no_secret() {
        for key in [key(None, None), key(Some("a b+c é"), Some(at(5_000_000)))] {
            let item = key_item(&key).unwrap();
            assert!(!format!("{item:?}").contains(&ApiKey::new([1; 32]).reveal()[3..]));
            assert_eq!(item.contains_key("expires_at"), key.revoked_at.is_some());
            assert_eq!(id_at(&position(&key)), Some(key.key_id.clone()));
            assert_eq!(key_of(item).unwrap(), key);
        }
    }

    #[test]
    fn items_of_secrets_give_the_status_of_the_credential() {
        let status = |item: Item| credential_of(item).unwrap().status(at(0));
        let current = secret_item(&key(None, None), &secret(None)).unwrap();
        assert!(!current.contains_key("listed") && !current.contains_key("expires_at"));
        assert_eq!(status(current), CredentialStatus::Good);
        let mut replaced = secret_item(&key(None, None), &secret(Some(at(0)))).unwrap();
        assert_eq!(status(replaced.clone()), CredentialStatus::Replaced);
        replaced.insert("valid_until".to_owned(), s("soon"));
        assert!(credential_of(replaced).is_err(), "a malformed time is not a missing one");
        let revoked = secret_item(&key(None, Some(at(0))), &secret(None)).unwrap();
        assert_eq!(status(revoked), CredentialStatus::Revoked);
    }
}
