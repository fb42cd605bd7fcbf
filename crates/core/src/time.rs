//! Instants with microsecond resolution, in the notation of RFC 3339.

use std::fmt;
use std::ops::{Add, Sub};
use std::time::Duration;

use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

pub(crate) const MICROS_PER_SECOND: i64 = 1_000_000;
pub(crate) const SECONDS_PER_DAY: i64 = 86_400;
const MICROS_PER_DAY: i64 = SECONDS_PER_DAY * MICROS_PER_SECOND;

/// An instant: microseconds since 1970-01-01T00:00:00Z, leap seconds not counted, within the years 0000 to 9999 of UTC.
///
/// The bounds hold for every value, so [`Timestamp::parse`] reads everything that [`Display`](fmt::Display) writes.
/// Serializes as that string. Adding or subtracting a [`Duration`] drops nanoseconds and saturates at [`MIN`](Self::MIN)
/// and [`MAX`](Self::MAX).
///
/// ```
/// use std::time::Duration;
///
/// use eventpulse_core::time::Timestamp;
///
/// let noon = Timestamp::parse("2025-02-28T14:00:00+02:00").unwrap();
/// assert_eq!(noon.to_string(), "2025-02-28T12:00:00Z");
///
/// let later = noon + Duration::from_millis(1_500);
/// assert_eq!(later.to_string(), "2025-02-28T12:00:01.5Z");
/// assert_eq!(later.duration_since(noon), Duration::from_millis(1_500));
/// assert_eq!(Timestamp::MAX + Duration::from_secs(1), Timestamp::MAX);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// 0000-01-01T00:00:00Z.
    pub const MIN: Timestamp = Timestamp(days_from_civil(0, 1, 1) * MICROS_PER_DAY);
    /// 9999-12-31T23:59:59.999999Z.
    pub const MAX: Timestamp = Timestamp(days_from_civil(10_000, 1, 1) * MICROS_PER_DAY - 1);

    /// Returns the instant `micros` microseconds after the Unix epoch, saturated at [`MIN`](Self::MIN) and
    /// [`MAX`](Self::MAX).
    pub const fn from_micros(micros: i64) -> Timestamp {
        if micros < Self::MIN.0 {
            Self::MIN
        } else if micros > Self::MAX.0 {
            Self::MAX
        } else {
            Timestamp(micros)
        }
    }

    /// Returns the instant `micros` microseconds after the Unix epoch; `None` beyond [`MIN`](Self::MIN) or
    /// [`MAX`](Self::MAX).
    pub const fn try_from_micros(micros: i64) -> Option<Timestamp> {
        if micros < Self::MIN.0 || micros > Self::MAX.0 { None } else { Some(Timestamp(micros)) }
    }

    /// Returns the instant `seconds` seconds after the Unix epoch, saturated at [`MIN`](Self::MIN) and
    /// [`MAX`](Self::MAX).
    pub const fn from_secs(seconds: i64) -> Timestamp {
        Timestamp::from_micros(seconds.saturating_mul(MICROS_PER_SECOND))
    }

    /// Returns the microseconds since the Unix epoch; negative before it.
    pub const fn as_micros(self) -> i64 {
        self.0
    }

    /// Returns the whole seconds since the Unix epoch, rounded down; negative before it.
    pub const fn as_secs(self) -> i64 {
        self.0.div_euclid(MICROS_PER_SECOND)
    }

    /// Returns the time from `earlier` to `self`; zero if `earlier` is the later one.
    pub const fn duration_since(self, earlier: Timestamp) -> Duration {
        let micros = self.0 - earlier.0;
        Duration::from_micros(if micros < 0 { 0 } else { micros.unsigned_abs() })
    }

    /// Parses a date-time of [RFC 3339](https://www.rfc-editor.org/rfc/rfc3339#section-5.6), and nothing looser.
    ///
    /// `T` and `Z` may be lowercase; a space instead of `T` is refused; the day must exist; offsets go up to 23:59. A
    /// fraction may have any number of digits; those after the microsecond are dropped. A leap second must be 23:59:60 in
    /// UTC and equals the second that follows it. Returns `None` also if the offset moves the instant out of the years
    /// 0000 to 9999.
    pub fn parse(text: &str) -> Option<Timestamp> {
        let (head, tail) = text.as_bytes().split_first_chunk::<19>()?;
        let [y1, y2, y3, y4, b'-', mo1, mo2, b'-', d1, d2, b'T' | b't', h1, h2, b':', mi1, mi2, b':', s1, s2] = *head
        else {
            return None;
        };
        let year = two_digits(y1, y2)? * 100 + two_digits(y3, y4)?;
        let month = two_digits(mo1, mo2)?;
        let day = two_digits(d1, d2)?;
        let minute_of_day = minute_of_day(two_digits(h1, h2)?, two_digits(mi1, mi2)?)?;
        let second = two_digits(s1, s2)?;
        if !(1..=12).contains(&month) || day < 1 || day > days_in_month(year, month) {
            return None;
        }
        let (fraction, zone) = fraction(tail)?;
        let offset = offset_minutes(zone)?;
        let is_leap_second = second == 60 && (minute_of_day - offset).rem_euclid(1440) == 1439;
        if second > 59 && !is_leap_second {
            return None;
        }
        let seconds = days_from_civil(year, month, day) * SECONDS_PER_DAY + (minute_of_day - offset) * 60 + second;
        Timestamp::try_from_micros(seconds * MICROS_PER_SECOND + fraction)
    }

    /// Returns the date in UTC, such as `2025-02-28`.
    #[must_use]
    pub fn date(self) -> String {
        let mut text = self.to_string();
        text.truncate("2025-02-28".len());
        text
    }

    /// Returns RFC 3339 text with all six digits of the fraction, whose order as text is the order in time.
    #[must_use]
    pub fn sortable(self) -> String {
        let fraction = self.0.rem_euclid(MICROS_PER_SECOND);
        let mut text = Timestamp(self.0 - fraction).to_string();
        text.truncate(text.len() - 1);
        format!("{text}.{fraction:06}Z")
    }
}

