//! The statistics of the points of one upload in each series, for its receipt.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::statistics::summary::Summary;
use crate::time::Timestamp;

/// The statistics of the points of one upload in one series.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SeriesStatistics {
    /// The entity, such as a device id.
    pub entity: String,
    /// The measure.
    pub measure: String,
    /// The summary of the points, from which the numbers of all attempts are computed.
    pub summary: Summary,
    /// The number of points.
    pub count: u64,
    /// The arithmetic mean.
    pub mean: f64,
    /// The median; none if it needs a second pass over the points, as for large uploads and for an upload with its retries.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub median: Option<f64>,
    /// The standard deviation of the sample; none for a single point.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub standard_deviation: Option<f64>,
    /// The smallest value.
    pub min: f64,
    /// The largest value.
    pub max: f64,
    /// The time of the earliest point.
    pub first: Timestamp,
    /// The time of the latest point.
    pub last: Timestamp,
}

impl SeriesStatistics {
    /// Returns the statistics of the points with this summary.
    #[must_use]
    pub fn new((entity, measure): (String, String), summary: &Summary, median: Option<f64>) -> Self {
        Self {
            entity,
            measure,
            summary: summary.clone(),
            count: summary.count(),
            mean: summary.mean(),
            median,
            standard_deviation: summary.standard_deviation(),
            min: summary.min(),
            max: summary.max(),
            first: summary.first(),
            last: summary.last(),
        }
    }

    /// Returns the statistics of both sets of points, without a median.
    fn merged(self, other: &Self) -> Self {
        let mut summary = self.summary;
        summary.merge(&other.summary);
        Self::new((self.entity, self.measure), &summary, None)
    }
}

/// Merges the statistics of two attempts of an upload, series by series; returns the largest series first.
pub(crate) fn merge(earlier: &[SeriesStatistics], later: &[SeriesStatistics]) -> Vec<SeriesStatistics> {
    if earlier.is_empty() {
        return later.to_vec();
    }
    let mut all: BTreeMap<(String, String), SeriesStatistics> = BTreeMap::new();
    for statistics in earlier.iter().chain(later) {
        let name = (statistics.entity.clone(), statistics.measure.clone());
        let merged = match all.remove(&name) {
            Some(known) => known.merged(statistics),
            None => statistics.clone(),
        };
        all.insert(name, merged);
    }
    let mut all: Vec<SeriesStatistics> = all.into_values().collect();
    all.sort_by_key(|statistics| std::cmp::Reverse(statistics.count));
    all
}
