//! Small numbers in blocks: up to 64 of them with as many bits for each as the largest one needs.
//!
//! ```text
//! blocks := (width number{1..=64})*              width is a byte: the bits of each number, which is zigzag; the lowest bits of
//!                                                the first number come first, and the last byte is filled up with zeros
//! ```

use crate::varint::{Reader, unzigzag, zigzag};

/// The size of a block; the last one may be shorter.
const BLOCK: usize = 64;

/// Returns the size of the blocks of these numbers in bytes.
pub(super) fn size_bytes(numbers: &[i64]) -> usize {
    numbers.chunks(BLOCK).map(|block| 1 + (block.len() * width(block) as usize).div_ceil(8)).sum()
}

/// Appends the blocks of these numbers.
pub(super) fn push(bytes: &mut Vec<u8>, numbers: &[i64]) {
    for block in numbers.chunks(BLOCK) {
        let width = width(block);
        bytes.push(width as u8);
        let (mut bits, mut held) = (0_u128, 0);
        for number in block {
            bits |= u128::from(zigzag(*number)) << held;
            held += width;
            if held >= u64::BITS {
                bytes.extend_from_slice(&(bits as u64).to_le_bytes());
                bits >>= u64::BITS;
                held -= u64::BITS;
            }
        }
        let rest = (bits as u64).to_le_bytes();
        bytes.extend_from_slice(rest.get(..held.div_ceil(8) as usize).unwrap_or_default());
    }
}

/// Appends `count` numbers from their blocks to `numbers`.
pub(super) fn read(reader: &mut Reader<'_>, count: usize, numbers: &mut Vec<i64>) -> Option<()> {
    let mut left = count;
    while left > 0 {
        let length = left.min(BLOCK);
        let width = u32::from(reader.byte()?);
        let mask = u64::MAX.checked_shr(u64::BITS.checked_sub(width)?).unwrap_or(0);
        let mut words = reader.bytes((length * width as usize).div_ceil(8))?.chunks(8).map(word);
        let (mut bits, mut held) = (0_u128, 0);
        for _ in 0..length {
            if held < width {
                bits |= u128::from(words.next()?) << held;
                held += u64::BITS;
            }
            numbers.push(unzigzag(bits as u64 & mask));
            bits >>= width;
            held -= width;
        }
        left -= length;
    }
    Some(())
}

/// Returns the number of bits of the largest number.
fn width(block: &[i64]) -> u32 {
    u64::BITS - block.iter().fold(0, |all, number| all | zigzag(*number)).leading_zeros()
}

/// Returns the number with these low bytes, at most eight.
fn word(bytes: &[u8]) -> u64 {
    match bytes.first_chunk() {
        Some(bytes) => u64::from_le_bytes(*bytes),
        None => bytes.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[track_caller]
    fn round_trip(numbers: &[i64]) -> usize {
        let mut bytes = vec![7];
        push(&mut bytes, numbers);
        assert_eq!(bytes.len(), 1 + size_bytes(numbers));
        bytes.push(9);
        let (mut reader, mut read_back) = (Reader(&bytes[1..]), vec![5]);
        assert_eq!(read(&mut reader, numbers.len(), &mut read_back), Some(()));
        assert_eq!(reader.0, [9], "the blocks end before what follows");
        assert_eq!((&read_back[..1], &read_back[1..]), (&[5][..], numbers));
        for cut in 1..bytes.len() - 1 {
            assert!(read(&mut Reader(&bytes[1..cut]), numbers.len(), &mut Vec::new()).is_none(), "cut at {cut}");
        }
        bytes.len() - 2
    }

    #[test]
    fn blocks_are_as_wide_as_their_largest_number() {
        let rows: [(&str, Vec<i64>, usize); 7] = [
            ("nothing", vec![], 0),
            ("zeros", vec![0; 130], 3),
            ("a bit each", vec![-1; 64], 9),
            ("three bits each", [vec![3], vec![0; 63], vec![-2]].concat(), 25 + 2),
            ("whole words", vec![i64::MIN, i64::MAX, 0], 25),
            ("a wide one", [vec![0; 64], vec![1 << 20], vec![0; 127]].concat(), 1 + 1 + 22 * 8 + 1),
            ("seven bits in the last block", vec![63; 65], 1 + 7 * 8 + 2),
        ];
        for (name, numbers, bytes) in rows {
            assert_eq!(round_trip(&numbers), bytes, "{name}");
        }
        assert!(read(&mut Reader(&[65, 0, 0, 0, 0, 0, 0, 0, 0, 0]), 1, &mut Vec::new()).is_none(), "too wide");
    }

    proptest! {
        #[test]
        fn numbers_of_any_width_are_restored(
            numbers in (0u32..64).prop_flat_map(|shift| prop::collection::vec(any::<i64>().prop_map(move |n| n >> shift), 0..140)),
        ) {
            round_trip(&numbers);
        }
    }
}
