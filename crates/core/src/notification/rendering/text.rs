//! Writes the plain text of an e-mail: lines of limited width, safe with hostile names.

use std::fmt::Write;

use crate::encoding::is_invisible;

/// The width that mail programs show without wrapping.
const COLUMNS: usize = 78;

/// The body of an e-mail. After the first paragraph, only headings start in the first column.
#[derive(Debug, Default)]
pub(super) struct Text(String);

impl Text {
    pub(super) fn heading(&mut self, heading: &str) {
        let _ = writeln!(self.0, "\n{heading}");
    }

    pub(super) fn blank(&mut self) {
        self.0.push('\n');
    }

    /// Writes a name and a value, on one line or, if that is too long, with the value on a line of its own.
    pub(super) fn field(&mut self, name: &str, value: &str) {
        let value = shown(value);
        if name.len() + 4 + columns(&value) <= COLUMNS {
            let _ = writeln!(self.0, "  {name}: {value}");
        } else {
            let indent = " ".repeat(4 + name.len() - name.trim_start().len());
            let _ = writeln!(self.0, "  {name}:\n{indent}{}", fitted(&value, COLUMNS - indent.len()));
        }
    }

    /// Writes a command. A long one continues on the next line after a backslash.
    pub(super) fn command(&mut self, command: &str) {
        let mut line = "   ".to_owned();
        let is_long = 4 + columns(command) > COLUMNS;
        for word in command.split(' ') {
            if is_long && columns(&line) + columns(word) + 3 > COLUMNS {
                let _ = writeln!(self.0, "{line} \\");
                line = "     ".to_owned();
            }
            let _ = write!(line, " {word}");
        }
        let _ = writeln!(self.0, "{line}");
    }

    /// Writes a request, in the short form if the whole is longer than a line.
    pub(super) fn request(&mut self, whole: &str, short: &str) {
        let _ = writeln!(self.0, "    {}", if 4 + columns(whole) <= COLUMNS { whole } else { short });
    }

    /// Writes a URL of the deployment. It is never shortened, so it alone may be longer than a line.
    pub(super) fn url(&mut self, url: &str) {
        let indent = COLUMNS.saturating_sub(columns(url)).min(4);
        let _ = writeln!(self.0, "{}{url}", " ".repeat(indent));
    }

    /// Writes the title of a paragraph, on one line or, if that is too long, with the name on a line of its own.
    pub(super) fn title(&mut self, before: &str, name: &str, after: &str) {
        let name = shown(name);
        let blank = if name.is_empty() { "" } else { " " };
        let whole = format!("  {before}{blank}{name}{after}");
        if columns(&whole) <= COLUMNS {
            let _ = writeln!(self.0, "{whole}");
        } else {
            self.wrap("  ", "    ", &format!("{before}{after}"));
            if !name.is_empty() {
                let _ = writeln!(self.0, "    {}", fitted(&name, COLUMNS - 4));
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
        // A name between backticks is not wrapped, so that no part of it starts a line.
        let mut quoted = false;
        let words = paragraph.split(|c: char| {
            quoted ^= c == '`';
            c == ' ' && !quoted
        });
        for word in words.filter(|word| !word.is_empty()) {
            let word = fitted(word, COLUMNS - first.len().max(others.len()));
            let columns = columns(&word);
            if column > 0 && column + 1 + columns > COLUMNS {
                self.0.push('\n');
                (indent, column) = (others, 0);
            }
            let before = if column == 0 { indent } else { " " };
            self.0.push_str(before);
            self.0.push_str(&word);
            column += before.len() + columns;
        }
        self.0.push('\n');
    }
}

/// Shortens a text to at most `most` columns. It omits the middle, and never a part of an escaped character.
pub(super) fn fitted(text: &str, most: usize) -> String {
    if columns(text) <= most {
        return text.to_owned();
    }
    let mut letters = Vec::new();
    let mut rest = text;
    while let Some(letter) = rest.chars().next() {
        let escape = rest.strip_prefix("\\u{").and_then(|digits| digits.find('}')).filter(|digits| *digits <= 6);
        let (letter, after) = rest.split_at(escape.map_or(letter.len_utf8(), |digits| digits + 4));
        letters.push(letter);
        rest = after;
    }
    let at_end = most / 3;
    let count = |room: usize, letters: &mut dyn Iterator<Item = &&str>| {
        let mut used = 0;
        letters
            .take_while(|letter| {
                used += columns(letter);
                used <= room
            })
            .count()
    };
    let head = count(most - 1 - at_end, &mut letters.iter());
    let tail = count(at_end, &mut letters.iter().rev());
    format!("{}…{}", letters[..head].concat(), letters[letters.len() - tail..].concat())
}

/// Returns the width of a word. East Asian letters and pictographs take two columns, others one. The crate unicode-width
/// counts one column for pictographs such as U+1F321, for which mail programs use a wide glyph.
fn columns(word: &str) -> usize {
    let wide = |c: char| {
        matches!(c, '\u{1100}'..='\u{115f}' | '\u{2e80}'..='\u{a4cf}' | '\u{ac00}'..='\u{d7a3}' | '\u{f900}'..='\u{faff}'
            | '\u{fe30}'..='\u{fe6f}' | '\u{ff00}'..='\u{ff60}' | '\u{ffe0}'..='\u{ffe6}' | '\u{1f300}'..='\u{1faff}'
            | '\u{20000}'..='\u{3fffd}')
    };
    word.chars().map(|c| if wide(c) { 2 } else { 1 }).sum()
}

/// Returns text of a client for the body: hidden characters are visible, links are broken up.
pub(super) fn shown(text: &str) -> String {
    unlinked(&visible(text))
}

/// Breaks up the URLs and addresses that mail programs show as links.
fn unlinked(text: &str) -> String {
    let text = text.replace("://", ":\\u{2f}/");
    let mut unlinked = String::with_capacity(text.len());
    for c in text.chars() {
        let is_www = |text: &str| text.len() >= 3 && text.as_bytes()[text.len() - 3..].eq_ignore_ascii_case(b"www");
        match c {
            '.' if is_www(&unlinked) => unlinked.push_str("\\u{2e}"),
            // A name that starts with it, such as the member `@type`, is no address.
            '@' if !(unlinked.is_empty() || unlinked.ends_with(['/', '`', ' '])) => unlinked.push_str("\\u{40}"),
            c => unlinked.push(c),
        }
    }
    unlinked
}

/// Returns text of a client with hidden characters escaped.
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

/// Returns whether a character is a control, a line end, a blank other than the space, a direction mark, or has no
/// width.
fn is_hidden(c: char) -> bool {
    c.is_control()
        || (c.is_whitespace() && c != ' ')
        || is_invisible(c)
        || matches!(c, '\u{34f}' | '\u{115f}' | '\u{1160}' | '\u{180b}'..='\u{180f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}'
            | '\u{ffa0}' | '\u{fffe}' | '\u{ffff}')
}
