//! Recognises UTF-16 and UTF-32, which is not read here, by the first bytes of a text.

/// The number of bytes that are examined.
const LOOKED_AT: usize = 64;

/// Returns whether a text begins as UTF-16 or UTF-32: with a byte order mark, or with characters of ASCII, each next to its
/// NUL bytes. JSON begins with two characters of ASCII, and at least half of the next ones are ASCII, too. A NUL here and
/// there is a mistake in UTF-8.
pub(crate) fn begins_as_utf16(text: &[u8]) -> bool {
    match text {
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] | [0, 0, 0xfe, 0xff, ..] => true,
        [0, ..] | [_, 0, ..] => has_nul_bytes_of_ascii(text.get(..LOOKED_AT).unwrap_or(text)),
        _ => false,
    }
}

fn has_nul_bytes_of_ascii(head: &[u8]) -> bool {
    let has_layout = |width: usize, is_ascii: fn(&[u8]) -> bool| {
        let units = head.chunks_exact(width);
        let (count, ascii) = (units.len(), units.clone().filter(|unit| is_ascii(unit)).count());
        count >= 2 && units.take(2).all(is_ascii) && 2 * ascii >= count
    };
    has_layout(2, |unit| matches!(unit, [1..=255, 0]))
        || has_layout(2, |unit| matches!(unit, [0, 1..=255]))
        || has_layout(4, |unit| matches!(unit, [1..=255, 0, 0, 0]))
        || has_layout(4, |unit| matches!(unit, [0, 0, 0, 1..=255]))
}

#[cfg(test)]
mod tests {
    use super::begins_as_utf16;

    fn encoded(text: &str, unit: fn(u16) -> [u8; 2]) -> Vec<u8> {
        text.encode_utf16().flat_map(unit).collect()
    }

    fn wide(text: &str, unit: fn(u32) -> [u8; 4]) -> Vec<u8> {
        text.chars().flat_map(|char| unit(char.into())).collect()
    }

    #[test]
    fn utf16_has_a_mark_or_a_nul_in_every_second_byte() {
        let text = "{\"温度\": 22.5, \"é\": 1}\n";
        let rows: [(&str, Vec<u8>, bool); 17] = [
            ("little-endian", encoded(text, u16::to_le_bytes), true),
            ("big-endian", encoded(text, u16::to_be_bytes), true),
            ("UTF-32, little-endian", wide(text, u32::to_le_bytes), true),
            ("UTF-32, big-endian", wide(text, u32::to_be_bytes), true),
            ("a mark, little-endian", encoded("\u{feff}温", u16::to_le_bytes), true),
            ("a mark, big-endian", encoded("\u{feff}温", u16::to_be_bytes), true),
            ("a mark in UTF-32", wide("\u{feff}温", u32::to_be_bytes), true),
            ("two characters", b"{\0}\0".to_vec(), true),
            ("half a character at the end", b"{\0}\0\n".to_vec(), true),
            ("UTF-8", text.as_bytes().to_vec(), false),
            ("nothing", Vec::new(), false),
            ("a NUL", b"\0".to_vec(), false),
            ("a NUL before a record", b"\0{\"a\":1}".to_vec(), false),
            ("a NUL in a line of its own", b"\0\n{\"a\":1}\n".to_vec(), false),
            ("a NUL behind the bracket", b"{\0\"a\":1}".to_vec(), false),
            ("two NULs, then UTF-8", b"\0{\0}\n{\"a\":1}\n{\"a\":2}\n".to_vec(), false),
            ("only NULs", vec![0; 64], false),
        ];
        for (name, bytes, expected) in rows {
            assert_eq!(begins_as_utf16(&bytes), expected, "{name}");
        }
    }
}
