//! Patterns in columns, which zstd makes shorter than blocks are.

use super::blocks;
use crate::varint::zigzag;

/// The minimum size of the blocks of a column instead of which zstd is tried.
const MIN_BLOCK_BYTES: usize = 256;
/// The number of successive numbers that are looked for again.
const SEQUENCE: usize = 4;

/// Returns whether zstd may make the numbers shorter than their blocks: most of them are much smaller than the largest one of
/// their block, or most sequences of them came before.
pub(super) fn has_patterns(numbers: &[i64]) -> bool {
    let size_bytes = blocks::size_bytes(numbers);
    if size_bytes < MIN_BLOCK_BYTES {
        return false;
    }
    let bits: u32 = numbers.iter().map(|number| u64::BITS - zigzag(*number).leading_zeros()).sum();
    size_bytes > bits as usize / 4 || recurs(numbers)
}

/// Returns whether most sequences of four numbers came before. Sixteen bits stand for each number, and one bit of 16,384 for each
/// sequence, so at most an eighth of 4,096 random sequences is found by mistake.
fn recurs(numbers: &[i64]) -> bool {
    const ODD: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut seen = [0_u64; 256];
    let (mut sequence, mut again) = (0_u64, 0);
    for (index, number) in numbers.iter().enumerate() {
        sequence = sequence << 16 | (*number as u64).wrapping_mul(ODD) >> 48;
        let place = (sequence.wrapping_mul(ODD) >> 50) as usize;
        let mask = 1 << (place % 64);
        if let Some(word) = seen.get_mut(place / 64).filter(|_| index + 1 >= SEQUENCE) {
            again += usize::from(*word & mask != 0);
            *word |= mask;
        }
    }
    2 * again > numbers.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sequences_recur_in_periods_and_not_in_noise() {
        let noise = |index: i64| {
            (index as u64).wrapping_add(1).wrapping_pow(5).wrapping_mul(0x9e37_79b9_7f4a_7c15) as i64 >> 50
        };
        let rows: [(&str, Vec<i64>, bool); 6] = [
            ("nothing", vec![], false),
            ("noise", (0..4096).map(noise).collect(), false),
            ("steps", vec![1; 4096], true),
            ("on and off", (0..4096).map(|index| if index % 2 == 0 { 500 } else { -500 }).collect(), true),
            ("a period", (0..4096).map(|index| noise(index % 1440)).collect(), true),
            ("few numbers", (0..4096).map(|index| noise(index) % 3).collect(), true),
        ];
        for (name, numbers, expected) in rows {
            assert_eq!(recurs(&numbers), expected, "{name}");
        }
    }
}
