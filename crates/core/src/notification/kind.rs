//! The kinds of notices.

use serde::{Deserialize, Serialize};

/// The kind of a notice, also its message attribute `kind`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NoticeKind {
    /// Uploads are rejected for a problem that is new.
    New,
    /// Uploads are rejected for a problem that was quiet or resolved.
    Regressed,
    /// A problem has not occurred for some time. Rejected records are still in quarantine.
    Quiet,
    /// None of the rejected records of a problem is open in quarantine any more.
    Resolved,
    /// Counts of known problems since the last digest.
    Digest,
    /// The deployment checks itself. No e-mail address receives this kind.
    SyntheticCheck,
}

impl NoticeKind {
    /// The kinds that an owner can subscribe to.
    pub const OF_OWNERS: [Self; 5] = [Self::New, Self::Regressed, Self::Quiet, Self::Resolved, Self::Digest];

    /// Returns the name in message attributes, JSON and requests.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Regressed => "regressed",
            Self::Quiet => "quiet",
            Self::Resolved => "resolved",
            Self::Digest => "digest",
            Self::SyntheticCheck => "synthetic_check",
        }
    }

    /// Returns the kind with this name, if an owner can subscribe to it.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::OF_OWNERS.into_iter().find(|kind| kind.as_str() == name)
    }
}
