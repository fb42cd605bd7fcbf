//! The words that several calls share, as they stand in the answers. The comments are the document's descriptions.

use eventpulse_core::intake::rejection::FailureGroup;
use eventpulse_core::notification::subscription;
use eventpulse_core::statistics::series_statistics::SeriesStatistics;
use eventpulse_core::time::Timestamp;
use eventpulse_core::upload::{self, RetryForm};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub use happening::Happening;

mod happening;

/// Where an upload stands. `issued` and `received` are on the way; `failed` is for the operator to mend.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// A presigned URL was handed out; nothing arrived yet.
    Issued,
    /// It arrived and is being worked on.
    Received,
    /// Every record counts.
    Accepted,
    /// Some records count, the others lie in quarantine.
    PartiallyAccepted,
    /// Nothing counts; it lies in quarantine.
    Quarantined,
    /// The same bytes count already.
    Duplicate,
    /// Processing failed; an operator is told.
    Failed,
    /// Nothing arrived while the URL worked.
    Expired,
    /// It counted, and was taken back.
    Withdrawn,
    /// It was quarantined whole, and discarded.
    Discarded,
}

impl State {
    /// As the core names it.
    #[must_use]
    pub fn core(self) -> upload::UploadState {
        match self {
            Self::Issued => upload::UploadState::Issued,
            Self::Received => upload::UploadState::Received,
            Self::Accepted => upload::UploadState::Accepted,
            Self::PartiallyAccepted => upload::UploadState::PartiallyAccepted,
            Self::Quarantined => upload::UploadState::Quarantined,
            Self::Duplicate => upload::UploadState::Duplicate,
            Self::Failed => upload::UploadState::Failed,
            Self::Expired => upload::UploadState::Expired,
            Self::Withdrawn => upload::UploadState::Withdrawn,
            Self::Discarded => upload::UploadState::Discarded,
        }
    }
}

impl From<upload::UploadState> for State {
    fn from(state: upload::UploadState) -> Self {
        match state {
            upload::UploadState::Issued => Self::Issued,
            upload::UploadState::Received => Self::Received,
            upload::UploadState::Accepted => Self::Accepted,
            upload::UploadState::PartiallyAccepted => Self::PartiallyAccepted,
            upload::UploadState::Quarantined => Self::Quarantined,
            upload::UploadState::Duplicate => Self::Duplicate,
            upload::UploadState::Failed => Self::Failed,
            upload::UploadState::Expired => Self::Expired,
            upload::UploadState::Withdrawn => Self::Withdrawn,
            upload::UploadState::Discarded => Self::Discarded,
        }
    }
}

/// What has become of what was rejected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// It waits for its owner.
    Open,
    /// It is being tried again.
    Retrying,
    /// A retry succeeded.
    Resolved,
    /// It was discarded.
    Discarded,
    /// The whole upload was withdrawn.
    Withdrawn,
}

impl From<upload::QuarantineStatus> for Status {
    fn from(status: upload::QuarantineStatus) -> Self {
        match status {
            upload::QuarantineStatus::Open => Self::Open,
            upload::QuarantineStatus::Retrying => Self::Retrying,
            upload::QuarantineStatus::Resolved => Self::Resolved,
            upload::QuarantineStatus::Discarded => Self::Discarded,
            upload::QuarantineStatus::Withdrawn => Self::Withdrawn,
        }
    }
}

/// Whether an owner is mailed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum NotificationState {
    /// It was never asked for, or it was ended; also when somebody follows an old link later.
    None,
    /// It waits for somebody to follow the link in the mail of SNS. That works for two days; then another can be had.
    Pending,
    /// Notices are mailed.
    Confirmed,
    /// They were: somebody followed the link to unsubscribe, or SNS switched it off.
    Gone,
}

impl From<subscription::SubscriptionState> for NotificationState {
    fn from(state: subscription::SubscriptionState) -> Self {
        match state {
            subscription::SubscriptionState::None => Self::None,
            subscription::SubscriptionState::Pending => Self::Pending,
            subscription::SubscriptionState::Confirmed => Self::Confirmed,
            subscription::SubscriptionState::Gone => Self::Gone,
        }
    }
}

/// An instant: RFC 3339 in UTC, to the microsecond.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[schema(value_type = String, format = DateTime, example = "2025-02-28T12:00:00Z")]
pub struct Time(pub Timestamp);

