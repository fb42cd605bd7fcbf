//! Batches of accepted messages: as few transactions as possible, with the readings of one series in one chunk.
//!
//! Messages share a chunk only where nothing is lost: the chunk keeps the upload of each point ([`Chunk::merge`]), so
//! that one message can be withdrawn, and it spans at most a day, so that a query reads no more chunks than before.

use std::collections::{HashMap, HashSet};

use crate::id::UploadId;
use crate::statistics::chunk::{Chunk, MAX_POINTS, SpanClass};
use crate::statistics::series::Series;
use crate::time::Timestamp;
use crate::upload::SharedChunk;

/// The maximum number of actions in a transaction, after
/// [TransactWriteItems](https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html).
pub const MAX_ACTIONS: usize = 100;
/// The maximum number of bytes in a batch: a transaction takes 4 MB, and the rest is for names and keys.
const MAX_BYTES: usize = 3 << 20;

/// An accepted message with the size of its writes.
#[derive(Debug)]
pub struct BatchCandidate<M> {
    /// The message; the plan moves it and does not read it.
    pub message: M,
    /// The upload of the message.
    pub upload_id: UploadId,
    /// The time at which the message was acknowledged. Of messages that write the same item, the first one stays.
    pub acknowledged_at: Timestamp,
    /// The primary keys of the items written for the message, chunks excluded. A transaction may write each only once.
    pub items: Vec<String>,
    /// The approximate size of these items in bytes.
    pub bytes: usize,
    /// The chunks of the message.
    pub chunks: Vec<Chunk>,
}

/// The batches of a set of messages.
#[derive(Debug)]
pub struct BatchPlan<M> {
    /// One transaction each.
    pub batches: Vec<WriteBatch<M>>,
    /// The messages that are in no batch: too large for any transaction, or in conflict with a member of the batch.
    pub unbatched: Vec<M>,
}

/// The contents of one transaction.
#[derive(Debug)]
pub struct WriteBatch<M> {
    /// The messages; never empty.
    pub members: Vec<BatchedMessage<M>>,
    /// The chunks of all members, with chunks of one series joined.
    pub chunks: Vec<Chunk>,
}

/// A message in a batch.
#[derive(Debug)]
pub struct BatchedMessage<M> {
    /// The message as it was given. Its own chunks stay complete, so that it can be planned again.
    pub candidate: BatchCandidate<M>,
    /// The number of the batch's chunks that hold points of this message only.
    pub own_chunks: u64,
    /// The batch's chunks that hold points of this message and of others.
    pub shared_chunks: Vec<SharedChunk>,
}

/// Assigns messages to batches, ordered by series and time.
#[must_use]
pub fn plan_batches<M>(candidates: Vec<BatchCandidate<M>>) -> BatchPlan<M> {
    let (mut candidates, repetitions) = separate_repetitions(candidates);
    // Messages of one series stand side by side: the fewer batches a series is spread over, the fewer chunks it gets.
    candidates
        .sort_by_cached_key(|candidate| candidate.chunks.first().map(|c| (c.partition_key(), c.summary().first())));
    let unbatched = repetitions.into_iter().map(|candidate| candidate.message).collect();
    let mut plan = BatchPlan { batches: Vec::new(), unbatched };
    let mut open = OpenBatch::default();
    for candidate in candidates {
        let mut fit = open.fit(&candidate);
        if fit == Fit::BatchFull {
            plan.batches.extend(std::mem::take(&mut open).close());
            fit = open.fit(&candidate);
        }
        match fit {
            Fit::Fits => open.add(candidate),
            Fit::BatchFull | Fit::Unbatchable => plan.unbatched.push(candidate.message),
        }
    }
    plan.batches.extend(open.close());
    plan
}

/// Separates the messages that write an item of a message acknowledged before them, such as the claim on the same bytes.
fn separate_repetitions<M>(mut candidates: Vec<BatchCandidate<M>>) -> (Vec<BatchCandidate<M>>, Vec<BatchCandidate<M>>) {
    candidates.sort_by_cached_key(|candidate| (candidate.acknowledged_at, candidate.upload_id.clone()));
    let mut written = HashSet::new();
    candidates.into_iter().partition(|candidate| {
        let is_new = !candidate.items.iter().any(|item| written.contains(item));
        if is_new {
            written.extend(candidate.items.iter().cloned());
        }
        is_new
    })
}

/// The room that a batch has for a message.
#[derive(PartialEq, Eq)]
enum Fit {
    Fits,
    /// This batch has no room; an empty one would.
    BatchFull,
    /// No batch has room for the message, or a member of this batch writes one of its items.
    Unbatchable,
}

/// A batch that takes more messages.
struct OpenBatch<M> {
    members: Vec<BatchCandidate<M>>,
    items: HashSet<String>,
    bytes: usize,
    pieces: Vec<ChunkPiece>,
}

