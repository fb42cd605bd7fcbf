//! The API keys of devices: their form, their stored data and their status.
//!
//! A key is shown once, to the owner who creates it. Only its digest is stored. A digest without salt or stretching is
//! enough, because a key has 256 random bits.

use crate::id::OwnerId;
use std::fmt;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use crate::encoding::{crockford, is_crockford, sha256, ulid};
use crate::time::Timestamp;

const KEY_PREFIX: &str = "ep_";
const ID_PREFIX: &str = "key_";
/// The number of characters of a key that are shown, so that its owner can identify it.
const HINT_CHARS: usize = 4;

/// A key: `ep_` and 32 random bytes in base64url. `Debug` does not show it, and there is no `Display`.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiKey(String);

/// The text is not a key. The error does not contain the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a key is `ep_` and 43 characters of A-Z, a-z, 0-9, - and _")]
pub struct InvalidApiKey;

impl ApiKey {
    /// Creates a key from 32 random bytes.
    #[must_use]
    pub fn new(random: [u8; 32]) -> Self {
        Self(format!("{KEY_PREFIX}{}", BASE64_URL_SAFE_NO_PAD.encode(random)))
    }

    /// Parses a key.
    ///
    /// # Errors
    /// Returns [`InvalidApiKey`] unless the text has the form of [`ApiKey::new`].
    pub fn parse(text: &str) -> Result<Self, InvalidApiKey> {
        let digits = text.strip_prefix(KEY_PREFIX).ok_or(InvalidApiKey)?;
        match BASE64_URL_SAFE_NO_PAD.decode(digits) {
            Ok(bytes) if bytes.len() == 32 => Ok(Self(text.to_owned())),
            _ => Err(InvalidApiKey),
        }
    }

    /// Returns the text of the key. Show it to its owner only, and once.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// Returns the stored digest: SHA-256 of the whole text, in lower-case hexadecimal.
    #[must_use]
    pub fn digest(&self) -> String {
        sha256(self.0.as_bytes())
    }

    /// Returns the last four characters, by which the owner identifies the key.
    #[must_use]
    pub fn hint(&self) -> &str {
        &self.0[self.0.len() - HINT_CHARS..]
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ApiKey(…{})", self.hint())
    }
}

/// The value of the API Gateway key behind a key. The authorizer returns it to the gateway, which counts calls by it.
/// It is never shown to users, and it grants no access by itself. `Debug` does not show it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UsageKey(String);

impl UsageKey {
    /// Creates a value from 20 random bytes: 40 characters, [letters and digits
    /// only](https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-api-usage-plans.html).
    #[must_use]
    pub fn new(random: [u8; 20]) -> Self {
        Self(hex::encode(random))
    }

    /// Returns the stored value.
    #[must_use]
    pub fn stored(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// Returns the text. Only the gateway and the table may receive it.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for UsageKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UsageKey(…)")
    }
}

/// The id of a key, which stays when its secret is replaced: `key_` and 26 characters of Crockford's base 32, in the
/// layout of an [upload id](crate::id::UploadId).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct KeyId(String);

/// The text is not a key id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a key id is `key_` and 26 characters of 0-9 and A-Z without I, L, O and U")]
pub struct InvalidKeyId;

impl KeyId {
    /// Creates an id: `now` to the millisecond, then 80 random bits.
    #[must_use]
    pub fn new(now: Timestamp, random: [u8; 10]) -> Self {
        Self(crockford(ID_PREFIX, ulid(now.as_micros() / 1000, random)))
    }

    /// Parses an id.
    ///
    /// # Errors
    /// Returns [`InvalidKeyId`] unless the text has the form that [`fmt::Display`] writes.
    pub fn parse(text: &str) -> Result<Self, InvalidKeyId> {
        let digits = text.strip_prefix(ID_PREFIX).ok_or(InvalidKeyId)?;
        if is_crockford(digits) { Ok(Self(text.to_owned())) } else { Err(InvalidKeyId) }
    }

    /// Returns the text of the id.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for KeyId {
    type Error = InvalidKeyId;
    fn try_from(text: String) -> Result<Self, InvalidKeyId> {
        Self::parse(&text)
    }
}

impl From<KeyId> for String {
    fn from(id: KeyId) -> Self {
        id.0
    }
}

/// The rate and quota of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UsagePlan {
    /// The plan for a single device.
    #[default]
    Standard,
    /// The plan for a gateway of many devices.
    Fast,
}

impl UsagePlan {
    /// All plans.
    pub const ALL: [UsagePlan; 2] = [UsagePlan::Standard, UsagePlan::Fast];

    /// Returns the stable name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Standard => "standard",
            Self::Fast => "fast",
        }
    }

    /// Returns the plan with this name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|plan| plan.as_str() == name)
    }
}

/// The state of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyState {
    /// The key is in use.
    Active,
    /// The key was revoked permanently.
    Revoked,
}

impl KeyState {
    /// Returns the stable name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Revoked => "revoked",
        }
    }

    /// Returns the state with this name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Active, Self::Revoked].into_iter().find(|state| state.as_str() == name)
    }
}

/// The stored data of one secret of a key, for the authorizer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Credential {
    /// The owner of the data that the device sends.
    pub owner: OwnerId,
    /// The key of the secret.
    pub key_id: KeyId,
    /// The state of the key.
    pub state: KeyState,
    /// The end of validity of a replaced secret. `None` for the current secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_until: Option<Timestamp>,
    /// The API Gateway key by which the gateway counts calls.
    pub usage_key: UsageKey,
}

