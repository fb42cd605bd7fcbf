//! The statistics of a correction's series over all accepted attempts of its upload, for the decision on the correction.
//!
//! The summaries of earlier attempts are in the history, and exact summaries merge. Medians do not merge, and a history does
//! not list every series. So [`SeriesTotals`] asks for the earlier chunks of some series, where they are necessary:
//!
//! 1. [`SeriesTotals::search`]: the caller lists the keys of all chunks of the upload.
//! 2. [`EarlierPoints`]: the caller reads some of these chunks.
//! 3. [`SeriesTotals::report`] returns the report for the decision.
//!
//! A receipt never shows numbers of some attempts as those of all: a series whose earlier points are unknown is omitted, and a
//! median is computed from all points or not at all.

mod earlier_points;
mod search;
#[cfg(test)]
mod tests;

use std::collections::HashSet;

use super::aggregate::Upload;
use super::limits::series_fit;
use crate::intake::inspection::Inspection;
use crate::statistics::answer::MAX_KEPT_VALUES;
use crate::statistics::series::Series;
use crate::statistics::series_median::ChunksBySeries;
use crate::statistics::series_statistics::{SeriesName, SeriesReport, SeriesStatistics, largest};
use crate::statistics::series_summaries::SeriesSet;
pub use earlier_points::EarlierPoints;
pub use search::ChunkSearch;

/// The series of a correction, and those that the history lists.
pub struct SeriesTotals<'a> {
    upload: &'a Upload,
    inspection: &'a Inspection,
    /// The report on the attempts before the correction.
    before: SeriesReport,
    /// The chunks of the correction; none if they are not retained.
    own: Option<ChunksBySeries<'a>>,
    /// The series whose earlier chunks are necessary, the most important ones first.
    wanted: Vec<SeriesName>,
}

impl<'a> SeriesTotals<'a> {
    /// Returns the totals to compute for an undecided attempt; `None` if no earlier attempt accepted records.
    #[must_use]
    pub fn of_correction(upload: &'a Upload, inspection: &'a Inspection) -> Option<Self> {
        if upload.accepted() == 0 {
            return None;
        }
        let own = inspection.chunks.as_deref().map(ChunksBySeries::new);
        let mut totals = Self { upload, inspection, before: upload.series_report(), own, wanted: Vec::new() };
        totals.wanted = totals.wanted();
        Some(totals)
    }

    /// Returns whether chunks of the earlier attempts are necessary.
    #[must_use]
    pub fn needs_chunks(&self) -> bool {
        !self.wanted.is_empty() || self.has_unknown_series()
    }

    /// Begins a search for the chunks of the earlier attempts.
    #[must_use]
    pub fn search(&self) -> ChunkSearch {
        let wanted = self.wanted.iter().map(|name| self.series(name));
        ChunkSearch::new(self.upload.chunks_by_write_number(), wanted)
    }

