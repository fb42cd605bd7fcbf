//! A chunk.

use super::codec::{self, MAX_POINTS};
use super::keys::{self, SpanClass};
use crate::statistics::series::{Point, Series};
use crate::statistics::summary::{InvalidSummary, Summary};

/// At most 4,096 points of one series in time order, from one upload or from up to 256 [merged](Chunk::merge) ones.
///
/// ```
/// use eventpulse_core::statistics::chunk::Chunk;
/// use eventpulse_core::statistics::series::{Point, Series};
/// use eventpulse_core::time::Timestamp;
///
/// let series = Series { owner: "u1".parse().unwrap(), entity: "12345".into(), measure: "value".into() };
/// let points = [(2, 24.5), (1, 22.5)].map(|(second, value)| Point { time: Timestamp::from_secs(second), value });
/// let chunk = Chunk::new(series, "up_1", 0, points.to_vec()).unwrap();
/// assert_eq!(chunk.summary().mean(), 23.5);
/// assert_eq!(chunk.points().unwrap()[0].value, 22.5);
/// assert_eq!(chunk.partition_key(), "series#u1#12345#value");
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Chunk {
    pub(super) series: Series,
    pub(super) uploads: Vec<String>,
    /// The index in `uploads` of the upload of each point; empty if there is only one.
    pub(super) origins: Vec<u8>,
    pub(super) segment: u32,
    pub(super) summary: Summary,
    pub(super) points: Vec<u8>,
}

/// The reason why stored parts are not a chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CorruptChunk {
    /// There is no upload.
    #[error("the chunk names no upload")]
    NoUpload,
    /// The summary is invalid.
    #[error("the chunk's summary cannot be read")]
    Summary(#[from] InvalidSummary),
    /// The points do not decompress, are incomplete or are not in order.
    #[error("the chunk's points cannot be read")]
    Points,
    /// The origins of the points are invalid.
    #[error("the chunk has invalid origins of its points")]
    Origins,
    /// The points are not those of the summary.
    #[error("the chunk's points do not match its summary")]
    Mismatch,
}

impl Chunk {
    /// Returns the chunk of these points, in any order. Equal points in the same order make equal bytes.
    ///
    /// `segment` distinguishes chunks of one upload and series that begin at the same time. Returns `None` for no points, for
    /// more than [`MAX_POINTS`], and if a value is not finite.
    #[must_use]
    pub fn new(series: Series, upload_id: &str, segment: u32, mut points: Vec<Point>) -> Option<Chunk> {
        if points.len() > MAX_POINTS || !points.iter().all(|point| point.value.is_finite()) {
            return None;
        }
        points.sort_by_key(|point| point.time);
        Chunk::of_sorted(series, upload_id, segment, &points)
    }

    pub(super) fn of_sorted(series: Series, upload_id: &str, segment: u32, points: &[Point]) -> Option<Chunk> {
        let summary = Summary::of(points)?;
        let points = codec::encode(points);
        Some(Chunk { series, uploads: vec![upload_id.to_owned()], origins: Vec::new(), segment, summary, points })
    }

    /// Returns the chunk with these stored parts; `summary` is [`Summary::to_bytes`], `origins` are [`Chunk::origins`].
    ///
    /// # Errors
    /// Returns an error if the parts are not those of a chunk. Does not read the points.
    pub fn from_parts(
        series: Series,
        uploads: Vec<String>,
        origins: Vec<u8>,
        segment: u32,
        summary: &[u8],
        points: Vec<u8>,
    ) -> Result<Chunk, CorruptChunk> {
        let summary = Summary::from_bytes(summary)?;
        let expected = if uploads.len() > 1 { summary.count() } else { 0 };
        match uploads.len() {
            0 => return Err(CorruptChunk::NoUpload),
            _ if origins.len() as u64 != expected => return Err(CorruptChunk::Origins),
            _ if origins.iter().any(|origin| usize::from(*origin) >= uploads.len()) => {
                return Err(CorruptChunk::Origins);
            }
            _ => {}
        }
        Ok(Chunk { series, uploads, origins, segment, summary, points })
    }

    /// Returns the series of the points.
    #[must_use]
    pub fn series(&self) -> &Series {
        &self.series
    }

    /// Returns the upload of the points, the first one if there are several. It is part of the key, unless it was removed.
    #[must_use]
    pub fn upload_id(&self) -> &str {
        self.uploads.first().map_or("", String::as_str)
    }

    /// Returns the uploads of the points.
    #[must_use]
    pub fn uploads(&self) -> &[String] {
        &self.uploads
    }

    /// Returns the index in [`Chunk::uploads`] of the upload of each point; empty if there is only one.
    #[must_use]
    pub fn origins(&self) -> &[u8] {
        &self.origins
    }

    /// Returns the number of the chunk among those of its upload.
    #[must_use]
    pub fn segment(&self) -> u32 {
        self.segment
    }

    /// Returns the class of the time span from the first point to the last.
    #[must_use]
    pub fn class(&self) -> SpanClass {
        SpanClass::of(self.summary.first(), self.summary.last())
    }

    /// Returns the summary of the points.
    #[must_use]
    pub fn summary(&self) -> &Summary {
        &self.summary
    }

    /// Returns the points in their stored form.
    #[must_use]
    pub fn compressed_points(&self) -> &[u8] {
        &self.points
    }

    /// Returns an upper bound of the stored size in bytes: points, summary and names, and the names again in the keys of the
    /// chunk and of its series in a list.
    #[must_use]
    pub fn size_bytes(&self) -> usize {
        let Series { owner, entity, measure } = &self.series;
        let names = owner.len() + entity.len() + measure.len() + self.uploads.iter().map(String::len).sum::<usize>();
        let keys = keys::max_length(owner)
            + 2 * (keys::max_length(entity) + keys::max_length(measure))
            + self.upload_id().len()
            + 64;
        // The names of the attributes and the overhead of each.
        self.points.len() + self.origins.len() + self.summary.to_bytes().len() + names + keys + 128
    }

    /// Returns the partition key: one per series, at most 2,048 bytes.
    #[must_use]
    pub fn partition_key(&self) -> String {
        keys::partition_key(&self.series)
    }

    /// Returns the sort key of the chunk as it is first stored: span class, first time, upload, segment. At most 1,024 bytes if
    /// the upload id has at most 900.
    #[must_use]
    pub fn sort_key(&self) -> String {
        keys::sort_key(self.class(), self.summary.first(), self.upload_id(), self.segment)
    }

    /// Returns the points in time order, exact to the bit; points of the same time in their original order.
    ///
    /// # Errors
    /// Returns an error if the stored bytes are not the points of the summary. Takes bounded memory and time for any bytes.
    pub fn points(&self) -> Result<Vec<Point>, CorruptChunk> {
        let points = codec::decode(&self.points).ok_or(CorruptChunk::Points)?;
        if Summary::of(&points).as_ref() == Some(&self.summary) { Ok(points) } else { Err(CorruptChunk::Mismatch) }
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
