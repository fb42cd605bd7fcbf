//! Numbers: the double nearest to a decimal, as the parser reads it.

use super::text::{Text, Window, digits, word};

/// The powers of ten that a fraction of up to seven digits is divided by.
const POWERS_OF_TEN: [(i64, f64); 8] =
    [(1, 1e0), (10, 1e1), (100, 1e2), (1_000, 1e3), (10_000, 1e4), (100_000, 1e5), (1_000_000, 1e6), (10_000_000, 1e7)];

/// Returns the number at an offset and the offset of its end. `None` if it breaks the grammar of JSON or exceeds the range of
/// doubles.
#[inline(always)]
pub(super) fn number(text: Text<'_>, at: usize) -> Option<(f64, usize)> {
    match text.window(at).and_then(short) {
        Some((value, length)) => Some((value, at + length)),
        None => long(text, at),
    }
}

/// Reads a number with one to seven digits before the decimal point, as many behind it or no fraction, and no exponent.
/// Returns its length. Such digits are an integer below 2^53 over a power of ten: one division rounds correctly.
#[inline(always)]
fn short(window: &Window) -> Option<(f64, usize)> {
    let sign = usize::from(window[0] == b'-');
    let (count, whole) = digits(word(window, sign));
    let first = window[sign];
    if !(1..8).contains(&count) || first == b'0' && count > 1 {
        return None;
    }
    let end = sign + count;
    let (value, end) = match window[end] {
        b'.' => {
            let (count, fraction) = digits(word(window, end + 1));
            let (power, divisor) = POWERS_OF_TEN.get(count).copied().filter(|_| count > 0)?;
            ((whole as i64 * power + fraction as i64) as f64 / divisor, end + 1 + count)
        }
        _ => (whole as i64 as f64, end),
    };
    let is_over = !matches!(window[end], b'e' | b'E');
    is_over.then_some((if sign == 1 { -value } else { value }, end))
}

/// Reads any number.
#[cold]
fn long(text: Text<'_>, at: usize) -> Option<(f64, usize)> {
    let digits = |at: usize| {
        let count = text.0.get(at..).unwrap_or_default().iter().take_while(|byte| byte.is_ascii_digit()).count();
        (count > 0).then_some(at + count)
    };
    let start = at + usize::from(text.byte(at) == b'-');
    let mut end = digits(start)?;
    if text.byte(start) == b'0' && end > start + 1 {
        return None;
    }
    if text.byte(end) == b'.' {
        end = digits(end + 1)?;
    }
    if matches!(text.byte(end), b'e' | b'E') {
        end = digits(end + 1 + usize::from(matches!(text.byte(end + 1), b'+' | b'-')))?;
    }
    let value: f64 = std::str::from_utf8(text.slice(at, end)).ok()?.parse().ok()?;
    value.is_finite().then_some((value, end))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Returns the number and its length, read with and without more bytes behind it.
    fn read(text: &str) -> Option<(f64, usize)> {
        let padded = format!("{text}                                ");
        let results = [text, &padded].map(|text| number(Text(text.as_bytes()), 0));
        assert_eq!(
            results[0].map(|(value, end)| (value.to_bits(), end)),
            results[1].map(|(value, end)| (value.to_bits(), end))
        );
        results[0]
    }

    fn parsed(text: &str) -> Option<f64> {
        serde_json::from_str::<serde_json::Value>(text).ok()?.as_f64()
    }

    #[test]
    fn edge_cases_are_read_as_by_the_parser() {
        for text in [
            "0",
            "-0",
            "-0.0",
            "1",
            "-1",
            "1234567",
            "12345678",
            "0.1",
            "1234567.1234567",
            "1234567.12345678",
            "1e5",
            "1E+5",
            "1.5e-5",
            "9007199254740993",
            "18446744073709551615",
            "18446744073709551616",
            "-9223372036854775809",
            "1e308",
            "1.7976931348623157e308",
            "5e-324",
            "2.4703282292062327e-324",
            "2.4703282292062328e-324",
            "1e-400",
            "-1e-400",
            "0e999999999999",
            "0.1000000000000000055511151231257827",
            "100000000000000000000000000000",
            "22.5",
            "-273.15",
        ] {
            let expected = parsed(text).map(|value| (value.to_bits(), text.len()));
            assert_eq!(read(text).map(|(value, end)| (value.to_bits(), end)), expected, "{text}");
            assert!(expected.is_some(), "{text}");
        }
        for text in
            ["", "-", "01", "-01", "00", ".5", "1.", "1.e5", "1e", "1e+", "+1", "1e309", "-1e309", "1e99999999999999"]
        {
            assert_eq!(read(text), None, "{text}");
            assert_eq!(parsed(text), None, "{text}");
        }
    }

    #[test]
    fn a_number_ends_before_the_first_other_byte() {
        for (text, expected) in
            [("1.5,", (1.5, 3)), ("1}", (1.0, 1)), ("-7]1", (-7.0, 2)), ("1e5x", (1e5, 3)), ("1.5.5", (1.5, 3))]
        {
            assert_eq!(read(text), Some(expected), "{text}");
        }
    }

    proptest! {
        #[test]
        fn numbers_are_read_as_by_the_parser(text in "-?(0|[1-9][0-9]{0,9})(\\.[0-9]{1,9})?([eE][+-]?[0-9]{1,3})?|-?[0-9.eE+-]{1,20}") {
            let expected = parsed(&text).map(|value| (value.to_bits(), text.len()));
            let found = read(&text).map(|(value, end)| (value.to_bits(), end));
            if expected.is_some() || found.is_some_and(|(_, end)| end == text.len()) {
                prop_assert_eq!(found, expected);
            }
        }
    }
}
