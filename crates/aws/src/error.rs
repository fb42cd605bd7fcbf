//! AWS failures: the errors of all adapters and workflows.
//!
//! An [`Error`] says that a call to AWS did not complete. Invalid data is never an error of this type: a rejection, a
//! refusal or a missing item is a value. The [`Kind`] says why the call failed:
//!
//! | kind | cause | retryable |
//! |---|---|---|
//! | [`Kind::Throttled`] | too many calls | yes |
//! | [`Kind::Unreachable`] | no connection, or no answer in time | yes |
//! | [`Kind::Server`] | a fault of the service | yes |
//! | [`Kind::Contended`] | concurrent writes of the same item, after all retries | yes |
//! | [`Kind::Denied`] | a missing permission of the role | no |
//! | [`Kind::Missing`] | a missing table, bucket, topic or object that must exist | no |
//! | [`Kind::Invalid`] | a parameter that the service never accepts | no |
//! | [`Kind::TooLarge`] | an item that DynamoDB refuses by its size | no |
//! | [`Kind::HistoryFull`] | the item of an upload that DynamoDB does not let grow | no |
//! | [`Kind::Corrupt`] | a stored value that cannot be read | no |
//! | [`Kind::Other`] | any other refusal | no |
//!
//! The SDK and the adapters have retried retryable failures already. Callers pass the error on with `?`. At the edge:
//!
//! - a function that a queue or EventBridge invokes logs the error once and fails, so that the delivery is repeated and,
//!   after the last attempt, goes to its failure queue;
//! - the REST API logs the error once, and answers 503 with `Retry-After` if it is retryable, else 500;
//! - the command line prints the chain of causes and exits with an error.
//!
//! Every workflow can be repeated after a failure: it resumes from the stored state.

use std::error::Error as StdError;
use std::fmt;

use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};

/// A failed call to AWS. See the [module](self) for what callers do.
#[derive(Debug, thiserror::Error)]
#[error("{op} of {target} failed: {kind}")]
pub struct Error {
    /// The operation, by its AWS name if it has one.
    pub op: &'static str,
    /// The target: a bucket and key, a table, a topic. Never a presigned URL.
    pub target: String,
    /// The kind of failure.
    pub kind: Kind,
    /// The error of the SDK or of a library.
    #[source]
    pub source: Option<Box<dyn StdError + Send + Sync>>,
}

/// The kinds of failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// Too many calls.
    Throttled,
    /// No connection, or no answer in time.
    Unreachable,
    /// A fault of the service.
    Server,
    /// A missing permission of the role.
    Denied,
    /// A missing resource that must exist.
    Missing,
    /// A parameter that the service never accepts: the same call always fails.
    Invalid,
    /// An item of more than 400 KB: DynamoDB never accepts it.
    TooLarge,
    /// An append that makes the item of an upload larger than 400 KB: its history takes no further event.
    HistoryFull,
    /// Concurrent writes of the same item.
    Contended,
    /// A stored value that cannot be read.
    Corrupt,
    /// Any other refusal.
    Other,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Throttled => "throttled",
            Self::Unreachable => "no answer",
            Self::Server => "the service failed",
            Self::Denied => "access denied: the role lacks a permission",
            Self::Missing => "not found",
            Self::Invalid => "invalid request",
            Self::TooLarge => "the item is too large",
            Self::HistoryFull => "the history of the upload is full",
            Self::Contended => "concurrent writes",
            Self::Corrupt => "the stored value cannot be read",
            Self::Other => "refused",
        })
    }
}

impl Error {
    /// Creates an error without a source.
    pub fn new(op: &'static str, target: impl Into<String>, kind: Kind) -> Self {
        Self { op, target: target.into(), kind, source: None }
    }

    /// Adds the source.
    #[must_use]
    pub fn with_source(mut self, source: impl StdError + Send + Sync + 'static) -> Self {
        self.source = Some(Box::new(source));
        self
    }

