//! Segments: the numbers of the chunks of one upload.

/// The maximum number of attempts of an upload, whose chunks have different keys: the first one and its retries.
pub const MAX_ATTEMPTS: u32 = 1 << (u32::BITS - SEGMENT_BITS);
/// The number of bits for the chunks of one attempt: 67 million.
const SEGMENT_BITS: u32 = 26;

/// Returns the segment of the first chunk of an attempt. No two attempts of an upload write chunks with the same key.
#[must_use]
pub fn first_segment(attempt: u32) -> u32 {
    attempt.min(MAX_ATTEMPTS - 1) << SEGMENT_BITS
}

/// Returns the attempt that wrote the chunk with this sort key; none if the text is not a sort key.
#[must_use]
pub fn attempt_of_sort_key(sort_key: &str) -> Option<u32> {
    let segment: u32 = sort_key.rsplit('#').next()?.parse().ok()?;
    Some(segment >> SEGMENT_BITS)
}
