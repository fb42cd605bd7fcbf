//! The stored form of a summary: as many bytes as its numbers need.
//!
//! ```text
//! stored  := count unit first points             count is a varint (LEB128), first a signed one (zigzag): units since 2025
//! points  := value                               of one point: a little-endian f64
//!          | span min max sum squares            of several points: span is a varint, min and max are little-endian f64
//! sum     := position length bytes               bytes * 2^position * 2^-1074; position and length are varints
//! squares := distance bytes                      bytes * 2^(2 position + distance) * 2^-2148, to the end; distance is signed
//! unit    := 0..=5                               1 µs, 1 ms, 1 s, 1 min, 1 h or 1 d: the largest that divides first and span
//! ```
//! Integers are in two's complement, the least significant byte first, without zero bits at the low end.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::{InvalidSummary, Summary};
use crate::statistics::exact::{Integer, Place, Sums};
use crate::statistics::series::Point;
use crate::time::Timestamp;
use crate::varint::{Reader, push_signed, push_unsigned};

/// The units of times in microseconds.
const UNITS: [i64; 6] = [1, 1_000, 1_000_000, 60_000_000, 3_600_000_000, 86_400_000_000];

/// 2025-01-01T00:00:00Z in microseconds since the Unix epoch, a multiple of every unit. Times near to it are short.
const ORIGIN: i64 = 1_735_689_600_000_000;
/// The maximum length of a sum: the sum of 2^64 doubles has 2,098 + 64 bits and a sign.
const MAX_SUM_BYTES: usize = 271;

impl Summary {
    /// The maximum length of the stored form: 271 bytes for the sum, 533 for the sum of 2^64 squares, 60 for the rest.
    pub const MAX_BYTES: usize = MAX_SUM_BYTES + 533 + 60;

    /// Returns the stored form: at most 18 bytes for one point, and 37 to 64 for ordinary measurements. It is not stored as
    /// DynamoDB numbers, which have 38 digits and end at 9.9e125.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(72);
        let (first, last) = (self.first.as_micros(), self.last.as_micros());
        let divides = |unit: &i64| first % unit == 0 && last % unit == 0;
        let index = UNITS.iter().rposition(divides).unwrap_or(0);
        let unit = UNITS.get(index).copied().unwrap_or(1);
        push_unsigned(&mut bytes, self.count);
        bytes.push(index as u8);
        push_signed(&mut bytes, (first - ORIGIN) / unit);
        if self.count == 1 {
            bytes.extend(self.min().to_le_bytes());
            return bytes;
        }
        push_unsigned(&mut bytes, ((last - first) / unit).unsigned_abs());
        bytes.extend(self.min().to_le_bytes());
        bytes.extend(self.max().to_le_bytes());
        let (position, sum) = self.sums.values.to_parts();
        push_unsigned(&mut bytes, position.into());
        push_unsigned(&mut bytes, sum.len() as u64);
        bytes.extend(sum);
        let (of_squares, squares) = self.sums.squares.to_parts();
        push_signed(&mut bytes, i64::from(of_squares) - 2 * i64::from(position));
        bytes.extend(squares);
        bytes
    }

    /// Parses the stored form.
    ///
    /// # Errors
    /// Returns [`InvalidSummary`] for bytes that [`to_bytes`](Self::to_bytes) does not return. The sums may still be those of
    /// no points: [`Chunk::points`](crate::statistics::chunk::Chunk::points) compares them with the points.
    pub fn from_bytes(bytes: &[u8]) -> Result<Summary, InvalidSummary> {
        parse(bytes).filter(|summary| summary.to_bytes() == bytes).ok_or(InvalidSummary)
    }
}

fn parse(bytes: &[u8]) -> Option<Summary> {
    let mut reader = Reader(bytes);
    let count = reader.unsigned().filter(|count| *count > 0)?;
    let unit = *UNITS.get(usize::from(reader.byte()?))?;
    let first = reader.signed()?.checked_mul(unit)?.checked_add(ORIGIN)?;
    let time = Timestamp::try_from_micros(first)?;
    if count == 1 {
        let value = double(&mut reader)?;
        return Summary::of(&[Point { time, value: value.value() }]).filter(|_| reader.0.is_empty());
    }
    let span = i64::try_from(reader.unsigned()?).ok()?.checked_mul(unit)?;
    let last = Timestamp::try_from_micros(first.checked_add(span)?)?;
    let (min, max) = (double(&mut reader)?, double(&mut reader)?);
    let position = u32::try_from(reader.unsigned()?).ok()?;
    let length = usize::try_from(reader.unsigned()?).ok().filter(|length| *length <= MAX_SUM_BYTES)?;
    let values = Integer::from_parts(position, reader.bytes(length)?)?;
    let of_squares = (2 * i64::from(position)).checked_add(reader.signed()?)?;
    let squares = Integer::from_parts(u32::try_from(of_squares).ok()?, reader.0)?;
    let summary = Summary { count, sums: Sums { values, squares }, min, max, first: time, last };
    (min <= max).then_some(summary)
}

fn double(reader: &mut Reader<'_>) -> Option<Place> {
    let bytes = reader.bytes(8)?.try_into().ok()?;
    Some(f64::from_le_bytes(bytes)).filter(|value| value.is_finite()).map(Place::of)
}

/// As base64 of the stored form.
impl Serialize for Summary {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD_NO_PAD.encode(self.to_bytes()))
    }
}

impl<'de> Deserialize<'de> for Summary {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        let bytes = STANDARD_NO_PAD.decode(text.as_bytes()).map_err(de::Error::custom)?;
        Summary::from_bytes(&bytes).map_err(de::Error::custom)
    }
}
