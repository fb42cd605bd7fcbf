//! Notices: what an owner is told of failing uploads. One SNS message each, as plain text for people and as JSON for
//! machines.
//!
//! A notice tells names, places and counts, never a value of the payload. File and member names are hostile text: they
//! are cleaned, and the subject is ASCII of under 100 characters, as
//! [SNS asks](https://docs.aws.amazon.com/sns/latest/api/API_Publish.html). Mail programs and scanners follow the links
//! of a mail by themselves, so the only link is the API's URL; what can be done there is written as a method and a path, or
//! as a command, and names that look like links are broken. The JSON Schema of the machines' form is
//! `contracts/notice/2.0.json`.

mod advice;
mod changed;
mod digest;
mod failing;
mod machine;
mod parts;
mod resolved;
mod subject;
mod text;
mod words;

use crate::id::UploadId;
use crate::intake::failure::FailureCode;
pub use crate::notification::kind::NoticeKind;
use crate::notification::occurrence::ProblemCounts;
use crate::notification::problem::Problem;
use crate::notification::profile::Profile;
use crate::time::Timestamp;
use crate::upload::Upload;
pub use text::visible;

/// The version of the machines' form.
pub const VERSION: &str = "2.0";
/// How many groups one notice tells.
pub const MAX_GROUPS_IN_NOTICE: usize = 50;
/// How many of the groups that repeated a digest tells to machines.
pub const MAX_REPEATS_TOLD: usize = 10;
/// How many codes, and how many schemas, the message attributes name.
const MAX_IN_ATTRIBUTE: usize = 30;
/// SNS takes 256 KiB: both forms in one JSON document, and the attributes. These need less than the difference.
const MAX_BYTES: usize = 240 << 10;

/// What a deployment says of itself in a notice.
#[derive(Debug, Clone, Copy)]
pub struct DeploymentInfo<'a> {
    /// Where the REST API is, without a slash at the end.
    pub api_url: &'a str,
    /// For how many days the quarantine keeps what was rejected.
    pub retention_days: u32,
}

/// A group and the upload by which it is told.
#[derive(Debug, Clone, Copy)]
pub struct FeaturedProblem<'a> {
    /// The group.
    pub group: &'a Problem,
    /// The upload, as it was then.
    pub upload: &'a Upload,
    /// What the owner's uploads of this kind were like that passed.
    pub profile: Option<&'a Profile>,
}

/// One more group in the same notice.
#[derive(Debug, Clone)]
pub struct OtherProblem {
    /// The group.
    pub group: Problem,
    /// The upload by which it was found.
    pub upload_id: UploadId,
}

/// A group that is over.
#[derive(Debug, Clone)]
pub struct ResolvedProblem {
    /// The group.
    pub group: Problem,
    /// The upload that passed.
    pub upload_id: UploadId,
    /// When it passed.
    pub at: Timestamp,
}

/// What a group did in the time of a digest.
#[derive(Debug, Clone)]
pub struct RepeatedProblem {
    /// The group.
    pub group: Problem,
    /// What it did.
    pub tally: ProblemCounts,
}

/// What groups did that a digest only counts.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct RemainderTotals {
    /// How many groups they are of which uploads failed.
    pub groups: u64,
    /// How many uploads failed so.
    pub uploads: u64,
    /// How many records of them.
    pub records: u64,
    /// How often one came back.
    pub came_back: u64,
    /// How often one was resolved.
    pub resolved: u64,
    /// When the first of the uploads was rejected.
    pub first_seen: Option<Timestamp>,
    /// When the last of them was.
    pub last_seen: Option<Timestamp>,
}

impl RemainderTotals {
    /// Counts one more group.
    pub fn add(&mut self, tally: &ProblemCounts) {
        self.came_back = self.came_back.saturating_add(tally.came_back);
        self.resolved = self.resolved.saturating_add(tally.resolved);
        if tally.uploads == 0 {
            return; // it was no problem in this time: the times of its tally are not those of failures
        }
        self.groups = self.groups.saturating_add(1);
        self.uploads = self.uploads.saturating_add(tally.uploads);
        self.records = self.records.saturating_add(tally.records);
        self.first_seen = Some(self.first_seen.map_or(tally.first_seen, |first| first.min(tally.first_seen)));
        self.last_seen = self.last_seen.max(Some(tally.last_seen));
    }
}

/// What there is to tell.
#[derive(Debug, Clone, Copy)]
pub enum NoticeContents<'a> {
    /// Uploads fail.
    Failing {
        /// `new`, `regressed` or `self_test`.
        kind: NoticeKind,
        /// The one that is told in full.
        first: FeaturedProblem<'a>,
        /// What else is of this kind now.
        others: &'a [OtherProblem],
    },
    /// Uploads pass again: at least one group is over.
    Resolved(&'a [ResolvedProblem]),
    /// What repeated.
    Digest {
        /// Since when.
        from: Timestamp,
        /// Until when.
        to: Timestamp,
        /// Each group that did, in any order.
        repeats: &'a [RepeatedProblem],
        /// Those that are only counted.
        beyond: RemainderTotals,
    },
}

