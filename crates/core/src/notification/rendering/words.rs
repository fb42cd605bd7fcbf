//! Phrases that several notices share: failures and their positions, counts, times.

use super::limits::DetailLimits;
use crate::intake::failure::{FailureCode, shortened};
use crate::intake::json::escaped;
use crate::intake::rejection::FailureGroup;
use crate::notification::open_records::Amount;
use crate::notification::problem::Problem;
use crate::time::Timestamp;

/// Returns the pointer to the value of a failure; for a failure of a member, to the member. Array indexes are `*`, unless
/// the failure occurred only once. Empty for the record, or the upload, itself.
pub(super) fn position(failure: &FailureGroup) -> String {
    let pointer = if failure.count == 1 { &failure.first.pointer } else { &failure.pointer };
    pointer_to_member(failure, pointer)
}

/// Returns the same pointer, always with array indexes as `*`.
pub(super) fn position_pattern(failure: &FailureGroup) -> String {
    pointer_to_member(failure, &failure.pointer)
}

fn pointer_to_member(failure: &FailureGroup, pointer: &str) -> String {
    match failure.first.targets.first().filter(|_| is_about_member(failure.code)) {
        Some(member) => member_at(failure.code, pointer, member),
        None => pointer.to_owned(),
    }
}

/// Returns whether failures with this code are about a member of the value at the pointer. The name of the member is a
/// target of the failure.
fn is_about_member(code: FailureCode) -> bool {
    use FailureCode::{
        AdditionalProperties, DependentRequired, EntityMissing, PropertyNames, Required, TimeMissing,
        UnevaluatedProperties,
    };
    matches!(
        code,
        Required
            | DependentRequired
            | AdditionalProperties
            | UnevaluatedProperties
            | PropertyNames
            | EntityMissing
            | TimeMissing
    )
}

/// Returns the pointer to a member of the value at `pointer`.
pub(super) fn member_at(code: FailureCode, pointer: &str, member: &str) -> String {
    let token = format!("/{}", escaped(member));
    let is_included = matches!(code, FailureCode::AdditionalProperties | FailureCode::UnevaluatedProperties)
        && pointer.ends_with(&token);
    if is_included { pointer.to_owned() } else { format!("{pointer}{token}") }
}

/// Returns the code and the pointer of the primary failure of a problem, `REQUIRED` and `/items/*`, and the number of its
/// other failures.
pub(super) fn primary_failure(problem: &Problem, limits: DetailLimits) -> (String, String, u64) {
    let others = (problem.failures.len() as u64).saturating_sub(1) + problem.failures_omitted;
    match problem.failures.first() {
        Some(at) => (at.code.to_string(), shortened(&at.pointer, limits.pointer_of_others), others),
        None => ("FAILURES".to_owned(), String::new(), others),
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

/// `14 uploads with 42 rejected records`. Uploads that were rejected as a whole count no records.
pub(super) fn extent(uploads: u64, records: u64) -> String {
    match records {
        0 => count(uploads, "upload"),
        records => format!("{} with {}", count(uploads, "upload"), count(records, "rejected record")),
    }
}

/// `14 uploads with 42 records`, `42 records`, `14 uploads`.
pub(super) fn amount(amount: Amount) -> String {
    match (amount.uploads, amount.records) {
        (uploads, 0) => count(uploads, "upload"),
        (0, records) => count(records, "record"),
        (uploads, records) => format!("{} with {}", count(uploads, "upload"), count(records, "record")),
    }
}

/// `42 records`. Uploads that were rejected as a whole count no records: `14 uploads`.
pub(super) fn records(amount: Amount) -> String {
    match amount.records {
        0 => count(amount.uploads, "upload"),
        records => count(records, "record"),
    }
}

/// `was` for one thing, `were` for any other number.
pub(super) fn was(number: u64) -> &'static str {
    if number == 1 { "was" } else { "were" }
}

/// `2025-02-28`.
pub(super) fn day(time: Timestamp) -> String {
    time.date()
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

/// Returns the text with a capital letter.
pub(super) fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(chars).collect()
}
