//! The samples of `events/uploads/` and their inspection without AWS.
#![allow(dead_code, reason = "each test uses a part of this module")]

pub mod notices;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use eventpulse_core::id::{UploadId, clean_file_name, upload_key};
use eventpulse_core::intake::failure::{Failure, FailureCode};
use eventpulse_core::intake::inspection::{
    Bounds, InputForm, Inspection, InspectionSpec, Inspector, MaxRejected, Retention,
};
use eventpulse_core::intake::reader::{Format, Limits, Media};
use eventpulse_core::intake::rejection::Rejections;
use eventpulse_core::intake::schema::{Catalog, SchemaRef};
use eventpulse_core::time::Timestamp;
use eventpulse_core::upload::{
    Decision, MessageMetadata, ObjectVersion, Origin, QuarantineLocation, RecordedEvent, Upload, UploadEvent,
    quarantine_key, report_key,
};
use serde::Deserialize;

/// A sample document and its expected result.
pub struct Sample {
    /// The name of the file.
    pub name: String,
    /// The contents.
    pub bytes: Vec<u8>,
    /// The contents of its expectation file.
    pub expected: Expected,
}

/// The form of an upload and its expected result.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Expected {
    pub about: String,
    pub content_type: Option<String>,
    pub content_encoding: Option<String>,
    pub schema: Option<String>,
    pub max_rejected: Option<MaxRejected>,
    pub file_name: Option<String>,
    pub dropped: bool,
    pub outcome: String,
    pub accepted: u64,
    pub rejected: u64,
    pub statistics: Vec<Row>,
    pub failures: Vec<ExpectedFailure>,
}

/// The statistics of one entity and measure.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Row {
    pub entity: String,
    pub measure: String,
    pub count: u64,
    pub mean: f64,
    pub median: f64,
    pub standard_deviation: Option<f64>,
    pub min: f64,
    pub max: f64,
}

/// The code and the position of a failure.
#[derive(Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExpectedFailure {
    pub code: FailureCode,
    pub pointer: String,
    #[serde(default)]
    pub line: Option<u64>,
    #[serde(default)]
    pub byte_offset: Option<u64>,
}

impl ExpectedFailure {
    /// Returns the code and the position of a failure.
    pub fn of(failure: &Failure) -> Self {
        let Failure { code, pointer, line, byte_offset, .. } = failure.clone();
        Self { code, pointer, line, byte_offset }
    }
}

/// Returns the directory of the samples.
pub fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../events/uploads")
}

