//! Advice to the owner: the next step after a rejection.

use super::details::{Extent, FailureDetails};
use crate::intake::failure::FailureCode;

/// The next step, and the data to send.
pub(super) struct Advice {
    pub(super) sentences: &'static str,
    pub(super) resend: Resend,
}

/// The data to send with a retry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Resend {
    /// A corrected file, or corrected records.
    Corrected,
    /// The same file once more.
    SameFile,
    /// Nothing: the data in quarantine is retried unchanged.
    Nothing,
}

/// Returns the advice for a rejected upload.
pub(super) fn advice(details: &FailureDetails<'_>) -> Advice {
    let corrected = |sentences| Advice { sentences, resend: Resend::Corrected };
    if details.quarantine.records && details.quarantine.key.is_some() {
        return corrected(
            "Correct the rejected records and send only those. The file that you save below has one rejected record per \
             line, under `record`, next to its failures. Do not send the whole upload again: the accepted records would \
             count twice.",
        );
    }
    if details.upload.accepted() > 0 || matches!(details.extent, Extent::Part { .. }) {
        return corrected(
            "Correct the rejected records and send only those. Do not send the whole upload again: the accepted records \
             would count twice.",
        );
    }
    match details.rejection.upload_failure.as_ref().map(|failure| failure.code) {
        Some(FailureCode::ObjectMissing) => Advice {
            sentences: "Send the file again. If you deleted it on purpose, there is nothing to do.",
            resend: Resend::SameFile,
        },
        Some(FailureCode::TooManyRejected) => corrected(
            "Correct the records and send the whole file again. Or, if max_rejected was too low, upload it as a new \
             upload with a higher one: then the valid records are accepted without the others.",
        ),
        Some(FailureCode::TooManySeries) => Advice {
            sentences: "Send the data in several uploads, each with fewer devices. Then discard this one.",
            resend: Resend::Corrected,
        },
        Some(FailureCode::ProcessingFailed) => Advice {
            sentences: "Retry the upload unchanged. If that fails too, upload the data in smaller parts and tell the \
                        operator: the data may be valid and the service at fault.",
            resend: Resend::Nothing,
        },
        Some(
            FailureCode::UnsupportedContentType | FailureCode::ContentTypeMismatch | FailureCode::UnsupportedFormat,
        ) => corrected(
            "Send JSON as application/json, or one JSON record per line as application/x-ndjson. Both may be compressed \
             by gzip or zstd. Send the whole file again.",
        ),
        Some(FailureCode::IdempotencyKeyReused) => Advice {
            sentences: "If both messages should count, retry this one unchanged, and let the device use a new \
                        Idempotency-Key for each new message. Otherwise there is nothing to do.",
            resend: Resend::Nothing,
        },
        Some(FailureCode::TooManyRecords) => Advice {
            sentences: "Retry this message unchanged, which has no such limit, and let the device send at most 500 records \
                        at once, or upload files.",
            resend: Resend::Nothing,
        },
        _ if details.is_message() => corrected(
            "Correct the data that the device sends, and send this message corrected. No record will count twice.",
        ),
        _ => corrected("Correct the file and send the whole file again. No record will count twice."),
    }
}
