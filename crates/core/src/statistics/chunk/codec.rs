//! The stored form of points: a column of times and a column of values, each as small numbers.
//!
//! ```text
//! stored   := 0 columns | 1 zstd(columns) | 2 columns
//! columns  := count first unit steps values      varints (LEB128), signed ones zigzag; count - 1 steps
//! values   := 0..=15 first differences           value = integer / 10^that; count - 1 differences of integers
//!           | 16..=31 first differences zeros    as with 16 less, but some zeros are -0.0
//!           | 255 plane{8}                       bits XOR those before, the highest bytes of all first
//! ```
//! A step is the difference of two successive intervals, in units of the greatest common divisor of all intervals. Steps and
//! differences are varints, or [`blocks`] behind the tag 2. `zeros` are varints: for each -0.0, which comes from rounding small
//! negative measurements, the number of points between it and the one before.
//!
//! Measurements have noise, which nothing makes much shorter than its bits. Up to about a thousand points, blocks are smaller than
//! zstd makes the varints, and they take a tenth of its time. zstd is for what has patterns: few numbers that are much larger than
//! the others of their block, sequences that recur, and doubles with many digits.

use std::cell::RefCell;

use zstd::bulk::{Compressor, Decompressor};

use super::blocks;
use super::patterns::has_patterns;
use crate::statistics::series::Point;
use crate::time::Timestamp;
use crate::varint::{Reader, push_signed, push_unsigned};

/// The maximum number of points of a chunk. They fit the 400 KB of a DynamoDB item, compressed or not.
pub const MAX_POINTS: usize = 4096;

const PLAIN: u8 = 0;
const ZSTD: u8 = 1;
const BLOCKS: u8 = 2;
const BITS: u8 = 255;

/// The default of zstd. Level 5 takes 40 % more time to save at most 9 % of such columns; level 1 saves no time.
const LEVEL: i32 = 3;
/// The minimum size of columns with planes that are compressed. A zstd frame has an overhead of 9 bytes or more.
const MIN_COMPRESSED_BYTES: usize = 48;
/// The approximate size of the columns before the steps and the differences, which take at most four bytes per point.
const HEAD_BYTES: usize = 32;
/// The maximum size of columns: two varints per point and three before them, of at most 10 bytes each. A number that is -0.0
/// takes one byte more, but its difference takes at most 8.
const MAX_COLUMN_BYTES: usize = 20 * MAX_POINTS + 40;

/// The powers of ten to 10^15: all integers below 2^53 divided by one of them are the `f64` nearest to that decimal.
const POWERS_OF_TEN: [f64; 16] = [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15];
const MAX_INTEGER: i64 = 1 << 53;
/// Added to the digits of values with -0.0.
const WITH_MINUS_ZEROS: u8 = 16;

/// The buffers and contexts of zstd that encode and decode points. To set a context up takes longer than most chunks do, so each
/// thread keeps its own.
#[derive(Default)]
struct Codec {
    compressor: Option<Compressor<'static>>,
    decompressor: Option<Decompressor<'static>>,
    columns: Vec<u8>,
    /// The steps of the times, in units.
    steps: Vec<i64>,
    /// The integers of the values, then their differences.
    integers: Vec<i64>,
    /// The indexes of the values that are -0.0.
    minus_zeros: Vec<usize>,
}

/// The form of the steps and the differences.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Varints,
    Blocks,
}

/// The numbers before the steps.
#[derive(Clone, Copy)]
struct Head {
    count: u64,
    first: i64,
    unit: i64,
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
    CODEC.with_borrow_mut(|codec| codec.decode(stored))
}

impl Codec {
    fn encode(&mut self, points: &[Point]) -> Vec<u8> {
        let head = self.split_times(points);
        let digits = self.scale(points);
        if let Some(digits) = digits {
            take_differences(&mut self.integers);
            let blocks = self.blocks(head, digits);
            if has_patterns(&self.steps) || has_patterns(&self.integers) {
                return std::cmp::min_by_key(blocks, self.varints(head, Some(digits), points), Vec::len);
            }
            return blocks;
        }
        self.varints(head, None, points)
    }