/// Returns all samples in the order of their names.
pub fn samples() -> Vec<Sample> {
    const EXPECTED: &str = ".expected.json";
    let mut names: Vec<String> =
        fs::read_dir(directory()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.retain(|name| name.ends_with(EXPECTED));
    names.sort();
    let sample = |name: String| {
        let text = fs::read(directory().join(&name)).unwrap();
        let expected = serde_json::from_slice(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
        let name = name.trim_end_matches(EXPECTED).to_owned();
        Sample { bytes: fs::read(directory().join(&name)).unwrap(), name, expected }
    };
    names.into_iter().map(sample).collect()
}

/// Returns the sample with this end of its name.
pub fn sample(name: &str) -> Sample {
    samples().into_iter().find(|sample| sample.name.ends_with(name)).unwrap()
}

/// Returns the time of the upload.
pub fn id_time() -> Timestamp {
    Timestamp::parse("2025-02-28T12:34:56Z").unwrap()
}

/// Returns the spec of the records of an upload in this format, which are readings unless they name another schema.
pub fn spec(format: Format) -> InspectionSpec {
    InspectionSpec {
        owner: "demo".parse().unwrap(),
        upload_id: id(),
        attempt: 0,
        input: InputForm::Records,
        media: Media { format, compression: None },
        schema: None,
        default_schema: SchemaRef::parse("reading/1.0").unwrap(),
        max_rejected: None,
        known_sha256: None,
        limits: Limits::default(),
        bounds: Bounds::UPLOAD,
    }
}

/// Inspects a sample in pieces, as the functions do.
pub fn inspect(sample: &Sample) -> Inspection {
    let Sample { name, bytes, expected } = sample;
    let file_name = expected.file_name.as_deref().unwrap_or(name);
    let media = match Media::parse(expected.content_type.as_deref(), expected.content_encoding.as_deref(), file_name) {
        Ok(media) => media,
        Err(failure) => return failed(failure),
    };
    let schema = expected.schema.as_deref().map(|schema| SchemaRef::parse(schema).unwrap());
    let spec = InspectionSpec { media, schema, max_rejected: expected.max_rejected, ..spec(media.format) };
    let catalog = Catalog::bundled().unwrap();
    let mut inspector = Inspector::new(&catalog, spec, Retention::Bounded);
    if bytes.chunks(61).all(|piece| inspector.push(&mut &piece[..])) {
        inspector.finish();
    }
    inspector.inspection()
}

/// Returns an inspection with only this failure.
pub fn failed(failure: Failure) -> Inspection {
    let mut rejections = Rejections::default();
    rejections.fail_upload(failure);
    Inspection::failed(rejections)
}

/// Returns the id of the upload.
pub fn id() -> UploadId {
    UploadId::new(id_time(), *b"eventpulse")
}

/// The contents of the history of an upload. Tests change them and fold the history again.
pub struct Draft {
    pub id: UploadId,
    pub origin: Origin,
    pub message: Option<MessageMetadata>,
    pub object: Option<(ObjectVersion, String)>,
    pub decision: Decision,
    pub location: Option<QuarantineLocation>,
}

impl Draft {
    /// Returns the history of an upload.
    pub fn of(upload: &Upload) -> Self {
        Self {
            id: upload.id().clone(),
            origin: upload.origin().clone(),
            message: upload.message().cloned(),
            object: upload.object().cloned().zip(upload.correlation_id().map(str::to_owned)),
            decision: upload.decision().unwrap().clone(),
            location: upload.quarantine_location().cloned(),
        }
    }

    /// Returns the upload with this history.
    pub fn fold(self) -> Upload {
        let at = |second: u64| id_time() + Duration::from_secs(second);
        let Self { id, origin, message, object, decision, location } = self;
        let first = match message {
            Some(message) => UploadEvent::MessagePosted { origin, message },
            None => UploadEvent::Issued { origin },
        };
        let received = object
            .map(|(object, correlation_id)| (1, UploadEvent::Received { object, correlation_id, retry_form: None }));
        let quarantined = location.map(|location| (3, UploadEvent::Quarantined { location }));
        let events =
            [Some((0, first)), received, Some((2, UploadEvent::Decided { decision, claim: None })), quarantined];
        let history: Vec<RecordedEvent> =
            events.into_iter().flatten().map(|(second, event)| RecordedEvent::new(at(second), event)).collect();
        Upload::fold(id, &history).unwrap()
    }
}

/// Returns the upload with a changed history.
pub fn changed(upload: &Upload, change: impl FnOnce(&mut Draft)) -> Upload {
    let mut draft = Draft::of(upload);
    change(&mut draft);
    draft.fold()
}

/// Returns the upload with this inspection, moved to quarantine.
pub fn upload(file_name: &str, inspection: &Inspection) -> Upload {
    let expires_at = Some(id_time() + Duration::from_secs(3_600));
    let (owner, file_name) = ("demo".parse().unwrap(), clean_file_name(file_name));
    let key = upload_key(&id(), &file_name);
    let origin = Origin { owner, key: key.clone(), file_name, schema: None, max_rejected: None, expires_at };
    let object = ObjectVersion {
        bucket: "eventpulse-process".into(),
        key,
        version_id: "3HL4kqtJlcpXroDTDmJ.rmSpXd3d".into(),
        size: 97,
        line: None,
    };
    let correlation_id = "17793124-05d4-b198-2fde-7ededc63b103".to_owned();
    let decision = Decision::of(inspection);
    let is_partial = matches!(decision, Decision::Accepted { .. });
    let draft =
        Draft { id: id(), origin, message: None, object: Some((object, correlation_id)), decision, location: None };
    in_quarantine(&draft.fold(), is_partial)
}

/// Returns the upload with its rejected part in quarantine.
fn in_quarantine(upload: &Upload, is_partial: bool) -> Upload {
    let location = QuarantineLocation {
        bucket: "eventpulse-quarantine".to_owned(),
        key: Some(quarantine_key(upload, is_partial)),
        records: is_partial,
        report_key: report_key(upload),
    };
    changed(upload, |draft| draft.location = Some(location))
}
