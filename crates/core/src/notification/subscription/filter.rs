//! Filter policies: SNS delivers only the notices that match the filter policy of a subscription.

use serde_json::{Value, json};

use crate::notification::kind::NoticeKind;

/// Returns the filter policy for an owner's notices of these kinds.
#[must_use]
pub fn filter_policy(owner: &str, kinds: &[NoticeKind]) -> String {
    policy(owner, kinds).to_string()
}

fn policy(owner: &str, kinds: &[NoticeKind]) -> Value {
    let kinds: Vec<&str> = kinds.iter().map(|kind| kind.as_str()).collect();
    json!({ "owner": [owner], "kind": kinds })
}

/// Returns whether this text is the filter policy for an owner's notices of these kinds.
#[must_use]
pub fn is_filter_policy(text: &str, owner: &str, kinds: &[NoticeKind]) -> bool {
    serde_json::from_str::<Value>(text).is_ok_and(|found| found == policy(owner, kinds))
}

/// Returns whether this text is a filter policy for notices of this owner only.
#[must_use]
pub fn is_policy_of(text: &str, owner: &str) -> bool {
    serde_json::from_str::<Value>(text).is_ok_and(|found| found["owner"] == json!([owner]))
}
