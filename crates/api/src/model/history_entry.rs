//! The history of an upload, as its owner reads it.

use eventpulse_core::upload::{self, RecordedEvent, UploadEvent};
use serde::Serialize;
use utoipa::ToSchema;

use super::applied_schema::{AppliedSchema, applied_schemas};
use super::sha256_source::Sha256Source;
use super::time::Time;

/// An entry in the history of an upload.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct HistoryEntry {
    /// The time of the event.
    pub at: Time,
    /// The event: `issued`, `object_found` (an operator copied the object), `message_posted` (a device sent it),
    /// `received`, `waiting_began` (an upload with the same bytes is being processed), `acceptance_began`, `decided`,
    /// `rolled_back`, `quarantined`, `occurrence_recorded` (for notices), `delivery_failed`, `retry_requested`,
    /// `discarded`, `withdrawal_requested` or `withdrawn`. Later versions of the service may add events.
    #[schema(example = "retry_requested")]
    pub event: &'static str,
    /// The id of the owner or of the device key that caused the event; null when the service did.
    #[schema(required)]
    pub by: Option<String>,
    /// Further details; for `occurrence_recorded`, the ids of the problems, separated by commas.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// For `retry_requested`, the contents of the retry: `unchanged`, `unchanged_records` or `corrected`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub form: Option<&'static str>,
    /// For `decided`, if records were accepted: the SHA-256 of the bytes of this attempt.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// The source of `sha256`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sha256_source: Option<Sha256Source>,
    /// For `decided`, if the object was read: the schemas that its records were checked against, and those that these refer
    /// to. An inspection of the same bytes with the same files reaches the same verdicts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schemas: Option<Vec<AppliedSchema>>,
    /// For `decided`, if the object was read: the default schema of the service at that time. Its highest minor version
    /// applied to records for which neither they nor the upload named a schema.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default_schema: Option<String>,
}

impl From<RecordedEvent> for HistoryEntry {
    fn from(event: RecordedEvent) -> Self {
        let (mut by, mut detail, mut form) = (None, None, None);
        let (mut sha256, mut sha256_source) = (None, None);
        let (mut schemas, mut default_schema) = (None, None);
        let name = match event.event {
            UploadEvent::Issued { origin } => {
                by = Some(origin.owner.into());
                "issued"
            }
            UploadEvent::ObjectFound { .. } => "object_found",
            UploadEvent::MessagePosted { message, .. } => {
                by = message.key_id;
                "message_posted"
            }
            UploadEvent::Received { object, .. } => {
                detail = Some(format!("{} bytes", object.size));
                "received"
            }
            UploadEvent::AcceptanceBegan { .. } => "acceptance_began",
            UploadEvent::WaitingBegan { holder, .. } => {
                detail = Some(format!("{holder} has the same bytes and is being processed"));
                "waiting_began"
            }
            UploadEvent::Decided { decision, .. } => {
                detail = Some(decision_detail(&decision));
                (sha256, sha256_source) =
                    decision.accepted_sha256().map(|(sha256, source)| (sha256.to_owned(), source.into())).unzip();
                let of_rules = |rules| (applied_schemas(rules), rules.default_schema.to_string());
                (schemas, default_schema) = decision.rules().map(of_rules).unzip();
                "decided"
            }
            UploadEvent::RolledBack => "rolled_back",
            UploadEvent::Withdrawn => "withdrawn",
            UploadEvent::Quarantined { .. } => "quarantined",
            UploadEvent::OccurrenceRecorded { problems } => {
                let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
                detail = Some(problems.join(", "));
                "occurrence_recorded"
            }
            UploadEvent::DeliveryFailed { reason, .. } => {
                detail = Some(reason);
                "delivery_failed"
            }
            UploadEvent::RetryRequested { by: owner, form: contents, .. } => {
                (by, form) = (Some(owner.into()), Some(contents.as_str()));
                "retry_requested"
            }
            UploadEvent::Discarded { by: owner } => {
                by = Some(owner.into());
                "discarded"
            }
            UploadEvent::WithdrawalRequested { by: owner } => {
                by = Some(owner.into());
                "withdrawal_requested"
            }
        };
        Self { at: Time(event.at), event: name, by, detail, form, sha256, sha256_source, schemas, default_schema }
    }
}

fn decision_detail(decision: &upload::Decision) -> String {
    match decision {
        upload::Decision::Accepted { accepted, rejection, .. } => {
            format!("{accepted} accepted, {} rejected", rejection.as_ref().map_or(0, |rejection| rejection.rejected))
        }
        upload::Decision::Rejected { rejection, .. } => match rejection.primary_failure() {
            Some(failure) => format!("rejected: {}", failure.code.as_str()),
            None => "rejected".to_owned(),
        },
        upload::Decision::Duplicate { of } => format!("duplicate of {of}"),
    }
}

#[cfg(test)]
mod tests {
    use eventpulse_core::intake::failure::{Failure, FailureCode};
    use eventpulse_core::intake::rejection::Rejection;
    use eventpulse_core::intake::rules::AppliedRules;
    use eventpulse_core::intake::schema::SchemaId;
    use eventpulse_core::time::Timestamp;
    use serde_json::json;

    use super::*;

    fn entry(event: UploadEvent) -> serde_json::Value {
        let now = Timestamp::from_micros(1_740_744_000_000_000);
        serde_json::to_value(HistoryEntry::from(RecordedEvent { v: 1, at: now, event })).unwrap()
    }

    #[test]
    fn a_decision_names_the_version_and_digest_of_each_applied_schema() {
        let rejection = Rejection::of_upload(Failure::new(FailureCode::EmptyUpload, "", "empty"), "reading/1.0");
        let schema = |text: &str| SchemaId::parse(text).unwrap();
        let rules = AppliedRules {
            default_schema: schema("reading/1.0").into(),
            schemas: [(schema("reading/1.2"), "b2".to_owned()), (schema("batch/1.0"), "ba".to_owned())].into(),
            omitted: 0,
        };
        let decided = |rules: Option<AppliedRules>| {
            let decision = upload::Decision::Rejected { rejection: rejection.clone(), rules: rules.map(Box::new) };
            entry(UploadEvent::Decided { decision, claim: None })
        };
        let read = decided(Some(rules));
        let expected = json!([{ "schema": "batch/1.0", "sha256": "ba" }, { "schema": "reading/1.2", "sha256": "b2" }]);
        assert_eq!((&read["schemas"], &read["default_schema"]), (&expected, &json!("reading/1.0")));
        let unread = decided(None);
        assert!(unread.get("schemas").is_none() && unread.get("default_schema").is_none(), "{unread}");
    }

    #[test]
    fn entries_name_the_event_and_its_actor() {
        let at = "2025-02-28T12:00:00Z";
        let by: eventpulse_core::id::OwnerId = "u1".parse().unwrap();
        for (event, expected) in [
            (UploadEvent::RolledBack, json!({ "at": at, "event": "rolled_back", "by": null })),
            (UploadEvent::Withdrawn, json!({ "at": at, "event": "withdrawn", "by": null })),
            (UploadEvent::Discarded { by: by.clone() }, json!({ "at": at, "event": "discarded", "by": "u1" })),
            (UploadEvent::WithdrawalRequested { by }, json!({ "at": at, "event": "withdrawal_requested", "by": "u1" })),
        ] {
            assert_eq!(entry(event), expected);
        }
    }
}
