//! Statistics: points of a series become summaries and chunks; chunks become exact answers over any range of time.
//!
//! Nothing here knows what an upload or a schema is.

pub mod answer;
pub mod chunk;
pub mod series;
pub mod series_statistics;
pub mod summary;
