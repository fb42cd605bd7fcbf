//! Ids of owners, devices and uploads, and the object keys that carry upload ids.

mod file_name;

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::encoding::{crockford, first_bits, is_crockford, ulid};
use crate::time::Timestamp;
pub use file_name::clean_file_name;

const PREFIX: &str = "up_";
/// The prefix of the rest of a message's id; its first character is not in the alphabet of issued ids.
const OF_MESSAGE: &str = "m-";
/// The length of the request id in a message's id.
const MESSAGE_NAME_BYTES: std::ops::RangeInclusive<usize> = 8..=64;

/// The folder of the process bucket for uploads. The EventBridge rule matches this prefix only.
pub const UPLOADS_PREFIX: &str = "uploads/";

/// The folder of the process bucket for messages, which arrive by `POST /data`. It has no EventBridge rule.
pub const MESSAGES_PREFIX: &str = "messages/";

/// The file name of a message whose body is an object.
pub const MESSAGE_FILE_NAME: &str = "message.json";

/// The maximum number of bytes of an owner id.
const MAX_OWNER_BYTES: usize = 128;
/// The maximum number of bytes of a device id: the entity of its series.
pub const MAX_DEVICE_BYTES: usize = 1024;

/// Names the owner of uploads, keys and statistics: the `sub` of an ID token, or a reserved name.
///
/// It stands in keys of tables and objects, so it holds printable ASCII without spaces, `#` and `/`, at most 128 bytes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct OwnerId(String);

/// The reason why a text is not an owner id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an owner id is 1 to 128 printable ASCII characters without spaces, `#` and `/`")]
pub struct InvalidOwnerId;

impl OwnerId {
    /// Parses an owner id.
    ///
    /// # Errors
    /// Returns [`InvalidOwnerId`] for any other text.
    pub fn parse(text: &str) -> Result<Self, InvalidOwnerId> {
        let is_allowed = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'#' | b'/');
        let fits = (1..=MAX_OWNER_BYTES).contains(&text.len()) && text.bytes().all(is_allowed);
        if fits { Ok(Self(text.to_owned())) } else { Err(InvalidOwnerId) }
    }

    /// The text of [`OwnerId::operator`].
    pub const OPERATOR: &str = "operator";
    /// The text of [`OwnerId::synthetic_check`].
    pub const SYNTHETIC_CHECK: &str = "synthetic-check";

    /// Returns the owner of objects that an operator copied into the bucket without an issued upload.
    #[must_use]
    pub fn operator() -> Self {
        Self(Self::OPERATOR.to_owned())
    }

    /// Returns the owner of the uploads by which a deployment checks itself. Nobody signs in as this owner.
    #[must_use]
    pub fn synthetic_check() -> Self {
        Self(Self::SYNTHETIC_CHECK.to_owned())
    }

    /// Returns the owner of files that are checked on the sender's own machine.
    #[must_use]
    pub fn local() -> Self {
        Self("local".to_owned())
    }

    /// Returns whether this is the owner of the synthetic check.
    #[must_use]
    pub fn is_synthetic_check(&self) -> bool {
        self.0 == Self::SYNTHETIC_CHECK
    }

    /// Returns the id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Names a device, or whatever else a series belongs to: 1 to 1,024 bytes of any text.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeviceId(String);

/// The reason why a text is not a device id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a device id is 1 to 1024 bytes of text")]
pub struct InvalidDeviceId;

impl DeviceId {
    /// Parses a device id.
    ///
    /// # Errors
    /// Returns [`InvalidDeviceId`] when the text is empty or too long.
    pub fn parse(text: &str) -> Result<Self, InvalidDeviceId> {
        let fits = (1..=MAX_DEVICE_BYTES).contains(&text.len());
        if fits { Ok(Self(text.to_owned())) } else { Err(InvalidDeviceId) }
    }

