use std::collections::HashSet;

use jiff::Timestamp as Instant;
use jiff::tz::TimeZoneDatabase;
use proptest::prelude::*;

use super::*;

const WIDTHS: [&str; 12] = ["1s", "7m", "1h", "36h", "1d", "2d", "10d", "1w", "3w", "1mo", "5mo", "1y"];

fn at(text: &str) -> Timestamp {
    Timestamp::parse(text).unwrap_or_else(|| panic!("{text}"))
}

fn width(width: &str, zone: &str) -> BucketWidth {
    let zone = Some(zone).filter(|zone| !zone.is_empty());
    BucketWidth::parse(width, zone).unwrap_or_else(|error| panic!("{width} {zone:?}: {error}"))
}

/// Returns the start and end of the bucket of an instant as text, and its minutes.
fn bucket(width: &BucketWidth, time: Timestamp) -> (String, String, i64) {
    let Span { start, end } = width.span(time);
    let text = |micros: i64| width.rfc3339(Timestamp::from_micros(micros));
    (text(start), text(end), (end - start) / 60_000_000)
}

/// Asserts that the buckets around an instant follow each other without gap or overlap.
fn assert_contiguous(name: &str, width: &BucketWidth, time: Timestamp) {
    let span = width.span(time);
    assert!(span.start <= time.as_micros() && time.as_micros() < span.end, "{name} at {time}: {span:?}");
    for inside in [span.start, span.end - 1].into_iter().filter_map(Timestamp::try_from_micros) {
        assert_eq!(width.span(inside), span, "{name} at {time}, inside at {inside}");
    }
    if let Some(end) = Timestamp::try_from_micros(span.end) {
        assert_eq!(width.span(end).start, span.end, "{name} at {time}, next");
    }
    if let Some(before) = Timestamp::try_from_micros(span.start - 1) {
        assert_eq!(width.span(before).end, span.start, "{name} at {time}, previous");
    }
}

#[test]
fn widths_are_parsed_strictly_up_to_their_limits() {
    for text in ["1s", "15m", "1h", "1d", "2w", "3mo", "10y"] {
        assert!(BucketWidth::parse(text, None).is_ok(), "{text}");
    }
    let limits = [
        ("316224000s", "316224001s"),
        ("5270400m", "5270401m"),
        ("87840h", "87841h"),
        ("3660d", "3661d"),
        ("522w", "523w"),
        ("1200mo", "1201mo"),
        ("100y", "101y"),
    ];
    for (longest, too_long) in limits {
        assert!(BucketWidth::parse(longest, None).is_ok(), "{longest}");
        assert_eq!(BucketWidth::parse(too_long, None), Err(BucketWidthError::Width), "{too_long}");
    }
    for text in [
        "",
        "d",
        "mo",
        "0s",
        "01s",
        "1",
        "-1s",
        "+1s",
        "1.5h",
        "999999999y",
        "9999999999d",
        "99999999999999999999d",
        "1 h",
        "1h ",
        " 1h",
        "1é",
        "é",
        "1M",
        "1Mo",
        "1MO",
        "1W",
        "month",
        "1month",
        "1min",
        "1ms",
        "1moo",
        "1m1s",
        "١d",
    ] {
        assert_eq!(BucketWidth::parse(text, None), Err(BucketWidthError::Width), "{text:?}");
    }
}

#[test]
fn zones_are_names_of_the_database_in_any_case() {
    for (name, canonical) in [
        ("Europe/Berlin", "Europe/Berlin"),
        ("europe/berlin", "Europe/Berlin"),
        ("AMERICA/ARGENTINA/BUENOS_AIRES", "America/Argentina/Buenos_Aires"),
        ("UTC", "UTC"),
        ("utc", "UTC"),
        ("Etc/UTC", "Etc/UTC"),
        ("Etc/GMT+1", "Etc/GMT+1"),
        ("Asia/Calcutta", "Asia/Calcutta"),
        ("EST5EDT", "EST5EDT"),
    ] {
        assert_eq!(width("1d", name).time_zone(), Some(canonical), "{name}");
    }
    assert_eq!(width("1d", "").time_zone(), None);
}

#[test]
fn other_zones_are_refused() {
    let long = "Europe/Berlin".repeat(1_000);
    for name in [
        "",
        " ",
        "Europe/Berlin ",
        " Europe/Berlin",
        "Europe Berlin",
        "Europe/Berlin\0",
        "Europe/Berlín",
        "Europe",
        "Berlin",
        "Europe/",
        "/",
        ".",
        "..",
        "../../etc/passwd",
        "/etc/localtime",
        "/usr/share/zoneinfo/Europe/Berlin",
        "Local",
        "localtime",
        "local",
        "posix/Europe/Berlin",
        "right/Europe/Berlin",
        "posixrules",
        "CET-1CEST",
        "EST5EDT4",
        "CET-1CEST,M3.5.0,M10.5.0/3",
        "<+03>-3",
        "+01:00",
        "-0500",
        "Z",
        "UTC+1",
        "Europe%2FBerlin",
        "Etc/GMT 1",
        "Factory",
        "factory",
        "Etc/Unknown",
        "etc/unknown",
        "null",
        "温度計",
        &long,
    ] {
        assert_eq!(BucketWidth::parse("1d", Some(name)), Err(BucketWidthError::TimeZone), "{name:?}");
    }
}

