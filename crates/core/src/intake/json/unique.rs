//! `uniqueItems` without a copy of the elements.

use std::hash::{DefaultHasher, Hasher};

use jsonschema::json::Node;

use super::node::{TapeArray, TapeNode};
use super::number::TapeNumber;

/// Returns whether no two elements are equal: numbers by value, objects by members in any order.
///
/// Compares 128-bit hashes of ever longer prefixes of the array, so that an array of equal elements takes no time and memory
/// holds the hashes of at most four times the number of distinct elements.
pub(super) fn is_unique(array: TapeArray<'_>) -> bool {
    let length = array.len();
    let mut searched = 0;
    let mut hashes: Vec<(u64, u64)> = Vec::new();
    let mut elements = array.elements();
    while searched < length {
        searched = (searched * 4).max(64).min(length);
        hashes.extend(
            elements.by_ref().take(searched - hashes.len()).map(|element| (hash(element, 0), hash(element, 1))),
        );
        hashes.sort_unstable();
        if hashes.windows(2).any(|pair| matches!(pair, [one, other] if one == other)) {
            return false;
        }
        if hashes.len() < searched {
            break; // the budget is spent
        }
    }
    true
}

/// Returns the hash of a value; equal for values that are equal by JSON Schema.
fn hash(node: TapeNode<'_>, seed: u8) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write_u8(seed);
    feed(node, seed, &mut hasher);
    hasher.finish()
}

fn feed(node: TapeNode<'_>, seed: u8, hasher: &mut DefaultHasher) {
    if let Some(text) = node.text() {
        hasher.write_u8(b'"');
        hasher.write_usize(text.len());
        hasher.write(text.as_bytes());
    } else if let Some(number) = node.number() {
        hasher.write_u8(b'0');
        hasher.write_i128(whole(number).unwrap_or(i128::MAX));
        if whole(number).is_none() {
            hasher.write_u64(number.to_f64().to_bits());
        }
    } else if let Some(array) = node.array() {
        hasher.write_u8(b'[');
        hasher.write_usize(array.len());
        for element in array.elements() {
            feed(element, seed, hasher);
        }
    } else if let Some(object) = node.object() {
        hasher.write_u8(b'{');
        hasher.write_usize(object.len());
        let mut members = 0_u64;
        for (name, value) in object.members() {
            let mut member = DefaultHasher::new();
            member.write_u8(seed);
            member.write(name.as_bytes());
            member.write_u8(0xFF);
            feed(value, seed, &mut member);
            members = members.wrapping_add(member.finish());
        }
        hasher.write_u64(members);
    } else {
        hasher.write_u8(match node.as_boolean() {
            Some(true) => b't',
            Some(false) => b'f',
            None => b'n',
        });
    }
}

/// Returns a number without a fraction as an integer, so that `1` equals `1.0`.
fn whole(number: TapeNumber) -> Option<i128> {
    match number {
        TapeNumber::Unsigned(number) => Some(i128::from(number)),
        TapeNumber::Signed(number) => Some(i128::from(number)),
        TapeNumber::Float(number) => (number.fract() == 0.0 && number.abs() < 1e30).then_some(number as i128),
    }
}
