//! The metadata of objects in both buckets: the owner, and everything that the bytes do not say and a verdict depends on.
//! With it, histories can be rebuilt from the buckets alone. Processing does not read it: histories decide.

use std::collections::HashMap;

use super::aggregate::Upload;
use super::event::RetryForm;
use crate::id::{OwnerId, UploadId};
use crate::intake::inspection::MaxRejected;
use crate::time::Timestamp;

const OWNER: &str = "owner";
const UPLOAD_ID: &str = "upload-id";
const SCHEMA: &str = "schema";
const MAX_REJECTED: &str = "max-rejected";
const RETRY_FORM: &str = "retry-form";
const POSTED_AT: &str = "posted-at";
const KEY_ID: &str = "key-id";
const IDEMPOTENCY_KEY_SHA256: &str = "idempotency-key-sha256";

/// The metadata of an object. S3 stores it as `x-amz-meta-<name>`.
#[derive(Debug, Clone, PartialEq)]
pub struct ObjectMetadata {
    /// The owner.
    pub owner: OwnerId,
    /// The upload; `None` for a raw log object, whose lines name their uploads.
    pub upload_id: Option<UploadId>,
    /// The schema that the upload requests.
    pub schema: Option<String>,
    /// The limit on rejected records.
    pub max_rejected: Option<MaxRejected>,
    /// The form, if the object is a retry.
    pub retry_form: Option<RetryForm>,
    /// The message, if the object is the body of one.
    pub message: Option<PostedMessage>,
}

/// The properties of a message whose body is an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PostedMessage {
    /// The time of the acknowledgement.
    pub posted_at: Timestamp,
    /// The id of the API key that sent it.
    pub key_id: Option<String>,
    /// The lower-case hexadecimal SHA-256 of its `Idempotency-Key` header.
    pub idempotency_key_sha256: Option<String>,
}

/// The reason why the metadata of an object cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the object has no valid metadata `{name}`")]
pub struct InvalidMetadata {
    /// The name of the missing or invalid value.
    pub name: &'static str,
}

impl ObjectMetadata {
    /// Returns the metadata of an owner's object that belongs to no single upload.
    #[must_use]
    pub fn of_owner(owner: &OwnerId) -> Self {
        let owner = owner.clone();
        Self { owner, upload_id: None, schema: None, max_rejected: None, retry_form: None, message: None }
    }

    /// Returns the metadata of an object of an upload.
    #[must_use]
    pub fn of_upload(upload: &Upload) -> Self {
        let origin = upload.origin();
        Self {
            upload_id: Some(upload.id().clone()),
            schema: origin.schema.clone(),
            max_rejected: origin.max_rejected,
            ..Self::of_owner(&origin.owner)
        }
    }

    /// Returns the metadata of the retry that an upload awaits; without a form if it awaits none.
    #[must_use]
    pub fn of_pending_retry(upload: &Upload) -> Self {
        Self { retry_form: upload.pending_retry().map(|retry| retry.form), ..Self::of_upload(upload) }
    }

    /// Returns the values by name. Each is printable ASCII, as a header requires; a key id that is not is left out.
    #[must_use]
    pub fn to_map(&self) -> HashMap<String, String> {
        let printable = |value: Option<String>| value.filter(|text| is_printable(text));
        let message = self.message.as_ref();
        let values = [
            (OWNER, Some(self.owner.to_string())),
            (UPLOAD_ID, self.upload_id.as_ref().map(ToString::to_string)),
            (SCHEMA, printable(self.schema.clone())),
            (MAX_REJECTED, self.max_rejected.as_ref().and_then(|most| serde_json::to_string(most).ok())),
            (RETRY_FORM, self.retry_form.map(|form| form.as_str().to_owned())),
            (POSTED_AT, message.map(|message| message.posted_at.to_string())),
            (KEY_ID, printable(message.and_then(|message| message.key_id.clone()))),
            (IDEMPOTENCY_KEY_SHA256, message.and_then(|message| message.idempotency_key_sha256.clone())),
        ];
        values.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
    }

    /// Reads the values that [`to_map`](Self::to_map) returned.
    ///
    /// # Errors
    /// Returns [`InvalidMetadata`] if there is no owner, or a value cannot be read.
    pub fn from_map(values: &HashMap<String, String>) -> Result<Self, InvalidMetadata> {
        let text = |name: &str| values.get(name).map(String::as_str);
        Ok(Self {
            owner: required(OWNER, text(OWNER), |text| OwnerId::parse(text).ok())?,
            upload_id: optional(UPLOAD_ID, text(UPLOAD_ID), |text| UploadId::parse(text).ok())?,
            schema: text(SCHEMA).map(str::to_owned),
            max_rejected: optional(MAX_REJECTED, text(MAX_REJECTED), |text| serde_json::from_str(text).ok())?,
            retry_form: optional(RETRY_FORM, text(RETRY_FORM), RetryForm::parse)?,
            message: match text(POSTED_AT) {
                None => None,
                Some(posted_at) => Some(PostedMessage {
                    posted_at: required(POSTED_AT, Some(posted_at), Timestamp::parse)?,
                    key_id: text(KEY_ID).map(str::to_owned),
                    idempotency_key_sha256: text(IDEMPOTENCY_KEY_SHA256).map(str::to_owned),
                }),
            },
        })
    }
}

