//! Why a client command did not get its answer.

use reqwest::StatusCode;
use serde_json::Value;

use super::media::{MediaError, NotMaxRejected};
use super::send::SendError;
use super::validate::ValidateError;

/// The exit code of a command that did not get its answer. 1 and 2 are taken: by rejected data and by wrong arguments.
const NO_ANSWER: u8 = 3;
/// That of one that was used in a way that makes no sense, as clap has it.
const WRONG_USE: u8 = 2;

/// Why a client command did not get its answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// The API refused: a problem of [RFC 9457](https://www.rfc-editor.org/rfc/rfc9457), or whatever it said instead.
    #[error("{title} ({status}){}{detail}", if detail.is_empty() { "" } else { ": " })]
    Problem {
        /// The HTTP status.
        status: u16,
        /// What kind of problem it is.
        title: String,
        /// What is wrong and what to do; may be empty.
        detail: String,
        /// What is wrong in each place of the request: `/size: must be ...`.
        errors: Vec<String>,
    },
    /// There was no answer.
    #[error("{url} cannot be reached: {}", innermost(source))]
    Unreachable {
        /// What was called, without a query.
        url: String,
        /// Why not.
        #[source]
        source: reqwest::Error,
    },
    /// Nobody is signed in, or no longer. Says how to sign in.
    #[error("{0}")]
    SignedOut(String),
    /// A file is of no type that is read here.
    #[error(transparent)]
    Media(#[from] MediaError),
    /// What was given is no limit.
    #[error(transparent)]
    MaxRejected(#[from] NotMaxRejected),
    /// A file could not be sent.
    #[error("{}", chain(.0))]
    Send(#[from] SendError),
    /// A file could not be validated.
    #[error("{}", chain(.0))]
    Validate(#[from] ValidateError),
    /// Anything else, on this machine.
    #[error("{0}")]
    Other(String),
}

/// An error with its causes, on one line.
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
    /// What the command exits with.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Media(_) | Self::MaxRejected(_) => WRONG_USE,
            _ => NO_ANSWER,
        }
    }

    /// Of a call without an answer. The query is left out: it may hold a secret.
    pub(crate) fn unreachable(url: &str, source: reqwest::Error) -> Self {
        let url = url.split(['?', '#']).next().unwrap_or_default().to_owned();
        Self::Unreachable { url, source: source.without_url() }
    }

    /// Of an answer that is a refusal.
    pub(crate) fn problem(status: StatusCode, body: &[u8]) -> Self {
        let problem: Value = serde_json::from_slice(body).unwrap_or_default();
        let text = |member: &str| problem[member].as_str().map(str::to_owned);
        // API Gateway itself says `message`.
        let detail = text("detail").or_else(|| text("message")).unwrap_or_default();
        let title = text("title").unwrap_or_else(|| status.canonical_reason().unwrap_or("refused").to_owned());
        let errors = problem["errors"].as_array().map_or(&[][..], Vec::as_slice).iter().map(place).collect();
        Self::Problem { status: status.as_u16(), title, detail, errors }
    }
}

/// One of a problem's `errors`, as a line.
fn place(error: &Value) -> String {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let parameter = text(&error["parameter"]).or_else(|| text(&error["pointer"]["parameter"]));
    let place = match (text(&error["pointer"]), parameter) {
        (Some(pointer), _) if pointer.is_empty() => "the body".to_owned(),
        (Some(pointer), _) => pointer,
        (None, Some(parameter)) => format!("parameter {parameter}"),
        (None, None) => return text(&error["detail"]).unwrap_or_else(|| error.to_string()),
    };
    format!("{place}: {}", text(&error["detail"]).unwrap_or_default())
}

/// What an error comes down to. Of a connection, only that tells anything: "connection refused".
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
    fn a_refusal_reads_well_whatever_its_body_is() {
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
