//! The type and encoding of a file that a request announces.

use eventpulse_core::intake::reader::Media;

use crate::api_error::ApiError;

/// The maximum number of characters of an announced header.
const MAX_CHARS: usize = 255;

/// The headers of a file as its sender announces them. The presigned URL signs exactly these texts, so the sender may
/// send the headers that it announced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Announced<'a> {
    /// The header `Content-Type`.
    pub(crate) content_type: &'a str,
    /// The header `Content-Encoding`; `None` for a file that is not compressed.
    pub(crate) content_encoding: Option<&'a str>,
}

impl<'a> Announced<'a> {
    /// Checks the members `content_type` and `content_encoding` of a request with the parser of the headers of an object.
    /// `file_name` decides the format if the type does not; without one, the type must.
    ///
    /// # Errors
    /// Returns a 400 that names the member for any text that the upload could not have.
    pub(crate) fn parse(content_type: &'a str, encoding: Option<&'a str>, file_name: &str) -> Result<Self, ApiError> {
        let content_type = header("/content_type", content_type)?;
        if content_type.is_empty() {
            return Err(ApiError::member("/content_type", "expected a media type, such as application/json"));
        }
        let encoding = encoding.map(|encoding| header("/content_encoding", encoding)).transpose()?;
        // S3 decodes this encoding, which only a signed stream has.
        let is_chunked = encoding.is_some_and(|encoding| encoding.to_ascii_lowercase().contains("aws-chunked"));
        if is_chunked || Media::parse(Some("application/json"), encoding, "").is_err() {
            return Err(ApiError::member("/content_encoding", "expected gzip or zstd, or no such member"));
        }
        Media::parse(Some(content_type), encoding, file_name)
            .map_err(|failure| ApiError::member("/content_type", failure.message))?;
        let is_none = |encoding: &str| encoding.is_empty() || encoding.eq_ignore_ascii_case("identity");
        Ok(Self { content_type, content_encoding: encoding.filter(|encoding| !is_none(encoding)) })
    }
}

/// Returns the value of a header without the space around it.
fn header<'a>(pointer: &str, text: &'a str) -> Result<&'a str, ApiError> {
    let is_sendable = text.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic());
    if !is_sendable || text.len() > MAX_CHARS {
        let detail = format!("expected at most {MAX_CHARS} printable ASCII characters, as in a header");
        return Err(ApiError::member(pointer, detail));
    }
    Ok(text.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn announced_headers_are_signed_as_they_will_be_sent() {
        let (json, utf8) = ("application/json", "Application/JSON; Charset=\"UTF-8\"");
        for (name, content_type, encoding, file_name, expected) in [
            ("plain", json, None, "a", (json, None)),
            ("capitals and a parameter", utf8, None, "a", (utf8, None)),
            (
                "spaces around",
                " application/x-ndjson ;charset=utf-8 ",
                None,
                "a",
                ("application/x-ndjson ;charset=utf-8", None),
            ),
            ("capitals of the encoding", json, Some("GZIP"), "a", (json, Some("GZIP"))),
            ("another name of gzip", json, Some("x-gzip"), "a", (json, Some("x-gzip"))),
            ("not encoded", json, Some("identity"), "a", (json, None)),
            ("an empty encoding", json, Some(""), "a", (json, None)),
            ("the file name decides", "application/Gzip", None, "a.json.gz", ("application/Gzip", None)),
        ] {
            let (content_type, content_encoding, expected) = (content_type, encoding, expected);
            let announced = Announced::parse(content_type, content_encoding, file_name);
            assert_eq!(announced, Ok(Announced { content_type: expected.0, content_encoding: expected.1 }), "{name}");
        }
    }

    #[test]
    fn unusable_headers_are_refused_by_member() {
        let long = format!("application/json; x={}", "y".repeat(255));
        for (name, content_type, encoding, file_name, pointer) in [
            ("another type", "text/csv", None, "a.json", "/content_type"),
            ("no type", " ", None, "a.json", "/content_type"),
            ("another charset", "application/json; charset=latin1", None, "a.json", "/content_type"),
            ("two types", "application/json, text/csv", None, "a.json", "/content_type"),
            ("a second header", "application/json;\r\nx: y", None, "a.json", "/content_type"),
            ("an accent", "application/json; x=é", None, "a.json", "/content_type"),
            ("too long", long.as_str(), None, "a.json", "/content_type"),
            ("no format", "application/octet-stream", None, "a.bin", "/content_type"),
            ("another encoding", "application/json", Some("br"), "a.json", "/content_encoding"),
            ("two encodings", "application/json", Some("gzip, gzip"), "a.json", "/content_encoding"),
            ("an encoding of S3", "application/json", Some("aws-chunked,gzip"), "a.json", "/content_encoding"),
        ] {
            let error = Announced::parse(content_type, encoding, file_name).unwrap_err();
            assert_eq!(serde_json::to_value(error).unwrap()["errors"][0]["pointer"], pointer, "{name}");
        }
    }
}
