//! The kinds of notices.

use serde::{Deserialize, Serialize};

/// What a notice tells. The message attribute `kind`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NoticeKind {
    /// Uploads fail in a way that was not there before.
    New,
    /// They fail again in a way that was resolved.
    Regressed,
    /// Uploads of this kind pass again.
    Resolved,
    /// What repeated since the last digest.
    Digest,
    /// The deployment's test of itself: nobody is mailed.
    SelfTest,
}

impl NoticeKind {
    /// Those that an owner may receive.
    pub const OF_OWNERS: [Self; 4] = [Self::New, Self::Regressed, Self::Resolved, Self::Digest];

    /// The word in attributes, JSON and requests.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Regressed => "regressed",
            Self::Resolved => "resolved",
            Self::Digest => "digest",
            Self::SelfTest => "self_test",
        }
    }

    /// The kind that a word names, of those that an owner may receive.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::OF_OWNERS.into_iter().find(|kind| kind.as_str() == word)
    }
}
