//! The keys of devices: what one looks like, what is kept of it, and whether it still works.
//!
//! The key itself is told once, to whoever creates it, and kept nowhere: what is stored is its digest. A digest without
//! salt or stretching is enough, because there are 256 random bits to guess.

use crate::id::OwnerId;
use std::fmt;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use crate::encoding::{crockford, is_crockford, sha256, ulid};
use crate::time::Timestamp;

const KEY_PREFIX: &str = "ep_";
const ID_PREFIX: &str = "key_";
/// How many characters of a key may be shown, so that its owner knows which it is.
const HINT_CHARS: usize = 4;

/// A key: `ep_` and 32 random bytes in base64url. It is not shown by `Debug`, and there is no `Display`.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiKey(String);

/// Why a text is no key. It does not say what the text was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a key is `ep_` and 43 characters of A-Z, a-z, 0-9, - and _")]
pub struct InvalidApiKey;

impl ApiKey {
    /// The key of 32 random bytes.
    #[must_use]
    pub fn new(random: [u8; 32]) -> Self {
        Self(format!("{KEY_PREFIX}{}", BASE64_URL_SAFE_NO_PAD.encode(random)))
    }

    /// Reads a key.
    ///
    /// # Errors
    /// When the text is anything but what [`ApiKey::new`] makes.
    pub fn parse(text: &str) -> Result<Self, InvalidApiKey> {
        let digits = text.strip_prefix(KEY_PREFIX).ok_or(InvalidApiKey)?;
        match BASE64_URL_SAFE_NO_PAD.decode(digits) {
            Ok(bytes) if bytes.len() == 32 => Ok(Self(text.to_owned())),
            _ => Err(InvalidApiKey),
        }
    }

    /// The key as it is sent: for its owner's eyes, once, and for nobody else's.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// What is stored of it: SHA-256 of the whole text, in lower-case hexadecimal.
    #[must_use]
    pub fn digest(&self) -> String {
        sha256(self.0.as_bytes())
    }

    /// Its last four characters, by which its owner knows it again.
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

/// The value of the API Gateway key behind a key: the authorizer hands it to the gateway, which counts calls by it.
/// Nobody is ever told it, and it opens nothing by itself. It is not shown by `Debug`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UsageKey(String);

impl UsageKey {
    /// Of 20 random bytes: 40 characters, [letters and digits
    /// only](https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-api-usage-plans.html).
    #[must_use]
    pub fn new(random: [u8; 20]) -> Self {
        Self(hex::encode(random))
    }

    /// As it was stored.
    #[must_use]
    pub fn stored(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// For the gateway and the table only.
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

/// Names one key, whatever its secret is just now: `key_` and 26 characters of Crockford's base 32, laid out as an
/// [upload id](crate::id::UploadId).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct KeyId(String);

/// Why a text is no key id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a key id is `key_` and 26 characters of 0-9 and A-Z without I, L, O and U")]
pub struct InvalidKeyId;

impl KeyId {
    /// A new id: `now` to the millisecond, then 80 random bits.
    #[must_use]
    pub fn new(now: Timestamp, random: [u8; 10]) -> Self {
        Self(crockford(ID_PREFIX, ulid(now.as_micros() / 1000, random)))
    }

    /// Reads an id.
    ///
    /// # Errors
    /// When the text is anything but what [`fmt::Display`] writes.
    pub fn parse(text: &str) -> Result<Self, InvalidKeyId> {
        let digits = text.strip_prefix(ID_PREFIX).ok_or(InvalidKeyId)?;
        if is_crockford(digits) { Ok(Self(text.to_owned())) } else { Err(InvalidKeyId) }
    }

    /// The id as it is written.
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

/// How much a key may send.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UsagePlan {
    /// What a device needs.
    #[default]
    Standard,
    /// What a gateway of many devices needs.
    Fast,
}

impl UsagePlan {
    /// Both.
    pub const ALL: [UsagePlan; 2] = [UsagePlan::Standard, UsagePlan::Fast];

    /// Its name, which does not change.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Standard => "standard",
            Self::Fast => "fast",
        }
    }

    /// By its name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|plan| plan.as_str() == name)
    }
}

/// Whether a key may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyState {
    /// It may.
    Active,
    /// It was taken back, for good.
    Revoked,
}

impl KeyState {
    /// Its name, which does not change.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Revoked => "revoked",
        }
    }

    /// By its name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Active, Self::Revoked].into_iter().find(|state| state.as_str() == name)
    }
}

/// What is known of one secret of a key: what the authorizer decides by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Credential {
    /// Whose data it sends.
    pub owner: OwnerId,
    /// The key that it is a secret of.
    pub key_id: KeyId,
    /// Whether that was revoked.
    pub state: KeyState,
    /// Until when it works, of a secret that another replaced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_until: Option<Timestamp>,
    /// By what the gateway counts its calls.
    pub usage_key: UsageKey,
}

/// Whether a secret works.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CredentialStatus {
    /// It does.
    Good,
    /// Its key was revoked.
    Revoked,
    /// Another replaced it, and the time in which both worked is over.
    Replaced,
}

impl Credential {
    /// Whether it works at this time.
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
    fn a_key_reads_back_and_has_one_digest() {
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
    fn what_is_no_key() {
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
    fn key_ids_sort_by_time_and_read_back() {
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
    fn names_read_back() {
        for plan in UsagePlan::ALL {
            assert_eq!(UsagePlan::parse(plan.as_str()), Some(plan));
        }
        for state in [KeyState::Active, KeyState::Revoked] {
            assert_eq!(KeyState::parse(state.as_str()), Some(state));
        }
        assert_eq!((UsagePlan::parse(""), UsagePlan::parse("Fast"), KeyState::parse("gone")), (None, None, None));
    }

    #[test]
    fn a_replaced_secret_works_until_its_time_and_a_revoked_one_never() {
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
