//! The statistics of the points of one upload in each series, for its receipt.

use std::cmp::Reverse;
use std::collections::HashSet;

use serde::{Deserialize, Serialize};

use crate::statistics::summary::Summary;

/// The maximum number of series that a report lists.
pub const MAX_LISTED: usize = 100;
/// The maximum size of the names of all listed series in bytes.
const MAX_NAME_BYTES: usize = 32 << 10;

/// The entity and the measure of a series of a known owner.
pub type SeriesName = (String, String);

/// The statistics of the points of one upload in one series. The summary is exact, so it merges and yields every number but
/// the median.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SeriesStatistics {
    /// The entity, such as a device id.
    pub entity: String,
    /// The measure.
    pub measure: String,
    /// The summary of the points.
    pub summary: Summary,
    /// The median; none if it is not computed, because an attempt of the upload is large.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub median: Option<f64>,
}

/// The statistics of the series of an upload, as the decision on an attempt records them.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct SeriesReport {
    /// The statistics over all accepted attempts until this one, largest series first, at most [`MAX_LISTED`].
    pub listed: Vec<SeriesStatistics>,
    /// The number of series of all accepted attempts until this one; an upper bound, if a correction did not find all chunks of
    /// the attempts before it.
    pub count: u64,
    /// Whether `listed` replaces the list of earlier attempts. If not, it holds the series that this attempt changes.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_whole: bool,
}

impl SeriesStatistics {
    /// Returns the statistics of the points with this summary.
    #[must_use]
    pub fn new((entity, measure): SeriesName, summary: Summary, median: Option<f64>) -> Self {
        Self { entity, measure, summary, median }
    }

    /// Returns the name of the series.
    #[must_use]
    pub fn name(&self) -> SeriesName {
        (self.entity.clone(), self.measure.clone())
    }
}

impl SeriesReport {
    /// Returns the number of series that are not listed; an upper bound, as [`count`](Self::count) is.
    #[must_use]
    pub fn omitted(&self) -> u64 {
        self.count.saturating_sub(self.listed.len() as u64)
    }

    /// Returns the report on all attempts until `later`, if this is the report on those before it.
    #[must_use]
    pub fn followed_by(self, later: &Self) -> Self {
        if later.is_whole {
            return later.clone();
        }
        let mut listed = self.listed;
        if !listed.is_empty() {
            let changed: HashSet<_> = later.listed.iter().map(|series| (&series.entity, &series.measure)).collect();
            listed.retain(|series| !changed.contains(&(&series.entity, &series.measure)));
        }
        listed.extend(later.listed.iter().cloned());
        Self { listed: largest(listed), count: later.count, is_whole: false }
    }
}

/// Returns the largest series, largest first: as many as a report lists. Series of one size are in the order of their names.
#[must_use]
pub fn largest(mut series: Vec<SeriesStatistics>) -> Vec<SeriesStatistics> {
    series.sort_by(|a, b| {
        let key = |series: &SeriesStatistics| Reverse(series.summary.count());
        key(a).cmp(&key(b)).then_with(|| (&a.entity, &a.measure).cmp(&(&b.entity, &b.measure)))
    });
    let mut name_bytes = 0;
    let fits = |series: &&SeriesStatistics| {
        name_bytes += series.entity.len() + series.measure.len();
        name_bytes <= MAX_NAME_BYTES
    };
    let listed = series.iter().take(MAX_LISTED).take_while(fits).count();
    series.truncate(listed);
    series
}
