//! Suggestions for misspelt names.

/// Longer names are not compared.
const MAX_BYTES: usize = 64;

/// Returns the candidate that `name` is probably a misspelling of.
pub(crate) fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if name.len() > MAX_BYTES {
        return None;
    }
    let length = name.chars().count();
    let allowed = match length {
        0..=2 => 0,
        3..=5 => 1,
        _ => 2,
    };
    candidates
        .into_iter()
        .filter(|candidate| candidate.len() <= MAX_BYTES && *candidate != name)
        .filter_map(|candidate| {
            if folded(name).eq(folded(candidate)) {
                return Some((0, candidate));
            }
            // The distance is at least the difference in length.
            let is_near = candidate.chars().count().abs_diff(length) <= allowed;
            is_near.then(|| (distance(name, candidate), candidate)).filter(|&(distance, _)| distance <= allowed)
        })
        .min()
        .map(|(_, candidate)| candidate)
}

/// Returns ` (did you mean `…`?)`, or an empty string.
pub(crate) fn did_you_mean<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> String {
    nearest(name, candidates).map(|candidate| format!(" (did you mean `{candidate}`?)")).unwrap_or_default()
}

/// Returns a name without case and separators: `deviceId`, `device-id` and `DEVICE_ID` are equal.
fn folded(name: &str) -> impl Iterator<Item = char> {
    name.chars().filter(|c| !matches!(c, '_' | '-' | ' ' | '.')).flat_map(char::to_lowercase)
}

/// Returns the least number of characters to insert, delete, change or swap with their neighbour (optimal string alignment).
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut before_last: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=other.len()).collect();
    let mut previous = None;
    for (row, a) in one.chars().enumerate() {
        let mut current = vec![row + 1];
        for (column, &b) in other.iter().enumerate() {
            let at = |row: &[usize], column: usize| row.get(column).copied().unwrap_or(usize::MAX / 2);
            let change = at(&last, column) + usize::from(a != b);
            let mut best = change.min(at(&last, column + 1) + 1).min(at(&current, column) + 1);
            if column > 0 && previous == Some(b) && other.get(column - 1) == Some(&a) {
                best = best.min(at(&before_last, column - 1) + 1);
            }
            current.push(best);
        }
        before_last = std::mem::replace(&mut last, current);
        previous = Some(a);
    }
    last.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_names_are_found_and_far_ones_are_not() {
        let names = ["value", "timestamp", "device_id", "readings"];
        let rows = [
            ("swapped letters", "valeu", Some("value")),
            ("one letter short", "valu", Some("value")),
            ("camel case", "deviceId", Some("device_id")),
            ("upper case", "TIMESTAMP", Some("timestamp")),
            ("two changes", "timestempe", Some("timestamp")),
            ("the name itself", "value", None),
            ("another word", "colour", None),
            ("too short to tell", "va", None),
            ("empty", "", None),
            ("far too long", &"value".repeat(100), None),
        ];
        for (row, name, expected) in rows {
            assert_eq!(nearest(name, names), expected, "{row}");
        }
    }

    #[test]
    fn distances() {
        let rows =
            [("", "", 0), ("", "ab", 2), ("ab", "", 2), ("ab", "ba", 1), ("kitten", "sitting", 3), ("é", "e", 1)];
        for (one, other, expected) in rows {
            assert_eq!(distance(one, other), expected, "{one} {other}");
            assert_eq!(distance(other, one), expected, "{other} {one}");
        }
    }
}
