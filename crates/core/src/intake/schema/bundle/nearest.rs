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
    let letters = Letters::of(name);
    candidates
        .into_iter()
        .filter(|candidate| candidate.len() <= MAX_BYTES && *candidate != name)
        .filter(|candidate| !letters.is_far_from(Letters::of(candidate)))
        .filter_map(|candidate| {
            if folded(name).eq(folded(candidate)) {
                return Some((0, candidate));
            }
            // The distance is at least the difference in length.
            let is_near = candidate.chars().count().abs_diff(length) <= allowed;
            let distance = is_near.then(|| distance(name, candidate, allowed)).flatten();
            distance.map(|distance| (distance, candidate))
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

/// The set of characters of a name without case and separators: one bit for each letter and digit of ASCII, and one for all
/// others.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Letters(u64);

impl Letters {
    /// Returns the characters of a name.
    pub(crate) fn of(name: &str) -> Self {
        let bit = |byte: u8| match byte {
            b'_' | b'-' | b' ' | b'.' => 0,
            b'a'..=b'z' => 1 << (byte - b'a'),
            b'A'..=b'Z' => 1 << (byte - b'A'),
            b'0'..=b'9' => 1 << (26 + byte - b'0'),
            _ => 1 << 36,
        };
        Self(name.bytes().fold(0, |letters, byte| letters | bit(byte)))
    }

    /// Returns whether one name has three characters that the other lacks, so that neither is a probable misspelling of the
    /// other: a change adds one at most, and only two characters beyond ASCII become one of ASCII without their case.
    pub(crate) fn is_far_from(self, other: Self) -> bool {
        (self.0 & !other.0).count_ones() > 2 || (other.0 & !self.0).count_ones() > 2
    }
}

/// Returns the least number of characters to insert, delete, change or swap with their neighbour (optimal string alignment);
/// `None` if it is more than `most`. Each name has at most [`MAX_BYTES`].
fn distance(one: &str, other: &str, most: usize) -> Option<usize> {
    let mut columns = ['\0'; MAX_BYTES];
    let mut length = 0;
    for (column, letter) in columns.iter_mut().zip(other.chars()) {
        *column = letter;
        length += 1;
    }
    let columns = columns.get(..length)?;
    let mut before_last = [0_usize; MAX_BYTES + 1];
    let mut last: [usize; MAX_BYTES + 1] = std::array::from_fn(|column| column);
    let mut previous = None;
    for (row, a) in one.chars().enumerate() {
        let mut current = [0; MAX_BYTES + 1];
        current[0] = row + 1;
        for (column, &b) in columns.iter().enumerate() {
            let change = last[column] + usize::from(a != b);
            let mut best = change.min(last[column + 1] + 1).min(current[column] + 1);
            if column > 0 && previous == Some(b) && columns[column - 1] == a {
                best = best.min(before_last[column - 1] + 1);
            }
            current[column + 1] = best;
        }
        // A later row is no less than the least of the last two.
        let least = |row: &[usize]| row.iter().take(length + 1).min().copied().unwrap_or_default();
        if least(&current) > most && least(&last) > most {
            return None;
        }
        before_last = std::mem::replace(&mut last, current);
        previous = Some(a);
    }
    last.get(length).copied().filter(|distance| *distance <= most)
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
            assert_eq!(distance(one, other, 9), Some(expected), "{one} {other}");
            assert_eq!(distance(other, one, 9), Some(expected), "{other} {one}");
            let less = expected.checked_sub(1).map(|most| distance(one, other, most));
            assert!(matches!(less, None | Some(None)), "{one} {other}");
        }
    }

    proptest::proptest! {
        #[test]
        fn near_names_are_never_far_by_their_letters(name in "[a-f_é\u{212a}]{0,8}", other in "[a-fkK_é]{0,8}") {
            let is_near = distance(&name, &other, 2).is_some() || folded(&name).eq(folded(&other));
            proptest::prop_assert!(!is_near || !Letters::of(&name).is_far_from(Letters::of(&other)));
        }
    }
}
