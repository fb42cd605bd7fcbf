//! A chunk: the contribution of one upload, or of some messages together, to one series: its summary and, compressed, its
//! points. It never changes but for a message that is taken back out of it.

mod builder;
mod codec;
mod keys;
mod shared;

pub use builder::ChunkBuilder;
pub use keys::{KeyRange, SpanClass, entity_prefix, key_ranges};

use crate::statistics::series::{Point, Series};
use crate::statistics::summary::{InvalidSummary, Summary};
use codec::Encoder;

/// At most so many points are in a chunk. Compressed or not, they fit DynamoDB's 400 KB for an item.
pub const MAX_POINTS: usize = 4096;

/// The rounds of an upload that chunks can tell apart: its first one, and its retries.
pub const MAX_ATTEMPTS: u32 = 1 << (u32::BITS - SEGMENT_BITS);
/// Room for 67 million chunks in a round.
const SEGMENT_BITS: u32 = 26;

/// The number of a round's first chunk: no two rounds of an upload write chunks of one key.
#[must_use]
pub fn first_segment(round: u32) -> u32 {
    round.min(MAX_ATTEMPTS - 1) << SEGMENT_BITS
}

/// The round of an upload that wrote the chunk with this sort key; none when it is no sort key.
#[must_use]
pub fn attempt_of_sort_key(sort_key: &str) -> Option<u32> {
    let segment: u32 = sort_key.rsplit('#').next()?.parse().ok()?;
    Some(segment >> SEGMENT_BITS)
}

/// At most 4,096 points of one series in time order, from one upload, or from up to 256 that were
/// [joined](Chunk::joined).
#[derive(Debug, Clone, PartialEq)]
pub struct Chunk {
    series: Series,
    uploads: Vec<String>,
    /// Of each point, the place of its upload in `uploads`; empty when there is only one.
    origins: Vec<u8>,
    segment: u32,
    summary: Summary,
    points: Vec<u8>,
}

/// Why what is stored as a chunk is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CorruptChunk {
    /// No upload is named.
    #[error("the chunk names no upload")]
    NoUpload,
    /// Its summary is of no points.
    #[error("the chunk's summary cannot be read")]
    Summary(#[from] InvalidSummary),
    /// Its points do not decompress, or end early, or late, or are not in order.
    #[error("the chunk's points cannot be read")]
    Points,
    /// Which upload each of its points came with cannot be read.
    #[error("the chunk does not tell which upload each point came with")]
    Origins,
    /// Its points can be read, but are others than it says.
    #[error("the chunk's points are not those of its summary")]
    Mismatch,
}

impl Chunk {
    /// The chunk of these points, in any order. The same points in the same order make the same bytes.
    ///
    /// `segment` tells chunks of one upload and series apart that begin at the same time. `None` of no points, of more than
    /// [`MAX_POINTS`], and if a value is not finite.
    #[must_use]
    pub fn new(series: Series, upload_id: &str, segment: u32, mut points: Vec<Point>) -> Option<Chunk> {
        if points.len() > MAX_POINTS || !points.iter().all(|point| point.value.is_finite()) {
            return None;
        }
        points.sort_by_key(|point| point.time);
        Chunk::of_sorted(series, upload_id, segment, &points, &mut Encoder::new())
    }

    fn of_sorted(
        series: Series,
        upload_id: &str,
        segment: u32,
        points: &[Point],
        encoder: &mut Encoder,
    ) -> Option<Chunk> {
        let summary = Summary::of(points)?;
        let points = encoder.encode(points);
        Some(Chunk { series, uploads: vec![upload_id.to_owned()], origins: Vec::new(), segment, summary, points })
    }

