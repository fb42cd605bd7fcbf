//! Date-times: the common form by a few operations, any other form by [`Timestamp::parse`].

use super::text::{HIGH_BITS, Text, Window, digits, halves, word};
use crate::time::Timestamp;

/// The length of a quote, a date and a `T`.
const DATE_BYTES: usize = 12;

/// The date that was read last, and its beginning in UTC: successive records share it.
#[derive(Debug, Default)]
pub(super) struct RecentDate {
    /// The text from the opening quote to the `T`; 0 at first, which no text equals.
    text: u128,
    begins: Option<Timestamp>,
}

/// Returns the date-time in the string at an offset, and the offset behind its closing quote.
#[inline(always)]
pub(super) fn date_time(text: Text<'_>, at: usize, recent: &mut RecentDate) -> Option<(Timestamp, usize)> {
    match text.window(at).and_then(|window| common(window, recent)) {
        Some((time, length)) => Some((time, at + length)),
        None => any(text, at),
    }
}

/// Reads a time in UTC, without a leap second, with at most seven digits behind the seconds. Returns its length with quotes.
#[inline(always)]
fn common(window: &Window, recent: &mut RecentDate) -> Option<(Timestamp, usize)> {
    let second_of_day = time_of_day(word(window, DATE_BYTES))?;
    let (micros, zone) = match window[20] {
        b'Z' => (0, 20),
        b'.' => {
            let (count, fraction) = digits(word(window, 21));
            (micros(count, fraction)?, 21 + count)
        }
        _ => return None,
    };
    if (window[zone], window[zone + 1]) != (b'Z', b'"') {
        return None;
    }
    let date = halves(window)[0] & (u128::MAX >> (128 - 8 * DATE_BYTES));
    if date != recent.text {
        *recent = RecentDate { text: date, begins: Some(begin_of(window)?) };
    }
    let begins = recent.begins?.as_micros();
    Some((Timestamp::from_micros(begins + (second_of_day * 1_000_000 + micros) as i64), zone + 2))
}

/// Returns the seconds of `hh:mm:ss`, up to 23:59:59.
#[inline]
fn time_of_day(text: u64) -> Option<u64> {
    // Added to the difference from `00:00:00`, these set the highest bit of a byte that is no digit, or no colon.
    const LIMITS: u64 = u64::from_le_bytes([0x76, 0x76, 0x7f, 0x76, 0x76, 0x7f, 0x76, 0x76]);
    let values = text ^ u64::from_le_bytes(*b"00:00:00");
    if (values.wrapping_add(LIMITS) | values) & HIGH_BITS != 0 {
        return None;
    }
    let pairs = values.wrapping_mul(10).wrapping_add(values >> 8);
    let (hour, minute, second) = (pairs & 0xff, pairs >> 24 & 0xff, pairs >> 48 & 0xff);
    (hour < 24 && minute < 60 && second < 60).then_some(hour * 3_600 + minute * 60 + second)
}

/// Returns the microseconds of a fraction with this number of digits; drops digits behind the sixth.
#[inline]
fn micros(count: usize, fraction: u64) -> Option<u64> {
    const FACTORS: [u64; 7] = [0, 100_000, 10_000, 1_000, 100, 10, 1];
    match count {
        1..=6 => Some(fraction * FACTORS.get(count)?),
        7 => Some(fraction / 10),
        _ => None,
    }
}

/// Returns the beginning of the day whose date is behind the first byte.
#[cold]
fn begin_of(window: &Window) -> Option<Timestamp> {
    let mut midnight = *b"0000-00-00T00:00:00Z";
    midnight.get_mut(..DATE_BYTES - 1)?.copy_from_slice(window.get(1..DATE_BYTES)?);
    let is_string = window[0] == b'"';
    Timestamp::parse(std::str::from_utf8(&midnight).ok()?).filter(|_| is_string)
}

#[cold]
fn any(text: Text<'_>, at: usize) -> Option<(Timestamp, usize)> {
    let start = text.literal(at, b"\"")?;
    let (end, _) = text.string(start)?;
    let time = Timestamp::parse(std::str::from_utf8(text.slice(start, end)).ok()?)?;
    Some((time, end + 1))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Reads a date-time behind each of these dates, so that the recent date is the same or another one.
    fn check(text: &str) {
        let expected = Timestamp::parse(text).map(|time| (time, text.len() + 2));
        for before in ["", "2025-02-28T00:00:00Z", "2024-02-29T23:59:59.5Z"] {
            for padding in ["", "                                        "] {
                let mut recent = RecentDate::default();
                date_time(Text(format!("\"{before}\"{padding}").as_bytes()), 0, &mut recent);
                let padded = format!("\"{text}\"{padding}");
                assert_eq!(date_time(Text(padded.as_bytes()), 0, &mut recent), expected, "{text:?} after {before:?}");
                assert_eq!(date_time(Text(padded.as_bytes()), 0, &mut recent), expected, "{text:?} after itself");
            }
        }
    }

    #[test]
    fn edge_cases_are_read_as_by_the_parser_of_times() {
        for text in [
            "2025-02-28T12:00:00Z",
            "2025-02-28t12:00:00z",
            "2025-02-28T23:59:59.9999999Z",
            "2025-02-28T12:00:00.1Z",
            "2025-02-28T12:00:00.123456789Z",
            "2025-02-28T12:00:00.Z",
            "2025-02-28T12:00:00+01:00",
            "2025-02-28T24:00:00Z",
            "2025-02-28T12:60:00Z",
            "2025-02-28T12:00:60Z",
            "2016-12-31T23:59:60Z",
            "2025-02-29T12:00:00Z",
            "2024-02-29T12:00:00Z",
            "0000-01-01T00:00:00Z",
            "9999-12-31T23:59:59.999999Z",
            "2025-13-01T00:00:00Z",
            "2025-00-01T00:00:00Z",
            "2025-02-28 12:00:00Z",
            "2025-02-28T12:00:00",
            "2025-02-28T1/:00:00Z",
            "2025-02-28T12-00-00Z",
            "2025-02-28T12:00:00ZZ",
            "",
            "x",
            "2025-02-2\u{e9}T12:00:00Z",
        ] {
            check(text);
        }
    }

    #[test]
    fn a_time_without_its_quotes_is_none() {
        for text in [
            "2025-02-28T12:00:00Z\"                      ",
            "\"2025-02-28T12:00:00Z                       ",
            "x2025-02-28T12:00:00Z\"                     ",
        ] {
            assert_eq!(date_time(Text(text.as_bytes()), 0, &mut RecentDate::default()), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn times_are_read_as_by_the_parser_of_times(text in "(19|20)[0-9]{2}-[01][0-9]-[0-3][0-9][Tt ][0-2][0-9]:[0-6][0-9]:[0-6][0-9](\\.[0-9]{0,9})?(Z|z|[+-][0-2][0-9]:[0-5][0-9])") {
            check(&text);
        }

        #[test]
        fn a_changed_byte_is_noticed(at in 0..20usize, byte in 0x20..0x7fu8) {
            let mut text = b"2025-02-28T12:34:56Z".to_vec();
            text[at] = byte;
            check(&String::from_utf8(text).unwrap().replace(['"', '\\'], "x"));
        }
    }
}