    /// Returns the id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Implements the conversions that every id has.
macro_rules! id_conversions {
    ($id:ty, $error:ty) => {
        impl fmt::Display for $id {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl std::ops::Deref for $id {
            type Target = str;
            fn deref(&self) -> &str {
                &self.0
            }
        }

        impl std::str::FromStr for $id {
            type Err = $error;
            fn from_str(text: &str) -> Result<Self, $error> {
                Self::parse(text)
            }
        }

        impl TryFrom<String> for $id {
            type Error = $error;
            fn try_from(text: String) -> Result<Self, $error> {
                Self::parse(&text)
            }
        }

        impl From<&$id> for String {
            fn from(id: &$id) -> Self {
                id.0.clone()
            }
        }

        impl From<$id> for String {
            fn from(id: $id) -> Self {
                id.0
            }
        }
    };
}

id_conversions!(OwnerId, InvalidOwnerId);
id_conversions!(DeviceId, InvalidDeviceId);
id_conversions!(UploadId, InvalidUploadId);

/// Names one upload: `up_` and 26 characters of Crockford's base 32, 128 bits; of a message, `up_m-` and the id that API
/// Gateway gave its request.
///
/// An issued id sorts by the time of its issue (the layout of a [ULID](https://github.com/ulid/spec)).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct UploadId(String);

/// The reason why a text is not an upload id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "an upload id is `up_` and 26 characters of 0-9 and A-Z without I, L, O and U, or `up_m-` and the id of a request"
)]
pub struct InvalidUploadId;

impl UploadId {
    /// Returns a new id: `now` to the millisecond, then 80 random bits.
    #[must_use]
    pub fn new(now: Timestamp, random: [u8; 10]) -> Self {
        Self(crockford(PREFIX, ulid(now.as_micros() / 1000, random)))
    }

    /// Returns the id of an object without an issued upload, such as an operator's copy: a digest of its version, so every
    /// delivery of its event has the same id.
    #[must_use]
    pub fn of_object(bucket: &str, key: &str, version_id: &str) -> Self {
        let mut digest = Sha256::new();
        for part in [bucket, key, version_id] {
            digest.update((part.len() as u64).to_be_bytes());
            digest.update(part.as_bytes());
        }
        let digest = digest.finalize();
        Self(crockford(PREFIX, first_bits(&digest)))
    }

    /// The id of a message: `name` is what API Gateway calls its request (`$context.extendedRequestId`). Not the message id
    /// of SQS: a message gets a new one when a dead-letter queue is redriven.
    ///
    /// # Errors
    /// Returns [`InvalidUploadId`] unless the name has 8 to 64 letters, digits, `_`, `-` and `=`.
    pub fn of_message(name: &str) -> Result<Self, InvalidUploadId> {
        let fits = MESSAGE_NAME_BYTES.contains(&name.len())
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'='));
        if fits { Ok(Self(format!("{PREFIX}{OF_MESSAGE}{name}"))) } else { Err(InvalidUploadId) }
    }

    /// Parses an id.
    ///
    /// # Errors
    /// Returns [`InvalidUploadId`] for any other text.
    pub fn parse(text: &str) -> Result<Self, InvalidUploadId> {
        let rest = text.strip_prefix(PREFIX).ok_or(InvalidUploadId)?;
        if let Some(name) = rest.strip_prefix(OF_MESSAGE) {
            return Self::of_message(name);
        }
        if is_crockford(rest) { Ok(Self(text.to_owned())) } else { Err(InvalidUploadId) }
    }

    /// Returns the id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Returns the key of an issued upload in the process bucket: `uploads/<upload id>/<file name>`.
#[must_use]
pub fn upload_key(id: &UploadId, file_name: &str) -> String {
    format!("{UPLOADS_PREFIX}{id}/{}", clean_file_name(file_name))
}

/// Returns the key of a message in the process bucket, if it needs an object: `messages/<owner>/<upload id>/message.json`.
#[must_use]
pub fn message_key(owner: &OwnerId, id: &UploadId) -> String {
    format!("{MESSAGES_PREFIX}{owner}/{id}/{MESSAGE_FILE_NAME}")
}

/// Returns the key of an owner's messages of one batch in the process bucket: `messages/<owner>/log/<day>/<batch>.ndjson`.
#[must_use]
pub fn raw_log_key(owner: &OwnerId, now: Timestamp, batch: &str) -> String {
    format!("{MESSAGES_PREFIX}{owner}/log/{}/{batch}.ndjson", now.date())
}

/// Returns the upload id in a key of the form of [`upload_key`]. The history of the upload shows whether it was issued for
/// this key.
#[must_use]
pub fn upload_id_in_key(key: &str) -> Option<UploadId> {
    let (id, _) = key.strip_prefix(UPLOADS_PREFIX)?.split_once('/')?;
    UploadId::parse(id).ok()
}