    /// Returns whether the same call may succeed later without intervention.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        matches!(self.kind, Kind::Throttled | Kind::Unreachable | Kind::Server | Kind::Contended)
    }

    /// Returns the error and its sources in one line, for the log.
    #[must_use]
    pub fn chain(&self) -> String {
        let mut chain = self.to_string();
        let mut source = self.source();
        while let Some(cause) = source {
            chain.push_str(": ");
            chain.push_str(&cause.to_string());
            source = cause.source();
        }
        chain
    }

    pub(crate) fn sdk<E, R>(op: &'static str, target: impl Into<String>, error: SdkError<E, R>) -> Self
    where
        E: StdError + ProvideErrorMetadata + Send + Sync + 'static,
        R: fmt::Debug + Send + Sync + 'static,
    {
        let kind = match &error {
            SdkError::TimeoutError(_) | SdkError::DispatchFailure(_) | SdkError::ResponseError(_) => Kind::Unreachable,
            SdkError::ServiceError(error) => {
                let error = error.err();
                kind_of(error.code().unwrap_or_default(), error.message().unwrap_or_default())
            }
            _ => Kind::Other,
        };
        Self { op, target: target.into(), kind, source: Some(Box::new(error)) }
    }
}

/// Returns whether a conditional write failed because its condition did not hold.
pub(crate) fn is_condition_failed<E: ProvideErrorMetadata, R>(error: &SdkError<E, R>) -> bool {
    error.code() == Some("ConditionalCheckFailedException")
}

/// Returns whether a write failed because a transaction was writing the same item.
pub(crate) fn is_in_transaction<E: ProvideErrorMetadata, R>(error: &SdkError<E, R>) -> bool {
    error.code() == Some("TransactionConflictException")
}

/// Returns whether DynamoDB refused an item because of its size. The code says no more than that a request is invalid.
pub(crate) fn is_item_too_large(code: &str, message: &str) -> bool {
    matches!(code, "ValidationException" | "ValidationError")
        && message.contains("Item size")
        && message.contains("exceeded the maximum allowed size")
}

fn kind_of(code: &str, message: &str) -> Kind {
    match code {
        _ if is_item_too_large(code, message) => Kind::TooLarge,
        "ThrottlingException"
        | "Throttling"
        | "Throttled"
        | "ThrottledException"
        | "SlowDown"
        | "TooManyRequestsException"
        | "ProvisionedThroughputExceededException"
        | "RequestLimitExceeded"
        | "LimitExceededException" => Kind::Throttled,
        "InternalError"
        | "InternalFailure"
        | "InternalServerError"
        | "ServiceUnavailable"
        | "InternalServerException" => Kind::Server,
        "AccessDenied" | "AccessDeniedException" | "AuthorizationError" | "AuthorizationErrorException" => Kind::Denied,
        "InvalidParameter" | "InvalidParameterException" | "InvalidParameterValue" => Kind::Invalid,
        "NoSuchBucket"
        | "NoSuchKey"
        | "NoSuchVersion"
        | "NotFound"
        | "NotFoundException"
        | "ResourceNotFoundException" => Kind::Missing,
        "ConflictException"
        | "ConditionalRequestConflict"
        | "TransactionConflictException"
        | "TransactionInProgressException" => Kind::Contended,
        _ => Kind::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_item_that_is_too_large_is_a_kind_of_its_own() {
        for (code, message, expected) in [
            ("ValidationException", "Item size has exceeded the maximum allowed size", Kind::TooLarge),
            ("ValidationException", "Item size to update has exceeded the maximum allowed size", Kind::TooLarge),
            ("ValidationError", "Item size to update has exceeded the maximum allowed size", Kind::TooLarge),
            ("ValidationException", "The provided key element does not match the schema", Kind::Other),
            ("ThrottlingException", "Item size has exceeded the maximum allowed size", Kind::Throttled),
            ("ConditionalCheckFailedException", "", Kind::Other),
        ] {
            assert_eq!(kind_of(code, message), expected, "{code}: {message}");
        }
    }
}
