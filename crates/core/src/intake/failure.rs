//! Failures: the table of stable failure codes, and the failure of a value.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::intake::position::TextPosition;

/// The maximum length of the JSON Pointer of a failure in characters.
pub const MAX_POINTER_CHARS: usize = 256;
/// The maximum number of targets of a failure.
pub const MAX_TARGETS: usize = 10;
/// The maximum length of a target in characters.
pub const MAX_TARGET_CHARS: usize = 64;

/// The subject of a [`FailureCode`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FailureScope {
    /// The upload as a whole.
    Upload,
    /// One record. Other records of the upload may be valid.
    Record,
}

macro_rules! codes {
    ($($variant:ident $text:literal $scope:ident $meaning:literal;)*) => {
        /// A stable, machine-readable reason for a rejection. Codes are never renamed and never reused.
        ///
        /// Written and serialized as its SCREAMING_SNAKE_CASE name.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum FailureCode {
            $(#[doc = $meaning] $variant,)*
        }

        impl FailureCode {
            /// All codes, in the order of the documentation.
            pub const ALL: &'static [FailureCode] = &[$(FailureCode::$variant,)*];

            /// Returns the code as reports and notices contain it.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(FailureCode::$variant => $text,)*
                }
            }

            /// Returns the meaning of the code in one line.
            pub const fn meaning(self) -> &'static str {
                match self {
                    $(FailureCode::$variant => $meaning,)*
                }
            }

            /// Returns whether the code concerns the upload or one record.
            pub const fn scope(self) -> FailureScope {
                match self {
                    $(FailureCode::$variant => FailureScope::$scope,)*
                }
            }
        }
    };
}

