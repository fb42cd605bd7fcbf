//! The rejected records of an upload, in a compact form until they are written as NDJSON.

use std::collections::VecDeque;

use super::known_lines::{KnownLine, LineKinds};
use super::rejected::{KnownRecord, Rejected};
use crate::intake::position::TextPosition;

/// The size from which on a new block begins, in bytes.
const BLOCK_BYTES: usize = 1 << 20;
/// The size of a piece of NDJSON from which on it ends, in bytes.
const PIECE_BYTES: usize = 1 << 20;

/// The rejected records of an upload. A record of a known kind is held as its positions, its names and its bytes; any other
/// record as its line.
#[derive(Debug, Default)]
pub struct RetainedRecords {
    kinds: LineKinds,
    /// The records. Each block can be read without the ones before it.
    blocks: Vec<Vec<u8>>,
    /// The previous record of the last block.
    previous: Place,
    kind_bytes: usize,
    full_block_bytes: usize,
}

/// The place of a record in its upload, relative to which the next one is held.
#[derive(Debug, Default, Clone, Copy)]
struct Place {
    index: u64,
    line: u64,
    byte_offset: u64,
}

impl RetainedRecords {
    /// Adds a rejected record; `bytes` are its bytes, if they were read.
    pub(super) fn add(&mut self, record: &Rejected<'_>, bytes: Option<&[u8]>) {
        match (record, bytes) {
            (Rejected::Known(record), Some(bytes)) => self.add_known(record, bytes),
            (Rejected::Known(record), None) => self.add_line(|line| record.describe().write_line(None, line)),
            (Rejected::Described(record), bytes) => self.add_line(|line| record.write_line(bytes, line)),
        }
    }

    /// Adds finished lines.
    pub(super) fn add_line(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        let mut line = Vec::new();
        write(&mut line);
        let block = self.block();
        put(0, block);
        put_bytes(&line, block);
    }

    fn add_known(&mut self, record: &KnownRecord<'_>, bytes: &[u8]) {
        let KnownRecord { index, position, byte_length, schema, failures } = record;
        let (kind, size_bytes) = self.kinds.index_of(&failures.kind, schema.as_ref());
        self.kind_bytes += size_bytes;
        self.block();
        let before = self.previous;
        let Self { kinds, blocks, .. } = self;
        let (Some(line_kind), Some(block)) = (kinds.get(kind), blocks.last_mut()) else { return };
        put(kind as u64 + 1, block);
        put(index.wrapping_sub(before.index), block);
        put(position.line.wrapping_sub(before.line), block);
        put(position.byte_offset.wrapping_sub(before.byte_offset), block);
        put(*byte_length, block);
        for TextPosition { line, byte_offset } in failures.positions(TextPosition::START) {
            put(line, block);
            put(byte_offset, block);
        }
        for number in line_kind.names() {
            put_bytes(failures.name(*number).as_bytes(), block);
        }
        put_bytes(bytes, block);
        let behind = position.byte_offset + byte_length;
        self.previous = Place { index: *index, line: position.line, byte_offset: behind };
    }

    /// Returns the block for the next record.
    fn block(&mut self) -> &mut Vec<u8> {
        if self.blocks.last().is_none_or(|block| block.len() >= BLOCK_BYTES) {
            self.full_block_bytes += self.blocks.last().map_or(0, Vec::len);
            self.previous = Place::default();
            let capacity = if self.blocks.is_empty() { 0 } else { BLOCK_BYTES + (BLOCK_BYTES >> 6) };
            self.blocks.push(Vec::with_capacity(capacity));
        }
        let last = self.blocks.len() - 1;
        &mut self.blocks[last]
    }

    /// Returns the memory that the records take, in bytes.
    pub(super) fn size_bytes(&self) -> usize {
        self.full_block_bytes + self.kind_bytes + self.blocks.last().map_or(0, Vec::len)
    }

    /// Returns the records as NDJSON, in pieces of about a mebibyte.
    pub fn into_pieces(self) -> impl Iterator<Item = Vec<u8>> + Send {
        let Self { kinds, blocks, .. } = self;
        Pieces { kinds, blocks: blocks.into(), read: 0, previous: Place::default() }
    }

    /// Returns the records as NDJSON.
    #[must_use]
    pub fn into_lines(self) -> Vec<u8> {
        self.into_pieces().flatten().collect()
    }
}

struct Pieces {
    kinds: LineKinds,
    blocks: VecDeque<Vec<u8>>,
    /// The number of bytes of the first block that were read.
    read: usize,
    previous: Place,
}

impl Iterator for Pieces {
    type Item = Vec<u8>;

    fn next(&mut self) -> Option<Vec<u8>> {
        let Self { kinds, blocks, read, previous } = self;
        let mut piece = Vec::new();
        while let Some(block) = blocks.front() {
            let mut rest = block.get(*read..).unwrap_or_default();
            while !rest.is_empty() && piece.len() < PIECE_BYTES {
                write_next(kinds, previous, &mut rest, &mut piece)?;
            }
            *read = block.len() - rest.len();
            if piece.len() >= PIECE_BYTES && !rest.is_empty() {
                break;
            }
            blocks.pop_front();
            (*read, *previous) = (0, Place::default());
        }
        (!piece.is_empty()).then_some(piece)
    }
}

/// Writes the line of the first record of `rest`, and takes it off.
fn write_next(kinds: &LineKinds, previous: &mut Place, rest: &mut &[u8], to: &mut Vec<u8>) -> Option<()> {
    let Some(kind) = take(rest)?.checked_sub(1) else {
        to.extend_from_slice(take_bytes(rest)?);
        return Some(());
    };
    let kind = kinds.get(usize::try_from(kind).ok()?)?;
    let index = previous.index.wrapping_add(take(rest)?);
    let line = previous.line.wrapping_add(take(rest)?);
    let byte_offset = previous.byte_offset.wrapping_add(take(rest)?);
    let byte_length = take(rest)?;
    let position = TextPosition { line, byte_offset };
    let mut positions = Vec::with_capacity(kind.positions());
    for _ in 0..kind.positions() {
        positions.push(TextPosition { line: take(rest)?, byte_offset: take(rest)? }.within(position));
    }
    let mut names = Vec::with_capacity(kind.names().len());
    for number in kind.names() {
        names.push((*number, std::str::from_utf8(take_bytes(rest)?).ok()?));
    }
    let bytes = take_bytes(rest)?;
    let name = |number| names.iter().find(|(known, _)| *known == number).map_or("", |(_, name)| *name);
    kind.write(&KnownLine { index, position, byte_length, positions: &positions, bytes }, &name, to);
    *previous = Place { index, line, byte_offset: byte_offset + byte_length };
    Some(())
}

/// Appends a number, seven bits a byte, the lowest first.
fn put(mut number: u64, to: &mut Vec<u8>) {
    while number >= 0x80 {
        to.push(number as u8 | 0x80);
        number >>= 7;
    }
    to.push(number as u8);
}

fn put_bytes(bytes: &[u8], to: &mut Vec<u8>) {
    put(bytes.len() as u64, to);
    to.extend_from_slice(bytes);
}

fn take(from: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..u64::BITS).step_by(7) {
        let (byte, rest) = from.split_first()?;
        *from = rest;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

fn take_bytes<'a>(from: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = usize::try_from(take(from)?).ok()?;
    let (bytes, rest) = from.split_at_checked(length)?;
    *from = rest;
    Some(bytes)
}
