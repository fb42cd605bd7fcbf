//! The media type of a file and the limit of rejected records, from the command line.

use eventpulse_core::intake::reader;
use serde_json::{Value, json};

/// The content types that `POST /uploads` accepts.
const CONTENT_TYPES: [&str; 8] = [
    JSON,
    NDJSON,
    "application/ndjson",
    "application/jsonl",
    "application/x-jsonlines",
    "application/gzip",
    "application/zstd",
    "application/octet-stream",
];
/// The content types that do not name the format. The file's extension does.
const OPAQUE: [&str; 3] = ["application/gzip", "application/zstd", "application/octet-stream"];
const JSON: &str = "application/json";
const NDJSON: &str = "application/x-ndjson";

/// The media type of an upload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Media {
    /// The header `Content-Type`.
    pub content_type: &'static str,
    /// The header `Content-Encoding`, for a compressed file.
    pub content_encoding: Option<&'static str>,
}

/// The media type of a file is unknown or unsupported. The text says what to give instead.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MediaError {
    /// Neither the file name nor an option names the type.
    #[error(
        "the ending of `{}` does not say what it holds: endings are .json (one record, or an array of them), .ndjson \
         and .jsonl (a record a line), each also followed by .gz or .zst; rename the file, or name its content type, \
         {JSON} or {NDJSON}",
        .name.escape_debug()
    )]
    Ending {
        /// The file's name.
        name: String,
    },
    /// The content type is not supported.
    #[error("the content type `{}` is not supported; give one of: {}", .given.escape_debug(), CONTENT_TYPES.join(", "))]
    ContentType {
        /// The given text.
        given: String,
    },
    /// The content encoding is not supported.
    #[error("the content encoding `{}` is not supported; give gzip or zstd, or `identity` for none", .given.escape_debug())]
    ContentEncoding {
        /// The given text.
        given: String,
    },
}

impl Media {
    /// Returns the media type of a file: from the options, else from its extension. Case does not matter.
    ///
    /// # Errors
    /// Fails when the type is unknown, or the service does not support it.
    pub fn of_file(name: &str, content_type: Option<&str>, content_encoding: Option<&str>) -> Result<Self, MediaError> {
        let (by_ending, encoding_by_ending) = endings(name);
        let no_ending = || MediaError::Ending { name: name.to_owned() };
        let content_type = match content_type {
            None => by_ending.ok_or_else(no_ending)?,
            Some(given) => {
                let known = known_content_type(given, name)?;
                if OPAQUE.contains(&known) && by_ending.is_none() {
                    return Err(no_ending());
                }
                known
            }
        };
        let content_encoding = match content_encoding {
            None => encoding_by_ending,
            Some(given) => match given.trim().to_ascii_lowercase().as_str() {
                "" | "identity" => None,
                "gzip" | "x-gzip" => Some("gzip"),
                "zstd" => Some("zstd"),
                _ => return Err(MediaError::ContentEncoding { given: given.to_owned() }),
            },
        };
        Ok(Self { content_type, content_encoding })
    }
}

/// Returns the supported content type that a text names, without its parameters, which must fit.
fn known_content_type(given: &str, name: &str) -> Result<&'static str, MediaError> {
    let wanted = given.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let known = CONTENT_TYPES.into_iter().find(|known| *known == wanted);
    // The name decides the format of an opaque type, and its lack is another error.
    let is_usable = |known: &str| OPAQUE.contains(&known) || reader::Media::parse(Some(given), None, name).is_ok();
    known.filter(|known| is_usable(known)).ok_or_else(|| MediaError::ContentType { given: given.to_owned() })
}

/// Returns the content type and the encoding of a file extension.
fn endings(name: &str) -> (Option<&'static str>, Option<&'static str>) {
    let name = name.to_ascii_lowercase();
    let compressed = |ending, encoding| name.strip_suffix(ending).map(|stem| (stem, Some(encoding)));
    let (stem, encoding) =
        compressed(".gz", "gzip").or_else(|| compressed(".zst", "zstd")).unwrap_or((name.as_str(), None));
    let content_type = match stem.rsplit_once('.').map(|(_, ending)| ending) {
        Some("json") => Some(JSON),
        Some("ndjson" | "jsonl") => Some(NDJSON),
        _ => None,
    };
    (content_type, encoding)
}

/// The limit of rejected records is neither a number nor a share.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{}` is not a limit of rejected records: give a number, such as 5, or a share from 0 % to 100 %, such as 10%",
    .0.escape_debug()
)]
pub struct NotMaxRejected(String);

