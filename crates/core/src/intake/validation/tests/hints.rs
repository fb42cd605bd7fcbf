//! The advice for common mistakes in times and numbers.

use serde_json::json;

use super::check;

#[test]
fn date_time_failures_have_advice() {
    let rows = [
        ("2025-02-28T12:0/:00Z", ""),
        ("2025-02-29T12:00:00Z", ": that year has no 29 February"),
        ("2025-02-28T12:00:00", ": add Z or an offset such as +01:00"),
        ("2025-02-28T12:00:00+0100", ": write a colon in the offset, such as +01:00"),
        ("2025-02-28T12:00Z", ": add the seconds, such as :00"),
        ("2025-02-28T24:00:00Z", ": write 00:00:00 of the next day instead of 24:00:00"),
        ("2025-02-28T12:00:07.Z", ": add digits after the decimal point of the seconds, or remove the point"),
        ("2025-02-28", ": add the time of day, such as T00:00:00Z"),
        ("2025-02-28 12:00:00Z", ": put a T between date and time"),
        ("2025-02-28 12:00:00", ": put a T between date and time, and add Z or an offset such as +01:00"),
        ("2025-02-28 12:00:00 UTC", ": put a T between date and time, and write Z for UTC"),
        (" 2025-02-28T12:00:00Z ", ": remove the white space around it"),
        ("1740744000", ": this looks like seconds since 1970, write 1740744000 as 2025-02-28T12:00:00Z"),
        ("", ": the text is empty, write the time"),
        ("yesterday", ""),
        ("é025-02-28 12:00:00", ""),
    ];
    for (text, advice) in rows {
        let record = json!({"device_id": "a", "timestamp": text, "value": 1}).to_string();
        let found = check("reading/1.0", &record).failures;
        let messages: Vec<&str> = found.iter().map(|failure| failure.message.as_str()).collect();
        assert_eq!(
            messages,
            [format!("must be an RFC 3339 date-time, such as 2025-02-28T12:00:00Z{advice}")],
            "{text}"
        );
    }
}

#[test]
fn numbers_in_place_of_times_and_words_in_place_of_numbers_have_advice() {
    let time = "must be an RFC 3339 date-time, such as 2025-02-28T12:00:00Z, but is a number";
    let null = "must be a number, but is a string: write null without quotes where the schema allows it, or leave the record out";
    let rows = [
        (
            "seconds",
            "timestamp",
            json!(1_740_744_000),
            format!("{time}: this looks like seconds since 1970, write 1740744000 as 2025-02-28T12:00:00Z"),
        ),
        (
            "milliseconds",
            "timestamp",
            json!(1_740_744_000_000_u64),
            format!("{time}: this looks like milliseconds since 1970, write 1740744000000 as 2025-02-28T12:00:00Z"),
        ),
        (
            "seconds with a fraction",
            "timestamp",
            json!(1_740_744_000.25),
            format!("{time}: this looks like seconds since 1970, write 1740744000 as 2025-02-28T12:00:00Z"),
        ),
        (
            "another number",
            "timestamp",
            json!(7),
            format!("{time}: this is a number, write year, month, day and time of day"),
        ),
        ("NaN in quotes", "value", json!("NaN"), null.to_owned()),
        ("an empty string", "value", json!(""), null.to_owned()),
        ("text", "value", json!("warm"), "must be a number, but is a string".to_owned()),
    ];
    for (name, member, value, expected) in rows {
        let mut record = json!({"device_id": "a", "timestamp": "2025-02-28T12:00:00Z", "value": 1});
        record[member] = value;
        let found = check("reading/1.0", &record.to_string()).failures;
        let messages: Vec<&str> = found.iter().map(|failure| failure.message.as_str()).collect();
        assert_eq!(messages, [expected], "{name}");
    }
}
