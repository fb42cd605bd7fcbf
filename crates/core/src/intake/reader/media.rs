//! The media type of an upload: format and compression, from its headers and its file name.

use crate::intake::failure::{Failure, FailureCode};

/// The format of an upload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// `application/json`: one record, or many when the top level is an array.
    Json,
    /// `application/x-ndjson`: one record per line.
    Ndjson,
    /// One of these two: the first bytes tell which.
    Undeclared,
}

/// The first bytes of a zstd frame.
pub(super) const ZSTD_MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// The compression of an upload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// [RFC 1952](https://www.rfc-editor.org/rfc/rfc1952).
    Gzip,
    /// [RFC 8878](https://www.rfc-editor.org/rfc/rfc8878).
    Zstd,
}

impl Compression {
    /// Returns the name in `Content-Encoding`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        }
    }

    /// Returns the compression that the first bytes of an upload indicate.
    #[must_use]
    pub fn of_bytes(head: &[u8]) -> Option<Self> {
        match head {
            [0x1f, 0x8b, ..] => Some(Self::Gzip),
            _ if head.starts_with(&ZSTD_MAGIC) || begins_skippable_frame(head) => Some(Self::Zstd),
            _ => None,
        }
    }
}

/// Returns whether a skippable frame of zstd begins here. Parallel compressors write one before each frame.
pub(super) fn begins_skippable_frame(head: &[u8]) -> bool {
    matches!(head, [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..])
}

/// The declared media type of an upload. The bytes decide about the compression.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Media {
    /// The format.
    pub format: Format,
    /// The compression by `Content-Encoding`.
    pub compression: Option<Compression>,
}

impl Media {
    /// Parses the headers of an object. If the content type is absent or generic (`binary/octet-stream`, which tools send for
    /// unknown extensions), the file name decides: `.json`, `.ndjson`, `.jsonl`, each also with `.gz` or `.zst`.
    ///
    /// # Errors
    /// Returns a failure with [`FailureCode::UnsupportedContentType`] for unsupported values. Reject the upload with it.
    pub fn parse(content_type: Option<&str>, content_encoding: Option<&str>, file_name: &str) -> Result<Self, Failure> {
        let media = Self::parse_or_undeclared(content_type, content_encoding, file_name)?;
        if media.format == Format::Undeclared {
            return Err(unsupported(
                "neither the Content-Type nor the extension of the file name says whether this is JSON or NDJSON: send \
                 application/json or application/x-ndjson, or end the name in .json, .ndjson or .jsonl",
            ));
        }
        Ok(media)
    }

    /// Parses the headers of an object that an operator copied into the bucket: as [`Media::parse`], but if neither the
    /// content type nor the file name tells the format, the first bytes do ([`Format::Undeclared`]).
    ///
    /// # Errors
    /// Returns a failure with [`FailureCode::UnsupportedContentType`] for unsupported values. Reject the upload with it.
    pub fn parse_or_undeclared(
        content_type: Option<&str>,
        content_encoding: Option<&str>,
        file_name: &str,
    ) -> Result<Self, Failure> {
        let compression = match content_encoding.map(|text| text.trim().to_ascii_lowercase()).as_deref() {
            None | Some("" | "identity" | "aws-chunked") => None,
            Some("gzip" | "x-gzip" | "aws-chunked,gzip" | "gzip,aws-chunked") => Some(Compression::Gzip),
            Some("zstd" | "aws-chunked,zstd" | "zstd,aws-chunked") => Some(Compression::Zstd),
            Some(_) => {
                return Err(unsupported("the Content-Encoding is not supported: send gzip, zstd, or none"));
            }
        };
        let content_type = content_type.unwrap_or_default().to_ascii_lowercase();
        let mut parts = content_type.split(';').map(str::trim);
        let format = match parts.next().unwrap_or_default() {
            "application/json" => Format::Json,
            "application/x-ndjson" | "application/ndjson" | "application/jsonl" | "application/x-jsonlines" => {
                Format::Ndjson
            }
            ""
            | "binary/octet-stream"
            | "application/octet-stream"
            | "application/gzip"
            | "application/x-gzip"
            | "application/zstd" => format_of_file_name(file_name).unwrap_or(Format::Undeclared),
            _ => {
                return Err(unsupported(
                    "the Content-Type is not supported: send application/json or application/x-ndjson",
                ));
            }
        };
        match parts.find_map(|parameter| parameter.strip_prefix("charset=")).map(|charset| charset.trim_matches('"')) {
            None | Some("utf-8" | "utf8" | "us-ascii") => Ok(Self { format, compression }),
            Some(_) => Err(unsupported("the charset of the Content-Type is not supported: send the text in UTF-8")),
        }
    }
}

fn format_of_file_name(name: &str) -> Option<Format> {
    let name = name.to_ascii_lowercase();
    let name = name.strip_suffix(".gz").or_else(|| name.strip_suffix(".zst")).unwrap_or(&name);
    match name.rsplit_once('.')?.1 {
        "json" => Some(Format::Json),
        "ndjson" | "jsonl" => Some(Format::Ndjson),
        _ => None,
    }
}

fn unsupported(message: &str) -> Failure {
    Failure::new(FailureCode::UnsupportedContentType, "", message)
}
