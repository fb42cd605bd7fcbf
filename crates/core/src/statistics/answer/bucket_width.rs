//! The width of the buckets of an answer: from the time of a point to the start and end of its bucket.

use super::zone::{UTC, Zone};
use crate::time::{MICROS_PER_SECOND, Timestamp, civil_from_days, days_from_civil};

/// The most days in a bucket, also as seconds, minutes and hours.
const MAX_DAYS: i64 = 3_660;
/// The most weeks in a bucket: ten years, as for days.
const MAX_WEEKS: i64 = 522;
/// The most months in a bucket.
const MAX_MONTHS: i64 = 1_200;
/// The most years in a bucket.
const MAX_YEARS: i64 = MAX_MONTHS / 12;
/// 1970-01-05, the first Monday since the Unix epoch, as days since 1970-01-01.
const FIRST_MONDAY: i64 = 4;

/// The width of a bucket: a fixed duration, or a number of days, weeks, months or years of the calendar in a time zone.
///
/// Buckets follow each other without gaps, so every instant is in exactly one:
///
/// - `s`, `m` and `h` (seconds, minutes, hours) have a fixed duration, and begin at multiples of it since 1970-01-01T00:00:00Z.
/// - `d` and `w` begin at local midnight. Days are counted from 1970-01-01, weeks from Monday 1970-01-05
///   ([ISO 8601](https://en.wikipedia.org/wiki/ISO_week_date)).
/// - `mo` and `y` begin at the first of a month, counted from January of the year 0000: `3mo` are quarters, `10y` decades.
///
/// Where clocks change, a day has 23 or 25 hours. If clocks skip midnight, the day begins at its first instant; if they go
/// back over it, at the first of the two midnights.
///
/// ```
/// use eventpulse_core::statistics::answer::{BucketWidth, BucketWidthError};
///
/// let months = BucketWidth::parse("1mo", Some("europe/berlin")).unwrap();
/// assert_eq!(months.time_zone(), Some("Europe/Berlin"));
/// assert_eq!(BucketWidth::parse("1mo", Some("Berlin")), Err(BucketWidthError::TimeZone));
/// assert_eq!(BucketWidth::parse("1h", Some("Europe/Berlin")), Err(BucketWidthError::FixedWidthInZone));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BucketWidth(Rule);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Rule {
    Fixed {
        seconds: i64,
    },
    Calendar {
        period: Period,
        /// The zone that the caller chose; `None` for UTC.
        zone: Option<Zone>,
    },
}

/// A number of days or months of the calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Period {
    /// Counted from the day `origin`.
    Days { count: i64, origin: i64 },
    /// Counted from January of the year 0000.
    Months { count: i64 },
}

/// The reason why a text is no width of a bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BucketWidthError {
    /// The width has another form, or exceeds the limit of its unit.
    #[error(
        "expected a number and one of s, m, h, d, w, mo and y, such as 15m or 1mo, at most {MAX_DAYS}d, {MAX_WEEKS}w, \
         {MAX_MONTHS}mo or {MAX_YEARS}y"
    )]
    Width,
    /// The name is not in the database of time zones.
    #[error("expected the IANA name of a time zone, such as Europe/Berlin")]
    TimeZone,
    /// A fixed width has a time zone.
    #[error(
        "expected no time zone with a bucket in s, m or h, whose width is the same everywhere; a time zone applies to d, w, \
         mo and y"
    )]
    FixedWidthInZone,
}

/// A bucket as `start <= time < end`, in microseconds since the Unix epoch. The first and the last bucket of all extend
/// beyond [`Timestamp::MIN`] and [`Timestamp::MAX`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Span {
    pub(super) start: i64,
    pub(super) end: i64,
}

