//! What EventBridge says when an object was created in the process bucket.

use serde::{Deserialize, Serialize};

/// An object that was created.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// The bucket.
    pub bucket: String,
    /// The key. EventBridge tells it as it is, not encoded as other S3 notifications do.
    pub key: String,
    /// The version. AWS names it for versioned buckets; where it is not named, the current one is meant.
    pub version_id: Option<String>,
    /// The size in bytes.
    pub size: u64,
    /// The event's id: it goes through every log line, the report and the notice.
    pub correlation_id: String,
}

impl Delivery {
    /// Whether it is a folder, as consoles make them: an empty object that ends in a slash. It is no upload.
    #[must_use]
    pub fn is_folder_marker(&self) -> bool {
        self.size == 0 && self.key.ends_with('/')
    }
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
    /// The delivery that an event with this detail and this `id` is.
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
