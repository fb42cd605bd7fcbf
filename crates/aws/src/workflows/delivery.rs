//! The delivery of an object: the event of EventBridge about a new object in the process bucket, and its outcome.

use eventpulse_core::id::UploadId;
use eventpulse_core::upload::Upload;
use serde::{Deserialize, Serialize};

/// The delivery of an object version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// The bucket.
    pub bucket: String,
    /// The key. EventBridge sends it decoded, unlike other S3 notifications.
    pub key: String,
    /// The version. AWS sends it for versioned buckets; `None` means the current version.
    pub version_id: Option<String>,
    /// The size in bytes.
    pub size: u64,
    /// The id of the event. It appears in every log line, in the report and in the notice.
    pub correlation_id: String,
}

impl Delivery {
    /// Returns whether the object is a folder marker, as consoles create them: empty, with a key that ends in a slash. It
    /// is not an upload.
    #[must_use]
    pub fn is_folder_marker(&self) -> bool {
        self.size == 0 && self.key.ends_with('/')
    }

    /// Returns the delivery of the version that an upload processes, under the same id.
    #[must_use]
    pub fn again(&self, upload: &Upload) -> Self {
        let version_id = upload.object().map(|object| object.version_id.clone()).or_else(|| self.version_id.clone());
        Self { version_id, ..self.clone() }
    }

    /// Returns the bucket and key, for errors and logs.
    pub(crate) fn target(&self) -> String {
        format!("s3://{}/{}", self.bucket, self.key)
    }
}

/// The outcome of a delivery.
#[derive(Debug)]
pub enum DeliveryOutcome {
    /// The upload, with no steps left.
    Settled(Box<Upload>),
    /// The upload waits for another upload with the same bytes: deliver it again after a pause.
    Waiting(Box<Upload>),
    /// The upload has another version already; the delivered one was removed unread.
    LateVersionRemoved(UploadId),
    /// The object is a folder marker.
    Ignored,
}

/// The `detail` of an [Object Created](https://docs.aws.amazon.com/AmazonS3/latest/userguide/ev-events.html) event.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ObjectCreated {
    bucket: Bucket,
    object: Object,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Bucket {
    name: String,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Object {
    key: String,
    #[serde(default)]
    size: u64,
    #[serde(rename = "version-id", default)]
    version_id: Option<String>,
}

impl ObjectCreated {
    /// Returns the detail of an event with this delivery.
    #[must_use]
    pub fn of(delivery: &Delivery) -> Self {
        let Delivery { bucket, key, version_id, size, .. } = delivery.clone();
        Self { bucket: Bucket { name: bucket }, object: Object { key, size, version_id } }
    }

    /// Returns the delivery of an event with this detail and id.
    #[must_use]
    pub fn delivery(self, event_id: &str) -> Delivery {
        Delivery {
            bucket: self.bucket.name,
            key: self.object.key,
            version_id: self.object.version_id.filter(|version_id| !version_id.is_empty()),
            size: self.object.size,
            correlation_id: event_id.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests;
