//! The spec of an inspection: from the origin, the attempt and the object of an upload.

use super::*;
use crate::id::OwnerId;
use crate::intake::failure::FailureCode;
use crate::intake::inspection::{Bounds, InputForm, MaxRecords, MaxRejected};
use crate::intake::reader::{Format, Limits};
use crate::intake::rejection::Rejection;
use crate::intake::schema::SchemaRef;

#[test]
fn the_spec_of_an_inspection_follows_the_origin_and_the_attempt() {
    let default_schema = SchemaRef::parse("reading/1.0").unwrap();
    let max_rejected = Some(MaxRejected::Count(2));
    let origin = Origin { schema: Some("orders/2.1".to_owned()), max_rejected, ..origin() };
    let issued = || vec![UploadEvent::Issued { origin: origin.clone() }, received()];
    let retry = |form, first| {
        [issued(), vec![first, quarantined(), recorded(), retry_requested(form), retry_received(form)]].concat()
    };
    let (default_limit, line_limit) = (Limits::default().record_bytes, Limits::default().record_bytes + (8 << 20));
    for (name, events, attempt, input, expected_max, limit) in [
        ("first object", issued(), 0, InputForm::Records, max_rejected, default_limit),
        ("correction", retry(Corrected, rejected()), 1, InputForm::Records, max_rejected, default_limit),
        (
            "unchanged records",
            retry(UnchangedRecords, accepted(Some(rejection()))),
            1,
            InputForm::RejectedRecordLines,
            None,
            line_limit,
        ),
    ] {
        let spec = inspection_spec(&upload(events), "a.ndjson", None, None, &default_schema).unwrap();
        assert_eq!((spec.attempt, spec.input, spec.max_rejected), (attempt, input, expected_max), "{name}");
        assert_eq!(spec.limits.record_bytes, limit, "{name}");
        assert_eq!(spec.media.format, Format::Ndjson, "{name}: by the ending of the key");
        assert_eq!(spec.schema.map(|schema| schema.to_string()).as_deref(), Some("orders/2.1"), "{name}");
    }
}

/// All attempts together accept at most as many records as the first object of the upload holds.
#[test]
fn a_correction_holds_at_most_the_records_that_are_still_rejected() {
    let rejecting = |rejected| Rejection { rejected, upload_failure: None, ..rejection() };
    let retry = |form| vec![quarantined(), recorded(), retry_requested(form), retry_received(form)];
    let all_rejected =
        || UploadEvent::Decided { decision: Decision::Rejected { rejection: rejecting(2), rules: None }, claim: None };
    let history = |events: Vec<Vec<UploadEvent>>| [vec![vec![issued(), received()]], events].concat().concat();
    // `accepted` accepts three records.
    let partly = |rejected| vec![accepted(Some(rejecting(rejected)))];
    for (name, events, expected) in [
        ("first object", history(vec![]), None),
        ("correction of a rejected upload", history(vec![vec![rejected()], retry(Corrected)]), None),
        ("correction of seven records", history(vec![partly(7), retry(Corrected)]), Some(7)),
        (
            "the same correction again",
            history(vec![partly(7), retry(Corrected), vec![rejected()], retry(Unchanged)]),
            Some(7),
        ),
        (
            "after a correction that failed",
            history(vec![partly(7), retry(Corrected), vec![all_rejected()], retry(Corrected)]),
            Some(7),
        ),
        (
            "after one that was accepted in part",
            history(vec![partly(7), retry(Corrected), partly(1), retry(Corrected)]),
            Some(4),
        ),
        ("read again after its decision", history(vec![partly(7), retry(Corrected), partly(4)]), Some(7)),
        ("unchanged records", history(vec![partly(7), retry(UnchangedRecords)]), None),
    ] {
        let default_schema = SchemaRef::parse("reading/1.0").unwrap();
        let spec = inspection_spec(&upload(events), "a.ndjson", None, None, &default_schema).unwrap();
        assert_eq!(spec.bounds.records, expected.map(MaxRecords::OfCorrection), "{name}");
    }
}

#[test]
fn a_message_has_limits_of_its_own() {
    let message = MessageMetadata { key_id: None, idempotency_key: None };
    let posted = UploadEvent::MessagePosted { origin: origin(), message };
    let default_schema = SchemaRef::parse("reading/1.0").unwrap();
    let spec = inspection_spec(&upload(vec![posted, received()]), "a.json", None, None, &default_schema).unwrap();
    assert_eq!((spec.bounds, spec.limits.decompressed_bytes), (Bounds::UPLOAD, 1 << 20));
}

#[test]
fn the_bytes_tell_the_format_of_an_operator_s_object_without_a_type() {
    let default_schema = SchemaRef::parse("reading/1.0").unwrap();
    let found = upload(vec![UploadEvent::ObjectFound { origin: Origin { owner: OwnerId::operator(), ..origin() } }]);
    let issued = upload(vec![UploadEvent::Issued { origin: origin() }]);
    let format = |upload, key: &str, content_type| {
        inspection_spec(upload, key, content_type, None, &default_schema).ok().map(|spec| spec.media.format)
    };
    for (key, content_type, of_found, of_issued) in [
        ("readings", None, Some(Format::Undeclared), None),
        ("readings.txt", Some("binary/octet-stream"), Some(Format::Undeclared), None),
        ("readings.gz", Some("application/octet-stream"), Some(Format::Undeclared), None),
        ("readings.json", Some("binary/octet-stream"), Some(Format::Json), Some(Format::Json)),
        ("readings", Some("application/x-ndjson"), Some(Format::Ndjson), Some(Format::Ndjson)),
        ("readings", Some("text/plain"), None, None),
    ] {
        assert_eq!(format(&found, key, content_type), of_found, "{key}, {content_type:?}");
        assert_eq!(format(&issued, key, content_type), of_issued, "{key}, {content_type:?}, of an issued upload");
    }
}

#[test]
fn an_unsupported_media_type_or_schema_name_fails_the_upload() {
    let default_schema = SchemaRef::parse("reading/1.0").unwrap();
    let of_schema = |schema: Option<&str>| {
        upload(vec![UploadEvent::Issued { origin: Origin { schema: schema.map(str::to_owned), ..origin() } }])
    };
    for (name, schema, content_type, encoding, code) in [
        ("media type", None, Some("image/png"), None, FailureCode::UnsupportedContentType),
        ("encoding", None, Some("application/json"), Some("br"), FailureCode::UnsupportedContentType),
        ("schema", Some("orders"), Some("application/json"), None, FailureCode::UnknownSchema),
    ] {
        let result = inspection_spec(&of_schema(schema), "a.json", content_type, encoding, &default_schema);
        assert_eq!(result.map(|_| ()).unwrap_err().code, code, "{name}");
    }
}
