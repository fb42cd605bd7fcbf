//! What is measured: a series of points.

use crate::id::OwnerId;
use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

/// One measured value. It is finite: validation refuses anything else.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// When it was measured.
    pub time: Timestamp,
    /// What was measured, in the unit of the series' measure.
    pub value: f64,
}

/// One measure of one entity of one owner, such as the `value` of device `12345` of tenant `u1`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Series {
    /// The tenant.
    pub owner: OwnerId,
    /// What is measured: a device, a station. Any Unicode.
    pub entity: String,
    /// Which of its quantities. Any Unicode.
    pub measure: String,
}

/// A point and the names of its series, as they come out of a record.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SeriesPoint<'a> {
    /// The entity of the series, such as a device id.
    pub entity: &'a str,
    /// The measure of the series.
    pub measure: &'a str,
    /// The time of measurement.
    pub time: Timestamp,
    /// The measured value.
    pub value: f64,
}
