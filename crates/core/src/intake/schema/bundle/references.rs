//! The references between the files.

use serde_json::Value;

use super::keywords;
use super::source::Source;

/// Returns a source and every source that it refers to, directly or by others.
pub(super) fn with_referenced<'a>(source: &'a Source, sources: &'a [Source]) -> Vec<&'a Source> {
    let mut found = vec![source];
    let mut at = 0;
    while let Some(&referring) = found.get(at) {
        at += 1;
        each_reference(&referring.schema, &mut |reference| {
            let target = keywords::resolve(referring, sources, reference).ok().flatten();
            let is_new = |target: &Source| !found.iter().any(|known| known.id == target.id);
            if let Some((target, _)) = target.filter(|(target, _)| is_new(target)) {
                found.push(target);
            }
        });
    }
    found
}

/// Calls `found` with the value of every `$ref` and `$dynamicRef`.
fn each_reference<'a>(value: &'a Value, found: &mut impl FnMut(&'a str)) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                match member.as_str().filter(|_| matches!(name.as_str(), "$ref" | "$dynamicRef")) {
                    Some(reference) => found(reference),
                    None => each_reference(member, found),
                }
            }
        }
        Value::Array(elements) => elements.iter().for_each(|element| each_reference(element, found)),
        _ => {}
    }
}
