//! The stored form of points: a column of times and a column of values, each as small numbers, compressed by zstd.
//!
//! ```text
//! stored   := 0 columns | 1 zstd(columns)
//! columns  := count first unit step* values      varints (LEB128), signed ones zigzag; count - 1 steps
//! values   := 0..=15 integer*                    value = integer / 10^that; -2^53 is -0.0; differences of successive integers
//!           | 255 plane{8}                       bits XOR those before, the highest bytes of all first
//! ```
//! A step is the difference of two successive intervals, in units of the greatest common divisor of all intervals.

use std::cell::RefCell;

use zstd::bulk::{Compressor, Decompressor};

use crate::statistics::series::Point;
use crate::time::Timestamp;
use crate::varint::{Reader, push_signed, push_unsigned};

/// The maximum number of points of a chunk. They fit the 400 KB of a DynamoDB item, compressed or not.
pub const MAX_POINTS: usize = 4096;

const PLAIN: u8 = 0;
const ZSTD: u8 = 1;
const BITS: u8 = 255;

/// The default of zstd. Level 5 takes 40 % more time to save at most 9 % of such columns; level 1 saves no time.
const LEVEL: i32 = 3;
/// The minimum size of columns that are compressed. A zstd frame has an overhead of 9 bytes or more.
const MIN_COMPRESSED_BYTES: usize = 48;
/// The approximate size of the columns before the steps and the integers, which take at most four bytes per point.
const HEAD_BYTES: usize = 32;
/// The maximum size of columns: two varints per point and three before them, of at most 10 bytes each.
const MAX_COLUMN_BYTES: usize = 20 * MAX_POINTS + 40;

/// The powers of ten to 10^15: all integers below 2^53 divided by one of them are the `f64` nearest to that decimal.
const POWERS_OF_TEN: [f64; 16] = [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15];
const MAX_INTEGER: i64 = 1 << 53;
/// Represents -0.0, the result of rounding small negative measurements.
const MINUS_ZERO: i64 = -MAX_INTEGER;

/// The buffers and contexts of zstd that encode and decode points. To set a context up takes longer than most chunks do, so each
/// thread keeps its own.
#[derive(Default)]
struct Codec {
    compressor: Option<Compressor<'static>>,
    decompressor: Option<Decompressor<'static>>,
    columns: Vec<u8>,
    integers: Vec<i64>,
}

thread_local! {
    static CODEC: RefCell<Codec> = RefCell::default();
}

/// Returns the stored form of points in time order with finite values.
pub(super) fn encode(points: &[Point]) -> Vec<u8> {
    CODEC.with_borrow_mut(|codec| codec.encode(points))
}

/// Decodes the stored form of points. Other bytes give none, or other points of finite values in time order.
pub(super) fn decode(stored: &[u8]) -> Option<Vec<Point>> {
    match stored.split_first() {
        Some((&PLAIN, columns)) => read_columns(columns),
        Some((&ZSTD, frame)) => read_columns(&CODEC.with_borrow_mut(|codec| codec.decompress(frame))?),
        _ => None,
    }
}

impl Codec {
    fn encode(&mut self, points: &[Point]) -> Vec<u8> {
        self.columns.clear();
        self.columns.reserve(HEAD_BYTES + 4 * points.len());
        push_times(&mut self.columns, points);
        self.push_values(points);
        match self.compress() {
            Some(compressed) if compressed.len() < self.columns.len() => with_tag(ZSTD, &compressed),
            _ => with_tag(PLAIN, &self.columns),
        }
    }

    /// Compresses the columns; `None` if they are too small, or if zstd is out of memory.
    fn compress(&mut self) -> Option<Vec<u8>> {
        if self.columns.len() < MIN_COMPRESSED_BYTES {
            return None;
        }
        if self.compressor.is_none() {
            self.compressor = Compressor::new(LEVEL).ok();
        }
        self.compressor.as_mut()?.compress(&self.columns).ok()
    }

    /// Decompresses columns.
    fn decompress(&mut self, frame: &[u8]) -> Option<Vec<u8>> {
        if self.decompressor.is_none() {
            self.decompressor = Decompressor::new().ok();
        }
        self.decompressor.as_mut()?.decompress(frame, MAX_COLUMN_BYTES).ok()
    }

    fn push_values(&mut self, points: &[Point]) {
        if let Some(digits) = self.scale(points) {
            self.columns.push(digits as u8);
            let mut before = 0;
            for integer in &self.integers {
                push_signed(&mut self.columns, integer - before);
                before = *integer;
            }
            return;
        }
        self.columns.push(BITS);
        let start = self.columns.len();
        self.columns.resize(start + 8 * points.len(), 0);
        let planes = self.columns.get_mut(start..).unwrap_or_default();
        for (plane, bytes) in planes.chunks_exact_mut(points.len().max(1)).enumerate() {
            let mut before = 0;
            for (byte, point) in bytes.iter_mut().zip(points) {
                let bits = point.value.to_bits();
                *byte = ((bits ^ before) >> (56 - 8 * plane)) as u8;
                before = bits;
            }
        }
    }

