//! The numbers of a record.

use std::borrow::Cow;

use jsonschema::json::JsonNumber;

/// A number of a record.
#[derive(Debug, Clone, Copy)]
pub(crate) enum TapeNumber {
    Unsigned(u64),
    /// Negative.
    Signed(i64),
    /// Finite.
    Float(f64),
}

impl TapeNumber {
    /// Returns the nearest double.
    #[inline]
    pub(crate) fn to_f64(self) -> f64 {
        match self {
            TapeNumber::Unsigned(number) => number as f64,
            TapeNumber::Signed(number) => number as f64,
            TapeNumber::Float(number) => number,
        }
    }
}

impl JsonNumber for TapeNumber {
    fn as_u64(&self) -> Option<u64> {
        match *self {
            TapeNumber::Unsigned(number) => Some(number),
            TapeNumber::Signed(_) | TapeNumber::Float(_) => None,
        }
    }

    fn as_i64(&self) -> Option<i64> {
        match *self {
            TapeNumber::Unsigned(number) => i64::try_from(number).ok(),
            TapeNumber::Signed(number) => Some(number),
            TapeNumber::Float(_) => None,
        }
    }

    fn as_f64(&self) -> Option<f64> {
        Some(self.to_f64())
    }

    fn as_str(&self) -> Cow<'_, str> {
        Cow::Owned(self.to_number().to_string())
    }

    fn to_number(&self) -> Cow<'_, serde_json::Number> {
        Cow::Owned(match *self {
            TapeNumber::Unsigned(number) => number.into(),
            TapeNumber::Signed(number) => number.into(),
            TapeNumber::Float(number) => serde_json::Number::from_f64(number).unwrap_or_else(|| 0.into()),
        })
    }

    fn is_integer(&self) -> bool {
        match *self {
            TapeNumber::Unsigned(_) | TapeNumber::Signed(_) => true,
            TapeNumber::Float(number) => number.fract() == 0.0,
        }
    }
}
