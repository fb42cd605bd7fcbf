//! Bytes and bits as text that needs no escape anywhere.

use sha2::{Digest as _, Sha256};

/// Crockford's base 32: digits and capitals that nobody mistakes for one another.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
/// How many digits 128 bits take.
const DIGITS: usize = 26;

/// 128 bits in Crockford's base 32; the texts sort as the numbers do.
pub(crate) fn crockford(prefix: &str, bits: u128) -> String {
    let mut text = String::with_capacity(prefix.len() + DIGITS);
    text.push_str(prefix);
    for digit in (0..DIGITS).rev() {
        text.push(char::from(ALPHABET[(bits >> (5 * digit) & 31) as usize]));
    }
    text
}

/// The layout of a [ULID](https://github.com/ulid/spec): 48 bits of time, then 80 random ones.
pub(crate) fn ulid(milliseconds: i64, random: [u8; 10]) -> u128 {
    let milliseconds = u128::try_from(milliseconds).unwrap_or(0) & ((1 << 48) - 1);
    milliseconds << 80 | random.iter().fold(0u128, |bits, byte| bits << 8 | u128::from(*byte))
}

/// Whether this is what [`crockford`] writes behind a prefix.
pub(crate) fn is_crockford(digits: &str) -> bool {
    let digits = digits.as_bytes();
    digits.len() == DIGITS
        && digits[0] <= b'7' // 26 digits hold 130 bits, an id has 128
        && digits.iter().all(|digit| ALPHABET.contains(digit))
}

/// SHA-256 in lower-case hexadecimal.
#[must_use]
pub fn sha256(bytes: &[u8]) -> String {
    hexadecimal(&Sha256::digest(bytes))
}

/// Lower-case digits, two a byte.
pub(crate) fn hexadecimal(bytes: &[u8]) -> String {
    let digit = |half: u8| char::from_digit(u32::from(half), 16).unwrap_or_default();
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}