/// Returns the last segment of a key as a file name.
#[must_use]
pub fn file_name_in_key(key: &str) -> String {
    clean_file_name(key.rsplit('/').next().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn owner_ids_are_short_printable_ascii_without_separators() {
        for owner in ["u1", "operator", "0b3f6c9e-7a51-4d0c-9a58-1f5f6c0f9d11", "a%23b", "a+b", &"x".repeat(128)] {
            assert_eq!(OwnerId::parse(owner).map(String::from), Ok(owner.to_owned()));
        }
        for other in ["", " ", "a b", "#", "a#b", "a/b", "\0", "\n", "é", "a\u{301}", &"x".repeat(129)] {
            assert_eq!(OwnerId::parse(other), Err(InvalidOwnerId), "{other:?}");
        }
    }

    #[test]
    fn device_ids_are_any_text_of_1_to_1024_bytes() {
        for device in ["d", ".", "..", "#", "a b", "é", "\0", &"x".repeat(1024)] {
            assert_eq!(DeviceId::parse(device).map(String::from), Ok(device.to_owned()));
        }
        for other in ["", &"x".repeat(1025), &"é".repeat(513)] {
            assert_eq!(DeviceId::parse(other), Err(InvalidDeviceId), "{} bytes", other.len());
        }
    }

    #[test]
    fn ids_sort_by_time_of_issue_and_parse_back() {
        let early = UploadId::new(Timestamp::from_micros(1_000_000), [0xff; 10]);
        let late = UploadId::new(Timestamp::from_micros(2_000_000), [0; 10]);
        assert!(early < late);
        assert_eq!(UploadId::parse(early.as_str()), Ok(early));
    }

    #[test]
    fn other_texts_are_not_upload_ids() {
        let good = UploadId::new(Timestamp::from_micros(1), [7; 10]).to_string();
        for (name, text) in [
            ("empty", String::new()),
            ("no prefix", good[3..].to_owned()),
            ("one short", good[..28].to_owned()),
            ("one long", format!("{good}0")),
            ("lower case", good.to_lowercase()),
            ("a letter outside the alphabet", good.replace(['7', '1'], "U")),
            ("over 128 bits", format!("up_8{}", &good[4..])),
            ("accent", "up_é234567890123456789012345".to_owned()),
            ("a message without a name", "up_m-".to_owned()),
            ("a message with a slash", "up_m-abcdefgh/../x".to_owned()),
            ("a message with a long name", format!("up_m-{}", "a".repeat(65))),
        ] {
            assert_eq!(UploadId::parse(&text), Err(InvalidUploadId), "{name}: {text}");
        }
    }

    #[test]
    fn message_ids_parse_back() {
        let id = UploadId::of_message("JKJaXm_LvH-ESHA=").unwrap();
        assert_eq!((id.as_str(), UploadId::parse(id.as_str())), ("up_m-JKJaXm_LvH-ESHA=", Ok(id.clone())));
        let owner = OwnerId::parse("a%23b").unwrap();
        assert_eq!(message_key(&owner, &id), "messages/a%23b/up_m-JKJaXm_LvH-ESHA=/message.json");
        let day = Timestamp::parse("2025-02-28T23:59:59.999999Z").unwrap();
        assert_eq!(raw_log_key(&owner, day, "r-0"), "messages/a%23b/log/2025-02-28/r-0.ndjson");
    }

    #[test]
    fn object_ids_depend_on_bucket_key_and_version() {
        let id = UploadId::of_object("b", "uploads/x", "v1");
        assert_eq!(id, UploadId::of_object("b", "uploads/x", "v1"));
        assert_ne!(id, UploadId::of_object("b", "uploads/x", "v2"));
        assert_ne!(UploadId::of_object("b", "ab", "c"), UploadId::of_object("b", "a", "bc"));
    }

    #[test]
    fn keys_contain_the_id_and_the_file_name() {
        let id = UploadId::new(Timestamp::from_micros(5), [3; 10]);
        for (name, expected) in [
            ("readings.json", "readings.json"),
            ("a b+c%2Bd é.json", "a b+c%2Bd é.json"),
            ("../../etc/passwd", ".._.._etc_passwd"),
            ("..", "object"),
            ("", "object"),
            ("line\nfeed", "line_feed"),
        ] {
            let key = upload_key(&id, name);
            assert_eq!(key, format!("uploads/{id}/{expected}"), "{name}");
            assert_eq!(upload_id_in_key(&key), Some(id.clone()), "{name}");
            assert_eq!(file_name_in_key(&key), expected, "{name}");
        }
    }

    #[test]
    fn other_keys_have_no_upload_id() {
        for key in ["uploads/dropped.json", "other/up_0/x", "uploads/up_short/x", ""] {
            assert_eq!(upload_id_in_key(key), None, "{key}");
        }
    }
}