    /// Puts integers into `integers` that, divided by 10^digits, are the values. Returns the fewest such digits; `None` if some
    /// value needs too many.
    fn scale(&mut self, points: &[Point]) -> Option<usize> {
        self.integers.clear();
        self.integers.reserve(points.len());
        let mut digits = 0;
        for point in points {
            let integer = loop {
                if let Some(integer) = as_integer(point.value, digits) {
                    break integer;
                }
                digits += 1;
                POWERS_OF_TEN.get(digits)?;
                for integer in self.integers.iter_mut().filter(|integer| **integer != MINUS_ZERO) {
                    *integer = integer.checked_mul(10).filter(|integer| integer.abs() < MAX_INTEGER)?;
                }
            };
            self.integers.push(integer);
        }
        Some(digits)
    }
}

fn with_tag(tag: u8, bytes: &[u8]) -> Vec<u8> {
    let mut tagged = Vec::with_capacity(bytes.len() + 1);
    tagged.push(tag);
    tagged.extend_from_slice(bytes);
    tagged
}

fn push_times(columns: &mut Vec<u8>, points: &[Point]) {
    let Some(first) = points.first() else { return };
    let intervals = || {
        points.windows(2).map(|pair| match pair {
            [a, b] => b.time.as_micros() - a.time.as_micros(),
            _ => 0,
        })
    };
    let unit = intervals().fold(0, greatest_common_divisor).max(1);
    push_unsigned(columns, points.len() as u64);
    push_signed(columns, first.time.as_micros());
    push_unsigned(columns, unit.unsigned_abs());
    let mut before = 0;
    for interval in intervals() {
        let interval = interval / unit;
        push_signed(columns, interval - before);
        before = interval;
    }
}

fn greatest_common_divisor(a: i64, b: i64) -> i64 {
    // The common case is one division: most intervals are multiples of the divisor so far.
    let (mut a, mut b) = (b, a);
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

/// Returns the integer that divided by 10^digits is exactly `value`.
fn as_integer(value: f64, digits: usize) -> Option<i64> {
    let power = POWERS_OF_TEN.get(digits)?;
    if value.to_bits() == (-0.0f64).to_bits() {
        return Some(MINUS_ZERO);
    }
    let scaled = value * power;
    let integer = (scaled + 0.5f64.copysign(scaled)) as i64;
    let is_exact =
        -MAX_INTEGER < integer && integer < MAX_INTEGER && (integer as f64 / power).to_bits() == value.to_bits();
    is_exact.then_some(integer)
}

fn read_columns(columns: &[u8]) -> Option<Vec<Point>> {
    let mut reader = Reader(columns);
    let count = usize::try_from(reader.unsigned()?).ok().filter(|count| (1..=MAX_POINTS).contains(count))?;
    let mut points = Vec::with_capacity(count);
    let mut micros = reader.signed()?;
    let unit = i64::try_from(reader.unsigned()?).ok()?;
    points.push(Point { time: Timestamp::try_from_micros(micros)?, value: 0.0 });
    let mut interval: i64 = 0;
    for _ in 1..count {
        interval = interval.checked_add(reader.signed()?).filter(|interval| *interval >= 0)?;
        micros = micros.checked_add(interval.checked_mul(unit)?)?;
        points.push(Point { time: Timestamp::try_from_micros(micros)?, value: 0.0 });
    }
    match reader.byte()? {
        BITS => read_planes(reader.0, &mut points)?,
        digits => {
            let power = POWERS_OF_TEN.get(usize::from(digits))?;
            let mut integer: i64 = 0;
            for point in &mut points {
                integer = integer.checked_add(reader.signed()?)?;
                point.value = if integer == MINUS_ZERO { -0.0 } else { integer as f64 / power };
            }
            if !reader.0.is_empty() {
                return None;
            }
        }
    }
    Some(points)
}

fn read_planes(bytes: &[u8], points: &mut [Point]) -> Option<()> {
    if bytes.len() != 8 * points.len() {
        return None;
    }
    let mut columns = [[].as_slice(); 8];
    for (column, plane) in columns.iter_mut().zip(bytes.chunks_exact(points.len())) {
        *column = plane;
    }
    let mut bits = 0;
    for (index, point) in points.iter_mut().enumerate() {
        let mut changed = 0;
        for plane in columns {
            changed = changed << 8 | u64::from(*plane.get(index)?);
        }
        bits ^= changed;
        point.value = f64::from_bits(bits);
        if !point.value.is_finite() {
            return None;
        }
    }
    Some(())
}

#[cfg(test)]
#[path = "codec_tests.rs"]
mod tests;
