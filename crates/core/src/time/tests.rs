use proptest::prelude::*;

use super::*;

fn micros(text: &str) -> Option<i64> {
    Timestamp::parse(text).map(Timestamp::as_micros)
}

#[test]
fn parse_accepts_rfc_3339() {
    let rows = [
        ("1970-01-01T00:00:00Z", 0),
        ("1970-01-01t00:00:00z", 0),
        ("1969-12-31T23:59:59.999999Z", -1),
        ("2025-02-28T12:00:00Z", 1_740_744_000_000_000),
        ("2025-02-28T12:00:00.5Z", 1_740_744_000_500_000),
        ("2025-02-28T12:00:00.1234567890123456789012Z", 1_740_744_000_123_456),
        ("2025-02-28T12:00:00.000000999Z", 1_740_744_000_000_000),
        ("2025-02-28T14:30:00+02:30", 1_740_744_000_000_000),
        ("2025-02-28T11:59:00-00:01", 1_740_744_000_000_000),
        ("2025-02-28T12:00:00-00:00", 1_740_744_000_000_000),
        ("2025-03-01T11:59:00+23:59", 1_740_744_000_000_000),
        ("1985-04-12T23:20:50.52Z", 482_196_050_520_000),
        ("1996-12-19T16:39:57-08:00", 851_042_397_000_000),
        ("1990-12-31T23:59:60Z", 662_688_000_000_000),
        ("1990-12-31T15:59:60-08:00", 662_688_000_000_000),
        ("1991-01-01T00:29:60.25+00:30", 662_688_000_250_000),
        ("2000-02-29T00:00:00Z", 951_782_400_000_000),
        ("2024-02-29T00:00:00Z", 1_709_164_800_000_000),
        ("0000-02-29T00:00:00Z", -62_162_121_600_000_000),
        ("0000-01-01T00:00:00Z", Timestamp::MIN.as_micros()),
        ("9999-12-31T23:59:59.999999Z", Timestamp::MAX.as_micros()),
        ("9999-12-31T23:59:59.9999999999-00:00", Timestamp::MAX.as_micros()),
    ];
    for (text, expected) in rows {
        assert_eq!(micros(text), Some(expected), "{text}");
    }
}

#[test]
fn parse_rejects_other_notations() {
    let rows = [
        "",
        "Z",
        "2025",
        "2025-02-28",
        "2025-02-28T12:00:00",
        "2025-02-28 12:00:00Z",
        "2025-02-28T12:00Z",
        "2025-02-28T12:0/:00Z",
        "2025-02-28T12:00:0:Z",
        "2025-02-29T12:00:00Z",
        "1900-02-29T00:00:00Z",
        "2025-04-31T00:00:00Z",
        "2025-00-01T00:00:00Z",
        "2025-13-01T00:00:00Z",
        "2025-01-00T00:00:00Z",
        "2025-01-32T00:00:00Z",
        "2025-01-01T24:00:00Z",
        "2025-01-01T00:60:00Z",
        "2025-01-01T00:00:61Z",
        "2025-01-01T00:00:60Z",
        "1990-12-31T22:59:60Z",
        "1990-12-31T23:59:60-08:00",
        "1990-12-31T23:58:60Z",
        "1990-12-31T23:59:61Z",
        "9999-12-31T23:59:60Z",
        "2025-01-01T00:00:00.Z",
        "2025-01-01T00:00:00,5Z",
        "2025-01-01T00:00:00.5",
        "2025-01-01T00:00:00+24:00",
        "2025-01-01T00:00:00+00:60",
        "2025-01-01T00:00:00+0000",
        "2025-01-01T00:00:00+00",
        "2025-01-01T00:00:00ZZ",
        "2025-01-01T00:00:00Z ",
        " 2025-01-01T00:00:00Z",
        "2025-01-01T00:00:00+ 1:00",
        "+2025-01-01T00:00:00Z",
        "12025-01-01T00:00:00Z",
        "-001-01-01T00:00:00Z",
        "0000-01-01T00:00:00+00:01",
        "9999-12-31T23:59:59-00:01",
        "２025-01-01T00:00:00Z",
        "2025-01-01T00:00:00.٣Z",
        "20250101T000000Z",
        "2025-01-01T00:00:00−01:00",
        "2025-01-01T00:00:00Z\0",
        "2025-W01-1T00:00:00Z",
        "1740744000",
    ];
    for text in rows {
        assert_eq!(micros(text), None, "{text}");
    }
}

