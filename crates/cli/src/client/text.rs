//! Text for terminals.

use comfy_table::presets::NOTHING;
use comfy_table::{CellAlignment, Table};
use eventpulse_core::encoding::is_invisible;

/// Returns foreign text that is safe on a terminal: control and invisible characters appear as `\u{..}`.
#[must_use]
pub fn clean(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    for character in text.chars() {
        if is_hidden(character) {
            clean.extend(character.escape_unicode());
        } else {
            clean.push(character);
        }
    }
    clean
}

/// Returns whether a terminal must not show a character: controls, line separators, and invisible characters except
/// joiners, which emoji need.
fn is_hidden(character: char) -> bool {
    let is_joiner = matches!(character, '\u{200c}' | '\u{200d}');
    character.is_control() || matches!(character, '\u{2028}' | '\u{2029}') || (is_invisible(character) && !is_joiner)
}

/// Returns a safe local file name for a foreign one: its last component, cleaned, never hidden and never empty.
#[must_use]
pub fn file_name(name: &str) -> String {
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let last: String = last.chars().map(|it| if is_hidden(it) { '_' } else { it }).collect();
    match last.trim_start_matches('.') {
        "" => "download".to_owned(),
        name => name.to_owned(),
    }
}

/// Formats a number with the fewest digits that read back to the same bits.
#[must_use]
pub fn number(value: f64) -> String {
    let digits = format!("{value:?}");
    digits.strip_suffix(".0").unwrap_or(&digits).to_owned()
}

/// Returns a table without borders, with two spaces between columns and a line feed after each row. Columns of numbers
/// are aligned to the right. Cells are [`clean`]ed.
#[must_use]
pub fn table(headers: &[&str], rows: &[Vec<String>]) -> String {
    let mut table = Table::new();
    table.load_style(NOTHING).set_header(headers.iter().map(|header| clean(header)));
    table.add_rows(rows.iter().map(|row| row.iter().map(|cell| clean(cell))));
    for (at, column) in table.column_iter_mut().enumerate() {
        column.set_padding((0, 2));
        let mut cells = rows.iter().filter_map(|row| row.get(at)).filter(|cell| !cell.is_empty()).peekable();
        if cells.peek().is_some() && cells.all(|cell| is_number(cell)) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table.lines().map(|line| format!("{}\n", line.trim_end())).collect()
}

/// Returns whether a text is a number. `inf` and `nan`, which may be names, are not.
fn is_number(cell: &str) -> bool {
    cell.ends_with(|it: char| it.is_ascii_digit()) && cell.parse::<f64>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_back_to_the_same_bits() {
        for (value, expected) in [
            (0.0, "0"),
            (66.0, "66"),
            (0.1 + 0.2, "0.30000000000000004"),
            (49.426_713_424_1, "49.4267134241"),
            (f64::MAX, "1.7976931348623157e308"),
            (-5e-324, "-5e-324"),
            (123_456_789_012_345_680.0, "1.2345678901234568e17"),
        ] {
            assert_eq!(number(value), expected);
            assert_eq!(number(value).parse::<f64>().map(f64::to_bits), Ok(value.to_bits()));
        }
    }

    #[test]
    fn control_characters_are_escaped() {
        for (name, text, expected) in [
            ("empty", "", ""),
            ("plain", "température + 1 %2B 👩‍🚀", "température + 1 %2B 👩‍🚀"),
            ("escape", "a\u{1b}[2Jb", "a\\u{1b}[2Jb"),
            ("lines", "a\r\nb\tc", "a\\u{d}\\u{a}b\\u{9}c"),
            ("c1", "\u{9b}31m", "\\u{9b}31m"),
            ("bidi", "a\u{202e}nosj.b\u{2066}", "a\\u{202e}nosj.b\\u{2066}"),
            ("separators", "a\u{2028}b\u{feff}", "a\\u{2028}b\\u{feff}"),
            ("tags and soft hyphens", "a\u{ad}\u{e0041}b\u{2060}", "a\\u{ad}\\u{e0041}b\\u{2060}"),
            ("right to left is text", "שלום", "שלום"),
        ] {
            assert_eq!(clean(text), expected, "{name}");
            assert_eq!(clean(&clean(text)), expected, "{name}, twice");
        }
    }

    #[test]
    fn foreign_file_name_stays_in_its_directory() {
        for (name, expected) in [
            ("readings 1+2.json", "readings 1+2.json"),
            ("../../etc/passwd", "passwd"),
            ("C:\\temp\\a.json", "a.json"),
            ("..", "download"),
            ("", "download"),
            ("a/", "download"),
            (".bashrc", "bashrc"),
            ("a\u{0}\n\u{202e}b", "a___b"),
        ] {
            assert_eq!(file_name(name), expected, "{name:?}");
        }
    }

    #[test]
    fn number_columns_are_aligned_to_the_right() {
        let row = |cells: [&str; 4]| cells.map(str::to_owned).to_vec();
        let rows = [row(["sensor-1", "7", "1.5", "x"]), row(["a\nb", "12345", "", "inf"])];
        let expected = "\
device    count  mean  note
sensor-1      7   1.5  x
a\\u{a}b   12345        inf
";
        assert_eq!(table(&["device", "count", "mean", "note"], &rows), expected);
        assert_eq!(table(&["device"], &[]), "device\n");
    }
}