    /// The chunk that was stored as these parts; `summary` is [`Summary::to_bytes`], `origins` are [`Chunk::origins`].
    ///
    /// # Errors
    /// When the parts are no chunk's. The points are looked at no sooner than they are asked for.
    pub fn from_parts(
        series: Series,
        uploads: Vec<String>,
        origins: Vec<u8>,
        segment: u32,
        summary: &[u8],
        points: Vec<u8>,
    ) -> Result<Chunk, CorruptChunk> {
        let summary = Summary::from_bytes(summary)?;
        let told = if uploads.len() > 1 { summary.count() } else { 0 };
        match uploads.len() {
            0 => return Err(CorruptChunk::NoUpload),
            _ if origins.len() as u64 != told => return Err(CorruptChunk::Origins),
            _ if origins.iter().any(|origin| usize::from(*origin) >= uploads.len()) => {
                return Err(CorruptChunk::Origins);
            }
            _ => {}
        }
        Ok(Chunk { series, uploads, origins, segment, summary, points })
    }

    /// The series that it contributes to.
    #[must_use]
    pub fn series(&self) -> &Series {
        &self.series
    }

    /// The upload that it came with; of several, the first. It is the one in its key, unless that was taken out of it.
    #[must_use]
    pub fn upload_id(&self) -> &str {
        self.uploads.first().map_or("", String::as_str)
    }

    /// All uploads that it stands for.
    #[must_use]
    pub fn uploads(&self) -> &[String] {
        &self.uploads
    }

    /// Of each point, the place of its upload among [`Chunk::uploads`]; empty when there is only one.
    #[must_use]
    pub fn origins(&self) -> &[u8] {
        &self.origins
    }

    /// Its number among the chunks of its upload.
    #[must_use]
    pub fn segment(&self) -> u32 {
        self.segment
    }

    /// How much time it spans.
    #[must_use]
    pub fn class(&self) -> SpanClass {
        SpanClass::of(self.summary.first(), self.summary.last())
    }

    /// What it says of all its points.
    #[must_use]
    pub fn summary(&self) -> &Summary {
        &self.summary
    }

    /// The points as they are stored.
    #[must_use]
    pub fn compressed_points(&self) -> &[u8] {
        &self.points
    }

    /// How many bytes it takes to store, at most: its points and summary, its names, and these again in its keys and in
    /// that of a list.
    #[must_use]
    pub fn size_bytes(&self) -> usize {
        let Series { owner, entity, measure } = &self.series;
        let names = owner.len() + entity.len() + measure.len() + self.uploads.iter().map(String::len).sum::<usize>();
        let keys = keys::bound(owner) + 2 * (keys::bound(entity) + keys::bound(measure)) + self.upload_id().len() + 64;
        // The attributes' own names and the overhead of each.
        self.points.len() + self.origins.len() + Summary::BYTES + names + keys + 128
    }

    /// The partition key: one per series, at most 2,048 bytes whatever the names.
    #[must_use]
    pub fn partition_key(&self) -> String {
        keys::partition_key(&self.series)
    }

    /// The sort key under which it is first stored: span class, first time, upload, segment. At most 1,024 bytes if the upload id is at most 900.
    #[must_use]
    pub fn sort_key(&self) -> String {
        keys::sort_key(self.class(), self.summary.first(), self.upload_id(), self.segment)
    }

    /// The points in time order, to the bit; those of one time in the order in which they came.
    ///
    /// # Errors
    /// When the stored bytes are not the points of the summary. Takes bounded memory and time whatever the bytes.
    pub fn points(&self) -> Result<Vec<Point>, CorruptChunk> {
        let points = codec::decode(&self.points)?;
        let ends = points.first().zip(points.last()).map(|(first, last)| (first.time, last.time));
        if points.len() as u64 != self.summary.count() || ends != Some((self.summary.first(), self.summary.last())) {
            return Err(CorruptChunk::Mismatch);
        }
        Ok(points)
    }
}

impl Series {
    /// The key under which all chunks of the series are stored: at most 2,048 bytes, different for different series.
    #[must_use]
    pub fn partition_key(&self) -> String {
        keys::partition_key(self)
    }

    /// The key under which the series stands in a list of its owner's: at most 1,024 bytes, different for different
    /// series. Those of one entity stand together.
    #[must_use]
    pub fn listing_key(&self) -> String {
        keys::listing_key(self)
    }
}

#[cfg(test)]
#[path = "chunk/tests.rs"]
mod tests;
