//! Encodings of bytes and numbers as text without special characters, and the special characters of foreign text.

use sha2::{Digest as _, Sha256};

/// The alphabet of [Crockford's base 32](https://www.crockford.com/base32.html): digits and capitals without I, L, O and U.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
/// The number of digits that represent 128 bits.
const DIGITS: usize = 26;

/// Returns a prefix and 128 bits in Crockford's base 32. The texts sort as the numbers do.
pub(crate) fn crockford(prefix: &str, bits: u128) -> String {
    let mut text = String::with_capacity(prefix.len() + DIGITS);
    text.push_str(prefix);
    for digit in (0..DIGITS).rev() {
        text.push(char::from(ALPHABET[(bits >> (5 * digit) & 31) as usize]));
    }
    text
}

/// Returns whether these are the digits that [`crockford`] writes behind a prefix.
pub(crate) fn is_crockford(digits: &str) -> bool {
    let digits = digits.as_bytes();
    digits.len() == DIGITS
        && digits[0] <= b'7' // 26 digits have 130 bits, an id has 128
        && digits.iter().all(|digit| ALPHABET.contains(digit))
}

/// Returns the bits of a [ULID](https://github.com/ulid/spec): 48 bits of time, then 80 random bits.
pub(crate) fn ulid(milliseconds: i64, random: [u8; 10]) -> u128 {
    let milliseconds = u128::try_from(milliseconds).unwrap_or(0) & ((1 << 48) - 1);
    milliseconds << 80 | first_bits(&random)
}

/// Returns the first 128 bits of `bytes`, or all if there are fewer, as a big-endian number.
pub(crate) fn first_bits(bytes: &[u8]) -> u128 {
    bytes.iter().take(16).fold(0, |bits, byte| bits << 8 | u128::from(*byte))
}

/// Returns whether a character has no width of its own or changes the direction of others: the format characters of
/// Unicode ([category Cf](https://www.unicode.org/reports/tr44/#General_Category_Values)), except the signs of Arabic,
/// Syriac and Kaithi that are seen before a number. Controls and line separators are not among them.
#[must_use]
pub fn is_invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff0}'..='\u{fffb}' | '\u{13430}'..='\u{1343f}'
        | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

/// Returns the SHA-256 of `bytes` in lower-case hexadecimal.
#[must_use]
pub fn sha256(bytes: &[u8]) -> String {
    hex_of(&Sha256::digest(bytes))
}

/// Returns bytes in lower-case hexadecimal. [`hex::encode`] collects characters, which takes ten times as long.
pub(crate) fn hex_of(bytes: &[u8]) -> String {
    let mut digits = vec![0; 2 * bytes.len()];
    // The length is right, and the digits are ASCII.
    let _ = hex::encode_to_slice(bytes, &mut digits);
    String::from_utf8(digits).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crockford_digits_sort_as_numbers_and_parse_back() {
        let rows = [
            (0, "x_00000000000000000000000000"),
            (31, "x_0000000000000000000000000Z"),
            (u128::MAX, "x_7ZZZZZZZZZZZZZZZZZZZZZZZZZ"),
        ];
        for (bits, text) in rows {
            assert_eq!(crockford("x_", bits), text);
            assert!(is_crockford(&text[2..]), "{text}");
        }
        for digits in
            ["", "0", "8ZZZZZZZZZZZZZZZZZZZZZZZZZ", "0000000000000000000000000U", "0000000000000000000000000é"]
        {
            assert!(!is_crockford(digits), "{digits}");
        }
    }

    #[test]
    fn sha256_of_nothing() {
        assert_eq!(sha256(b""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    }
}
