//! The summary of a run as text.

use serde_json::{Value, json};

use crate::client::text::clean;
use crate::commands::output::{cell, items};

/// The most ids of a kind to show.
const MAX_IDS: usize = 5;

/// Returns the summary as text.
#[must_use]
pub fn text(document: &Value) -> String {
    let outcomes = document["outcomes"].as_object();
    let mut states: Vec<String> = ["accepted", "quarantined"]
        .map(|state| format!("{} {state}", outcomes.and_then(|it| it.get(state)).unwrap_or(&json!(0))))
        .into();
    let others = outcomes.into_iter().flatten().filter(|(state, _)| *state != "accepted" && *state != "quarantined");
    states.extend(others.map(|(state, count)| format!("{count} {}", clean(state))));
    let (missing, records) = (items(document, "missing"), &document["records"]);
    if !missing.is_empty() {
        states.push(format!("{} missing", missing.len()));
    }
    let mut text = format!("{} acknowledged = {}\n", document["acknowledged"], states.join(" + "));
    text.push_str(&format!(
        "{} sent, {} refused, {} without an answer, throttled {} times; acknowledged in {} ms (p50), {} ms (p99)\n",
        document["sent"],
        document["refused"],
        document["unanswered"],
        document["throttled"],
        cell(&document["acknowledgement_ms"]["p50"]),
        cell(&document["acknowledgement_ms"]["p99"])
    ));
    text.push_str(&format!(
        "records: {} of {} valid accepted, {} of {} invalid rejected\n",
        records["accepted"], records["good"], records["rejected"], records["bad"]
    ));
    for refusal in items(document, "refusals") {
        text.push_str(&format!("  refused {} times: {}\n", refusal["count"], cell(&refusal["why"])));
    }
    for (what, ids) in [("missing", missing), ("not as sent", items(document, "not_as_sent"))] {
        for id in ids.iter().take(MAX_IDS) {
            text.push_str(&format!("  {what}: {}\n", cell(id)));
        }
        if ids.len() > MAX_IDS {
            text.push_str(&format!("  ... and {} more\n", ids.len() - MAX_IDS));
        }
    }
    text
}
