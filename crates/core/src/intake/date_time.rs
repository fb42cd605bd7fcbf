//! The mistakes in texts that are almost date-times of RFC 3339. Used only for texts that [`Timestamp::parse`] refused.

use crate::time::Timestamp;

/// The maximum length of a text that is examined, in bytes.
const MAX_BYTES: usize = 64;

macro_rules! mistakes {
    ($($variant:ident $advice:literal;)*) => {
        /// A mistake in a date-time, with the advice for its sender.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum TimeMistake {
            $(#[doc = $advice] $variant,)*
        }

        impl TimeMistake {
            /// All mistakes.
            pub const ALL: &'static [TimeMistake] = &[$(TimeMistake::$variant,)*];

            /// Returns what to change. Never repeats the text.
            #[must_use]
            pub const fn advice(self) -> &'static str {
                match self {
                    $(TimeMistake::$variant => $advice,)*
                }
            }
        }
    };
}

mistakes! {
    Empty "the text is empty, write the time";
    WhiteSpace "remove the white space around it";
    Seconds "this looks like seconds since 1970, write 1740744000 as 2025-02-28T12:00:00Z";
    Milliseconds "this looks like milliseconds since 1970, write 1740744000000 as 2025-02-28T12:00:00Z";
    Microseconds "this looks like microseconds since 1970, write 1740744000000000 as 2025-02-28T12:00:00Z";
    Nanoseconds "this looks like nanoseconds since 1970, write 1740744000000000000 as 2025-02-28T12:00:00Z";
    Number "this is a number, write year, month, day and time of day";
    Compact "write hyphens in the date and colons in the time";
    Slashes "write the date as year-month-day, with hyphens";
    NotPadded "write months, days and hours with two digits";
    NoSuchMonth "months go from 01 to 12";
    NoLeapDay "that year has no 29 February";
    NoSuchDay "that month has no such day";
    NoTimeOfDay "add the time of day, such as T00:00:00Z";
    NoT "put a T between date and time";
    NoSeconds "add the seconds, such as :00";
    Hour24 "write 00:00:00 of the next day instead of 24:00:00";
    NoSuchTime "hours go to 23, minutes and seconds to 59";
    NoSuchLeapSecond "a leap second is 23:59:60 in UTC, write 59 for any other second";
    PointWithoutDigits "add digits after the decimal point of the seconds, or remove the point";
    DecimalComma "write a decimal point in the seconds, not a comma";
    NoZone "add Z or an offset such as +01:00";
    OffsetWithoutColon "write a colon in the offset, such as +01:00";
    OffsetWithoutMinutes "write the minutes of the offset, such as +01:00";
    OffsetWithoutSign "write + or - before the offset; in a URL, + is %2B";
    NoSuchOffset "offsets go to 23:59";
    Utc "write Z for UTC";
    ZoneName "write Z or an offset such as +01:00 instead of the name of a zone";
    SpaceBeforeZone "remove the space before the offset";
    OutOfRange "with its offset, the time is outside of the years 0000 to 9999";
}

/// Returns the mistakes in a text that is not a date-time, in the order of the text; none if it resembles none.
#[must_use]
pub fn time_mistakes(text: &str) -> Vec<TimeMistake> {
    if text.is_empty() {
        return vec![TimeMistake::Empty];
    }
    if text.len() > MAX_BYTES || Timestamp::parse(text).is_some() {
        return Vec::new();
    }
    if Timestamp::parse(text.trim()).is_some() {
        return vec![TimeMistake::WhiteSpace];
    }
    if let Some(mistake) = number(text) {
        return vec![mistake];
    }
    let mut mistakes = Vec::new();
    if date_time(text.trim(), &mut mistakes).is_none() && mistakes.is_empty() {
        return Vec::new();
    }
    if mistakes.is_empty() {
        mistakes.push(TimeMistake::OutOfRange);
    }
    mistakes
}

