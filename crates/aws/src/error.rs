//! What can go wrong on the way to AWS. Bad data is never an error of this type: it is a decision.

use std::error::Error as StdError;
use std::fmt;

use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};

/// A call that failed. For a Lambda function it means: try again.
#[derive(Debug, thiserror::Error)]
#[error("{op} of {target} failed: {kind}")]
pub struct Error {
    /// The operation, by AWS's name where it is one of AWS's.
    pub op: &'static str,
    /// What it was done to: a bucket and key, a table, a topic. Never a presigned URL.
    pub target: String,
    /// What kind of failure it is.
    pub kind: Kind,
    /// What the SDK or a library said.
    #[source]
    pub source: Option<Box<dyn StdError + Send + Sync>>,
}

/// Kinds of failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// Too many calls.
    Throttled,
    /// No answer in time, or no connection.
    Unreachable,
    /// AWS failed.
    Server,
    /// The role lacks a permission.
    Denied,
    /// Something that must be there is not.
    Missing,
    /// What was asked for can never be: the same call fails always.
    Invalid,
    /// Others kept on changing the same item.
    Contended,
    /// What is stored cannot be read.
    Corrupt,
    /// Anything else.
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
            Self::Invalid => "refused for good",
            Self::Contended => "others kept on changing it",
            Self::Corrupt => "what is stored cannot be read",
            Self::Other => "refused",
        })
    }
}

impl Error {
    /// An error of our own making.
    pub fn new(op: &'static str, target: impl Into<String>, kind: Kind) -> Self {
        Self { op, target: target.into(), kind, source: None }
    }

    /// The same with its cause.
    #[must_use]
    pub fn with_source(mut self, source: impl StdError + Send + Sync + 'static) -> Self {
        self.source = Some(Box::new(source));
        self
    }

    /// Whether the same call may succeed later without anybody's doing.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        matches!(self.kind, Kind::Throttled | Kind::Unreachable | Kind::Server | Kind::Contended)
    }

    /// The error and all its causes in one line, for the log.
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
            SdkError::ServiceError(error) => kind_of_code(error.err().code().unwrap_or_default()),
            _ => Kind::Other,
        };
        Self { op, target: target.into(), kind, source: Some(Box::new(error)) }
    }
}

/// Whether a conditional write failed because its condition did not hold.
pub(crate) fn is_condition_failed<E: ProvideErrorMetadata, R>(error: &SdkError<E, R>) -> bool {
    error.code() == Some("ConditionalCheckFailedException")
}

fn kind_of_code(code: &str) -> Kind {
    match code {
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
