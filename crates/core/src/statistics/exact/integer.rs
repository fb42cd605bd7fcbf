//! Integers of any size that are stored in the digits in use.

use num_bigint::BigInt;
use smallvec::{SmallVec, smallvec};

const LIMB_BITS: u32 = u64::BITS;
/// The maximum position of the lowest bit in [`Integer::from_parts`]. The squares of doubles end below bit 4,196, and
/// 2^64 of them below bit 4,260.
const MAX_POSITION: u32 = 4_260;
/// The maximum number of bytes in [`Integer::from_parts`]: 4,260 bits and a sign.
const MAX_BYTES: usize = 533;

/// A signed integer of any size.
///
/// Only the limbs in use are stored, so a large or small exponent costs nothing. Equal integers have equal limbs.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Integer {
    /// The number of zero limbs below `limbs`; 0 for zero.
    lowest: usize,
    /// Two's complement, the least significant limb first. The lowest limb is not zero, and the highest one is not a mere
    /// extension of the sign. Four limbs hold the squares of 4,096 ordinary measurements.
    limbs: SmallVec<[u64; 4]>,
}

impl Integer {
    /// Returns `value * 2^position`.
    pub(crate) fn signed(value: i128, position: u32) -> Self {
        Self::extended(value as u128, (value >> 127) as u64, position)
    }

    /// Returns `value * 2^position`.
    pub(crate) fn unsigned(value: u128, position: u32) -> Self {
        Self::extended(value, 0, position)
    }

    /// Returns the number with these low bits, times `2^position`; `sign` is each limb above them.
    fn extended(low: u128, sign: u64, position: u32) -> Self {
        let shift = position % LIMB_BITS;
        let above = u128::from(sign) << LIMB_BITS | low >> LIMB_BITS;
        let shifted = low << shift;
        let limbs =
            smallvec![shifted as u64, (shifted >> LIMB_BITS) as u64, (above >> (LIMB_BITS - shift)) as u64, sign];
        Self { lowest: (position / LIMB_BITS) as usize, limbs }.trimmed()
    }

    /// Adds another integer.
    pub(crate) fn add(&mut self, other: &Integer) {
        if other.limbs.is_empty() {
            return;
        }
        if self.limbs.is_empty() {
            self.clone_from(other);
            return;
        }
        if other.lowest < self.lowest {
            self.limbs.insert_many(0, std::iter::repeat_n(0, self.lowest - other.lowest));
            self.lowest = other.lowest;
        }
        let start = other.lowest - self.lowest;
        // One limb more takes the carry.
        let end = self.limbs.len().max(start + other.limbs.len()) + 1;
        self.limbs.resize(end, self.extension());
        let extended = other.limbs.iter().copied().chain(std::iter::repeat(other.extension()));
        let mut carry = false;
        for (limb, addend) in self.limbs.iter_mut().skip(start).zip(extended) {
            let (sum, first) = limb.overflowing_add(addend);
            let (sum, second) = sum.overflowing_add(u64::from(carry));
            (*limb, carry) = (sum, first | second);
        }
        self.trim();
    }

    /// Returns the limb that extends the integer to more limbs.
    fn extension(&self) -> u64 {
        self.limbs.last().map_or(0, |limb| extension(*limb))
    }

    fn trimmed(mut self) -> Self {
        self.trim();
        self
    }

    /// Restores the canonical form.
    fn trim(&mut self) {
        while let [.., before, last] = self.limbs.as_slice()
            && *last == extension(*before)
        {
            self.limbs.pop();
        }
        if self.limbs.as_slice() == [0] {
            self.limbs.clear();
        }
        let zeros = self.limbs.iter().take_while(|limb| **limb == 0).count();
        self.limbs.drain(..zeros);
        self.lowest = if self.limbs.is_empty() { 0 } else { self.lowest + zeros };
    }

    /// Returns an integer and a position with `self = integer * 2^position`.
    pub(crate) fn to_big(&self) -> (BigInt, i64) {
        let bytes: SmallVec<[u8; 64]> = self.limbs.iter().flat_map(|limb| limb.to_le_bytes()).collect();
        (BigInt::from_signed_bytes_le(&bytes), self.lowest as i64 * i64::from(LIMB_BITS))
    }