/// Returns the advice for a text that is not a date-time, as the end of a message; empty if there is none.
#[must_use]
pub fn time_advice(text: &str) -> String {
    let advice: Vec<&str> = time_mistakes(text).into_iter().map(TimeMistake::advice).collect();
    if advice.is_empty() { String::new() } else { format!(": {}", advice.join(", and ")) }
}

/// Returns the mistake of a number in place of a date-time, such as a Unix time; none for any other text.
fn number(text: &str) -> Option<TimeMistake> {
    let text = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !is_digits(whole) || !is_digits(fraction) {
        return None;
    }
    Some(match whole.len() {
        9..=10 => TimeMistake::Seconds,
        12..=13 => TimeMistake::Milliseconds,
        8 | 14 => TimeMistake::Compact,
        15..=16 => TimeMistake::Microseconds,
        18..=19 => TimeMistake::Nanoseconds,
        _ => TimeMistake::Number,
    })
}

/// Collects the mistakes of a text that has the parts of a date-time; returns `None` where it can no longer be
/// followed.
fn date_time(text: &str, mistakes: &mut Vec<TimeMistake>) -> Option<()> {
    let bytes = text.as_bytes();
    let (date, rest) = text.split_at_checked(10)?;
    match *date.as_bytes() {
        [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2] => {
            if two_digits(y1, y2).is_none() || two_digits(y3, y4).is_none() {
                return None;
            }
            let (month, day) = (two_digits(m1, m2)?, two_digits(d1, d2)?);
            let exists = Timestamp::parse(&format!("{date}T00:00:00Z")).is_some();
            match (month, day) {
                _ if exists => {}
                (1..=12, _) if (month, day) == (2, 29) => mistakes.push(TimeMistake::NoLeapDay),
                (1..=12, _) => mistakes.push(TimeMistake::NoSuchDay),
                _ => mistakes.push(TimeMistake::NoSuchMonth),
            }
        }
        _ if bytes.iter().take(8).all(u8::is_ascii_digit) => return only(mistakes, TimeMistake::Compact),
        _ if date.contains('/') && date.bytes().any(|byte| byte.is_ascii_digit()) => {
            return only(mistakes, TimeMistake::Slashes);
        }
        [b'0'..=b'9', b'0'..=b'9', b'0'..=b'9', b'0'..=b'9', b'-', b'0'..=b'9', ..] => {
            return only(mistakes, TimeMistake::NotPadded);
        }
        _ => return None,
    }
    let time = match rest.as_bytes() {
        [] => return only(mistakes, TimeMistake::NoTimeOfDay),
        [b'T' | b't', ..] => rest.get(1..)?,
        [b' ' | b'_', ..] => {
            mistakes.push(TimeMistake::NoT);
            rest.get(1..)?.trim_start()
        }
        _ => return None,
    };
    let zone = time_of_day(time, mistakes)?;
    mistakes.extend(zone_mistake(zone));
    Some(())
}

/// Adds the mistake after which a text cannot be followed.
fn only(mistakes: &mut Vec<TimeMistake>, mistake: TimeMistake) -> Option<()> {
    mistakes.push(mistake);
    Some(())
}