/// The status of a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CredentialStatus {
    /// The secret is valid.
    Good,
    /// The key was revoked.
    Revoked,
    /// Another secret replaced this one, and the overlap of both has ended.
    Replaced,
}

impl Credential {
    /// Returns the status at this time.
    #[must_use]
    pub fn status(&self, now: Timestamp) -> CredentialStatus {
        match (self.state, self.valid_until) {
            (KeyState::Revoked, _) => CredentialStatus::Revoked,
            (KeyState::Active, Some(until)) if until <= now => CredentialStatus::Replaced,
            (KeyState::Active, _) => CredentialStatus::Good,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_parse_and_have_one_digest() {
        let key = ApiKey::new([0xfb; 32]);
        assert_eq!(key.reveal(), "ep_-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_s");
        assert_eq!(ApiKey::parse(key.reveal()), Ok(key.clone()));
        assert_eq!(key.hint(), "7-_s");
        assert_eq!(key.digest().len(), 64);
        assert_ne!(key.digest(), ApiKey::new([0xfa; 32]).digest());
        // printf %s ep_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA | sha256sum
        let expected = "bd6dda9471e8e4e2e522d499b3ce74043e2a2946fef58dfb2ccb2caf03c64c83";
        assert_eq!(ApiKey::new([0; 32]).digest(), expected);
    }

    #[test]
    fn malformed_keys_are_rejected() {
        let good = ApiKey::new([7; 32]).reveal().to_owned();
        for (name, text) in [
            ("empty", String::new()),
            ("the prefix alone", "ep_".to_owned()),
            ("no prefix", good[3..].to_owned()),
            ("another prefix", good.replace("ep_", "EP_")),
            ("one short", good[..45].to_owned()),
            ("one long", format!("{good}A")),
            ("padded", format!("{good}=")),
            ("a space before", format!(" {good}")),
            ("a space inside", good.replacen('B', " ", 1)),
            ("a plus", good.replacen('B', "+", 1)),
            ("percent-encoded", good.replacen('B', "%2B", 1)),
            ("accent", good.replacen('B', "é", 1)),
            ("bits beyond the last byte", format!("{}_", &good[..45])),
        ] {
            assert_eq!(ApiKey::parse(&text), Err(InvalidApiKey), "{name}: {text}");
        }
    }

    #[test]
    fn secrets_are_not_shown() {
        let key = ApiKey::new([9; 32]);
        let shown = format!("{key:?} {:#?}", Some(&key));
        assert!(!shown.contains(&key.reveal()[3..20]), "{shown}");
        let usage_key = UsageKey::new([9; 20]);
        assert_eq!(usage_key.reveal().len(), 40);
        let credential = credential(KeyState::Active, None);
        let shown = format!("{usage_key:?} {credential:?}");
        assert!(!shown.contains("0909") && !shown.contains("secret"), "{shown}");
    }

    #[test]
    fn key_ids_sort_by_time_and_parse() {
        let early = KeyId::new(Timestamp::from_micros(1_000_000), [0xff; 10]);
        let late = KeyId::new(Timestamp::from_micros(2_000_000), [0; 10]);
        assert!(early < late);
        assert_eq!(KeyId::parse(early.as_str()), Ok(early.clone()));
        let good = early.as_str();
        for (name, text) in [
            ("empty", ""),
            ("an upload's", &good.replace("key_", "up_")),
            ("lower case", &good.to_lowercase()),
            ("one short", &good[..29]),
            ("one long", &format!("{good}0")),
            ("over 128 bits", &format!("key_8{}", &good[5..])),
            ("accent", "key_é234567890123456789012345"),
        ] {
            assert_eq!(KeyId::parse(text), Err(InvalidKeyId), "{name}: {text}");
        }
    }

    #[test]
    fn names_parse() {
        for plan in UsagePlan::ALL {
            assert_eq!(UsagePlan::parse(plan.as_str()), Some(plan));
        }
        for state in [KeyState::Active, KeyState::Revoked] {
            assert_eq!(KeyState::parse(state.as_str()), Some(state));
        }
        assert_eq!((UsagePlan::parse(""), UsagePlan::parse("Fast"), KeyState::parse("gone")), (None, None, None));
    }

    #[test]
    fn replaced_secrets_expire_and_revoked_secrets_are_invalid() {
        let at = Timestamp::from_micros;
        for (name, state, until, expected) in [
            ("current", KeyState::Active, None, CredentialStatus::Good),
            ("replaced, still valid", KeyState::Active, Some(at(11)), CredentialStatus::Good),
            ("replaced, at its end", KeyState::Active, Some(at(10)), CredentialStatus::Replaced),
            ("replaced, past it", KeyState::Active, Some(at(9)), CredentialStatus::Replaced),
            ("revoked", KeyState::Revoked, None, CredentialStatus::Revoked),
            ("revoked before its end", KeyState::Revoked, Some(at(11)), CredentialStatus::Revoked),
        ] {
            assert_eq!(credential(state, until).status(at(10)), expected, "{name}");
        }
    }

    fn credential(state: KeyState, valid_until: Option<Timestamp>) -> Credential {
        let key_id = KeyId::new(Timestamp::from_micros(0), [0; 10]);
        Credential { owner: "u1".parse().unwrap(), key_id, state, valid_until, usage_key: UsageKey::stored("secret") }
    }
}
