//! Time ranges.

use crate::statistics::chunk::Chunk;
use crate::statistics::series::Point;
use crate::time::Timestamp;

/// Returns whether a chunk can have points with `from <= time < to`.
pub(super) fn overlaps(chunk: &Chunk, from: Option<Timestamp>, to: Option<Timestamp>) -> bool {
    let is_before = from.is_some_and(|from| chunk.summary().last() < from);
    let is_after = to.is_some_and(|to| chunk.summary().first() >= to);
    !is_before && !is_after
}

/// Returns the points with `from <= time < to`, of points in time order.
pub(super) fn points_within(points: &[Point], from: Option<Timestamp>, to: Option<Timestamp>) -> &[Point] {
    let start = from.map_or(0, |from| points.partition_point(|point| point.time < from));
    let end = to.map_or(points.len(), |to| points.partition_point(|point| point.time < to));
    points.get(start..end).unwrap_or_default()
}
