//! The types and encodings of uploads, as requests name them.

use serde::Deserialize;
use utoipa::ToSchema;

/// The media type of an upload. With the last three types, the extension of the file name decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
pub enum ContentType {
    /// One JSON document, or an array of records.
    #[serde(rename = "application/json")]
    Json,
    /// One record per line.
    #[serde(rename = "application/x-ndjson")]
    Ndjson,
    /// Another name of `application/x-ndjson`.
    #[serde(rename = "application/ndjson")]
    PlainNdjson,
    /// Another name of `application/x-ndjson`.
    #[serde(rename = "application/jsonl")]
    Jsonl,
    /// Another name of `application/x-ndjson`.
    #[serde(rename = "application/x-jsonlines")]
    Jsonlines,
    /// Compressed with gzip.
    #[serde(rename = "application/gzip")]
    Gzip,
    /// Compressed with Zstandard.
    #[serde(rename = "application/zstd")]
    Zstd,
    /// Any bytes.
    #[serde(rename = "application/octet-stream")]
    OctetStream,
}

impl ContentType {
    /// Returns the value of the header `Content-Type`.
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

/// The compression of an upload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum ContentEncoding {
    /// gzip (RFC 1952).
    Gzip,
    /// Zstandard (RFC 8878).
    Zstd,
}

impl ContentEncoding {
    /// Returns the value of the header `Content-Encoding`.
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
    fn content_types_keep_their_text() {
        for text in ["application/json", "application/x-ndjson", "application/gzip", "application/octet-stream"] {
            let content_type: ContentType = serde_json::from_value(text.into()).unwrap();
            assert_eq!(content_type.as_str(), text);
        }
    }
}
