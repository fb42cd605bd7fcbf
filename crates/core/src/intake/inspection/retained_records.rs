//! The rejected records of an upload, in a compact form until they are written as NDJSON.

use std::collections::VecDeque;

use super::known_lines::{KnownLine, LineKinds};
use super::rejected::{KnownRecord, RecordPlace, Rejected};
use crate::intake::position::TextPosition;
use crate::varint::{Reader, push_unsigned};

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
        push_unsigned(block, 0);
        push_bytes(block, &line);
    }

    fn add_known(&mut self, record: &KnownRecord<'_>, bytes: &[u8]) {
        let KnownRecord { place: RecordPlace { index, position, byte_length, schema }, failures } = record;
        let (kind, size_bytes) = self.kinds.index_of(&failures.kind, schema.as_ref());
        self.kind_bytes += size_bytes;
        self.block();
        let before = self.previous;
        let Self { kinds, blocks, .. } = self;
        let (Some(line_kind), Some(block)) = (kinds.get(kind), blocks.last_mut()) else { return };
        push_unsigned(block, kind as u64 + 1);
        push_unsigned(block, index.wrapping_sub(before.index));
        push_unsigned(block, position.line.wrapping_sub(before.line));
        push_unsigned(block, position.byte_offset.wrapping_sub(before.byte_offset));
        push_unsigned(block, *byte_length);
        for TextPosition { line, byte_offset } in failures.positions(TextPosition::START) {
            push_unsigned(block, line);
            push_unsigned(block, byte_offset);
        }
        for number in line_kind.names() {
            push_bytes(block, failures.name(*number).as_bytes());
        }
        push_bytes(block, bytes);
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
            let mut rest = Reader(block.get(*read..).unwrap_or_default());
            while !rest.0.is_empty() && piece.len() < PIECE_BYTES {
                write_next(kinds, previous, &mut rest, &mut piece)?;
            }
            *read = block.len() - rest.0.len();
            if piece.len() >= PIECE_BYTES && !rest.0.is_empty() {
                break;
            }
            blocks.pop_front();
            (*read, *previous) = (0, Place::default());
        }
        (!piece.is_empty()).then_some(piece)
    }
}

/// Writes the line of the first record of `rest`, and takes it off.
fn write_next(kinds: &LineKinds, previous: &mut Place, rest: &mut Reader<'_>, to: &mut Vec<u8>) -> Option<()> {
    let Some(kind) = rest.unsigned()?.checked_sub(1) else {
        to.extend_from_slice(read_bytes(rest)?);
        return Some(());
    };
    let kind = kinds.get(usize::try_from(kind).ok()?)?;
    let index = previous.index.wrapping_add(rest.unsigned()?);
    let line = previous.line.wrapping_add(rest.unsigned()?);
    let byte_offset = previous.byte_offset.wrapping_add(rest.unsigned()?);
    let byte_length = rest.unsigned()?;
    let position = TextPosition { line, byte_offset };
    let mut positions = Vec::with_capacity(kind.positions());
    for _ in 0..kind.positions() {
        positions.push(TextPosition { line: rest.unsigned()?, byte_offset: rest.unsigned()? }.within(position));
    }
    let mut names = Vec::with_capacity(kind.names().len());
    for number in kind.names() {
        names.push((*number, std::str::from_utf8(read_bytes(rest)?).ok()?));
    }
    let bytes = read_bytes(rest)?;
    let name = |number| names.iter().find(|(known, _)| *known == number).map_or("", |(_, name)| *name);
    kind.write(&KnownLine { index, position, byte_length, positions: &positions, bytes }, &name, to);
    *previous = Place { index, line, byte_offset: byte_offset + byte_length };
    Some(())
}

fn push_bytes(to: &mut Vec<u8>, bytes: &[u8]) {
    push_unsigned(to, bytes.len() as u64);
    to.extend_from_slice(bytes);
}

fn read_bytes<'a>(from: &mut Reader<'a>) -> Option<&'a [u8]> {
    let length = usize::try_from(from.unsigned()?).ok()?;
    from.bytes(length)
}