impl Add<Duration> for Timestamp {
    type Output = Timestamp;

    fn add(self, duration: Duration) -> Timestamp {
        Timestamp::from_micros(self.0.saturating_add(saturating_micros(duration)))
    }
}

impl Sub<Duration> for Timestamp {
    type Output = Timestamp;

    fn sub(self, duration: Duration) -> Timestamp {
        Timestamp::from_micros(self.0.saturating_sub(saturating_micros(duration)))
    }
}

fn saturating_micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

/// Splits `.123456789Z` into 123456 microseconds and `Z`; no fraction is 0.
fn fraction(tail: &[u8]) -> Option<(i64, &[u8])> {
    let [b'.', rest @ ..] = tail else {
        return Some((0, tail));
    };
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if digits == 0 {
        return None;
    }
    let (digits, zone) = rest.split_at(digits);
    let mut micros = 0;
    for index in 0..6 {
        micros = micros * 10 + digits.get(index).map_or(0, |byte| i64::from(byte - b'0'));
    }
    Some((micros, zone))
}

/// Parses a time zone; returns the minutes east of UTC.
fn offset_minutes(zone: &[u8]) -> Option<i64> {
    match *zone {
        [b'Z' | b'z'] => Some(0),
        [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] => {
            let minutes = minute_of_day(two_digits(h1, h2)?, two_digits(m1, m2)?)?;
            Some(if sign == b'-' { -minutes } else { minutes })
        }
        _ => None,
    }
}

fn minute_of_day(hour: i64, minute: i64) -> Option<i64> {
    (hour < 24 && minute < 60).then_some(hour * 60 + minute)
}

fn two_digits(tens: u8, ones: u8) -> Option<i64> {
    (tens.is_ascii_digit() && ones.is_ascii_digit()).then(|| i64::from(tens - b'0') * 10 + i64::from(ones - b'0'))
}

const fn is_leap_year(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

const fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        2 if is_leap_year(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// The days of 400 years.
const DAYS_PER_ERA: u32 = 146_097;

/// Returns the days from 1970-01-01 to a date of the proleptic Gregorian calendar, for years from -399. After Howard
/// Hinnant, <https://howardhinnant.github.io/date_algorithms.html#days_from_civil>.
pub(crate) const fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    // Counts from one era earlier, so that no number is negative: small unsigned divisions are fast.
    let year = (if month <= 2 { year + 399 } else { year + 400 }) as u32;
    let (era, year_of_era) = (year / 400, year % 400);
    let day_of_year = (153 * ((month as u32 + 9) % 12) + 2) / 5 + day as u32 - 1;
    let days = era * DAYS_PER_ERA + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    days as i64 - (719_468 + DAYS_PER_ERA as i64)
}

/// Returns year, month and day: the inverse of [`days_from_civil`], from the same page.
pub(crate) const fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = year_of_era + era * 400 + if month <= 2 { 1 } else { 0 };
    (year, month, day)
}

impl fmt::Display for Timestamp {
    /// Writes RFC 3339 in UTC, such as `2025-02-28T12:00:00Z`, with a fraction only if it is not zero, without trailing
    /// zeros.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = civil_from_days(self.0.div_euclid(MICROS_PER_DAY));
        let micros_of_day = self.0.rem_euclid(MICROS_PER_DAY);
        let second_of_day = micros_of_day / MICROS_PER_SECOND;
        let (hour, minute, second) = (second_of_day / 3600, second_of_day / 60 % 60, second_of_day % 60);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}")?;
        let mut fraction = micros_of_day % MICROS_PER_SECOND;
        if fraction != 0 {
            let mut width = 6;
            while fraction % 10 == 0 {
                fraction /= 10;
                width -= 1;
            }
            write!(f, ".{fraction:0width$}")?;
        }
        f.write_str("Z")
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl Visitor<'_> for Text {
            type Value = Timestamp;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an RFC 3339 date-time")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Timestamp, E> {
                // The message does not repeat the text, which may come from a payload.
                Timestamp::parse(text).ok_or_else(|| E::custom("not an RFC 3339 date-time"))
            }
        }
        deserializer.deserialize_str(Text)
    }
}

#[cfg(test)]
mod tests;