#[test]
fn display_is_utc_with_the_shortest_fraction() {
    let rows = [
        ("2025-02-28T14:00:00+02:00", "2025-02-28T12:00:00Z"),
        ("2025-02-28T12:00:00.500Z", "2025-02-28T12:00:00.5Z"),
        ("2025-02-28T12:00:00.000010Z", "2025-02-28T12:00:00.00001Z"),
        ("1990-12-31T23:59:60Z", "1991-01-01T00:00:00Z"),
        ("0000-01-01T00:00:00Z", "0000-01-01T00:00:00Z"),
        ("0099-03-01T00:00:00.000001Z", "0099-03-01T00:00:00.000001Z"),
    ];
    for (text, expected) in rows {
        assert_eq!(Timestamp::parse(text).unwrap().to_string(), expected);
    }
    assert_eq!(Timestamp::from_micros(i64::MAX).to_string(), "9999-12-31T23:59:59.999999Z");
    assert_eq!(Timestamp::from_micros(i64::MIN).to_string(), "0000-01-01T00:00:00Z");
    assert_eq!(Timestamp::try_from_micros(i64::MIN), None);
}

#[test]
fn arithmetic_with_durations_saturates() {
    let (at, second) = (Timestamp::from_secs(100), Duration::from_secs(1));
    let rows = [
        ("add", at + second, Timestamp::from_secs(101)),
        ("subtract past the epoch", at - Duration::from_secs(101), Timestamp::from_secs(-1)),
        ("nanoseconds are dropped", at + Duration::from_nanos(1_999), Timestamp::from_micros(100_000_001)),
        ("past the last instant", Timestamp::MAX + second, Timestamp::MAX),
        ("before the first instant", Timestamp::MIN - second, Timestamp::MIN),
        ("the longest duration added", Timestamp::MIN + Duration::MAX, Timestamp::MAX),
        ("the longest duration subtracted", Timestamp::MAX - Duration::MAX, Timestamp::MIN),
        ("seconds beyond the last instant", Timestamp::from_secs(i64::MAX), Timestamp::MAX),
    ];
    for (name, actual, expected) in rows {
        assert_eq!(actual, expected, "{name}");
    }
    assert_eq!((at + second).duration_since(at), second);
    assert_eq!(at.duration_since(at + second), Duration::ZERO);
    assert_eq!(Timestamp::MIN + Timestamp::MAX.duration_since(Timestamp::MIN), Timestamp::MAX);
    assert_eq!(Timestamp::from_micros(-1).as_secs(), -1);
}

#[test]
fn serializes_as_text() {
    let time = Timestamp::parse("2025-02-28T12:00:00.25Z").unwrap();
    let json = serde_json::to_string(&time).unwrap();
    assert_eq!(json, r#""2025-02-28T12:00:00.25Z""#);
    assert_eq!(serde_json::from_str::<Timestamp>(&json).unwrap(), time);
    assert!(serde_json::from_str::<Timestamp>(r#""yesterday""#).is_err());
    assert!(serde_json::from_str::<Timestamp>("1740744000").is_err());
}

#[test]
fn calendar_days_are_consecutive() {
    let (mut year, mut month, mut day) = (-399, 1, 1);
    let mut number = Timestamp::MIN.as_micros() / MICROS_PER_DAY - (146_097 - 366);
    while year < 10_400 {
        assert_eq!(civil_from_days(number), (year, month, day));
        assert_eq!(days_from_civil(year, month, day), number);
        number += 1;
        day += 1;
        if day > days_in_month(year, month) {
            (month, day) = (month + 1, 1);
        }
        if month > 12 {
            (year, month) = (year + 1, 1);
        }
    }
}

proptest! {
    #[test]
    fn parse_inverts_display(micros in Timestamp::MIN.as_micros()..=Timestamp::MAX.as_micros()) {
        let time = Timestamp::from_micros(micros);
        prop_assert_eq!(time.as_micros(), micros);
        prop_assert_eq!(Timestamp::parse(&time.to_string()), Some(time));
    }

    #[test]
    fn parse_never_panics(text in "\\PC*", near in "[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9:]{8}[.0-9]{0,9}[-+Zz0-9:]{1,6}") {
        let _ = Timestamp::parse(&text);
        let _ = Timestamp::parse(&near);
    }
}
