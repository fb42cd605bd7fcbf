//! JSON Pointers (RFC 6901) to entries of the tape. Used only for failures.

use super::tape::{Document, Kind};

/// Returns the pointer to the value at `target`, or to the member whose name is there.
pub(super) fn pointer_to(document: &Document<'_>, target: u32) -> String {
    walk(document, Some(target))
}

/// Returns the pointer to the value at which parsing stopped, whose entry is not on the tape yet.
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
        let (mut child, mut index) = (container + 1, 0_usize);
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
                    push_token(&mut pointer, &index.to_string());
                }
                return pointer;
            }
            let pending = target.is_none() && value == end;
            if pending || target == Some(name) || holds(value, document.behind(value)) {
                match is_object {
                    true => push_token(&mut pointer, document.string(document.entry(name)).unwrap_or_default()),
                    false => push_token(&mut pointer, &index.to_string()),
                }
                break (!pending && target.is_none_or(|target| target >= value)).then_some(value);
            }
            child = document.behind(value);
            index += 1;
        };
        match next {
            Some(value) => container = value,
            None => break,
        }
    }
    pointer
}

fn push_token(pointer: &mut String, token: &str) {
    pointer.push('/');
    pointer.push_str(&escaped(token));
}

/// Returns the name of a member as a token of a JSON Pointer.
#[must_use]
pub fn escaped(member: &str) -> String {
    member.replace('~', "~0").replace('/', "~1")
}

impl Document<'_> {
    /// Returns the pointer to the value at `index`.
    pub(crate) fn pointer(&self, index: u32) -> String {
        pointer_to(self, index)
    }
}
