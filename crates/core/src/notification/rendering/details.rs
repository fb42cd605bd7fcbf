//! The details of the upload that a notice features.

use std::time::Duration;

use super::changed::{self, KnownTypes, PassHistory};
use super::contents::{DeploymentInfo, FeaturedProblem};
use crate::intake::fingerprint::kind_of;
use crate::intake::rejection::{FailureGroup, Rejection};
use crate::notification::problem::Problem;
use crate::time::Timestamp;
use crate::upload::{Decision, QuarantineLocation, Upload};

const SECONDS_PER_DAY: u64 = 86_400;

/// The rejected part of an upload.
#[derive(Debug, Clone, Copy)]
pub(super) enum Extent {
    /// The upload as a whole. Some of its records may be invalid as well.
    Whole,
    /// Its only record.
    Only,
    /// All of its records, this many.
    All(u64),
    /// The first records, this many. The others were not read.
    First(u64),
    /// Some of its records.
    Part { rejected: u64, accepted: u64 },
}

/// The upload that a notice features, and the reasons for its rejection.
pub(super) struct FailureDetails<'a> {
    pub(super) problem: &'a Problem,
    pub(super) upload: &'a Upload,
    pub(super) rejection: &'a Rejection,
    pub(super) quarantine: &'a QuarantineLocation,
    /// The kinds of failure of the upload, those of the problem first.
    pub(super) failures: Vec<&'a FailureGroup>,
    pub(super) extent: Extent,
    pub(super) history: Option<PassHistory<'a>>,
    pub(super) known: Vec<KnownTypes>,
}

impl<'a> FailureDetails<'a> {
    /// Returns `None` if the upload was not rejected and quarantined.
    pub(super) fn of(featured: &FeaturedProblem<'a>) -> Option<Self> {
        let FeaturedProblem { problem, upload, profile } = *featured;
        let (rejection, quarantine) = (upload.rejection()?, upload.quarantine_location()?);
        let is_of_problem = |failure: &FailureGroup| match &failure.schema {
            Some(schema) => kind_of(schema) == problem.kind_of_upload,
            None => problem.failures.iter().any(|at| (at.code, &at.pointer) == (failure.code, &failure.pointer)),
        };
        let mut failures: Vec<&FailureGroup> = rejection.groups.iter().collect();
        failures.sort_by_key(|failure| !is_of_problem(failure));
        let extent = extent(upload, rejection);
        let history = profile.and_then(|profile| PassHistory::before(upload, profile));
        let known = history.as_ref().map(|history| changed::known(problem, &failures, history)).unwrap_or_default();
        Some(Self { problem, upload, rejection, quarantine, failures, extent, history, known })
    }

    /// Returns when the rejected data was moved to quarantine.
    pub(super) fn quarantined_at(&self) -> Timestamp {
        self.upload.quarantined_at().unwrap_or(self.upload.changed_at())
    }

    /// Returns when quarantine deletes the data.
    pub(super) fn kept_until(&self, deployment: &DeploymentInfo<'_>) -> Timestamp {
        self.quarantined_at() + Duration::from_secs(u64::from(deployment.retention_days) * SECONDS_PER_DAY)
    }

    /// Returns whether the upload is a message.
    pub(super) fn is_message(&self) -> bool {
        self.upload.message().is_some()
    }
}

fn extent(upload: &Upload, rejection: &Rejection) -> Extent {
    match upload.rejected() {
        rejected if matches!(upload.decision(), Some(Decision::Accepted { .. })) => {
            Extent::Part { rejected, accepted: upload.accepted_in_attempt() }
        }
        _ if rejection.upload_failure.is_some() => Extent::Whole,
        0 => Extent::Whole,
        rejected if rejection.read_until.is_some() => Extent::First(rejected),
        1 => Extent::Only,
        rejected => Extent::All(rejected),
    }
}
