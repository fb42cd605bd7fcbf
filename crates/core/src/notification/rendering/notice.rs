//! Notices, ready to publish.

use super::contents::{DeploymentInfo, NoticeContents};
use super::details::FailureDetails;
use super::limits::DetailLimits;
use super::{digest, failing, machine, quiet, resolved, subject};
use crate::notification::kind::NoticeKind;
use crate::notification::problem::Problem;

/// The maximum number of codes, and of schemas, in the message attributes.
const MAX_ATTRIBUTE_VALUES: usize = 30;
/// SNS accepts 256 KiB for both forms in one JSON document and the attributes. The attributes need less than the
/// difference.
const MAX_BYTES: usize = 240 << 10;

/// A notice, ready to publish.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// The id. Copies of a notice have the same id.
    pub id: String,
    /// The subject of the e-mail: printable ASCII, 1 to 99 characters.
    pub subject: String,
    /// The body of the e-mail. Lines have at most 78 columns, except for a longer URL of the API.
    pub text: String,
    /// The JSON form.
    pub json: String,
    /// The message attribute `owner`.
    pub owner: String,
    /// The message attribute `kind`.
    pub kind: NoticeKind,
    /// The message attribute `code`: distinct, sorted, 1 to 30 values; `none` if there are none.
    pub codes: Vec<String>,
    /// The message attribute `schema`: distinct, sorted, 1 to 30 values; `none` if there are none.
    pub schemas: Vec<String>,
}

impl Notice {
    /// Renders a notice to an owner. Returns `None` if the featured upload was not rejected and quarantined, or if no
    /// problem is quiet or resolved.
    #[must_use]
    pub fn render(
        id: &str,
        owner: &str,
        contents: &NoticeContents<'_>,
        deployment: &DeploymentInfo<'_>,
    ) -> Option<Self> {
        let mut notice = None;
        for limits in DetailLimits::ALL {
            let rendered = Self::render_within(limits, id, owner, contents, deployment)?;
            let fits = rendered.bytes() <= MAX_BYTES;
            notice = Some(rendered);
            if fits {
                break;
            }
        }
        notice
    }

    fn render_within(
        limits: DetailLimits,
        id: &str,
        owner: &str,
        contents: &NoticeContents<'_>,
        deployment: &DeploymentInfo<'_>,
    ) -> Option<Self> {
        let (subject, text) = match contents {
            NoticeContents::Failing { kind, first, others } => {
                let details = FailureDetails::of(first)?;
                let text = failing::text(owner, *kind, &details, others, deployment, limits);
                (subject::failing(*kind, &details, others.len()), text)
            }
            NoticeContents::Quiet([]) | NoticeContents::Resolved([]) => return None,
            NoticeContents::Quiet(changed) => {
                (subject::quiet(changed), quiet::text(owner, changed, deployment, limits))
            }
            NoticeContents::Resolved(changed) => {
                (subject::resolved(changed), resolved::text(owner, changed, deployment, limits))
            }
            NoticeContents::Digest(contents) => {
                (subject::digest(contents), digest::text(owner, contents, deployment, limits))
            }
        };
        let json = machine::json(id, owner, contents, deployment, &text, limits)?;
        let (codes, schemas) = attributes(&contents.problems());
        let (id, owner) = (id.to_owned(), owner.to_owned());
        Some(Self { id, subject, text, json, owner, kind: contents.kind(), codes, schemas })
    }

    /// Returns the size of the message that holds both forms, each as a JSON string.
    fn bytes(&self) -> usize {
        let quoted = |text: &str| serde_json::to_string(text).map_or(usize::MAX / 4, |quoted| quoted.len());
        quoted(&self.json) + quoted(&self.text) + 64
    }
}

/// Returns the values of `code` and `schema` for filter policies.
fn attributes(problems: &[&Problem]) -> (Vec<String>, Vec<String>) {
    let codes = problems.iter().flat_map(|problem| &problem.failures).map(|at| at.code.as_str().to_owned());
    let schemas = problems.iter().map(|problem| problem.schema.clone()).filter(|schema| !schema.is_empty());
    (distinct(codes), distinct(schemas))
}

fn distinct(all: impl Iterator<Item = String>) -> Vec<String> {
    let mut values: Vec<String> = Vec::new();
    for value in all {
        if values.len() < MAX_ATTRIBUTE_VALUES && !values.contains(&value) {
            values.push(value);
        }
    }
    values.sort_unstable();
    if values.is_empty() { vec!["none".to_owned()] } else { values }
}
