//! What is printed for people. Names and messages come from files and from the service: hostile text all the same.

use comfy_table::presets::NOTHING;
use comfy_table::{CellAlignment, ContentArrangement, Table};
use eventpulse_core::id::clean_file_name;
use eventpulse_core::notice::visible;

/// Text with everything that does not print made visible, so that it cannot steer a terminal.
#[must_use]
pub fn clean(text: &str) -> String {
    visible(text)
}

/// A name to save a file under: one segment of a path, never hidden, whatever the service calls it.
#[must_use]
pub fn file_name(name: &str) -> String {
    let name = clean_file_name(name);
    match name.strip_prefix('.') {
        Some(rest) => format!("_{rest}"),
        None => name,
    }
}

/// Six significant digits, without trailing zeros.
#[must_use]
pub fn number(value: f64) -> String {
    if value == 0.0 {
        return "0".to_owned();
    }
    let magnitude = value.abs().log10().floor();
    if !(-4.0..15.0).contains(&magnitude) {
        return format!("{value:.5e}");
    }
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // between 0 and 9
    let decimals = (5.0 - magnitude).clamp(0.0, 9.0) as usize;
    let digits = format!("{value:.decimals$}");
    if digits.contains('.') { digits.trim_end_matches('0').trim_end_matches('.').to_owned() } else { digits }
}

/// A table: columns of numbers to the right, the others to the left.
#[must_use]
pub fn table(headers: &[&str], rows: &[Vec<String>]) -> String {
    let mut table = Table::new();
    table.load_style(NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(headers.to_vec());
    for row in rows {
        table.add_row(row.clone());
    }
    for (place, column) in table.column_iter_mut().enumerate() {
        let cells = || rows.iter().filter_map(|row| row.get(place)).filter(|cell| !cell.is_empty());
        let is_number = cells().next().is_some() && cells().all(|cell| cell.parse::<f64>().is_ok());
        column.set_padding((0, 2));
        column.set_cell_alignment(if is_number { CellAlignment::Right } else { CellAlignment::Left });
    }
    table.lines().map(|line| format!("{}\n", line.trim_end())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short_and_true() {
        for (value, expected) in [
            (0.0, "0"),
            (66.0, "66"),
            (49.426_713_424_1, "49.4267"),
            (-0.001_234_567, "-0.00123457"),
            (1_234_567.0, "1234567"),
            (1e20, "1.00000e20"),
            (100.0, "100"),
        ] {
            assert_eq!(number(value), expected);
        }
    }

    #[test]
    fn hostile_text_does_not_reach_the_terminal() {
        for hostile in ["\u{1b}[2J", "a\nb", "a\rb", "\u{202e}gnp.exe", "\u{7}", "\u{200b}"] {
            let cleaned = clean(hostile);
            assert!(cleaned.contains("\\u{") && !cleaned.chars().any(char::is_control), "{cleaned}");
        }
        assert_eq!(clean("é ☃ readings (1).json"), "é ☃ readings (1).json");
    }

    #[test]
    fn a_download_stays_in_its_directory() {
        for (name, expected) in [
            ("a.json", "a.json"),
            ("../../etc/passwd", "_._.._etc_passwd"),
            (".bashrc", "_bashrc"),
            ("", "object"),
            ("a\\b", "a_b"),
        ] {
            assert_eq!(file_name(name), expected, "{name}");
        }
    }

    #[test]
    fn a_table_is_aligned() {
        let rows = [vec!["a".to_owned(), "7".to_owned()], vec!["long name".to_owned(), "1234".to_owned()]];
        assert_eq!(table(&["device", "count"], &rows), "device     count\na              7\nlong name   1234\n");
    }
}
