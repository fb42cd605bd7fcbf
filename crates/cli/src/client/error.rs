//! The errors of client commands.

use reqwest::StatusCode;
use serde_json::Value;

use super::media::{MediaError, NotMaxRejected};
use super::send::SendError;
use super::validate::ValidateError;

/// The exit code of a failed command. 1 stands for rejected data, 2 for invalid arguments.
const NO_ANSWER: u8 = 3;
/// The exit code for invalid arguments, as in clap.
const WRONG_USE: u8 = 2;

/// The error of a client command.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// The API refused, with problem details of [RFC 9457](https://www.rfc-editor.org/rfc/rfc9457) or any other body.
    #[error("{title} ({status}){}{detail}", if detail.is_empty() { "" } else { ": " })]
    Problem {
        /// The HTTP status.
        status: u16,
        /// The title of the error.
        title: String,
        /// The explanation and the remedy. May be empty.
        detail: String,
        /// The error at each position of the request: `/size: must be ...`.
        errors: Vec<String>,
    },
    /// There was no answer.
    #[error("{url} cannot be reached: {}", innermost(source))]
    Unreachable {
        /// The URL without its query.
        url: String,
        /// The cause.
        #[source]
        source: reqwest::Error,
    },
    /// Nobody is signed in. The text says how to sign in.
    #[error("{0}")]
    SignedOut(String),
    /// The type of a file is not supported.
    #[error(transparent)]
    Media(#[from] MediaError),
    /// A limit is invalid.
    #[error(transparent)]
    MaxRejected(#[from] NotMaxRejected),
    /// A file could not be sent.
    #[error("{}", chain(.0))]
    Send(#[from] SendError),
    /// A file could not be validated.
    #[error("{}", chain(.0))]
    Validate(#[from] ValidateError),
    /// Any other error on this machine.
    #[error("{0}")]
    Other(String),
}

/// Returns an error with its causes in one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(&format!(": {cause}"));
        source = cause.source();
    }
    text
}

impl ClientError {
    /// Returns the exit code.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Media(_) | Self::MaxRejected(_) => WRONG_USE,
            _ => NO_ANSWER,
        }
    }

    /// Makes the error of a call without an answer. Leaves out the query, which may hold a secret.
    pub(crate) fn unreachable(url: &str, source: reqwest::Error) -> Self {
        let url = url.split(['?', '#']).next().unwrap_or_default().to_owned();
        Self::Unreachable { url, source: source.without_url() }
    }

    /// Makes the error of a refusal.
    pub(crate) fn problem(status: StatusCode, body: &[u8]) -> Self {
        let problem: Value = serde_json::from_slice(body).unwrap_or_default();
        let text = |member: &str| problem[member].as_str().map(str::to_owned);
        // API Gateway itself says `message`.
        let detail = text("detail").or_else(|| text("message")).unwrap_or_default();
        let title = text("title").unwrap_or_else(|| status.canonical_reason().unwrap_or("refused").to_owned());
        let errors = problem["errors"].as_array().map_or(&[][..], Vec::as_slice).iter().map(position).collect();
        Self::Problem { status: status.as_u16(), title, detail, errors }
    }
}

/// Returns one element of `errors` as a line.
fn position(error: &Value) -> String {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let parameter = text(&error["parameter"]).or_else(|| text(&error["pointer"]["parameter"]));
    let position = match (text(&error["pointer"]), parameter) {
        (Some(pointer), _) if pointer.is_empty() => "the body".to_owned(),
        (Some(pointer), _) => pointer,
        (None, Some(parameter)) => format!("parameter {parameter}"),
        (None, None) => return text(&error["detail"]).unwrap_or_else(|| error.to_string()),
    };
    format!("{position}: {}", text(&error["detail"]).unwrap_or_default())
}

/// Returns the innermost cause, the only informative one of a connection: "connection refused".
pub(crate) fn innermost(error: &dyn std::error::Error) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_with_any_body_become_errors() {
        for (name, status, body, text, places) in [
            (
                "a problem",
                400,
                r#"{"type":"urn:eventpulse:problem:invalid-request","title":"The request is not valid","status":400,
                    "detail":"Correct it.","errors":[{"pointer":"/size","detail":"must be a number"},
                    {"parameter":"from","detail":"is no time"},{"pointer":"","detail":"is no object"}]}"#,
                "The request is not valid (400): Correct it.",
                vec!["/size: must be a number", "parameter from: is no time", "the body: is no object"],
            ),
            ("the gateway's own", 403, r#"{"message":"Forbidden"}"#, "Forbidden (403): Forbidden", vec![]),
            ("a page", 502, "<html>", "Bad Gateway (502)", vec![]),
            ("nothing", 599, "", "refused (599)", vec![]),
            ("odd places", 400, r#"{"errors":[1,{"detail":"x"}]}"#, "Bad Request (400)", vec!["1", "x"]),
        ] {
            let error = ClientError::problem(StatusCode::from_u16(status).unwrap(), body.as_bytes());
            assert_eq!((error.to_string(), error.exit_code()), (text.to_owned(), 3), "{name}");
            let ClientError::Problem { errors, .. } = error else { panic!("{name}: no problem") };
            assert_eq!(errors, places, "{name}");
        }
    }
}
