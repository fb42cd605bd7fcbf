//! Decompresses gzip ([RFC 1952](https://www.rfc-editor.org/rfc/rfc1952)).

use std::io::Write;

use flate2::write::GzDecoder;

use super::media::Compression;
use super::stream::{damaged, ends_early, take, trailing_bytes};
use crate::intake::failure::{Failure, FailureCode};

/// The first two bytes of a member.
const MAGIC: [u8; 2] = [0x1f, 0x8b];
/// The number of bytes that one step decodes, to at most 1,032 times as many.
const INPUT_BYTES: usize = 1 << 10;

/// A stream of one or more members. Zero bytes may follow it.
pub(super) struct Gzip {
    place: Place,
    /// The number of bytes taken.
    taken: u64,
    /// The number of members.
    members: u64,
    max_members: u64,
}

enum Place {
    Member(Box<GzDecoder<Vec<u8>>>),
    /// After a member.
    Between,
    /// After the first byte of what may be another member.
    Magic,
    /// In the zero bytes after the stream.
    Padding,
}

impl Gzip {
    pub(super) fn new(max_members: u64) -> Self {
        Self { place: Place::Member(Box::new(GzDecoder::new(Vec::new()))), taken: 0, members: 1, max_members }
    }

    /// Takes a bounded piece off the front of the input and decodes it into `content`. Returns `false` if it needs more input.
    pub(super) fn step(&mut self, input: &mut &[u8], content: &mut Vec<u8>) -> Result<bool, Failure> {
        let mut piece = take(input, INPUT_BYTES);
        let has_input = !piece.is_empty();
        while let Some(&first) = piece.first() {
            let used = self.decode(first, piece, content)?;
            self.taken += take(&mut piece, used).len() as u64;
        }
        Ok(has_input)
    }

    /// Decodes bytes from the front of the piece. Returns their number, which is 0 at the end of a member.
    fn decode(&mut self, first: u8, piece: &[u8], content: &mut Vec<u8>) -> Result<usize, Failure> {
        match (&mut self.place, first) {
            (Place::Member(member), _) => {
                let used = member.write(piece).map_err(|_| damaged(Compression::Gzip))?;
                if used == 0 {
                    member.try_finish().map_err(|_| damaged(Compression::Gzip))?;
                }
                content.append(member.get_mut());
                if used == 0 {
                    self.place = Place::Between;
                }
                return Ok(used);
            }
            (Place::Between, 0x1f) => self.place = Place::Magic,
            (Place::Magic, 0x8b) => {
                self.members += 1;
                if self.members > self.max_members {
                    return Err(too_many_members(self.max_members));
                }
                let mut member = GzDecoder::new(Vec::new());
                member.write_all(&MAGIC).map_err(|_| damaged(Compression::Gzip))?;
                self.place = Place::Member(Box::new(member));
            }
            (Place::Magic, _) => return Err(trailing_bytes(Compression::Gzip, self.taken - 1)),
            (Place::Between | Place::Padding, 0) => self.place = Place::Padding,
            (Place::Between | Place::Padding, _) => return Err(trailing_bytes(Compression::Gzip, self.taken)),
        }
        Ok(1)
    }

    /// Ends the input, and decodes the rest into `content`.
    pub(super) fn finish(&mut self, content: &mut Vec<u8>) -> Result<(), Failure> {
        match &mut self.place {
            Place::Member(member) => {
                let finished = member.try_finish();
                content.append(member.get_mut());
                finished.map_err(|_| ends_early(Compression::Gzip))
            }
            Place::Magic => Err(trailing_bytes(Compression::Gzip, self.taken - 1)),
            Place::Between | Place::Padding => Ok(()),
        }
    }
}

fn too_many_members(most: u64) -> Failure {
    let message = format!("more than {most} gzip members: compress the file as a whole, or send it in several uploads");
    Failure::new(FailureCode::DecompressedTooLarge, "", message)
}