codes! {
    EmptyUpload "EMPTY_UPLOAD" Upload "The upload holds no record: it is empty, or only white space.";
    UnsupportedContentType "UNSUPPORTED_CONTENT_TYPE" Upload "The content type is not supported: send application/json or application/x-ndjson.";
    ContentTypeMismatch "CONTENT_TYPE_MISMATCH" Upload "The bytes are not of the declared content type.";
    CorruptCompression "CORRUPT_COMPRESSION" Upload "The gzip or zstd stream is damaged or ends early.";
    TrailingBytes "TRAILING_BYTES" Upload "Other bytes follow the gzip or zstd stream.";
    WindowTooLarge "WINDOW_TOO_LARGE" Upload "The zstd stream takes a window of more than 32 MiB to decompress.";
    UnsupportedFormat "UNSUPPORTED_FORMAT" Upload "The file is of a format that is not read here, such as CSV or zip, or it is compressed twice.";
    DecompressedTooLarge "DECOMPRESSED_TOO_LARGE" Upload "The upload is larger than the limit once it is decompressed, or has too many gzip members.";
    ObjectMissing "OBJECT_MISSING" Upload "The object was deleted before it was read.";
    TooManyRejected "TOO_MANY_REJECTED" Upload "More records were rejected than the upload, or the service, allows, so none of it counts.";
    TooManySeries "TOO_MANY_SERIES" Upload "The upload holds values of more devices and measures than one upload can store.";
    IdempotencyKeyReused "IDEMPOTENCY_KEY_REUSED" Upload "An earlier message with the same Idempotency-Key had another body.";
    TooManyRecords "TOO_MANY_RECORDS" Upload "A message has more than 500 records, or a correction more than were rejected.";
    ProcessingFailed "PROCESSING_FAILED" Upload "Processing this upload failed repeatedly.";

    NotJson "NOT_JSON" Record "The text is not valid JSON.";
    Truncated "TRUNCATED" Record "The JSON ends before it is complete.";
    NotUtf8 "NOT_UTF8" Record "The bytes are not UTF-8.";
    ByteOrderMark "BYTE_ORDER_MARK" Record "The text starts with a byte order mark, which JSON does not allow.";
    TooDeep "TOO_DEEP" Record "Arrays and objects are nested more than 64 deep.";
    DuplicateMember "DUPLICATE_MEMBER" Record "An object has two members with the same name.";
    NumberOutOfRange "NUMBER_OUT_OF_RANGE" Record "A number is too large for double precision.";
    LoneSurrogate "LONE_SURROGATE" Record "A string has one half of a UTF-16 surrogate pair without the other.";
    RecordTooLarge "RECORD_TOO_LARGE" Record "The record is larger than 16 MiB.";
    UnknownSchema "UNKNOWN_SCHEMA" Record "The record or its upload requests a schema that is not deployed.";
    EntityMissing "ENTITY_MISSING" Record "The name of the measured entity is absent, or neither a string of 1 to 1024 bytes nor a whole number.";
    TimeMissing "TIME_MISSING" Record "The time of the measurement is absent, or not an RFC 3339 date-time.";
    MeasureNotANumber "MEASURE_NOT_A_NUMBER" Record "A measured value is neither a number nor null.";

    Type "TYPE" Record "The value is of a type that the schema does not allow.";
    Required "REQUIRED" Record "A required member is missing.";
    DependentRequired "DEPENDENT_REQUIRED" Record "A member is missing that another member requires.";
    AdditionalProperties "ADDITIONAL_PROPERTIES" Record "The object has a member that the schema does not declare.";
    UnevaluatedProperties "UNEVALUATED_PROPERTIES" Record "The object has a member that no applicable part of the schema declares.";
    PropertyNames "PROPERTY_NAMES" Record "The name of a member does not have the required form.";
    MinProperties "MIN_PROPERTIES" Record "The object has too few members.";
    MaxProperties "MAX_PROPERTIES" Record "The object has too many members.";
    Format "FORMAT" Record "The string does not have the required format, such as date-time.";
    Pattern "PATTERN" Record "The string does not match the schema's regular expression.";
    MinLength "MIN_LENGTH" Record "The string is too short.";
    MaxLength "MAX_LENGTH" Record "The string is too long.";
    ContentEncoding "CONTENT_ENCODING" Record "The string does not have the required encoding.";
    ContentMediaType "CONTENT_MEDIA_TYPE" Record "The content of the string does not have the required media type.";
    Minimum "MINIMUM" Record "The number is below the smallest that the schema allows.";
    ExclusiveMinimum "EXCLUSIVE_MINIMUM" Record "The number is not above the schema's lower bound.";
    Maximum "MAXIMUM" Record "The number is above the largest that the schema allows.";
    ExclusiveMaximum "EXCLUSIVE_MAXIMUM" Record "The number is not below the schema's upper bound.";
    MultipleOf "MULTIPLE_OF" Record "The number is not a multiple of the schema's step.";
    Enum "ENUM" Record "The value is not in the schema's list of allowed values.";
    Const "CONST" Record "The value differs from the only value that the schema allows.";
    MinItems "MIN_ITEMS" Record "The array has too few elements.";
    MaxItems "MAX_ITEMS" Record "The array has too many elements.";
    UniqueItems "UNIQUE_ITEMS" Record "The array has the same element twice.";
    Contains "CONTAINS" Record "The array has no element of the required form.";
    MinContains "MIN_CONTAINS" Record "The array has too few elements of the required form.";
    MaxContains "MAX_CONTAINS" Record "The array has too many elements of a limited form.";
    Items "ITEMS" Record "The array has more elements than the schema allows.";
    UnevaluatedItems "UNEVALUATED_ITEMS" Record "The array has an element that no applicable part of the schema declares.";
    AnyOf "ANY_OF" Record "The value fits none of the schema's forms.";
    OneOf "ONE_OF" Record "The value must fit exactly one of the schema's forms, but fits none or several.";
    Not "NOT" Record "The value has a form that the schema forbids.";
    FalseSchema "FALSE_SCHEMA" Record "The schema allows no value here.";
    SchemaMismatch "SCHEMA_MISMATCH" Record "The record does not fit its schema, and is too large to locate the failures.";
}

impl fmt::Display for FailureCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The text is not a [`FailureCode`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a failure code")]
pub struct UnknownFailureCode;

impl FromStr for FailureCode {
    type Err = UnknownFailureCode;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        FailureCode::ALL.iter().copied().find(|code| code.as_str() == text).ok_or(UnknownFailureCode)
    }
}

impl Serialize for FailureCode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for FailureCode {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<str>::deserialize(deserializer)?;
        text.parse().map_err(D::Error::custom)
    }
}

