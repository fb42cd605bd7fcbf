//! The parts and the order of a double.

/// The exponent of the unit of a sum of doubles: 2^-1074, the smallest double.
pub(crate) const UNIT: i64 = -1074;

/// Returns the integer and the bit position with `value = integer * 2^(UNIT + position)`, for a finite double.
#[inline]
pub(crate) fn decompose(value: f64) -> (i64, u32) {
    const FRACTION_BITS: u32 = 52;
    let bits = value.to_bits();
    let exponent = (bits >> FRACTION_BITS) as u32 & 0x7ff;
    let fraction = (bits & ((1 << FRACTION_BITS) - 1)) as i64;
    // A subnormal has no hidden bit, and the unit of the smallest normal numbers.
    let magnitude = if exponent == 0 { fraction } else { fraction | 1 << FRACTION_BITS };
    (if value.is_sign_negative() { -magnitude } else { magnitude }, exponent.saturating_sub(1))
}

/// The place of a double in the order of [`f64::total_cmp`], in which -0.0 is smaller than 0.0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place(pub(crate) u64);

impl Place {
    const SIGN: u64 = 1 << 63;

    /// Returns the place of a double.
    #[inline]
    pub(crate) fn of(value: f64) -> Place {
        let bits = value.to_bits();
        Place(if bits & Self::SIGN == 0 { bits | Self::SIGN } else { !bits })
    }

    /// Returns the double in this place.
    pub(crate) fn value(self) -> f64 {
        f64::from_bits(if self.0 & Self::SIGN == 0 { !self.0 } else { self.0 & !Self::SIGN })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_have_the_total_order_and_lead_back_to_the_double() {
        let ascending = [f64::MIN, -1.0, -5e-324, -0.0, 0.0, 5e-324, f64::MIN_POSITIVE, 1.0, f64::MAX];
        assert!(ascending.map(Place::of).is_sorted_by(|a, b| a < b));
        assert_eq!(ascending.map(|value| Place::of(value).value().to_bits()), ascending.map(f64::to_bits));
    }
}
