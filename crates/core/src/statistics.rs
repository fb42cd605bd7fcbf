//! Statistics: points of a series become summaries and chunks; chunks become exact answers over any range of time.
//!
//! Uploads appear only as opaque ids and attempt numbers. Nothing here imports `upload` or `intake`.

pub mod answer;
pub mod chunk;
pub(crate) mod exact;
pub mod quantile;
pub mod series;
pub mod series_median;
pub mod series_statistics;
pub mod series_summaries;
pub mod summary;