fn is_printable(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic()) && text.trim() == text
}

fn required<T>(
    name: &'static str,
    text: Option<&str>,
    parse: impl FnOnce(&str) -> Option<T>,
) -> Result<T, InvalidMetadata> {
    text.and_then(parse).ok_or(InvalidMetadata { name })
}

fn optional<T>(
    name: &'static str,
    text: Option<&str>,
    parse: impl FnOnce(&str) -> Option<T>,
) -> Result<Option<T>, InvalidMetadata> {
    text.map(|text| parse(text).ok_or(InvalidMetadata { name })).transpose()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::upload::tests::given::{issued, origin, retry_requested, upload};
    use crate::upload::{Origin, UploadEvent};

    #[test]
    fn metadata_reads_back() {
        let all = ObjectMetadata {
            owner: "a%23b+c".parse().unwrap(),
            upload_id: Some(UploadId::of_message("JKJaXm_LvH-ESHA=").unwrap()),
            schema: Some("reading/1.0".to_owned()),
            max_rejected: Some(MaxRejected::Ratio(0.1)),
            retry_form: Some(RetryForm::UnchangedRecords),
            message: Some(PostedMessage {
                posted_at: Timestamp::parse("2025-02-28T12:00:00.000001Z").unwrap(),
                key_id: Some("key_1".to_owned()),
                idempotency_key_sha256: Some("0".repeat(64)),
            }),
        };
        let owner = ObjectMetadata::of_owner(&all.owner);
        let count = ObjectMetadata { max_rejected: Some(MaxRejected::Count(0)), ..owner.clone() };
        for (name, metadata) in [("all", all), ("owner", owner), ("count", count)] {
            let map = metadata.to_map();
            assert!(map.values().all(|value| is_printable(value)), "{name}: {map:?}");
            assert_eq!(ObjectMetadata::from_map(&map), Ok(metadata), "{name}");
        }
    }

    #[test]
    fn metadata_without_an_owner_or_with_unreadable_values_is_invalid() {
        let owner = HashMap::from([("owner".to_owned(), "u1".to_owned())]);
        let rows = [
            ("owner", "a b", "owner"),
            ("upload-id", "up_", "upload-id"),
            ("max-rejected", "5", "max-rejected"),
            ("retry-form", "else", "retry-form"),
            ("posted-at", "noon", "posted-at"),
        ];
        assert_eq!(ObjectMetadata::from_map(&HashMap::new()), Err(InvalidMetadata { name: "owner" }));
        for (name, value, wrong) in rows {
            let mut map = owner.clone();
            map.insert(name.to_owned(), value.to_owned());
            assert_eq!(ObjectMetadata::from_map(&map), Err(InvalidMetadata { name: wrong }), "{name}");
        }
    }

    #[test]
    fn values_that_no_header_takes_are_left_out() {
        let message = |key_id: &str| PostedMessage {
            posted_at: Timestamp::from_micros(0),
            key_id: Some(key_id.to_owned()),
            idempotency_key_sha256: None,
        };
        let owner = ObjectMetadata::of_owner(&"u1".parse().unwrap());
        for (key_id, kept) in
            [("key_1", true), ("a b", true), ("", false), (" a", false), ("é", false), ("a\nb", false)]
        {
            let metadata = ObjectMetadata { message: Some(message(key_id)), ..owner.clone() };
            assert_eq!(metadata.to_map().contains_key("key-id"), kept, "{key_id:?}");
        }
    }

    #[test]
    fn objects_of_an_upload_name_all_that_its_verdict_depends_on() {
        let origin =
            Origin { schema: Some("reading/1.0".to_owned()), max_rejected: Some(MaxRejected::Count(3)), ..origin() };
        let issued_with = UploadEvent::Issued { origin };
        let metadata = |events| {
            let mut pairs: Vec<_> = ObjectMetadata::of_pending_retry(&upload(events)).to_map().into_iter().collect();
            pairs.sort();
            pairs.into_iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" ")
        };
        let id = upload(vec![issued()]).id().to_string();
        assert_eq!(metadata(vec![issued()]), format!("owner=u1 upload-id={id}"));
        assert_eq!(
            metadata(vec![issued_with, retry_requested(RetryForm::Corrected)]),
            format!(r#"max-rejected={{"count":3}} owner=u1 retry-form=corrected schema=reading/1.0 upload-id={id}"#)
        );
    }
}
