//! Chunks: the points of one upload, or of several messages together, in one series, compressed and with a summary. A chunk never
//! changes, except that the points of a withdrawn message are removed.

mod blocks;
mod builder;
mod codec;
mod data;
mod keys;
mod patterns;
mod segment;
mod shared;

pub use builder::ChunkBuilder;
pub use codec::MAX_POINTS;
pub use data::{Chunk, CorruptChunk};
pub use keys::{ChunkKey, KeyRange, SpanClass, entity_prefix, key_ranges};
pub use segment::{MAX_ATTEMPTS, attempt_of_sort_key, first_segment};
