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
