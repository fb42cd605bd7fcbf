//! The text of records: white space, the order of members, and mistakes.

use fastrand::Rng;

use crate::records::Node;
use crate::schemas::any_of;

/// How a program writes its records.
#[derive(Clone)]
pub struct Style {
    colon: &'static str,
    comma: &'static str,
    inside: &'static str,
    is_shuffled: bool,
    /// One of so many tokens is written otherwise; 0 for none.
    odd: u8,
}

/// Returns a style. In lines, white space has no line feeds.
pub fn style(rng: &mut Rng, in_lines: bool) -> Style {
    let (comma, inside) = match rng.u8(..6) {
        0..3 => (",", ""),
        3..5 => (", ", ""),
        _ if in_lines => (" ,\t", " "),
        _ => (",\n  ", "\n  "),
    };
    let odd = any_of(rng, &[0, 0, 0, 3, 30]);
    Style { colon: any_of(rng, &[":", ": "]), comma, inside, is_shuffled: rng.u8(..3) == 0, odd }
}

/// Appends a record to a text.
pub fn write(rng: &mut Rng, node: &Node, style: &Style, text: &mut String) {
    match node {
        Node::Raw(raw) => text.push_str(raw),
        Node::Text(contents) => string(rng, contents, style, text),
        Node::Array(elements) => {
            text.push('[');
            for (index, element) in elements.iter().enumerate() {
                separator(rng, style, index, text);
                write(rng, element, style, text);
            }
            text.push_str(&space(rng, style, style.inside));
            text.push(']');
        }
        Node::Object(members) => {
            let mut members: Vec<_> = members.iter().collect();
            if style.is_shuffled {
                rng.shuffle(&mut members);
            }
            text.push('{');
            for (index, (name, value)) in members.into_iter().enumerate() {
                separator(rng, style, index, text);
                string(rng, name, style, text);
                text.push_str(&space(rng, style, style.colon));
                write(rng, value, style, text);
            }
            text.push_str(&space(rng, style, style.inside));
            text.push('}');
        }
    }
}

fn separator(rng: &mut Rng, style: &Style, index: usize, text: &mut String) {
    text.push_str(&space(rng, style, if index > 0 { style.comma } else { style.inside }));
}

/// Returns a token with its white space, now and then with other white space.
fn space(rng: &mut Rng, style: &Style, usual: &str) -> String {
    if style.odd == 0 || rng.u8(..style.odd) > 0 {
        return usual.to_owned();
    }
    let spaces = [" ", "\t", "\r", "  ", "                                        ", "", "\u{a0}", "\u{c}", "\n"];
    let some = if rng.u8(..20) == 0 { &spaces[..] } else { &spaces[..6] };
    let around = [any_of(rng, &spaces[..6]), any_of(rng, some)];
    format!("{}{}{}", around[0], usual.trim(), around[1])
}

fn string(rng: &mut Rng, contents: &str, style: &Style, text: &mut String) {
    text.push('"');
    for character in contents.chars() {
        let is_odd = style.odd > 0 && rng.u8(..) < 3;
        match character {
            '"' | '\\' => text.extend(['\\', character]),
            _ if is_odd || character < ' ' => {
                for unit in character.encode_utf16(&mut [0; 2]) {
                    text.push_str(&format!("\\u{unit:04x}"));
                }
            }
            _ => text.push(character),
        }
    }
    text.push('"');
}

/// Changes, removes or adds bytes of a record.
pub fn damage(rng: &mut Rng, record: &mut Vec<u8>) {
    let at = rng.usize(..record.len().max(1)).min(record.len());
    let bytes = b"\"\\{}[],:0 1.e-+nZT\n\r\x00\x1f\x80\xc3\xe9\xff";
    match rng.u8(..5) {
        0 if at < record.len() => record[at] = any_of(rng, bytes),
        1 if at < record.len() => drop(record.remove(at)),
        2 => record.truncate(at),
        3 => drop(record.splice(at..at, record.get(at..(at + 5).min(record.len())).unwrap_or_default().to_vec())),
        _ => record.insert(at, any_of(rng, bytes)),
    }
}
