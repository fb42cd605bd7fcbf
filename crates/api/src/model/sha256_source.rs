//! The source of the SHA-256 of accepted bytes.

use eventpulse_core::intake::digest;
use serde::Serialize;
use utoipa::ToSchema;

/// The source of a SHA-256: `s3` is the checksum that S3 verified when it received the bytes, `computed` is computed from
/// the bytes while they were read. Equal bytes have the same SHA-256 from both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Sha256Source {
    /// S3 verified it.
    S3,
    /// It was computed while the bytes were read.
    Computed,
}

impl From<digest::Sha256Source> for Sha256Source {
    fn from(source: digest::Sha256Source) -> Self {
        match source {
            digest::Sha256Source::S3 => Self::S3,
            digest::Sha256Source::Computed => Self::Computed,
        }
    }
}
