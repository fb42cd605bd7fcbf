//! JSON Pointers to entries of the tape. Cold: a pointer is made only for a failure.

use super::{Document, Kind};

/// The RFC 6901 pointer to the value at `target`, or to the member whose name is there.
pub(super) fn pointer_to(document: &Document<'_>, target: u32) -> String {
    walk(document, Some(target))
}

/// The pointer to the value that was being read when reading stopped; its entry is not on the tape yet.
pub(super) fn pointer_to_pending(document: &Document<'_>) -> String {
    walk(document, None)
}

fn walk(document: &Document<'_>, target: Option<u32>) -> String {
    let mut pointer = String::new();
    let mut container = 0;
    // An open container ends behind every entry.
    let holds = |child: u32, behind: u32| match target {
        Some(target) => (child..behind).contains(&target),
        None => behind > document.entries.len() as u32,
    };
    while target != Some(container) {
        let (mut child, mut place) = (container + 1, 0_usize);
        let end = document.behind(container).min(document.entries.len() as u32);
        let is_object = match document.entry(container).kind {
            Kind::Object => true,
            Kind::Array => false,
            _ => break,
        };
        let next = loop {
            let name = child;
            let value = if is_object { child + 1 } else { child };
            if child >= end || value > end {
                // The next element of an array is pending; of an object, not even the name is known.
                if target.is_none() && !is_object {
                    push_token(&mut pointer, &place.to_string());
                }
                return pointer;
            }
            let pending = target.is_none() && value == end;
            if pending || target == Some(name) || holds(value, document.behind(value)) {
                match is_object {
                    true => push_token(&mut pointer, document.string(document.entry(name)).unwrap_or_default()),
                    false => push_token(&mut pointer, &place.to_string()),
                }
                break (!pending && target.is_none_or(|target| target >= value)).then_some(value);
            }
            child = document.behind(value);
            place += 1;
        };
        match next {
            Some(value) => container = value,
            None => break,
        }
    }
    pointer
}

/// Adds a reference token, escaped.
pub(super) fn push_token(pointer: &mut String, token: &str) {
    pointer.push('/');
    for character in token.chars() {
        match character {
            '~' => pointer.push_str("~0"),
            '/' => pointer.push_str("~1"),
            other => pointer.push(other),
        }
    }
}

impl Document<'_> {
    /// The RFC 6901 pointer to the value at `index`.
    pub(crate) fn pointer(&self, index: u32) -> String {
        pointer_to(self, index)
    }
}
