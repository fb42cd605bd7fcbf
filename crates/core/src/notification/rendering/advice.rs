//! What the owner can do about a rejection.

use super::failing::{Extent, ProblemDetails};
use crate::intake::failure::FailureCode;

/// What to do, and how to try again.
pub(super) struct Advice {
    pub(super) words: &'static str,
    pub(super) retry: Retry,
}

/// What is to be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Retry {
    /// A file that was corrected, or the corrected records.
    Corrected,
    /// The very file, once more.
    Again,
    /// Nothing: what lies in quarantine is tried again.
    Unchanged,
}

pub(super) fn advice(told: &ProblemDetails<'_>) -> Advice {
    let corrected = |words| Advice { words, retry: Retry::Corrected };
    let counts_already = told.upload.accepted() > 0;
    let is_message = told.upload.message().is_some();
    if told.quarantined.records && told.quarantined.key.is_some() {
        return corrected(
            "Correct the rejected records and send just those. What you save below has one of them on each line, \
             under `record`, beside what is wrong with it. Do not send everything again: what counts already would \
             count twice.",
        );
    }
    if counts_already || matches!(told.extent, Extent::Part { .. }) {
        return corrected(
            "Correct the rejected records and send just those. Do not send everything again: what counts already \
             would count twice.",
        );
    }
    match told.rejection.upload_failure.as_ref().map(|failure| failure.code) {
        Some(FailureCode::ObjectMissing) => Advice {
            words: "Send the file again. If you deleted it on purpose, there is nothing to do.",
            retry: Retry::Again,
        },
        Some(FailureCode::TooManyRejected) => corrected(
            "Correct the records and send the whole file again. Or upload it anew with a higher max_rejected: then \
             the good records count without the others.",
        ),
        Some(FailureCode::ProcessingFailed) => Advice {
            words: "Try it once more as it is. If that fails too, upload it in smaller parts, and tell the operator: \
                    the file may be sound and the fault ours.",
            retry: Retry::Unchanged,
        },
        Some(FailureCode::UnsupportedContentType | FailureCode::ContentTypeMismatch) => corrected(
            "Send JSON as application/json, or one JSON record a line as application/x-ndjson, either of them also \
             compressed by gzip or zstd. Send all of it again.",
        ),
        Some(FailureCode::IdempotencyKeyReused) => Advice {
            words: "If both messages are to count, try this one again as it is, and let the device use a new \
                    Idempotency-Key for each new message. If not, there is nothing to do.",
            retry: Retry::Unchanged,
        },
        _ if is_message => {
            corrected("Correct what the device sends, and this message too: nothing of it will count twice.")
        }
        _ => corrected("Correct the file and send all of it again: nothing of it will count twice."),
    }
}
