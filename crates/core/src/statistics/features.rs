//! What an upload gave each series, for its receipt.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::statistics::summary::Summary;
use crate::time::Timestamp;

/// The statistics of what one upload gave one series.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SeriesStatistics {
    /// The entity, e.g. a device id.
    pub entity: String,
    /// The measure.
    pub measure: String,
    /// The number of points.
    pub count: u64,
    /// Their mean.
    pub mean: f64,
    /// Their median; none where it would have taken a second look at the points: those of a large upload, or of an
    /// upload and its later corrections.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub median: Option<f64>,
    /// Their standard deviation, that of a sample; none of a single point.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub standard_deviation: Option<f64>,
    /// The smallest value.
    pub min: f64,
    /// The largest value.
    pub max: f64,
    /// When the earliest point was measured.
    pub first: Timestamp,
    /// When the latest point was measured.
    pub last: Timestamp,
}

impl SeriesStatistics {
    /// The features of a series' points.
    #[must_use]
    pub fn new((entity, measure): (String, String), summary: &Summary, median: Option<f64>) -> Self {
        Self {
            entity,
            measure,
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

    fn summary(&self) -> Option<Summary> {
        let times = (self.first, self.last);
        Summary::of_statistics(self.count, self.mean, self.standard_deviation, (self.min, self.max), times)
    }

    /// Both sets of points together: exact but for the last digit or two, and without a median.
    fn merged(self, other: &Self) -> Self {
        match (self.summary(), other.summary()) {
            (Some(one), Some(two)) => Self::new((self.entity, self.measure), &one.merge(&two), None),
            _ => self,
        }
    }
}

/// What two rounds of one upload gave, series by series, the largest first.
pub(crate) fn merge(earlier: &[SeriesStatistics], later: &[SeriesStatistics]) -> Vec<SeriesStatistics> {
    if earlier.is_empty() {
        return later.to_vec();
    }
    let mut all: BTreeMap<(String, String), SeriesStatistics> = BTreeMap::new();
    for features in earlier.iter().chain(later) {
        let name = (features.entity.clone(), features.measure.clone());
        let merged = match all.remove(&name) {
            Some(known) => known.merged(features),
            None => features.clone(),
        };
        all.insert(name, merged);
    }
    let mut all: Vec<SeriesStatistics> = all.into_values().collect();
    all.sort_by_key(|features| std::cmp::Reverse(features.count));
    all
}
