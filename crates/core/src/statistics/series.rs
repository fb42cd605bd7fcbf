//! Series and points.

use crate::id::OwnerId;
use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

/// A measured value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// The time of measurement.
    pub time: Timestamp,
    /// The value, in the unit of the measure. It is finite: the validator rejects other values.
    pub value: f64,
}

/// One measure of one entity of one owner, such as the `value` of device `12345` of owner `u1`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Series {
    /// The owner.
    pub owner: OwnerId,
    /// The entity, such as a device or a station. Any Unicode.
    pub entity: String,
    /// The measured quantity. Any Unicode.
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