impl NoticeContents<'_> {
    fn kind(&self) -> NoticeKind {
        match self {
            Self::Failing { kind, .. } => *kind,
            Self::Resolved(_) => NoticeKind::Resolved,
            Self::Digest { .. } => NoticeKind::Digest,
        }
    }

    /// The groups it is about, the most important first.
    fn groups(&self) -> Vec<&Problem> {
        match self {
            Self::Failing { first, others, .. } => {
                std::iter::once(first.group).chain(others.iter().map(|other| &other.group)).collect()
            }
            Self::Resolved(resolutions) => resolutions.iter().map(|resolution| &resolution.group).collect(),
            Self::Digest { repeats, .. } => digest::largest(repeats).into_iter().map(|repeat| &repeat.group).collect(),
        }
    }
}

/// A notice, ready to publish.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// Its own id: a receiver that has seen it before has seen this before.
    pub id: String,
    /// The e-mail's subject: printable ASCII, 1 to 99 characters.
    pub subject: String,
    /// The e-mail's body: lines of at most 78 columns, but for the API's URL, should that be longer.
    pub text: String,
    /// The body for machines: JSON.
    pub json: String,
    /// The message attribute `owner`.
    pub owner: String,
    /// The message attribute `kind`.
    pub kind: NoticeKind,
    /// The message attribute `code`: distinct, sorted, 1 to 30; `none` when there are none.
    pub codes: Vec<String>,
    /// The message attribute `schema`: distinct, sorted, 1 to 30; `none` when there are none.
    pub schemas: Vec<String>,
}

impl Notice {
    /// The notice of some news for an owner; none if nothing of the upload it tells of was rejected and quarantined, or
    /// if nothing was resolved.
    #[must_use]
    pub fn of(id: &str, owner: &str, news: &NoticeContents<'_>, site: &DeploymentInfo<'_>) -> Option<Self> {
        let mut notice = None;
        for room in DetailLimits::ALL {
            let (subject, text) = match news {
                NoticeContents::Failing { kind, first, others } => {
                    let told = failing::ProblemDetails::of(first)?;
                    (
                        subject::failing(*kind, &told, others.len()),
                        failing::text(owner, *kind, &told, others, site, room),
                    )
                }
                NoticeContents::Resolved([]) => return None,
                NoticeContents::Resolved(resolutions) => {
                    (subject::resolved(resolutions), resolved::text(owner, resolutions, site, room))
                }
                NoticeContents::Digest { from, to, repeats, beyond } => {
                    let told = digest::ProblemDetails { from: *from, to: *to, repeats, beyond };
                    (subject::digest(repeats, beyond), digest::text(owner, &told, site, room))
                }
            };
            let json = machine::json(id, owner, news, site, &text, room)?;
            let (codes, schemas) = attributes(&news.groups());
            let (id, owner) = (id.to_owned(), owner.to_owned());
            let made = Self { id, subject, text, json, owner, kind: news.kind(), codes, schemas };
            let fits = made.bytes() <= MAX_BYTES;
            notice = Some(made);
            if fits {
                break;
            }
        }
        notice
    }

    /// How large the message is that holds both forms, each as a string of JSON.
    fn bytes(&self) -> usize {
        let quoted = |text: &str| serde_json::to_string(text).map_or(usize::MAX / 4, |quoted| quoted.len());
        quoted(&self.json) + quoted(&self.text) + 64
    }
}

/// The values of `code` and `schema` that a filter policy can ask for.
fn attributes(groups: &[&Problem]) -> (Vec<String>, Vec<String>) {
    let codes = groups.iter().flat_map(|group| &group.failures).map(|at| at.code.as_str().to_owned());
    let schemas = groups.iter().map(|group| group.schema.clone()).filter(|schema| !schema.is_empty());
    (values(codes), values(schemas))
}

fn values(all: impl Iterator<Item = String>) -> Vec<String> {
    let mut values: Vec<String> = Vec::new();
    for value in all {
        if values.len() < MAX_IN_ATTRIBUTE && !values.contains(&value) {
            values.push(value);
        }
    }
    values.sort_unstable();
    if values.is_empty() { vec!["none".to_owned()] } else { values }
}

/// How much of everything a notice tells. Names may be long and escape to many times their length; should a notice
/// become larger than SNS takes, it is written once more, with less of them.
#[derive(Debug, Clone, Copy)]
struct DetailLimits {
    /// How many kinds of failure of the upload that is told in full.
    failures: usize,
    /// How many characters of each pointer of these.
    pointer: usize,
    /// How many characters of each message.
    message: usize,
    /// How many names of members each.
    targets: usize,
    /// How many failures of every other group.
    of_others: usize,
    /// How many characters of each pointer of these.
    pointer_of_others: usize,
}

impl DetailLimits {
    const ALL: [Self; 3] = [
        Self { failures: 10, pointer: 256, message: 4_000, targets: 10, of_others: 10, pointer_of_others: 256 },
        Self { failures: 10, pointer: 96, message: 300, targets: 5, of_others: 1, pointer_of_others: 64 },
        Self { failures: 5, pointer: 64, message: 160, targets: 3, of_others: 1, pointer_of_others: 24 },
    ];
}

/// Codes that are about a member of the value at the pointer: the member's name is a target.
fn is_of_member(code: FailureCode) -> bool {
    use FailureCode::{
        AdditionalProperties, DependentRequired, EntityMissing, PropertyNames, Required, TimeMissing,
        UnevaluatedProperties,
    };
    matches!(
        code,
        Required
            | DependentRequired
            | AdditionalProperties
            | UnevaluatedProperties
            | PropertyNames
            | EntityMissing
            | TimeMissing
    )
}
