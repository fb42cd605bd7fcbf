//! Inspects arbitrary bytes with and without programs: everything that is found must be the same.
#![no_main]

use std::sync::LazyLock;

use eventpulse_core::id::{OwnerId, UploadId};
use eventpulse_core::intake::inspection::{Bounds, InputForm, Inspection, InspectionSpec, Inspector, Retention};
use eventpulse_core::intake::reader::{Format, Limits, Media};
use eventpulse_core::intake::schema::{Catalog, SchemaRef};
use libfuzzer_sys::fuzz_target;

/// Beside the bundled schemas, one with every keyword that a program checks.
const OTHER: &str = r##"{
  "type": "object",
  "properties": {
    "schema": { "type": "string" },
    "id": { "type": ["string", "integer"], "maxLength": 9 },
    "at": { "type": ["string", "null"], "format": "date-time" },
    "rows": { "type": ["array", "null"], "maxItems": 3, "items": { "type": "object", "required": ["x"], "properties": {
      "at": { "$ref": "#/properties/at" }, "x": { "type": "number", "exclusiveMinimum": -1, "maximum": 1e3 },
      "y": { "type": ["integer", "null"] } } } },
    "n": { "type": "object", "properties": { "é": { "enum": ["a", null] }, "p": { "type": "string", "pattern": "^[a-zé]+$" } } },
    "b": { "type": ["boolean", "string"] }
  },
  "required": ["id"],
  "x-eventpulse": { "entity": "/id", "time": "/rows/*/at", "measures": { "x": "/rows/*/x", "y": "/rows/*/y" } }
}"##;

static CATALOGS: LazyLock<[Catalog; 2]> = LazyLock::new(|| {
    let other = Catalog::compile(&[("reading/1.0.json", OTHER)]).expect("a schema that compiles");
    [Catalog::bundled().expect("schemas that compile"), other]
});

/// Inspects bytes that arrive in pieces of this size. Returns everything that was found.
fn findings(catalog: &Catalog, spec: &InspectionSpec, bytes: &[u8], piece: usize, one_pass: bool) -> String {
    let mut inspector = Inspector::new(catalog, spec.clone(), Retention::Bounded);
    if !one_pass {
        inspector = inspector.without_one_pass();
    }
    let is_read = bytes.chunks(piece).all(|mut piece| inspector.push(&mut piece));
    inspector.finish();
    let counts = (inspector.records(), inspector.content_bytes());
    let Inspection { sha256, rejections, chunks, rejected_records, series, summaries, shapes, .. } = inspector.inspection();
    // A failure may be found a few pieces later.
    let sha256 = if !is_read || rejections.upload_failure().is_some() { "" } else { sha256.as_str() };
    let kept: Vec<_> = summaries.kept().collect();
    format!("{counts:?} {sha256} {rejections:?} {chunks:?} {rejected_records:?} {series:?} {kept:?} {shapes:?}")
}

fuzz_target!(|data: &[u8]| {
    let [choice, piece, bytes @ ..] = data else { return };
    let schema = ["reading/1.0", "batch/1.0", "weather/1.0"][usize::from(choice >> 2) % 3];
    let spec = InspectionSpec {
        owner: OwnerId::parse("owner-1").expect("an owner"),
        upload_id: UploadId::of_object("bucket", "key", "version"),
        attempt: 0,
        input: InputForm::Records,
        media: Media { format: if choice & 1 == 0 { Format::Ndjson } else { Format::Json }, compression: None },
        schema: None,
        default_schema: SchemaRef::parse(schema).expect("a schema"),
        max_rejected: None,
        known_sha256: None,
        limits: Limits { record_bytes: 1 << 12, ..Limits::default() },
        bounds: Bounds::UPLOAD,
    };
    let catalog = &CATALOGS[usize::from(choice >> 1 & 1)];
    let piece = usize::from(*piece) + 1;
    let [with, without] = [true, false].map(|one_pass| findings(catalog, &spec, bytes, piece, one_pass));
    assert_eq!(with, without);
});
