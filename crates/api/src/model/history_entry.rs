//! The events of a history, as its owner reads them.

use eventpulse_core::upload::{self, RecordedEvent, UploadEvent};
use serde::Serialize;
use utoipa::ToSchema;

use super::{Time, form_word};

/// Something that happened to an upload.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Happening {
    /// When.
    pub at: Time,
    /// What, in the past tense: `issued`, `found` (an operator brought it), `posted` (by a device), `received`,
    /// `acceptance_began`, `decided`, `withdrawn` (what it had contributed), `quarantined`, `noted` (for the owner's
    /// notices), `notified` (of uploads from before notices had groups), `failed`, `retry_requested`, `discarded`,
    /// `withdrawal_requested` or `late_version_removed`. There may be more one day.
    #[schema(example = "retry_requested")]
    pub event: &'static str,
    /// Who did it: the owner; null when the service did.
    #[schema(required)]
    pub by: Option<String>,
    /// What more there is to say of it; of `noted`, the ids of the groups, with commas between them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// What a retry brings: `as_it_is`, `records_as_they_are` or `corrected`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub form: Option<&'static str>,
}

impl From<RecordedEvent> for Happening {
    fn from(event: RecordedEvent) -> Self {
        let (mut by, mut detail, mut form) = (None, None, None);
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
            UploadEvent::Decided { decision, .. } => {
                detail = Some(decided(&decision));
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
            UploadEvent::RetryRequested { by: who, form: what, .. } => {
                (by, form) = (Some(who.into()), Some(form_word(what)));
                "retry_requested"
            }
            UploadEvent::Discarded { by: who } => {
                by = Some(who.into());
                "discarded"
            }
            UploadEvent::WithdrawalRequested { by: who } => {
                by = Some(who.into());
                "withdrawal_requested"
            }
            UploadEvent::LateVersionRemoved { .. } => {
                detail = Some("a further object came for this upload and was removed, unread".to_owned());
                "late_version_removed"
            }
        };
        Self { at: Time(event.at), event: name, by, detail, form }
    }
}

fn decided(decision: &upload::Decision) -> String {
    match decision {
        upload::Decision::Accepted { accepted, rejection, .. } => {
            format!("{accepted} accepted, {} rejected", rejection.as_ref().map_or(0, |rejection| rejection.rejected))
        }
        upload::Decision::Rejected { rejection } => match rejection.primary_failure() {
            Some(failure) => format!("rejected: {}", failure.code.as_str()),
            None => "rejected".to_owned(),
        },
        upload::Decision::Duplicate { of } => format!("duplicate of {of}"),
    }
}
