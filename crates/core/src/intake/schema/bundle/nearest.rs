//! Suggestions for misspelt names.

/// Longer names are not compared.
const MAX_BYTES: usize = 64;

/// Returns the candidate that `name` is probably a misspelling of.
pub(crate) fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if name.len() > MAX_BYTES {
        return None;
    }
    let candidates = candidates.into_iter().map(|candidate| (candidate, Letters::of(candidate), candidate));
    nearest_of(name, Letters::of(name), candidates)
}

/// As [`nearest`], of candidates with known letters. Returns what stands for the candidate.
pub(crate) fn nearest_of<'a, T>(
    name: &str,
    letters: Letters,
    candidates: impl IntoIterator<Item = (&'a str, Letters, T)>,
) -> Option<T> {
    let near = candidates.into_iter().filter(|(_, others, _)| !letters.is_far_from(*others));
    let near = near.filter_map(|(candidate, _, it)| Some((closeness(name, candidate)?, candidate, it)));
    near.min_by_key(|(closeness, candidate, _)| (*closeness, *candidate)).map(|(.., it)| it)
}

/// Returns a distance of two names: the smaller, the more likely `name` is a misspelling of `other`. `None` if it is unlikely.
fn closeness(name: &str, other: &str) -> Option<usize> {
    if name.len().max(other.len()) > MAX_BYTES || name == other {
        return None;
    }
    if is_equal_folded(name, other) {
        return Some(0);
    }
    let allowed = match name.chars().count() {
        0..=2 => return None,
        3..=5 => 1,
        _ => 2,
    };
    distance(name, other, allowed)
}

/// Returns ` (did you mean `…`?)`, or an empty string.
pub(crate) fn did_you_mean<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> String {
    nearest(name, candidates).map(|candidate| format!(" (did you mean `{candidate}`?)")).unwrap_or_default()
}

/// Returns whether names are equal without case and separators: `deviceId`, `device-id` and `DEVICE_ID` are.
fn is_equal_folded(one: &str, other: &str) -> bool {
    if one.is_ascii() && other.is_ascii() {
        return folded_bytes(one).eq(folded_bytes(other));
    }
    folded(one).eq(folded(other))
}

fn folded(name: &str) -> impl Iterator<Item = char> {
    name.chars().filter(|c| !matches!(c, '_' | '-' | ' ' | '.')).flat_map(char::to_lowercase)
}

fn folded_bytes(name: &str) -> impl Iterator<Item = u8> {
    name.bytes().filter(|byte| !matches!(byte, b'_' | b'-' | b' ' | b'.')).map(|byte| byte.to_ascii_lowercase())
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
    if one.is_ascii() && other.is_ascii() {
        return distance_of(one.as_bytes(), other.as_bytes(), most);
    }
    let characters = |name: &str| name.chars().collect::<Vec<char>>();
    distance_of(&characters(one), &characters(other), most)
}

fn distance_of<T: Copy + PartialEq>(one: &[T], other: &[T], most: usize) -> Option<usize> {
    // Equal characters at both ends do not count.
    let start = one.iter().zip(other).take_while(|(a, b)| a == b).count();
    let (one, other) = (one.get(start..)?, other.get(start..)?);
    let end = one.iter().rev().zip(other.iter().rev()).take_while(|(a, b)| a == b).count();
    let (one, other) = (one.get(..one.len() - end)?, other.get(..other.len() - end)?);
    // The distance is at least the difference in length.
    if one.len().abs_diff(other.len()) > most {
        return None;
    }
    let length = other.len();
    let mut before_last = [0_u8; MAX_BYTES + 1];
    let mut last: [u8; MAX_BYTES + 1] = std::array::from_fn(|column| column as u8);
    let mut previous = None;
    for (row, &a) in one.iter().enumerate() {
        let mut current = [0; MAX_BYTES + 1];
        current[0] = row as u8 + 1;
        for (column, &b) in other.iter().enumerate() {
            let change = last[column] + u8::from(a != b);
            let mut best = change.min(last[column + 1] + 1).min(current[column] + 1);
            if column > 0 && previous == Some(b) && other[column - 1] == a {
                best = best.min(before_last[column - 1] + 1);
            }
            current[column + 1] = best;
        }
        // A later row is no less than the least of the last two.
        let least = |row: &[u8]| row.iter().take(length + 1).min().copied().map_or(0, usize::from);
        if least(&current) > most && least(&last) > most {
            return None;
        }
        before_last = std::mem::replace(&mut last, current);
        previous = Some(a);
    }
    last.get(length).map(|distance| usize::from(*distance)).filter(|distance| *distance <= most)
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

    /// The distance by its definition, in a whole matrix.
    fn plain_distance(one: &[char], other: &[char]) -> usize {
        let mut matrix = vec![vec![0; other.len() + 1]; one.len() + 1];
        for row in 0..=one.len() {
            for column in 0..=other.len() {
                if row == 0 || column == 0 {
                    matrix[row][column] = row.max(column);
                    continue;
                }
                let change = matrix[row - 1][column - 1] + usize::from(one[row - 1] != other[column - 1]);
                let mut best = change.min(matrix[row - 1][column] + 1).min(matrix[row][column - 1] + 1);
                if row > 1 && column > 1 && one[row - 1] == other[column - 2] && one[row - 2] == other[column - 1] {
                    best = best.min(matrix[row - 2][column - 2] + 1);
                }
                matrix[row][column] = best;
            }
        }
        matrix[one.len()][other.len()]
    }

    proptest::proptest! {
        #[test]
        fn distances_equal_their_definition(one in "[ab]{0,7}|[abcé]{0,5}", other in "[ab]{0,7}|[abcé]{0,5}", most in 0..5_usize) {
            let characters = |name: &str| name.chars().collect::<Vec<char>>();
            let expected = plain_distance(&characters(&one), &characters(&other));
            proptest::prop_assert_eq!(distance(&one, &other, most), Some(expected).filter(|distance| *distance <= most));
        }

        #[test]
        fn near_names_are_never_far_by_their_letters(name in "[a-f_é\u{212a}]{0,8}", other in "[a-fkK_é]{0,8}") {
            let is_near = distance(&name, &other, 2).is_some() || is_equal_folded(&name, &other);
            proptest::prop_assert!(!is_near || !Letters::of(&name).is_far_from(Letters::of(&other)));
        }
    }
}