#[test]
fn fixed_widths_have_no_zone() {
    for text in ["1s", "15m", "24h"] {
        for zone in ["Europe/Berlin", "UTC"] {
            assert_eq!(BucketWidth::parse(text, Some(zone)), Err(BucketWidthError::FixedWidthInZone), "{text} {zone}");
        }
    }
}

#[test]
fn buckets_begin_and_end_at_local_boundaries() {
    #[rustfmt::skip]
    let rows = [
        ("fixed", "15m", "", "2025-02-28T12:14:59.999999Z", "2025-02-28T12:00:00Z", "2025-02-28T12:15:00Z", 15),
        ("fixed before 1970", "7m", "", "1969-12-31T23:59:59.999999Z", "1969-12-31T23:53:00Z", "1970-01-01T00:00:00Z", 7),
        ("day of UTC", "1d", "", "2025-03-30T23:59:59.999999Z", "2025-03-30T00:00:00Z", "2025-03-31T00:00:00Z", 1440),
        ("day of UTC by name", "1d", "UTC", "2025-03-30T12:00:00Z", "2025-03-30T00:00:00Z", "2025-03-31T00:00:00Z", 1440),
        ("days since 1970", "30d", "", "1970-01-30T23:59:59Z", "1970-01-01T00:00:00Z", "1970-01-31T00:00:00Z", 43_200),
        ("days before 1970", "30d", "", "1969-12-31T23:59:59Z", "1969-12-02T00:00:00Z", "1970-01-01T00:00:00Z", 43_200),
        ("Berlin in winter", "1d", "Europe/Berlin", "2025-01-15T23:00:00Z", "2025-01-16T00:00:00+01:00", "2025-01-17T00:00:00+01:00", 1440),
        ("Berlin, 23 hours", "1d", "Europe/Berlin", "2025-03-29T23:00:00Z", "2025-03-30T00:00:00+01:00", "2025-03-31T00:00:00+02:00", 23 * 60),
        ("Berlin, 25 hours", "1d", "Europe/Berlin", "2025-10-26T22:59:59Z", "2025-10-26T00:00:00+02:00", "2025-10-27T00:00:00+01:00", 25 * 60),
        ("half an hour east", "1d", "Asia/Kolkata", "2025-02-28T18:29:59Z", "2025-02-28T00:00:00+05:30", "2025-03-01T00:00:00+05:30", 1440),
        ("45 minutes east", "1d", "Asia/Kathmandu", "2025-02-28T18:15:00Z", "2025-03-01T00:00:00+05:45", "2025-03-02T00:00:00+05:45", 1440),
        ("London in winter", "1d", "Europe/London", "2025-01-15T12:00:00Z", "2025-01-15T00:00:00+00:00", "2025-01-16T00:00:00+00:00", 1440),
        ("clocks go back by 30 minutes", "1d", "Australia/Lord_Howe", "2025-04-06T00:00:00Z", "2025-04-06T00:00:00+11:00", "2025-04-07T00:00:00+10:30", 1470),
        ("clocks go forward by 30 minutes", "1d", "Australia/Lord_Howe", "2025-10-05T00:00:00Z", "2025-10-05T00:00:00+10:30", "2025-10-06T00:00:00+11:00", 1410),
        ("day before a day without midnight", "1d", "America/Sao_Paulo", "2018-11-04T02:59:59Z", "2018-11-03T00:00:00-03:00", "2018-11-04T01:00:00-02:00", 1440),
        ("day without midnight", "1d", "America/Sao_Paulo", "2018-11-04T03:00:00Z", "2018-11-04T01:00:00-02:00", "2018-11-05T00:00:00-02:00", 1380),
        ("another day without midnight", "1d", "Africa/Cairo", "2024-04-26T12:00:00Z", "2024-04-26T01:00:00+03:00", "2024-04-27T00:00:00+03:00", 1380),
        ("clocks skip 23:30 to 00:30", "1d", "America/Toronto", "1919-03-31T12:00:00Z", "1919-03-31T00:30:00-04:00", "1919-04-01T00:00:00-04:00", 1410),
        ("clocks go back at midnight", "1d", "America/Sao_Paulo", "2018-02-18T02:30:00Z", "2018-02-17T00:00:00-02:00", "2018-02-18T00:00:00-03:00", 1500),
        ("two midnights", "1d", "America/Havana", "2025-11-02T04:00:00Z", "2025-11-02T00:00:00-04:00", "2025-11-03T00:00:00-05:00", 1500),
        ("clocks go back over midnight", "1d", "America/St_Johns", "2010-11-07T02:45:00Z", "2010-11-07T00:00:00-02:30", "2010-11-08T00:00:00-03:30", 1500),
        ("day before a skipped day", "1d", "Pacific/Apia", "2011-12-30T09:59:59Z", "2011-12-29T00:00:00-10:00", "2011-12-31T00:00:00+14:00", 1440),
        ("day after a skipped day", "1d", "Pacific/Apia", "2011-12-30T10:00:00Z", "2011-12-31T00:00:00+14:00", "2012-01-01T00:00:00+14:00", 1440),
        ("two days, one skipped", "2d", "Pacific/Apia", "2011-12-31T00:00:00Z", "2011-12-31T00:00:00+14:00", "2012-01-01T00:00:00+14:00", 1440),
        ("repeated day", "1d", "Pacific/Kwajalein", "1969-09-30T23:00:00Z", "1969-09-30T00:00:00+11:00", "1969-10-01T00:00:00-12:00", 47 * 60),
        ("week across the end of a year", "1w", "", "2026-01-01T00:00:00Z", "2025-12-29T00:00:00Z", "2026-01-05T00:00:00Z", 10_080),
        ("first week of 1970", "1w", "", "1970-01-01T00:00:00Z", "1969-12-29T00:00:00Z", "1970-01-05T00:00:00Z", 10_080),
        ("two weeks before 1970-01-05", "2w", "", "1970-01-04T23:59:59Z", "1969-12-22T00:00:00Z", "1970-01-05T00:00:00Z", 20_160),
        ("two weeks from 1970-01-05", "2w", "", "1970-01-05T00:00:00Z", "1970-01-05T00:00:00Z", "1970-01-19T00:00:00Z", 20_160),
        ("week of a change", "1w", "Europe/Berlin", "2025-03-30T12:00:00Z", "2025-03-24T00:00:00+01:00", "2025-03-31T00:00:00+02:00", 167 * 60),
        ("leap month", "1mo", "", "2024-02-29T23:59:59Z", "2024-02-01T00:00:00Z", "2024-03-01T00:00:00Z", 29 * 1440),
        ("common month", "1mo", "", "2025-02-28T23:59:59Z", "2025-02-01T00:00:00Z", "2025-03-01T00:00:00Z", 28 * 1440),
        ("no leap month in 1900", "1mo", "", "1900-02-14T00:00:00Z", "1900-02-01T00:00:00Z", "1900-03-01T00:00:00Z", 28 * 1440),
        ("leap month in 2000", "1mo", "", "2000-02-14T00:00:00Z", "2000-02-01T00:00:00Z", "2000-03-01T00:00:00Z", 29 * 1440),
        ("local month", "1mo", "Europe/Berlin", "2025-03-31T22:30:00Z", "2025-04-01T00:00:00+02:00", "2025-05-01T00:00:00+02:00", 30 * 1440),
        ("month of a change", "1mo", "Europe/Berlin", "2025-10-31T22:59:59Z", "2025-10-01T00:00:00+02:00", "2025-11-01T00:00:00+01:00", 745 * 60),
        ("quarter", "3mo", "", "2025-05-15T00:00:00Z", "2025-04-01T00:00:00Z", "2025-07-01T00:00:00Z", 91 * 1440),
        ("five months since the year 0", "5mo", "", "2025-05-15T00:00:00Z", "2025-01-01T00:00:00Z", "2025-06-01T00:00:00Z", 151 * 1440),
        ("leap year", "1y", "America/New_York", "2025-01-01T04:59:59Z", "2024-01-01T00:00:00-05:00", "2025-01-01T00:00:00-05:00", 366 * 1440),
        ("decade", "10y", "", "2029-12-31T23:59:59Z", "2020-01-01T00:00:00Z", "2030-01-01T00:00:00Z", 3_653 * 1440),
        ("century", "100y", "", "1969-07-20T20:17:40Z", "1900-01-01T00:00:00Z", "2000-01-01T00:00:00Z", 36_524 * 1440),
        ("first decade", "10y", "", "0000-01-01T00:00:00Z", "0000-01-01T00:00:00Z", "0010-01-01T00:00:00Z", 3_653 * 1440),
        ("last day", "1d", "", "9999-12-31T23:59:59.999999Z", "9999-12-31T00:00:00Z", "9999-12-31T23:59:59.999999Z", 1440),
        ("last days, in the local year 10000", "1d", "Pacific/Kiritimati", "9999-12-31T12:00:00Z", "9999-12-31T10:00:00Z", "9999-12-31T23:59:59.999999Z", 1440),
        ("last day of the local year 9999", "1d", "Pacific/Kiritimati", "9999-12-31T09:00:00Z", "9999-12-31T00:00:00+14:00", "9999-12-31T10:00:00Z", 1440),
        ("last hours west", "1mo", "America/New_York", "9999-12-31T23:59:59Z", "9999-12-01T00:00:00-05:00", "9999-12-31T18:59:59.999999-05:00", 31 * 1440),
        ("first hours west, in the local year -1", "1d", "America/New_York", "0000-01-01T00:00:00Z", "0000-01-01T00:00:00Z", "0000-01-01T04:56:02Z", 1440),
        ("century that ends in the year 0", "100y", "America/New_York", "0000-01-01T00:00:00Z", "0000-01-01T00:00:00Z", "0000-01-01T04:56:02Z", 36_524 * 1440),
        ("offset with seconds", "1d", "Europe/Berlin", "1890-06-01T12:00:00Z", "1890-05-31T23:06:32Z", "1890-06-01T23:06:32Z", 1440),
        ("day on which the seconds end", "1d", "Europe/Berlin", "1893-04-01T12:00:00Z", "1893-04-01T00:06:32+01:00", "1893-04-02T00:00:00+01:00", 1433),
    ];
    for (name, text, zone, time, start, end, minutes) in rows {
        let width = width(text, zone);
        assert_eq!(bucket(&width, at(time)), (start.to_owned(), end.to_owned(), minutes), "{name}");
        assert_contiguous(name, &width, at(time));
    }
}

