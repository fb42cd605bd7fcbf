//! Time zones of the [IANA database](https://www.iana.org/time-zones) that jiff brings along.

use jiff::Timestamp as Instant;
use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, TimeZone, TimeZoneDatabase};

use crate::time::{MICROS_PER_SECOND, SECONDS_PER_DAY, Timestamp, civil_from_days};

/// Coordinated universal time.
pub(super) static UTC: Zone = Zone(TimeZone::UTC);

/// A time zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Zone(TimeZone);

impl Zone {
    /// Looks up a name of the database, in any case of ASCII letters. Returns `None` for any other text, and for the names
    /// `Factory` and `Etc/Unknown` of machines without a time zone.
    pub(super) fn parse(name: &str) -> Option<Zone> {
        let zone = TimeZoneDatabase::bundled().get(name).ok()?;
        (zone.iana_name()? != "Factory").then_some(Zone(zone))
    }

    /// Returns the name as the database writes it.
    pub(super) fn name(&self) -> &str {
        self.0.iana_name().unwrap_or("UTC")
    }

    /// Returns the local date of an instant, as days since 1970-01-01.
    pub(super) fn local_day(&self, time: Timestamp) -> i64 {
        (time.as_secs() + self.offset(time.as_secs())).div_euclid(SECONDS_PER_DAY)
    }

    /// Returns the first instant whose local date is `day` or later, in seconds since the Unix epoch.
    ///
    /// This is midnight; the first of two midnights if clocks go back over it; and the moment of the change if clocks skip
    /// it. If clocks skip the whole day, the next day begins at the same instant.
    pub(super) fn start_of_day(&self, day: i64) -> i64 {
        let midnight = day * SECONDS_PER_DAY;
        match self.offset_at_midnight(day) {
            None => midnight - self.offset(midnight),
            Some(AmbiguousOffset::Unambiguous { offset }) => midnight - i64::from(offset.seconds()),
            Some(AmbiguousOffset::Fold { before, .. }) => midnight - i64::from(before.seconds()),
            Some(AmbiguousOffset::Gap { before, after }) => {
                // The change is in the range (earlier, later].
                let mut earlier = midnight - i64::from(after.seconds());
                let mut later = midnight - i64::from(before.seconds());
                while later - earlier > 1 {
                    let middle = earlier.midpoint(later);
                    if middle + self.offset(middle) < midnight { earlier = middle } else { later = middle }
                }
                later
            }
        }
    }

    /// Writes an instant as RFC 3339 with the offset of the zone; with `Z` if the zone is `UTC`. Also with `Z` where RFC 3339
    /// has no form for the local time: the offset has seconds, as before the introduction of standard time, or the local
    /// year is not in 0000 to 9999.
    pub(super) fn rfc3339(&self, time: Timestamp) -> String {
        let offset = self.offset(time.as_secs());
        let local = Timestamp::try_from_micros(time.as_micros() + offset * MICROS_PER_SECOND);
        let (Some(local), true) = (local, offset % 60 == 0 && self.0 != TimeZone::UTC) else {
            return time.to_string();
        };
        let mut text = local.to_string();
        text.pop(); // the Z
        let (sign, minutes) = (if offset < 0 { '-' } else { '+' }, offset.abs() / 60);
        format!("{text}{sign}{:02}:{:02}", minutes / 60, minutes % 60)
    }

    /// Returns the seconds east of UTC at an instant. No clocks change within two days of the ends of jiff's range, so the
    /// offset there holds beyond them.
    fn offset(&self, second: i64) -> i64 {
        let second = second.clamp(Instant::MIN.as_second(), Instant::MAX.as_second());
        self.0.to_offset(Instant::from_second(second).unwrap_or(Instant::MAX)).seconds().into()
    }

    /// Returns `None` after the year 9999.
    fn offset_at_midnight(&self, day: i64) -> Option<AmbiguousOffset> {
        let (year, month, day) = civil_from_days(day);
        let (year, month, day) = (i16::try_from(year).ok()?, i8::try_from(month).ok()?, i8::try_from(day).ok()?);
        let midnight = DateTime::new(year, month, day, 0, 0, 0, 0).ok()?;
        Some(self.0.to_ambiguous_timestamp(midnight).offset())
    }
}