    /// Returns the stored form with blocks.
    fn blocks(&self, head: Head, digits: usize) -> Vec<u8> {
        let (first, differences) =
            self.integers.split_first().map_or((0, [].as_slice()), |(first, rest)| (*first, rest));
        let size = blocks::size_bytes(&self.steps) + blocks::size_bytes(differences);
        let mut stored = Vec::with_capacity(HEAD_BYTES + size);
        stored.push(BLOCKS);
        head.push(&mut stored);
        blocks::push(&mut stored, &self.steps);
        stored.push(self.digits_byte(digits));
        push_signed(&mut stored, first);
        blocks::push(&mut stored, differences);
        push_minus_zeros(&mut stored, &self.minus_zeros);
        stored
    }

    fn digits_byte(&self, digits: usize) -> u8 {
        digits as u8 + if self.minus_zeros.is_empty() { 0 } else { WITH_MINUS_ZEROS }
    }

    /// Returns the stored form with varints or planes, compressed if that is shorter.
    fn varints(&mut self, head: Head, digits: Option<usize>, points: &[Point]) -> Vec<u8> {
        let digits = digits.map(|digits| self.digits_byte(digits));
        let Self { columns, steps, integers, minus_zeros, .. } = self;
        columns.clear();
        columns.reserve(HEAD_BYTES + 4 * points.len());
        head.push(columns);
        steps.iter().for_each(|step| push_signed(columns, *step));
        match digits {
            Some(digits) => {
                columns.push(digits);
                integers.iter().for_each(|integer| push_signed(columns, *integer));
                push_minus_zeros(columns, minus_zeros);
            }
            None => {
                columns.push(BITS);
                push_planes(columns, points);
            }
        }
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

    fn decode(&mut self, stored: &[u8]) -> Option<Vec<Point>> {
        match stored.split_first() {
            Some((&PLAIN, columns)) => self.read_columns(columns, Form::Varints),
            Some((&ZSTD, frame)) => {
                let columns = self.decompress(frame)?;
                self.read_columns(&columns, Form::Varints)
            }
            Some((&BLOCKS, columns)) => self.read_columns(columns, Form::Blocks),
            _ => None,
        }
    }

    fn read_columns(&mut self, columns: &[u8], form: Form) -> Option<Vec<Point>> {
        let Self { steps, integers, .. } = self;
        let mut reader = Reader(columns);
        let count = usize::try_from(reader.unsigned()?).ok().filter(|count| (1..=MAX_POINTS).contains(count))?;
        let mut micros = reader.signed()?;
        let unit = i64::try_from(reader.unsigned()?).ok()?;
        form.read(&mut reader, count - 1, steps)?;
        let mut points = Vec::with_capacity(count);
        points.push(Point { time: Timestamp::try_from_micros(micros)?, value: 0.0 });
        let mut interval: i64 = 0;
        for step in steps {
            interval = interval.checked_add(*step).filter(|interval| *interval >= 0)?;
            micros = micros.checked_add(interval.checked_mul(unit)?)?;
            points.push(Point { time: Timestamp::try_from_micros(micros)?, value: 0.0 });
        }
        let digits = reader.byte()?;
        if digits == BITS {
            read_planes(reader.0, &mut points)?;
            return Some(points);
        }
        let has_minus_zeros = digits >= WITH_MINUS_ZEROS;
        let power =
            POWERS_OF_TEN.get(usize::from(digits % WITH_MINUS_ZEROS)).filter(|_| digits < 2 * WITH_MINUS_ZEROS)?;
        let mut integer = reader.signed()?;
        form.read(&mut reader, count - 1, integers)?;
        let differences = integers.iter().copied().chain([0]);
        for (point, difference) in points.iter_mut().zip(differences) {
            point.value = integer as f64 / power;
            integer = integer.checked_add(difference)?;
        }
        if has_minus_zeros {
            read_minus_zeros(&mut reader, &mut points)?;
        }
        reader.0.is_empty().then_some(points)
    }

    /// Puts the steps of the times into `steps`.
    fn split_times(&mut self, points: &[Point]) -> Head {
        let Self { steps, .. } = self;
        steps.clear();
        steps.extend(points.windows(2).map(|pair| match pair {
            [a, b] => b.time.as_micros() - a.time.as_micros(),
            _ => 0,
        }));
        // Most intervals equal the one before: each division takes as long as all else that is done with a point.
        let (mut unit, mut before) = (0, 0);
        for interval in steps.iter() {
            if *interval != before {
                unit = greatest_common_divisor(unit, *interval);
                before = *interval;
            }
        }
        let unit = unit.max(1);
        let (mut before, mut units_before) = (0, 0);
        for interval in steps.iter_mut() {
            let units = if *interval == before { units_before } else { *interval / unit };
            before = std::mem::replace(interval, units - units_before);
            units_before = units;
        }
        let first = points.first().map_or(0, |point| point.time.as_micros());
        Head { count: points.len() as u64, first, unit }
    }

    /// Puts integers into `integers` that, divided by 10^digits, are the values. Returns the fewest such digits; `None` if some
    /// value needs too many.
    fn scale(&mut self, points: &[Point]) -> Option<usize> {
        self.integers.clear();
        self.integers.reserve(points.len());
        self.minus_zeros.clear();
        let mut digits = 0;
        for (index, point) in points.iter().enumerate() {
            if point.value == 0.0 && point.value.is_sign_negative() {
                self.minus_zeros.push(index);
            }
            let integer = loop {
                if let Some(integer) = as_integer(point.value, digits) {
                    break integer;
                }
                digits += 1;
                POWERS_OF_TEN.get(digits)?;
                for integer in &mut self.integers {
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

impl Head {
    fn push(self, bytes: &mut Vec<u8>) {
        push_unsigned(bytes, self.count);
        push_signed(bytes, self.first);
        push_unsigned(bytes, self.unit.unsigned_abs());
    }
}

impl Form {
    /// Reads this many steps or differences.
    fn read(self, reader: &mut Reader<'_>, count: usize, numbers: &mut Vec<i64>) -> Option<()> {
        numbers.clear();
        if self == Self::Blocks {
            return blocks::read(reader, count, numbers);
        }
        for _ in 0..count {
            numbers.push(reader.signed()?);
        }
        Some(())
    }
}

/// Replaces each integer but the first by its difference from the one before.
fn take_differences(integers: &mut [i64]) {
    let mut before = 0;
    for integer in integers {
        before = std::mem::replace(integer, *integer - before);
    }
}

fn push_minus_zeros(bytes: &mut Vec<u8>, indexes: &[usize]) {
    let mut next = 0;
    for index in indexes {
        push_unsigned(bytes, (index - next) as u64);
        next = index + 1;
    }
}

fn read_minus_zeros(reader: &mut Reader<'_>, points: &mut [Point]) -> Option<()> {
    let mut rest = points;
    while !reader.0.is_empty() {
        let (point, behind) = rest.get_mut(usize::try_from(reader.unsigned()?).ok()?..)?.split_first_mut()?;
        if point.value != 0.0 {
            return None;
        }
        point.value = -0.0;
        rest = behind;
    }
    Some(())
}

/// Appends the bytes of the values, the highest ones of all first.
fn push_planes(columns: &mut Vec<u8>, points: &[Point]) {
    let start = columns.len();
    columns.resize(start + 8 * points.len(), 0);
    let planes = columns.get_mut(start..).unwrap_or_default();
    for (plane, bytes) in planes.chunks_exact_mut(points.len().max(1)).enumerate() {
        let mut before = 0;
        for (byte, point) in bytes.iter_mut().zip(points) {
            let bits = point.value.to_bits();
            *byte = ((bits ^ before) >> (56 - 8 * plane)) as u8;
            before = bits;
        }
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

/// Returns the integer that divided by 10^digits is exactly `value`, but for the sign of a zero.
fn as_integer(value: f64, digits: usize) -> Option<i64> {
    let power = POWERS_OF_TEN.get(digits)?;
    let scaled = value * power;
    let integer = (scaled + 0.5f64.copysign(scaled)) as i64;
    let is_exact = -MAX_INTEGER < integer && integer < MAX_INTEGER && integer as f64 / power == value;
    is_exact.then_some(integer)
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
