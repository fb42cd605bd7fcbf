//! SHA-256, the identity of an upload's bytes: known from S3, or computed while the bytes are inspected.
//!
//! Only SHA-256 identifies bytes. With a checksum that can be forged, a sender could make other bytes that count as a
//! duplicate of an upload to come.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::encoding::hex_of;

/// A SHA-256 digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sha256Digest([u8; 32]);

/// The source of the SHA-256 of an upload's bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sha256Source {
    /// The checksum that S3 stores with the object. S3 computed it, or compared it with the bytes, when it received them.
    S3,
    /// Computed from the bytes while they were inspected.
    Computed,
}

impl Sha256Digest {
    /// Returns the digest that S3 stores with an object. `checksum_sha256` and `checksum_type` are the headers
    /// `x-amz-checksum-sha256` and `x-amz-checksum-type` of its answer. Returns `None` unless the checksum is that of all
    /// bytes of the object.
    ///
    /// The checksum of a multipart upload is `COMPOSITE`: a digest of the digests of its parts, with the number of parts
    /// behind it (`…=-3`). It depends on the sizes of the parts and does not identify the bytes. See
    /// [Checking object integrity](https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html).
    #[must_use]
    pub fn of_full_object(checksum_sha256: Option<&str>, checksum_type: Option<&str>) -> Option<Self> {
        let checksum = checksum_sha256.filter(|_| checksum_type == Some("FULL_OBJECT"))?;
        BASE64_STANDARD.decode(checksum).ok()?.try_into().ok().map(Self)
    }

    /// Returns the digest of these bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// Parses 64 hexadecimal digits in any case. Returns `None` for any other text.
    #[must_use]
    pub fn from_hex(text: &str) -> Option<Self> {
        hex::decode(text).ok()?.try_into().ok().map(Self)
    }

    /// Returns the digest in base 64, as S3 writes it.
    #[must_use]
    pub fn to_base64(self) -> String {
        BASE64_STANDARD.encode(self.0)
    }

    /// Returns the digest in lower-case hexadecimal.
    #[must_use]
    pub fn to_hex(self) -> String {
        hex_of(&self.0)
    }
}

/// The digest of the bytes of an inspection.
pub(super) enum BytesDigest {
    /// Known before the bytes were read, which are therefore not hashed.
    Known(Sha256Digest),
    /// Computed with each piece.
    Computing(Sha256),
}

impl BytesDigest {
    /// Begins with the digest that S3 verified, if there is one.
    pub(super) fn new(known: Option<Sha256Digest>) -> Self {
        known.map_or_else(|| Self::Computing(Sha256::new()), Self::Known)
    }

    /// Takes the next bytes.
    pub(super) fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Known(_) => {}
            Self::Computing(hasher) => hasher.update(bytes),
        }
    }

    /// Returns the digest in lower-case hexadecimal, and its source.
    pub(super) fn finish(self) -> (String, Sha256Source) {
        match self {
            Self::Known(digest) => (digest.to_hex(), Sha256Source::S3),
            Self::Computing(hasher) => (hex_of(&hasher.finalize()), Sha256Source::Computed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_checksum_of_a_full_object_is_its_digest() {
        let full = Some("FULL_OBJECT");
        let right = "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0="; // printf abc | sha256sum | xxd -r -p | base64
        let (composite, padded) = (format!("{right}-1"), format!(" {right}"));
        for (name, checksum, checksum_type, is_digest) in [
            ("a full object", Some(right), full, true),
            ("no checksum", None, full, false),
            ("no checksum and no type", None, None, false),
            ("a checksum without type", Some(right), None, false),
            ("a composite checksum", Some(composite.as_str()), Some("COMPOSITE"), false),
            ("a composite checksum with the wrong type", Some(&composite), full, false),
            ("a checksum of parts without their number", Some(right), Some("COMPOSITE"), false),
            ("an unknown type", Some(right), Some("full_object"), false),
            ("white space", Some(&padded), full, false),
            ("hexadecimal", Some("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"), full, false),
            ("31 bytes", Some("ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFQ=="), full, false),
            ("33 bytes", Some("ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa2t"), full, false),
            ("no padding", Some(right.trim_end_matches('=')), full, false),
            ("empty", Some(""), full, false),
        ] {
            let expected = is_digest.then(|| Sha256Digest::of(b"abc"));
            assert_eq!(Sha256Digest::of_full_object(checksum, checksum_type), expected, "{name}");
        }
    }

    #[test]
    fn digests_are_parsed_from_hexadecimal_and_written_for_s3() {
        let lower = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        for (name, text, is_digest) in [
            ("lower case", lower.to_owned(), true),
            ("upper case", lower.to_uppercase(), true),
            ("empty", String::new(), false),
            ("a digit fewer", lower[1..].to_owned(), false),
            ("a byte more", format!("{lower}00"), false),
            ("white space", format!(" {}", &lower[1..]), false),
            ("a sign", format!("+{}", &lower[1..]), false),
            ("accents", "é".repeat(32), false),
        ] {
            let expected = is_digest.then(|| Sha256Digest::of(b"abc"));
            assert_eq!(Sha256Digest::from_hex(&text), expected, "{name}");
        }
        let digest = Sha256Digest::of(b"abc");
        assert_eq!(digest.to_hex(), lower);
        assert_eq!(digest.to_base64(), "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=");
    }
}
