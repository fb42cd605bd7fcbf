//! The sum of values and the sum of their squares, without rounding.

use smallvec::{SmallVec, smallvec};

use super::{Integer, decompose};
use crate::statistics::series::Point;

/// The maximum number of values in one set of bins: the squares of 2^22 significands of 53 bits fit into 128 bits.
const MAX_BINNED: usize = 1 << 22;

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
    /// There is one bin per exponent between the smallest and the largest one, about ten for ordinary measurements, and at
    /// most 2,046. So adding a value takes one multiplication and two additions, whatever its exponent is.
    pub(crate) fn of(points: &[Point]) -> Sums {
        let mut sums = Sums::default();
        for points in points.chunks(MAX_BINNED) {
            sums.add_binned(points);
        }
        sums
    }

    fn add_binned(&mut self, points: &[Point]) {
        let (mut lowest, mut highest) = (u32::MAX, 0);
        for point in points {
            let (_, position) = decompose(point.value);
            lowest = lowest.min(position);
            highest = highest.max(position);
        }
        let mut bins: SmallVec<[Bin; 16]> = smallvec![Bin::default(); (highest - lowest + 1) as usize];
        for point in points {
            let (significand, position) = decompose(point.value);
            if let Some(bin) = bins.get_mut((position - lowest) as usize) {
                let magnitude = u128::from(significand.unsigned_abs());
                bin.significands += i128::from(significand);
                bin.squares += magnitude * magnitude;
            }
        }
        for (position, bin) in (lowest..).zip(bins).filter(|(_, bin)| bin.squares > 0) {
            self.values.add(&Integer::signed(bin.significands, position));
            self.squares.add(&Integer::unsigned(bin.squares, 2 * position));
        }
    }

    /// Adds the sums of other values.
    pub(crate) fn add(&mut self, other: &Sums) {
        self.values.add(&other.values);
        self.squares.add(&other.squares);
    }
}
