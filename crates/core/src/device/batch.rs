//! Which messages of a batch are stored together: in as few transactions as can be, and the readings of one series in one
//! chunk.
//!
//! A chunk is shared only where nothing is lost by it: each point still tells its message ([`Chunk::merge`]), so that one
//! message can be taken back, and the chunk spans at most a day, so that a query reads no more of them than before.

use std::collections::{HashMap, HashSet};

use crate::statistics::chunk::{Chunk, MAX_POINTS, SpanClass};
use crate::statistics::series::Series;
use crate::time::Timestamp;
use crate::upload::SharedChunk;

/// A transaction takes
/// [100 actions](https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html).
pub const MAX_ACTIONS: usize = 100;
/// It takes 4 MB; the rest is for names and keys.
const MAX_BYTES: usize = 3 << 20;

/// A message that counts as it is.
#[derive(Debug)]
pub struct BatchCandidate {
    /// The items that are written for it beside chunks, by name: no transaction may write one twice.
    pub items: Vec<String>,
    /// About how many bytes these have.
    pub bytes: usize,
    /// What it contributes.
    pub chunks: Vec<Chunk>,
}

/// What is stored in one transaction.
#[derive(Debug)]
pub struct WriteBatch {
    /// The members, by their places.
    pub members: Vec<BatchedMessage>,
    /// Their chunks, the shared ones joined.
    pub chunks: Vec<Chunk>,
}

/// A member in its group.
#[derive(Debug, PartialEq, Eq)]
pub struct BatchedMessage {
    /// Its place among the members that were given.
    pub place: usize,
    /// How many of the chunks are its alone.
    pub own: u64,
    /// The others.
    pub shared: Vec<SharedChunk>,
}

/// Groups members. A member that would not fit a transaction even alone, or that writes the same items as another one of its
/// group would, is in none: it goes its own way.
#[must_use]
pub fn plan<'m>(members: impl IntoIterator<Item = &'m BatchCandidate>) -> Vec<WriteBatch> {
    let members: Vec<&BatchCandidate> = members.into_iter().collect();
    let mut order: Vec<usize> = (0..members.len()).collect();
    // Messages of one series together: the fewer groups it is spread over, the fewer chunks.
    order.sort_by_key(|place| {
        let first = members.get(*place).and_then(|member| member.chunks.first());
        first.map(|chunk| (chunk.partition_key(), chunk.summary().first()))
    });
    let mut groups = Vec::new();
    let mut open = Open::default();
    for place in order {
        let Some(member) = members.get(place) else { continue };
        if open.takes(member) == Takes::Full {
            groups.extend(std::mem::take(&mut open).close(&members));
        }
        if open.takes(member) == Takes::Yes {
            open.add(place, member);
        }
    }
    groups.extend(open.close(&members));
    groups
}

/// A group that is being gathered.
#[derive(Default)]
struct Open<'m> {
    members: Vec<usize>,
    items: HashSet<&'m str>,
    bytes: usize,
    pieces: Vec<Piece<'m>>,
    /// The piece of each series that was begun last.
    latest: HashMap<&'m Series, usize>,
}

/// What is to become one chunk.
struct Piece<'m> {
    parts: Vec<&'m Chunk>,
    points: u64,
    first: Timestamp,
    last: Timestamp,
}

#[derive(PartialEq, Eq)]
enum Takes {
    Yes,
    /// Another group would.
    Full,
    /// No group would, or this one has a member that writes the same items.
    Never,
}

impl<'m> Open<'m> {
    fn takes(&self, member: &BatchCandidate) -> Takes {
        let fits_alone = member.items.len() + member.chunks.len() <= MAX_ACTIONS && size_bytes(member) <= MAX_BYTES;
        if !fits_alone || member.items.iter().any(|item| self.items.contains(item.as_str())) {
            return Takes::Never;
        }
        let new_pieces = member.chunks.iter().filter(|chunk| self.piece_for(chunk).is_none()).count();
        let actions = self.items.len() + self.pieces.len() + member.items.len() + new_pieces;
        let bytes = self.bytes + size_bytes(member);
        if actions <= MAX_ACTIONS && bytes <= MAX_BYTES { Takes::Yes } else { Takes::Full }
    }

    /// The piece that a chunk can be joined to.
    fn piece_for(&self, chunk: &Chunk) -> Option<usize> {
        let place = *self.latest.get(chunk.series())?;
        let piece = self.pieces.get(place)?;
        let (first, last) = (piece.first.min(chunk.summary().first()), piece.last.max(chunk.summary().last()));
        let fits = piece.points + chunk.summary().count() <= MAX_POINTS as u64;
        (fits && SpanClass::of(first, last) == SpanClass::Day).then_some(place)
    }

    fn add(&mut self, place: usize, member: &'m BatchCandidate) {
        self.members.push(place);
        self.items.extend(member.items.iter().map(String::as_str));
        self.bytes += size_bytes(member);
        for chunk in &member.chunks {
            let (first, last) = (chunk.summary().first(), chunk.summary().last());
            let known = self.piece_for(chunk).and_then(|piece| self.pieces.get_mut(piece));
            if let Some(piece) = known {
                piece.parts.push(chunk);
                piece.points += chunk.summary().count();
                (piece.first, piece.last) = (piece.first.min(first), piece.last.max(last));
            } else {
                self.latest.insert(chunk.series(), self.pieces.len());
                self.pieces.push(Piece { parts: vec![chunk], points: chunk.summary().count(), first, last });
            }
        }
    }

    fn close(self, members: &[&BatchCandidate]) -> Option<WriteBatch> {
        let mut chunks = Vec::with_capacity(self.pieces.len());
        // By upload: how many chunks are its own, and which it shares.
        let mut of_upload: HashMap<&str, (u64, Vec<SharedChunk>)> = HashMap::new();
        for (segment, piece) in (0..).zip(&self.pieces) {
            let joined = if piece.parts.len() > 1 { Chunk::merge(&piece.parts, segment) } else { None };
            let Some(joined) = joined.filter(|joined| joined.uploads().len() > 1) else {
                for part in &piece.parts {
                    of_upload.entry(part.upload_id()).or_default().0 += 1;
                    chunks.push((*part).clone());
                }
                continue;
            };
            for part in &piece.parts {
                let Series { entity, measure, .. } = joined.series().clone();
                let shared = SharedChunk { entity, measure, sort_key: joined.sort_key() };
                let known = &mut of_upload.entry(part.upload_id()).or_default().1;
                if !known.contains(&shared) {
                    known.push(shared);
                }
            }
            chunks.push(joined);
        }
        let members: Vec<BatchedMessage> = self
            .members
            .into_iter()
            .map(|place| {
                let upload = members.get(place).and_then(|member| member.chunks.first()).map(Chunk::upload_id);
                let (own, shared) = upload.and_then(|upload| of_upload.remove(upload)).unwrap_or_default();
                BatchedMessage { place, own, shared }
            })
            .collect();
        (!members.is_empty()).then_some(WriteBatch { members, chunks })
    }
}

fn size_bytes(member: &BatchCandidate) -> usize {
    member.bytes + member.chunks.iter().map(Chunk::size_bytes).sum::<usize>()
}

#[cfg(test)]
#[path = "batch_tests.rs"]
mod tests;