/// Parses the limit of rejected records into `max_rejected` of `POST /uploads`:
/// `5` is `{"count":5}`, `10%` is `{"ratio":0.1}`.
///
/// # Errors
/// Fails for any other text: not a number, negative, a fractional count, more than 100 %.
pub fn parse_max_rejected(text: &str) -> Result<Value, NotMaxRejected> {
    let wrong = || NotMaxRejected(text.to_owned());
    let Some(share) = text.trim().strip_suffix('%') else {
        let digits = text.trim();
        let count = Some(digits).filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
        let count: u64 = count.and_then(|text| text.parse().ok()).ok_or_else(wrong)?;
        return Ok(json!({ "count": count }));
    };
    let share = share.trim_end();
    // The parser of floats takes words too, such as `inf` and `1e1`.
    let plain = share.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    let percent: f64 = Some(share).filter(|_| plain).and_then(|text| text.parse().ok()).ok_or_else(wrong)?;
    if percent > 100.0 {
        return Err(wrong());
    }
    Ok(json!({ "ratio": percent / 100.0 }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn media_type_comes_from_the_options_or_the_extension() {
        let gzip = Some("gzip");
        let rows = [
            ("one document", "a.json", None, None, (JSON, None)),
            ("a record a line", "a.ndjson", None, None, (NDJSON, None)),
            ("the other name of that", "a.jsonl", None, None, (NDJSON, None)),
            ("compressed", "a.json.gz", None, None, (JSON, gzip)),
            ("compressed otherwise", "a.b.jsonl.zst", None, None, (NDJSON, Some("zstd"))),
            ("capitals", "A.NDJSON.GZ", None, None, (NDJSON, gzip)),
            ("a space, a plus, an accent", "à +%2B.json", None, None, (JSON, None)),
            ("a directory", "x.gz/a.json", None, None, (JSON, None)),
            ("the type is said", "a.txt", Some("application/X-NDJSON"), None, (NDJSON, None)),
            ("the type is said, the ending tells the encoding", "a.gz", Some(JSON), None, (JSON, gzip)),
            ("parameters", "a.txt", Some("Application/JSON; charset=UTF-8"), None, (JSON, None)),
            ("said against the ending", "a.json", Some(NDJSON), gzip, (NDJSON, gzip)),
            ("said to be plain", "a.json.gz", None, Some("identity"), (JSON, None)),
            ("the encoding is said", "a.json", None, Some("Zstd"), (JSON, Some("zstd"))),
            ("opaque", "a.json.gz", Some("application/gzip"), None, ("application/gzip", gzip)),
        ];
        for (what, name, content_type, encoding, (expected, expected_encoding)) in rows {
            let media = Media { content_type: expected, content_encoding: expected_encoding };
            assert_eq!(Media::of_file(name, content_type, encoding), Ok(media), "{what}");
        }
    }

    #[test]
    fn unsupported_media_type_names_the_supported_ones() {
        let rows = [
            ("no ending", "", None, None, ".ndjson"),
            ("another ending", "a.csv", None, None, "endings are .json"),
            ("compressed, but what?", "a.gz", None, None, "each also followed by .gz or .zst"),
            ("only the word", "json", None, None, "does not say what it holds"),
            ("opaque, and no ending", "a.bin", Some("application/octet-stream"), None, ".jsonl"),
            ("another type", "a.json", Some("text/csv"), None, "application/json, application/x-ndjson"),
            ("another charset", "a.json", Some("application/json; charset=latin1"), None, "is not supported"),
            ("another encoding", "a.json", None, Some("br"), "gzip or zstd"),
            ("a control character", "a\u{1b}[2J", None, None, "a\\u{1b}[2J"),
        ];
        for (what, name, content_type, encoding, told) in rows {
            let error = Media::of_file(name, content_type, encoding).unwrap_err().to_string();
            assert!(error.contains(told), "{what}: {error}");
        }
    }

    #[test]
    fn limit_is_a_count_or_a_share() {
        let rows = [
            ("0", json!({"count": 0})),
            ("5", json!({"count": 5})),
            (" 12 ", json!({"count": 12})),
            ("0%", json!({"ratio": 0.0})),
            ("10%", json!({"ratio": 0.1})),
            ("2.5 %", json!({"ratio": 0.025})),
            ("100%", json!({"ratio": 1.0})),
        ];
        for (text, expected) in rows {
            assert_eq!(parse_max_rejected(text), Ok(expected), "{text}");
        }
        let wrong = [
            "",
            "%",
            "five",
            "-1",
            "+1",
            "1.5",
            "-10%",
            "100.1%",
            "101%",
            "nan%",
            "inf%",
            "1e1%",
            "1.2.3%",
            "10%%",
            "18446744073709551616",
            "٥",
        ];
        for text in wrong {
            let error = parse_max_rejected(text).unwrap_err().to_string();
            assert!(error.contains("such as 10%"), "{text}: {error}");
        }
    }
}