impl BucketWidth {
    /// Parses a width, such as `15m` or `1mo`, and the IANA name of a time zone in any case. Without a name, days, weeks,
    /// months and years are those of UTC.
    ///
    /// # Errors
    /// Returns the reason why one of the two is invalid. Its text is for people and begins with "expected".
    pub fn parse(width: &str, time_zone: Option<&str>) -> Result<BucketWidth, BucketWidthError> {
        let (count, unit) = count_and_unit(width).ok_or(BucketWidthError::Width)?;
        let zone = time_zone.map(|name| Zone::parse(name).ok_or(BucketWidthError::TimeZone)).transpose()?;
        let (limit, rule) = match unit {
            "s" => (MAX_DAYS * 86_400, Rule::Fixed { seconds: count }),
            "m" => (MAX_DAYS * 1_440, Rule::Fixed { seconds: count * 60 }),
            "h" => (MAX_DAYS * 24, Rule::Fixed { seconds: count * 3_600 }),
            "d" => (MAX_DAYS, Rule::Calendar { period: Period::Days { count, origin: 0 }, zone }),
            "w" => (MAX_WEEKS, Rule::Calendar { period: Period::weeks(count), zone }),
            "mo" => (MAX_MONTHS, Rule::Calendar { period: Period::Months { count }, zone }),
            "y" => (MAX_YEARS, Rule::Calendar { period: Period::Months { count: count * 12 }, zone }),
            _ => return Err(BucketWidthError::Width),
        };
        match rule {
            _ if count > limit => Err(BucketWidthError::Width),
            Rule::Fixed { .. } if time_zone.is_some() => Err(BucketWidthError::FixedWidthInZone),
            rule => Ok(BucketWidth(rule)),
        }
    }

    /// Returns the IANA name of the time zone that the caller chose, as the database writes it.
    #[must_use]
    pub fn time_zone(&self) -> Option<&str> {
        self.zone().map(Zone::name)
    }

    /// Writes the start or end of a bucket as RFC 3339 with the offset of the chosen time zone, such as
    /// `2025-03-30T00:00:00+01:00`; in UTC with `Z` without one.
    ///
    /// Times that RFC 3339 cannot express with the offset are in UTC with `Z` too: those before the introduction of standard
    /// time, whose offset has seconds, and those whose local year is not within 0000 to 9999.
    #[must_use]
    pub fn rfc3339(&self, time: Timestamp) -> String {
        self.zone().map_or_else(|| time.to_string(), |zone| zone.rfc3339(time))
    }

    /// Returns the bucket of an instant.
    pub(super) fn span(&self, time: Timestamp) -> Span {
        let (start, end) = match &self.0 {
            Rule::Fixed { seconds } => {
                let start = time.as_secs().div_euclid(*seconds) * seconds;
                (start, start + seconds)
            }
            Rule::Calendar { period, zone } => {
                let zone = zone.as_ref().unwrap_or(&UTC);
                let start = |index| zone.start_of_day(period.first_day(index));
                let mut index = period.index(zone.local_day(time));
                // Clocks that go back over midnight repeat a part of a day whose bucket has ended.
                while start(index + 1) <= time.as_secs() {
                    index += 1;
                }
                (start(index), start(index + 1))
            }
        };
        Span { start: start * MICROS_PER_SECOND, end: end * MICROS_PER_SECOND }
    }

    fn zone(&self) -> Option<&Zone> {
        match &self.0 {
            Rule::Fixed { .. } => None,
            Rule::Calendar { zone, .. } => zone.as_ref(),
        }
    }
}

impl Period {
    /// Weeks from Monday to Sunday, [ISO 8601](https://en.wikipedia.org/wiki/ISO_week_date).
    fn weeks(count: i64) -> Period {
        Period::Days { count: count * 7, origin: FIRST_MONDAY }
    }

    /// Returns the number of the period that contains a day.
    fn index(self, day: i64) -> i64 {
        match self {
            Period::Days { count, origin } => (day - origin).div_euclid(count),
            Period::Months { count } => {
                let (year, month, _) = civil_from_days(day);
                (year * 12 + month - 1).div_euclid(count)
            }
        }
    }

    /// Returns the first day of a period.
    fn first_day(self, index: i64) -> i64 {
        match self {
            Period::Days { count, origin } => origin + index * count,
            Period::Months { count } => {
                let months = index * count;
                days_from_civil(months.div_euclid(12), months.rem_euclid(12) + 1, 1)
            }
        }
    }
}

/// Splits `15m` into 15 and `m`. The number has up to nine digits and no leading zero.
fn count_and_unit(width: &str) -> Option<(i64, &str)> {
    let digits = width.bytes().take_while(u8::is_ascii_digit).count();
    let (count, unit) = width.split_at_checked(digits)?;
    let is_valid = (1..=9).contains(&digits) && !count.starts_with('0');
    count.parse().ok().filter(|_| is_valid).map(|count| (count, unit))
}

#[cfg(test)]
mod tests;
