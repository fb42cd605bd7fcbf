//! Words that several notices share: what is wrong and where, counts, times.

use super::{DetailLimits, is_of_member};
use crate::intake::failure::{FailureCode, shortened};
use crate::intake::json::escaped;
use crate::intake::rejection::FailureGroup;
use crate::notification::problem::Problem;
use crate::time::Timestamp;

/// The pointer to what a failure is about: to the member, where it is about one. Array indexes are `*`, unless it was
/// seen once only. Empty for the record, or the upload, itself.
pub(super) fn place(failure: &FailureGroup) -> String {
    let pointer = if failure.count == 1 { &failure.first.pointer } else { &failure.pointer };
    match failure.first.targets.first().filter(|_| is_of_member(failure.code)) {
        Some(member) => member_at(failure.code, pointer, member),
        None => pointer.clone(),
    }
}

/// The same with array indexes as `*` always.
pub(super) fn pattern_of_place(failure: &FailureGroup) -> String {
    match failure.first.targets.first().filter(|_| is_of_member(failure.code)) {
        Some(member) => member_at(failure.code, &failure.pointer, member),
        None => failure.pointer.clone(),
    }
}

/// The pointer to a member of what is at `pointer`.
pub(super) fn member_at(code: FailureCode, pointer: &str, member: &str) -> String {
    let token = format!("/{}", escaped(member));
    let is_told = matches!(code, FailureCode::AdditionalProperties | FailureCode::UnevaluatedProperties)
        && pointer.ends_with(&token);
    if is_told { pointer.to_owned() } else { format!("{pointer}{token}") }
}

/// The failure that a group is named by, `REQUIRED /items/*`, and how many more it has.
pub(super) fn primary_failure(group: &Problem, room: DetailLimits) -> (String, String, u64) {
    let more = (group.failures.len() as u64).saturating_sub(1) + group.failures_omitted;
    match group.failures.first() {
        Some(at) => (at.code.to_string(), shortened(&at.pointer, room.pointer_of_others), more),
        None => ("FAILURES".to_owned(), String::new(), more),
    }
}

/// `orders 1.0`.
pub(super) fn schema(schema: &str) -> String {
    schema.replace('/', " ")
}

/// `1 upload`, `3 uploads`.
pub(super) fn count(number: u64, thing: &str) -> String {
    let s = if number == 1 { "" } else { "s" };
    format!("{number} {thing}{s}")
}

/// `once`, `twice`, `3 times`.
pub(super) fn times(number: u64) -> String {
    match number {
        1 => "once".to_owned(),
        2 => "twice".to_owned(),
        number => format!("{number} times"),
    }
}

/// `14 uploads with 42 wrong records`; uploads that failed as a whole have none.
pub(super) fn extent(uploads: u64, records: u64) -> String {
    match records {
        0 => count(uploads, "upload"),
        records => format!("{} with {}", count(uploads, "upload"), count(records, "wrong record")),
    }
}

/// `2025-02-28`.
pub(super) fn day(time: Timestamp) -> String {
    time.to_string().chars().take(10).collect()
}

/// `2025-02-28 12:34 UTC`.
pub(super) fn minute(time: Timestamp) -> String {
    format!("{} {} UTC", day(time), clock(time))
}

fn clock(time: Timestamp) -> String {
    time.to_string().chars().skip(11).take(5).collect()
}

/// `on 2025-02-28 at 12:34 UTC`.
pub(super) fn on(time: Timestamp) -> String {
    format!("on {} at {} UTC", day(time), clock(time))
}

/// `2025-02-28 12:01 to 12:59 UTC`.
pub(super) fn range(from: Timestamp, to: Timestamp) -> String {
    match (day(from) == day(to), minute(from) == minute(to)) {
        (_, true) => minute(to),
        (true, false) => format!("{} {} to {} UTC", day(from), clock(from), clock(to)),
        (false, false) => format!("{} {} to {}", day(from), clock(from), minute(to)),
    }
}

/// `on 2025-02-28 between 12:00 and 13:00 UTC`.
pub(super) fn span(from: Timestamp, to: Timestamp) -> String {
    if minute(from) == minute(to) {
        on(to)
    } else if day(from) == day(to) {
        format!("on {} between {} and {} UTC", day(from), clock(from), clock(to))
    } else {
        format!("between {} {} and {}", day(from), clock(from), minute(to))
    }
}

/// With a capital letter.
pub(super) fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(chars).collect()
}