    /// Returns the position of the lowest bit that is set, and the bits from there in two's complement, the least significant
    /// byte first, in as few bytes as possible. Zero has no bytes.
    pub(crate) fn to_parts(&self) -> (u32, SmallVec<[u8; 64]>) {
        let shift = self.limbs.first().map_or(0, |limb| limb.trailing_zeros());
        let position = self.lowest as u32 * LIMB_BITS + shift;
        let next = self.limbs.iter().skip(1).copied().chain([self.extension()]);
        let mut bytes: SmallVec<[u8; 64]> = SmallVec::new();
        for (limb, next) in self.limbs.iter().zip(next) {
            let both = u128::from(next) << LIMB_BITS | u128::from(*limb);
            bytes.extend(((both >> shift) as u64).to_le_bytes());
        }
        while let [.., before, last] = bytes.as_slice()
            && *last == extension_byte(*before)
        {
            bytes.pop();
        }
        (position, bytes)
    }

    /// Returns the integer with these [parts](Self::to_parts); `None` if it is too large. Accepts parts that are not in the
    /// shortest form.
    pub(crate) fn from_parts(position: u32, bytes: &[u8]) -> Option<Self> {
        if position > MAX_POSITION || bytes.len() > MAX_BYTES {
            return None;
        }
        let sign = bytes.last().map_or(0, |byte| extension_byte(*byte));
        let shift = position % LIMB_BITS;
        let mut limbs: SmallVec<[u64; 4]> = SmallVec::new();
        let mut below = 0;
        for chunk in bytes.chunks(8) {
            let mut limb = [sign; 8];
            limb.iter_mut().zip(chunk).for_each(|(to, from)| *to = *from);
            let limb = u64::from_le_bytes(limb);
            let both = u128::from(limb) << LIMB_BITS | u128::from(below);
            limbs.push((both >> (LIMB_BITS - shift)) as u64);
            below = limb;
        }
        let both = u128::from(extension(below)) << LIMB_BITS | u128::from(below);
        limbs.push((both >> (LIMB_BITS - shift)) as u64);
        Some(Self { lowest: (position / LIMB_BITS) as usize, limbs }.trimmed())
    }
}

/// Returns the limb above `limb` that does not change a number in two's complement.
fn extension(limb: u64) -> u64 {
    ((limb as i64) >> 63) as u64
}

fn extension_byte(byte: u8) -> u8 {
    ((byte as i8) >> 7) as u8
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn big(integer: &Integer) -> BigInt {
        let (digits, position) = integer.to_big();
        digits << position
    }

    fn any_integer() -> impl Strategy<Value = (Integer, BigInt)> {
        let value = prop_oneof![any::<i128>(), any::<i64>().prop_map(i128::from), -3i128..3, Just(i128::MIN)];
        let position = prop_oneof![0u32..200, 0u32..4_000, (0u32..60).prop_map(|limb| 64 * limb)];
        (value, position, any::<bool>()).prop_map(|(value, position, is_signed)| match is_signed {
            true => (Integer::signed(value, position), BigInt::from(value) << position),
            false => (Integer::unsigned(value as u128, position), BigInt::from(value as u128) << position),
        })
    }

    proptest! {
        #[test]
        fn sums_are_those_of_big_integers_in_any_order(terms in prop::collection::vec(any_integer(), 0..12)) {
            let sum = |terms: &mut dyn Iterator<Item = &(Integer, BigInt)>| {
                terms.fold(Integer::default(), |mut sum, (term, _)| { sum.add(term); sum })
            };
            let forwards = sum(&mut terms.iter());
            prop_assert_eq!(big(&forwards), terms.iter().map(|(_, big)| big).sum::<BigInt>());
            prop_assert_eq!(&forwards, &sum(&mut terms.iter().rev()));
            let (position, bytes) = forwards.to_parts();
            prop_assert_eq!(Integer::from_parts(position, &bytes), Some(forwards));
            prop_assert!(bytes.first().is_none_or(|byte| byte % 2 == 1), "the lowest bit is set");
        }

        #[test]
        fn an_integer_and_its_negation_are_zero(value in (i128::MIN + 1).., position in 0u32..4_000) {
            let mut sum = Integer::signed(value, position);
            sum.add(&Integer::signed(-value, position));
            prop_assert_eq!(sum, Integer::default());
        }

        #[test]
        fn arbitrary_parts_do_not_panic(position in any::<u32>(), bytes in prop::collection::vec(any::<u8>(), 0..600)) {
            if let Some(mut integer) = Integer::from_parts(position, &bytes) {
                integer.add(&integer.clone());
                prop_assert_eq!(big(&integer), (BigInt::from_signed_bytes_le(&bytes) << position) * 2);
            }
        }
    }
}