#[test]
fn buckets_are_contiguous_around_each_change_of_each_zone() {
    let database = TimeZoneDatabase::bundled();
    let (from, to) = (Instant::from_second(-5_000_000_000).unwrap(), 2_300_000_000);
    let mut seen = HashSet::new();
    for name in database.available().filter(|name| name.as_str() != "Factory") {
        let zone = database.get(name.as_str()).unwrap();
        let changes =
            zone.following(from).map(|change| change.timestamp().as_second()).take_while(|second| *second < to);
        let changes: Vec<i64> = changes.collect();
        // Several names have the same changes.
        if !seen.insert(changes.clone()) {
            continue;
        }
        let (days, months) = (width("1d", name.as_str()), width("1mo", name.as_str()));
        for change in changes {
            for second in [change - 3_601, change - 1, change, change + 1_800, change + 90_000] {
                assert_contiguous(name.as_str(), &days, Timestamp::from_secs(second));
            }
            assert_contiguous(name.as_str(), &months, Timestamp::from_secs(change));
        }
    }
    assert!(seen.iter().flatten().count() > 10_000);
}

#[test]
fn first_and_last_instant_are_in_a_bucket_of_each_width_and_zone() {
    let database = TimeZoneDatabase::bundled();
    for name in database.available().filter(|name| name.as_str() != "Factory") {
        for text in ["1d", "3660d", "522w", "1mo", "1200mo", "7y"] {
            let width = width(text, name.as_str());
            for time in [Timestamp::MIN, Timestamp::MAX] {
                assert_contiguous(name.as_str(), &width, time);
                let Span { start, end } = width.span(time);
                for time in [start, end].map(Timestamp::from_micros) {
                    assert_eq!(Timestamp::parse(&width.rfc3339(time)), Some(time), "{name} {text}");
                }
            }
        }
    }
}