    /// Returns the chunks to read, from a search that listed all keys.
    #[must_use]
    pub fn earlier_points(&self, search: ChunkSearch) -> EarlierPoints<'_> {
        EarlierPoints::new(search, self.own.as_ref())
    }

    /// Returns the report on all attempts until this one. Without `earlier`, no chunks were necessary.
    #[must_use]
    pub fn report(&self, earlier: Option<&EarlierPoints<'_>>) -> SeriesReport {
        let mut listed = largest(self.candidates(earlier));
        let mut changed = Vec::new();
        for series in listed.iter_mut().filter(|series| self.is_touched(&series.name())) {
            series.median = self.median(series, earlier);
            changed.push(series.clone());
        }
        let known: HashSet<SeriesName> = changed.iter().map(SeriesStatistics::name).collect();
        let is_outdated = |name: SeriesName| self.is_touched(&name) && !known.contains(&name);
        let is_whole = self.before.listed.iter().any(|before| is_outdated(before.name())) || !series_fit(&changed);
        let count = self.before.count + self.count_new(earlier);
        SeriesReport { listed: if is_whole { listed } else { changed }, count, is_whole }
    }

    /// Returns the series to find earlier chunks of: those whose median is to be kept, then those that a report may have
    /// omitted, the largest ones first.
    fn wanted(&self) -> Vec<SeriesName> {
        let keeps_median = |series: &&SeriesStatistics| {
            let own = self.inspection.summaries.get(&series.name()).filter(|_| self.own.is_some());
            let points = own.map(|own| own.count().saturating_add(series.summary.count()));
            series.median.is_some() && points.is_some_and(|points| points <= MAX_KEPT_VALUES as u64)
        };
        let mut wanted: Vec<SeriesName> =
            self.before.listed.iter().filter(keeps_median).map(SeriesStatistics::name).collect();
        if self.before.omitted() > 0 {
            let mut others: Vec<_> =
                self.inspection.summaries.kept().filter(|(name, _)| self.listed_before(name).is_none()).collect();
            others.sort_by_key(|(_, summary)| std::cmp::Reverse(summary.count()));
            wanted.extend(others.into_iter().map(|(name, _)| name.clone()));
        }
        wanted
    }

    /// Returns whether the correction has series that are not listed and may be among the omitted ones.
    fn has_unknown_series(&self) -> bool {
        let touched = self.before.listed.iter().filter(|series| self.is_touched(&series.name())).count() as u64;
        self.before.omitted() > 0 && self.inspection.summaries.count() > touched
    }

    /// Returns the statistics of all series whose points are known, without the medians of those with new points.
    fn candidates(&self, earlier: Option<&EarlierPoints<'_>>) -> Vec<SeriesStatistics> {
        let untouched = self.before.listed.iter().filter(|series| !self.is_touched(&series.name())).cloned();
        let touched = self.inspection.summaries.kept().filter_map(|(name, summary)| {
            let mut total = summary.clone();
            if let Some(before) = self.listed_before(name) {
                total.merge(&before.summary);
            } else if self.before.omitted() > 0 {
                let key = self.series(name).partition_key();
                match earlier?.summary(&key) {
                    Some(before) => total.merge(before),
                    None if earlier?.is_new(&key) => {}
                    None => return None,
                }
            }
            Some(SeriesStatistics::new(name.clone(), total, None))
        });
        untouched.chain(touched).collect()
    }

    /// Returns the median of a series over all attempts, of which this one has points; `None` if some of them are unknown.
    fn median(&self, series: &SeriesStatistics, earlier: Option<&EarlierPoints<'_>>) -> Option<f64> {
        let name = series.name();
        let key = self.series(&name).partition_key();
        let before = self.listed_before(&name);
        if before.is_none() && (self.before.omitted() == 0 || earlier.is_some_and(|earlier| earlier.is_new(&key))) {
            return self.own.as_ref()?.median(&series.entity, &series.measure);
        }
        // A different summary proves that points are missing.
        let earlier = earlier?;
        let is_of_history = before.is_none_or(|before| earlier.summary(&key) == Some(&before.summary));
        earlier.median(&key).filter(|_| is_of_history)
    }

    /// Returns the number of series that no earlier attempt has. After an incomplete search, it is an upper bound. It is never
    /// too small: without omitted series, a later correction takes its own points of a series that is not listed for all.
    fn count_new(&self, earlier: Option<&EarlierPoints<'_>>) -> u64 {
        let mut listed = SeriesSet::default();
        self.before.listed.iter().for_each(|series| listed.insert(&self.series(&series.name()).partition_key()));
        let known: Vec<&SeriesSet> = std::iter::once(&listed).chain(earlier.map(EarlierPoints::known)).collect();
        self.inspection.summaries.count_beyond(&self.upload.origin().owner, &known)
    }

    fn listed_before(&self, name: &SeriesName) -> Option<&SeriesStatistics> {
        self.before.listed.iter().find(|series| series.entity == name.0 && series.measure == name.1)
    }

    /// Returns whether the correction has points of a series.
    fn is_touched(&self, name: &SeriesName) -> bool {
        self.inspection.summaries.contains(&self.series(name))
    }

    fn series(&self, (entity, measure): &SeriesName) -> Series {
        Series { owner: self.upload.origin().owner.clone(), entity: entity.clone(), measure: measure.clone() }
    }
}
