//! The plain text of an e-mail: wrapped where it is ours, whole where it is to be copied, and safe whoever chose the names.

use std::fmt::Write;

/// What mail programs show without wrapping.
const COLUMNS: usize = 78;

/// The body of an e-mail in the making. Headings are the only lines, but for the first, that begin in the first column.
#[derive(Debug, Default)]
pub(super) struct Text(String);

impl Text {
    pub(super) fn heading(&mut self, heading: &str) {
        let _ = writeln!(self.0, "\n{heading}");
    }

    pub(super) fn blank(&mut self) {
        self.0.push('\n');
    }

    /// A name and what is to be copied: on one line, or, where that is too long, on a line of its own.
    pub(super) fn field(&mut self, name: &str, value: &str) {
        let value = visible(value);
        let is_long = name.len() + 4 + columns(&value) > COLUMNS;
        let between = if is_long { "\n    " } else { " " };
        let _ = writeln!(self.0, "  {name}:{between}{value}");
    }

    /// What is to be copied, on a line of its own that is not wrapped.
    pub(super) fn line(&mut self, line: &str) {
        let _ = writeln!(self.0, "    {}", visible(line));
    }

    /// What a paragraph is about: its parts on one line if they fit, else the second on a line of its own.
    pub(super) fn title(&mut self, before: &str, name: &str, after: &str) {
        let name = visible(name);
        let blank = if name.is_empty() { "" } else { " " };
        let whole = format!("  {before}{blank}{name}{after}");
        if columns(&whole) <= COLUMNS {
            let _ = writeln!(self.0, "{whole}");
        } else {
            self.wrap("  ", "    ", &format!("{before}{after}"));
            if !name.is_empty() {
                let _ = writeln!(self.0, "    {name}");
            }
        }
    }

    pub(super) fn paragraph(&mut self, indent: &str, paragraph: &str) {
        self.wrap(indent, indent, paragraph);
    }

    pub(super) fn finish(self) -> String {
        self.0
    }

    fn wrap(&mut self, first: &str, others: &str, paragraph: &str) {
        let mut indent = first;
        let mut column = 0;
        // A name between backticks is not broken: what it holds must not begin a line.
        let mut quoted = false;
        let words = paragraph.split(|c: char| {
            quoted ^= c == '`';
            c == ' ' && !quoted
        });
        for word in words {
            let columns = columns(word);
            if column > indent.len() && column + 1 + columns > COLUMNS {
                self.0.push('\n');
                (indent, column) = (others, 0);
            }
            let before = if column == 0 { indent } else { " " };
            self.0.push_str(before);
            self.0.push_str(word);
            column += before.len() + columns;
        }
        self.0.push('\n');
    }
}

/// How wide a word is where each letter takes one column, or two in the scripts of East Asia and in pictures.
fn columns(word: &str) -> usize {
    let wide = |c: char| {
        matches!(c, '\u{1100}'..='\u{115f}' | '\u{2e80}'..='\u{a4cf}' | '\u{ac00}'..='\u{d7a3}' | '\u{f900}'..='\u{faff}'
            | '\u{fe30}'..='\u{fe6f}' | '\u{ff00}'..='\u{ff60}' | '\u{ffe0}'..='\u{ffe6}' | '\u{1f300}'..='\u{1faff}'
            | '\u{20000}'..='\u{3fffd}')
    };
    word.chars().map(|c| if wide(c) { 2 } else { 1 }).sum()
}

/// The same text without links: mail programs make one of whatever looks like a URL.
pub(super) fn unlinked(text: &str) -> String {
    text.replace("://", ":\\u{2f}/")
}

/// Text that came from a client, with everything that does not print made visible.
#[must_use]
pub fn visible(text: &str) -> String {
    let mut visible = String::with_capacity(text.len());
    for c in text.chars() {
        if is_hidden(c) {
            let _ = write!(visible, "\\u{{{:x}}}", u32::from(c));
        } else {
            visible.push(c);
        }
    }
    visible
}

/// Controls, line ends, blanks other than the common one, marks that turn the direction of what follows, and what
/// takes no room at all.
fn is_hidden(c: char) -> bool {
    c.is_control()
        || (c.is_whitespace() && c != ' ')
        || matches!(c, '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}'
            | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{fffe}' | '\u{ffff}' | '\u{e0000}'..='\u{e0fff}')
}