impl<M> Default for OpenBatch<M> {
    fn default() -> Self {
        Self { members: Vec::new(), items: HashSet::new(), bytes: 0, pieces: Vec::new() }
    }
}

/// Chunks of one series that become one chunk.
struct ChunkPiece {
    series: Series,
    parts: Vec<Chunk>,
    points: u64,
    first: Timestamp,
    last: Timestamp,
}

impl<M> OpenBatch<M> {
    fn fit(&self, candidate: &BatchCandidate<M>) -> Fit {
        let actions = candidate.items.len() + candidate.chunks.len();
        let fits_empty_batch = actions <= MAX_ACTIONS && size_bytes(candidate) <= MAX_BYTES;
        if !fits_empty_batch || candidate.items.iter().any(|item| self.items.contains(item)) {
            return Fit::Unbatchable;
        }
        let needs_new_piece = |chunk: &&Chunk| {
            let latest = self.pieces.iter().rev().find(|piece| piece.series == *chunk.series());
            !latest.is_some_and(|piece| piece.has_room_for(chunk))
        };
        let new_pieces = candidate.chunks.iter().filter(needs_new_piece).count();
        let actions = self.items.len() + self.pieces.len() + candidate.items.len() + new_pieces;
        let bytes = self.bytes + size_bytes(candidate);
        if actions <= MAX_ACTIONS && bytes <= MAX_BYTES { Fit::Fits } else { Fit::BatchFull }
    }

    fn add(&mut self, candidate: BatchCandidate<M>) {
        self.items.extend(candidate.items.iter().cloned());
        self.bytes += size_bytes(&candidate);
        for chunk in &candidate.chunks {
            let latest = self.pieces.iter_mut().rev().find(|piece| piece.series == *chunk.series());
            match latest.filter(|piece| piece.has_room_for(chunk)) {
                Some(piece) => piece.add(chunk.clone()),
                None => self.pieces.push(ChunkPiece::new(chunk.clone())),
            }
        }
        self.members.push(candidate);
    }

    /// Joins the chunks. Returns `None` if the batch has no members.
    fn close(self) -> Option<WriteBatch<M>> {
        let mut chunks = Vec::with_capacity(self.pieces.len());
        let mut of_upload: HashMap<String, ChunksOfUpload> = HashMap::new();
        for (segment, piece) in (0..).zip(self.pieces) {
            let Some(joined) = piece.join(segment) else {
                for part in &piece.parts {
                    of_upload.entry(part.upload_id().to_owned()).or_default().own += 1;
                }
                chunks.extend(piece.parts);
                continue;
            };
            let Series { entity, measure, .. } = joined.series().clone();
            let shared = SharedChunk { entity, measure, sort_key: joined.sort_key() };
            for upload in joined.uploads() {
                of_upload.entry(upload.clone()).or_default().shared.push(shared.clone());
            }
            chunks.push(joined);
        }
        let members: Vec<_> = self
            .members
            .into_iter()
            .map(|candidate| {
                let of_upload = of_upload.remove(candidate.upload_id.as_str()).unwrap_or_default();
                BatchedMessage { candidate, own_chunks: of_upload.own, shared_chunks: of_upload.shared }
            })
            .collect();
        (!members.is_empty()).then_some(WriteBatch { members, chunks })
    }
}

/// The chunks of a batch that hold points of one upload.
#[derive(Default)]
struct ChunksOfUpload {
    own: u64,
    shared: Vec<SharedChunk>,
}

impl ChunkPiece {
    fn new(chunk: Chunk) -> Self {
        let summary = chunk.summary();
        let (points, first, last) = (summary.count(), summary.first(), summary.last());
        Self { series: chunk.series().clone(), parts: vec![chunk], points, first, last }
    }

    /// Returns whether a chunk of the same series fits.
    fn has_room_for(&self, chunk: &Chunk) -> bool {
        let summary = chunk.summary();
        let (first, last) = (self.first.min(summary.first()), self.last.max(summary.last()));
        self.points + summary.count() <= MAX_POINTS as u64 && SpanClass::of(first, last) == SpanClass::Day
    }

    fn add(&mut self, chunk: Chunk) {
        let summary = chunk.summary();
        self.points += summary.count();
        (self.first, self.last) = (self.first.min(summary.first()), self.last.max(summary.last()));
        self.parts.push(chunk);
    }

    /// Joins the parts into one chunk of several uploads. Returns `None` if they stay apart.
    fn join(&self, segment: u32) -> Option<Chunk> {
        if self.parts.len() < 2 {
            return None;
        }
        let parts: Vec<&Chunk> = self.parts.iter().collect();
        Chunk::merge(&parts, segment).filter(|joined| joined.uploads().len() > 1)
    }
}

fn size_bytes<M>(candidate: &BatchCandidate<M>) -> usize {
    candidate.bytes + candidate.chunks.iter().map(Chunk::size_bytes).sum::<usize>()
}

#[cfg(test)]
#[path = "batch_tests.rs"]
mod tests;