/// Collects the mistakes of a time of day; returns the text after it.
fn time_of_day<'a>(time: &'a str, mistakes: &mut Vec<TimeMistake>) -> Option<&'a str> {
    let [h1, h2, b':', m1, m2, rest @ ..] = time.as_bytes() else {
        let padded = time.bytes().take(4).filter(u8::is_ascii_digit).count();
        mistakes.push(if padded == 4 { TimeMistake::Compact } else { TimeMistake::NotPadded });
        return time.starts_with(|c: char| c.is_ascii_digit()).then_some("Z");
    };
    let (hour, minute) = (two_digits(*h1, *h2)?, two_digits(*m1, *m2)?);
    let (second, length) = match rest {
        [b':', s1, s2, ..] => (two_digits(*s1, *s2)?, 8),
        _ => {
            mistakes.push(TimeMistake::NoSeconds);
            (0, 5)
        }
    };
    match (hour, minute, second) {
        (24, 0, 0) => mistakes.push(TimeMistake::Hour24),
        (0..24, 0..60, 0..60) => {}
        (0..24, 0..60, 60) if Timestamp::parse(&format!("2016-12-31T{time}")).is_none() => {
            mistakes.push(TimeMistake::NoSuchLeapSecond);
        }
        (0..24, 0..60, 60) => {}
        _ => mistakes.push(TimeMistake::NoSuchTime),
    }
    let rest = time.get(length..)?;
    let Some(fraction) = rest.strip_prefix(['.', ',']) else { return Some(rest) };
    let digits = fraction.bytes().take_while(u8::is_ascii_digit).count();
    if digits == 0 {
        mistakes.push(TimeMistake::PointWithoutDigits);
    } else if rest.starts_with(',') {
        mistakes.push(TimeMistake::DecimalComma);
    }
    fraction.get(digits..)
}

/// Returns the mistake of a time zone.
fn zone_mistake(zone: &str) -> Option<TimeMistake> {
    let name = zone.trim_start();
    let digits = |text: &[u8]| text.iter().all(u8::is_ascii_digit);
    Some(match name.as_bytes() {
        [] => TimeMistake::NoZone,
        _ if ["UTC", "GMT", "UTC+0", "+00:00Z"].iter().any(|utc| name.eq_ignore_ascii_case(utc)) => TimeMistake::Utc,
        [b'Z' | b'z'] | [b'+' | b'-', _, _, b':', _, _] if name.len() < zone.len() => TimeMistake::SpaceBeforeZone,
        [b'Z' | b'z'] => return None,
        [b'+' | b'-', h1, h2, b':', m1, m2] => {
            let (hour, minute) = (two_digits(*h1, *h2)?, two_digits(*m1, *m2)?);
            return (hour > 23 || minute > 59).then_some(TimeMistake::NoSuchOffset);
        }
        [b'+' | b'-', offset @ ..] if offset.len() == 4 && digits(offset) => TimeMistake::OffsetWithoutColon,
        [b'+' | b'-', offset @ ..] if offset.len() <= 2 && digits(offset) => TimeMistake::OffsetWithoutMinutes,
        [h1, h2, b':', m1, m2] if digits(&[*h1, *h2, *m1, *m2]) => TimeMistake::OffsetWithoutSign,
        _ => TimeMistake::ZoneName,
    })
}

