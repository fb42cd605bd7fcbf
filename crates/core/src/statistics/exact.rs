//! Exact arithmetic on doubles: sums without rounding, and the rounding of a result, once.
//!
//! A finite double is an integer times 2^-1074, so a sum of doubles is an integer in these units, and a sum of their squares is
//! one in units of 2^-2148. [`Sums`] accumulates both on the hot path; [`Integer`] stores them in the digits in use and merges
//! by addition; [`round`] divides and takes roots of big integers (num-bigint), and rounds to the nearest double.

mod double;
mod integer;
pub(crate) mod round;
mod sums;

pub(crate) use double::{Place, UNIT, decompose};
pub(crate) use integer::Integer;
pub(crate) use sums::Sums;
