//! The sum of values and the sum of their squares, without rounding.

use smallvec::{SmallVec, smallvec};

use super::double::decompose;
use super::integer::Integer;
use crate::statistics::series::Point;

/// The maximum number of values in one set of bins. The squares of 2^12 significands of 53 bits have 118 bits.
const MAX_BINNED: usize = 1 << 12;
/// The number of bins that are on the stack.
const MIN_BINS: usize = 16;
/// The number of successive bins whose sums fit into 128 bits together: 53 + 12 + 31 bits and a sign.
const SUMS_AT_ONCE: usize = 32;
/// The number of successive bins whose sums of squares fit into 128 bits together: 118 + 2 * 4 bits and a reserve.
const SQUARES_AT_ONCE: usize = 4;

/// The exact sum of some finite doubles, in units of 2^-1074, and of their squares, in units of 2^-2148.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Sums {
    pub(crate) values: Integer,
    pub(crate) squares: Integer,
}

/// The sums of all significands with one exponent, and of their squares.
#[derive(Clone, Copy, Default)]
struct Bin {
    significands: i128,
    squares: u128,
}

impl Sums {
    /// Returns the sums of the values of points, which are read twice.
    ///
    /// There is one bin per exponent between the smallest and the largest one: about ten for ordinary measurements, and at most
    /// 2,046. So adding a value takes one multiplication and two additions, whatever its exponent is. Fewer values than
    /// exponents are added one by one.
    pub(crate) fn of(points: &[Point]) -> Sums {
        let mut sums = Sums::default();
        for points in points.chunks(MAX_BINNED) {
            sums.add_binned(points);
        }
        sums
    }

    fn add_binned(&mut self, points: &[Point]) {
        let (mut lowest, mut highest) = (u64::MAX, 0);
        for point in points {
            let magnitude = point.value.abs().to_bits();
            // A zero adds nothing. As the smallest value, it would make a bin of each exponent below the others.
            lowest = lowest.min(if magnitude == 0 { u64::MAX } else { magnitude });
            highest = highest.max(magnitude);
        }
        if highest == 0 {
            return;
        }
        let [lowest, highest] = [lowest, highest].map(|magnitude| decompose(f64::from_bits(magnitude)).1);
        let exponents = (highest - lowest + 1) as usize;
        if exponents > points.len().max(MIN_BINS) {
            points.iter().for_each(|point| self.add_one(point.value));
            return;
        }
        let mut bins: SmallVec<[Bin; MIN_BINS]> = smallvec![Bin::default(); exponents];
        for point in points {
            let (significand, position) = decompose(point.value);
            if let Some(bin) = position.checked_sub(lowest).and_then(|index| bins.get_mut(index as usize)) {
                let magnitude = u128::from(significand.unsigned_abs());
                bin.significands += i128::from(significand);
                bin.squares += magnitude * magnitude;
            }
        }
        for (position, bins) in (lowest..).step_by(SUMS_AT_ONCE).zip(bins.chunks(SUMS_AT_ONCE)) {
            let sum = bins.iter().rev().fold(0, |sum, bin| (sum << 1) + bin.significands);
            self.values.add(&Integer::signed(sum, position));
        }
        for (position, bins) in (lowest..).step_by(SQUARES_AT_ONCE).zip(bins.chunks(SQUARES_AT_ONCE)) {
            let sum = bins.iter().rev().fold(0, |sum, bin| (sum << 2) + bin.squares);
            self.squares.add(&Integer::unsigned(sum, 2 * position));
        }
    }

    fn add_one(&mut self, value: f64) {
        let (significand, position) = decompose(value);
        let magnitude = u128::from(significand.unsigned_abs());
        self.values.add(&Integer::signed(significand.into(), position));
        self.squares.add(&Integer::unsigned(magnitude * magnitude, 2 * position));
    }

    /// Adds the sums of other values.
    pub(crate) fn add(&mut self, other: &Sums) {
        self.values.add(&other.values);
        self.squares.add(&other.squares);
    }
}