fn two_digits(tens: u8, ones: u8) -> Option<u8> {
    (tens.is_ascii_digit() && ones.is_ascii_digit()).then(|| (tens - b'0') * 10 + (ones - b'0'))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn mistakes_in_times_are_named() {
        use TimeMistake::*;
        let rows: &[(&str, &str, &[TimeMistake])] = &[
            ("empty", "", &[Empty]),
            ("white space around", " 2025-02-28T12:00:00Z\n", &[WhiteSpace]),
            ("seconds", "1740744000", &[Seconds]),
            ("seconds with a fraction", "1740744000.25", &[Seconds]),
            ("seconds before 2001", "951782400", &[Seconds]),
            ("milliseconds", "1740744000000", &[Milliseconds]),
            ("microseconds", "1740744000000000", &[Microseconds]),
            ("nanoseconds", "1740744000000000000", &[Nanoseconds]),
            ("another number", "22.5", &[Number]),
            ("compact", "20250228T120000Z", &[Compact]),
            ("compact date", "20250228", &[Compact]),
            ("compact time", "2025-02-28T120000Z", &[Compact]),
            ("slashes", "2025/02/28 12:00:00", &[Slashes]),
            ("slashes, month first", "02/28/2025 12:00", &[Slashes]),
            ("one digit", "2025-2-28T12:00:00Z", &[NotPadded]),
            ("one digit of the hour", "2025-02-28T9:00:00Z", &[NotPadded]),
            ("month 13", "2025-13-01T12:00:00Z", &[NoSuchMonth]),
            ("29 February of a common year", "2025-02-29T12:00:00Z", &[NoLeapDay]),
            ("29 February of 1900", "1900-02-29T12:00:00Z", &[NoLeapDay]),
            ("31 April", "2025-04-31T12:00:00Z", &[NoSuchDay]),
            ("day 0", "2025-04-00T12:00:00Z", &[NoSuchDay]),
            ("a date alone", "2025-02-28", &[NoTimeOfDay]),
            ("a space", "2025-02-28 12:00:00Z", &[NoT]),
            ("a space and no zone", "2025-02-28 12:00:00", &[NoT, NoZone]),
            ("a space and UTC", "2025-02-28 12:00:00 UTC", &[NoT, Utc]),
            ("no zone", "2025-02-28T12:00:00", &[NoZone]),
            ("no seconds", "2025-02-28T12:00Z", &[NoSeconds]),
            ("no seconds and no zone", "2025-02-28T12:00", &[NoSeconds, NoZone]),
            ("24:00:00", "2025-02-28T24:00:00Z", &[Hour24]),
            ("hour 25", "2025-02-28T25:00:00Z", &[NoSuchTime]),
            ("minute 60", "2025-02-28T12:60:00Z", &[NoSuchTime]),
            ("second 61", "2025-02-28T12:00:61Z", &[NoSuchTime]),
            ("second 60 at noon", "2025-02-28T12:00:60Z", &[NoSuchLeapSecond]),
            ("a point without digits", "2025-02-28T12:00:07.Z", &[PointWithoutDigits]),
            ("a decimal comma", "2025-02-28T12:00:07,5Z", &[DecimalComma]),
            ("+0100", "2025-02-28T12:00:00+0100", &[OffsetWithoutColon]),
            ("+0100 without seconds", "2025-02-28T12:00+0100", &[NoSeconds, OffsetWithoutColon]),
            ("+01", "2025-02-28T12:00:00+01", &[OffsetWithoutMinutes]),
            ("a plus sign that a URL decoded", "2025-02-28T12:00:00 01:00", &[OffsetWithoutSign]),
            ("+24:00", "2025-02-28T12:00:00+24:00", &[NoSuchOffset]),
            ("GMT", "2025-02-28T12:00:00GMT", &[Utc]),
            ("the name of a zone", "2025-02-28T12:00:00+01:00[Europe/Berlin]", &[ZoneName]),
            ("an abbreviation of a zone", "2025-02-28T12:00:00 CET", &[ZoneName]),
            ("a space before Z", "2025-02-28T12:00:00 Z", &[SpaceBeforeZone]),
            ("before the year 0", "0000-01-01T00:00:00+00:01", &[OutOfRange]),
            ("words", "yesterday at noon", &[]),
            ("an accent", "é025-02-28 12:00:00", &[]),
            ("a character that is no digit", "2025-02-28T12:0/:00Z", &[]),
        ];
        for (name, text, expected) in rows {
            assert_eq!(time_mistakes(text), *expected, "{name}: {text}");
        }
        let named: Vec<TimeMistake> = rows.iter().flat_map(|(_, _, mistakes)| mistakes.iter().copied()).collect();
        assert!(TimeMistake::ALL.iter().all(|mistake| named.contains(mistake)), "each mistake has a row");
    }

    proptest! {
        #[test]
        fn advice_is_for_refused_times_only_and_repeats_nothing(text in "[0-9TZ:. +\\-/,zé]{0,40}|[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(:[0-9]{2})?(\\.[0-9]{0,3})?(Z|[+-][0-9]{2}:?[0-9]{0,2}| UTC)?") {
            let mistakes = time_mistakes(&text);
            if Timestamp::parse(&text).is_some() {
                prop_assert_eq!(mistakes, []);
            } else {
                prop_assert!(mistakes.len() <= 6);
            }
        }
    }
}