/// A failure of a value, with its location. Contains names of members, never their values.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// The code.
    pub code: FailureCode,
    /// The keyword of the schema that failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keyword: Option<String>,
    /// The JSON Pointer (RFC 6901) to the value within its record, at most [`MAX_POINTER_CHARS`]; empty for the record itself.
    pub pointer: String,
    /// The JSON Pointer to the keyword within the schema, preceded by the `$id` of the schema if it is not the applied one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema_pointer: Option<String>,
    /// The members that are missing or not allowed, at most [`MAX_TARGETS`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub targets: Vec<String>,
    /// The message for the sender.
    pub message: String,
    /// The line of the value, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u64>,
    /// The offset of the first byte of the value, from 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub byte_offset: Option<u64>,
}

impl Failure {
    /// Returns a failure of the value at `pointer`, without a position in the text.
    pub fn new(code: FailureCode, pointer: &str, message: impl Into<String>) -> Self {
        Failure {
            code,
            keyword: None,
            pointer: shortened(pointer, MAX_POINTER_CHARS),
            schema_pointer: None,
            targets: Vec::new(),
            message: message.into(),
            line: None,
            byte_offset: None,
        }
    }

    /// Returns a failure with a position in the text: `line` from 1, `byte_offset` from 0.
    pub fn at(code: FailureCode, message: impl Into<String>, line: u64, byte_offset: u64) -> Self {
        Failure { line: Some(line), byte_offset: Some(byte_offset), ..Failure::new(code, "", message) }
    }

    /// Returns its position in the text; the first byte if it has none.
    pub(crate) fn position(&self) -> TextPosition {
        TextPosition { line: self.line.unwrap_or(1), byte_offset: self.byte_offset.unwrap_or(0) }
    }

    /// Converts its position in a record that begins at `start` to its position in the upload.
    pub(crate) fn move_within(&mut self, start: TextPosition) {
        let TextPosition { line, byte_offset } = self.position().within(start);
        (self.line, self.byte_offset) = (Some(line), Some(byte_offset));
    }

    /// Returns the failure with another pointer.
    #[must_use]
    pub fn with_pointer(self, pointer: &str) -> Self {
        Failure { pointer: shortened(pointer, MAX_POINTER_CHARS), ..self }
    }
}

/// Returns at most `most` characters of `text`, with an ellipsis if there are more.
pub(crate) fn shortened(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        None => text.to_owned(),
        Some(_) => text.chars().take(most.saturating_sub(1)).chain(['…']).collect(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn codes_are_distinct_and_parse_back() {
        let mut seen = HashSet::new();
        for &code in FailureCode::ALL {
            let text = code.as_str();
            assert!(seen.insert(text), "{text} twice");
            assert!(text.bytes().all(|b| b.is_ascii_uppercase() || b == b'_' || b == b'8'), "{text}");
            assert_eq!(text.parse(), Ok(code));
            assert_eq!(serde_json::to_string(&code).unwrap(), format!("\"{text}\""));
            assert_eq!(serde_json::from_str::<FailureCode>(&format!("\"{text}\"")).unwrap(), code);
            assert!(code.meaning().ends_with('.') && !code.meaning().contains('\n'), "{text}");
            assert!(!code.meaning().contains('|'), "{text}: the meaning goes into a table");
        }
        assert!(serde_json::from_str::<FailureCode>("\"type\"").is_err());
    }

    #[test]
    fn failures_serialize_and_deserialize() {
        let rows = [
            ("bare", Failure::new(FailureCode::NotJson, "", "why")),
            ("with a position", Failure::at(FailureCode::Truncated, "why", 3, 17)),
            (
                "full",
                Failure {
                    keyword: Some("required".into()),
                    schema_pointer: Some("/required".into()),
                    targets: vec!["value".into()],
                    ..Failure::at(FailureCode::Required, "missing", 1, 0)
                },
            ),
        ];
        for (name, failure) in rows {
            let text = serde_json::to_string(&failure).unwrap();
            assert_eq!(serde_json::from_str::<Failure>(&text).unwrap(), failure, "{name}");
        }
    }

    #[test]
    fn long_pointers_are_shortened() {
        let rows = [("empty", 0, 0), ("at the limit", 256, 256), ("one over", 257, 256), ("huge", 100_000, 256)];
        for (name, chars, kept) in rows {
            let failure = Failure::new(FailureCode::Type, &"é".repeat(chars), "");
            assert_eq!(failure.pointer.chars().count(), kept, "{name}");
            assert_eq!(failure.pointer.ends_with('…'), chars > 256, "{name}");
        }
    }
}