fn any_time() -> impl Strategy<Value = Timestamp> {
    let modern = at("1850-01-01T00:00:00Z").as_micros()..at("2060-01-01T00:00:00Z").as_micros();
    let any = Timestamp::MIN.as_micros()..=Timestamp::MAX.as_micros();
    prop_oneof![modern, any].prop_map(Timestamp::from_micros)
}

proptest! {
    #[test]
    fn each_instant_is_in_one_bucket(
        time in any_time(),
        text in prop::sample::select(&WIDTHS[..]),
        zone in prop::sample::select(TimeZoneDatabase::bundled().available().map(|name| name.to_string()).collect::<Vec<_>>()),
    ) {
        let zone = Some(zone.as_str()).filter(|zone| !text.ends_with(['s', 'm', 'h']) && *zone != "Factory");
        let width = BucketWidth::parse(text, zone).unwrap();
        assert_contiguous(&format!("{text} {zone:?}"), &width, time);
    }

    #[test]
    fn written_times_are_the_same_instants(time in any_time(), zone in prop::sample::select(vec!["Asia/Kolkata", "Africa/Monrovia", "America/St_Johns", "UTC"])) {
        prop_assert_eq!(Timestamp::parse(&width("1d", zone).rfc3339(time)), Some(time));
    }
}