/// The statistics of what an upload gave one series.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Features {
    /// The device, or whatever is measured.
    pub device_id: String,
    /// Which of its quantities.
    pub measure: String,
    /// The number of values.
    #[schema(minimum = 1)]
    pub count: u64,
    /// The arithmetic mean.
    pub mean: f64,
    /// The median; null where it would have taken a second look at the values: those of a large upload, or of an upload
    /// and its later corrections. `GET /devices/{device_id}/stats` tells it.
    #[schema(required)]
    pub median: Option<f64>,
    /// The standard deviation of the sample (n - 1); null of a single value.
    #[schema(required)]
    pub standard_deviation: Option<f64>,
    /// The smallest value.
    pub min: f64,
    /// The largest value.
    pub max: f64,
    /// When the earliest value was measured.
    pub first: Time,
    /// When the latest value was measured.
    pub last: Time,
}

impl From<SeriesStatistics> for Features {
    fn from(features: SeriesStatistics) -> Self {
        let SeriesStatistics { entity, measure, count, mean, median, standard_deviation, min, max, first, last } =
            features;
        let (first, last) = (Time(first), Time(last));
        Self { device_id: entity, measure, count, mean, median, standard_deviation, min, max, first, last }
    }
}

/// Failures of one kind at one place.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Failure {
    /// What is wrong: one of the codes in the README. They never change their meaning.
    #[schema(example = "REQUIRED")]
    pub code: String,
    /// JSON Pointer to the failing value, array indexes as `*`; empty for the record itself.
    pub pointer: String,
    /// The schema that was applied, if one was.
    #[schema(required)]
    pub schema: Option<String>,
    /// How often it was seen.
    #[schema(minimum = 1)]
    pub count: u64,
    /// The index of the first record that has it, from 0; null when it concerns the upload as a whole.
    #[schema(required)]
    pub first_record: Option<u64>,
    /// The line of the first one, from 1, if it is known.
    #[schema(required)]
    pub line: Option<u64>,
    /// Its byte offset, from 0, after decompression.
    #[schema(required)]
    pub byte_offset: Option<u64>,
    /// What is wrong with the first one, without its values.
    pub message: String,
}

impl From<&FailureGroup> for Failure {
    fn from(group: &FailureGroup) -> Self {
        let first = &group.first;
        Self {
            code: group.code.as_str().to_owned(),
            pointer: group.pointer.clone(),
            schema: group.schema.clone(),
            count: group.count,
            first_record: group.first_record,
            line: first.line,
            byte_offset: first.byte_offset,
            message: first.message.clone(),
        }
    }
}

/// The word for what a retry brings.
#[must_use]
pub fn form_word(form: RetryForm) -> &'static str {
    match form {
        RetryForm::Unchanged => "as_it_is",
        RetryForm::UnchangedRecords => "records_as_they_are",
        RetryForm::Corrected => "corrected",
    }
}

/// What the bytes are. Of the last three, the ending of the file name decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
pub enum ContentType {
    /// One JSON document, or an array of records.
    #[serde(rename = "application/json")]
    Json,
    /// One record a line.
    #[serde(rename = "application/x-ndjson")]
    Ndjson,
    /// The same.
    #[serde(rename = "application/ndjson")]
    PlainNdjson,
    /// The same.
    #[serde(rename = "application/jsonl")]
    Jsonl,
    /// The same.
    #[serde(rename = "application/x-jsonlines")]
    Jsonlines,
    /// Compressed, by the bytes themselves.
    #[serde(rename = "application/gzip")]
    Gzip,
    /// Compressed, by the bytes themselves.
    #[serde(rename = "application/zstd")]
    Zstd,
    /// Anything.
    #[serde(rename = "application/octet-stream")]
    OctetStream,
}

impl ContentType {
    /// The header's value.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Ndjson => "application/x-ndjson",
            Self::PlainNdjson => "application/ndjson",
            Self::Jsonl => "application/jsonl",
            Self::Jsonlines => "application/x-jsonlines",
            Self::Gzip => "application/gzip",
            Self::Zstd => "application/zstd",
            Self::OctetStream => "application/octet-stream",
        }
    }
}

/// How the bytes are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum ContentEncoding {
    /// gzip.
    Gzip,
    /// Zstandard.
    Zstd,
}

impl ContentEncoding {
    /// The header's value.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_are_the_core_s() {
        for state in upload::UploadState::ALL {
            let told = State::from(state);
            assert_eq!(serde_json::to_value(told).unwrap(), state.as_str());
            assert_eq!(told.core(), state);
        }
        for state in subscription::SubscriptionState::ALL {
            assert_eq!(serde_json::to_value(NotificationState::from(state)).unwrap(), state.as_str());
        }
    }

    #[test]
    fn a_content_type_reads_back() {
        for word in ["application/json", "application/x-ndjson", "application/gzip", "application/octet-stream"] {
            let read: ContentType = serde_json::from_value(word.into()).unwrap();
            assert_eq!(read.as_str(), word);
        }
    }
}
