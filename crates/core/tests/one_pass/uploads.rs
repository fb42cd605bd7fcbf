//! Uploads of random records, inspected with and without programs.

use eventpulse_core::id::UploadId;
use eventpulse_core::intake::inspection::{
    Bounds, InputForm, Inspection, InspectionSpec, Inspector, MaxRejected, Retention,
};
use eventpulse_core::intake::reader::{Format, Limits, Media};
use eventpulse_core::intake::schema::{Catalog, SchemaId, SchemaRef};
use eventpulse_core::intake::validation::{Validator, Verdict};
use eventpulse_core::time::Timestamp;
use fastrand::Rng;
use serde_json::Value;

use crate::Compared;
use crate::records::record;
use crate::schemas::{Files, any_of, bundle};
use crate::writing::{damage, style, write};

/// A bundle of schemas, and the uploads that its seed determines.
pub struct World {
    seed: u64,
    files: Files,
    catalog: Catalog,
    /// The schemas for `serde_json::Value`.
    plain: Vec<(SchemaId, jsonschema::Validator)>,
}

/// An upload.
struct Upload {
    spec: InspectionSpec,
    /// The text of each record.
    records: Vec<Vec<u8>>,
    content: Vec<u8>,
    /// The size of the pieces in which the content arrives.
    piece: usize,
}

impl World {
    pub fn new(seed: u64) -> Self {
        let mut rng = Rng::with_seed(seed);
        loop {
            let files = bundle(&mut rng);
            let texts: Vec<(&str, String)> =
                files.iter().map(|(path, schema)| (path.as_str(), schema.to_string())).collect();
            let texts: Vec<(&str, &str)> = texts.iter().map(|(path, text)| (*path, text.as_str())).collect();
            // Some bundles are invalid: two schemas of one bundle may not fit together.
            let Ok(catalog) = Catalog::compile(&texts) else { continue };
            let plain = plain(&files, &catalog);
            return Self { seed, files, catalog, plain };
        }
    }

    /// Compares an upload of this world.
    pub fn check_upload(&self, number: u64) -> Compared {
        let upload = self.upload(&mut Rng::with_seed(self.seed << 20 | number));
        let in_one_pass = self.check_records(&upload, number);
        self.check_inspections(&upload, number);
        in_one_pass
    }

    fn upload(&self, rng: &mut Rng) -> Upload {
        let format = any_of(rng, &[Format::Ndjson, Format::Ndjson, Format::Json]);
        // The schemas that apply: of alpha/1.0 and alpha/1.1, the latter.
        let of_major = |path: &str| path.split('.').next().unwrap_or_default().to_owned();
        let is_last = |index: usize, path: &str| {
            self.files.get(index + 1).is_none_or(|(next, _)| of_major(next) != of_major(path))
        };
        let files = self.files.iter().enumerate().filter(|(index, (path, _))| is_last(*index, path));
        let paths: Vec<&str> = files.map(|(_, (path, _))| path.as_str()).collect();
        let name = |path: &str| SchemaRef::parse(path.trim_end_matches(".json")).unwrap();
        let default_schema = name(any_of(rng, &paths));
        let usual = if rng.u8(..8) > 0 { format!("{default_schema}.json") } else { any_of(rng, &paths).to_owned() };
        let requested = match rng.u8(..16) {
            0..2 => Some(default_schema.clone()),
            2 => Some(name("alpha/1.9")),
            3 => Some(name("gamma/1.0")),
            _ => None,
        };
        let spec = InspectionSpec {
            owner: "owner-1".parse().unwrap(),
            upload_id: UploadId::of_object("bucket", "key", "version"),
            attempt: 0,
            input: InputForm::Records,
            media: Media { format, compression: None },
            schema: requested,
            default_schema,
            max_rejected: (rng.u8(..16) == 0).then_some(MaxRejected::Count(3)),
            known_sha256: None,
            limits: Limits { record_bytes: any_of(rng, &[16 << 20, 16 << 20, 300]), ..Limits::default() },
            bounds: Bounds { chunks: any_of(rng, &[100_000, 100_000, 20]), ..Bounds::UPLOAD },
        };
        let usual_style = style(rng, format == Format::Ndjson);
        let other_style = if rng.bool() { style(rng, format == Format::Ndjson) } else { usual_style.clone() };
        let styles = [usual_style, other_style];
        let count = any_of(rng, &[1, 2, 20, 60, 60, 200]);
        let has_mistakes = rng.u8(..3) == 0;
        let records = (0..count).map(|_| {
            let path = if rng.u8(..10) > 0 { usual.as_str() } else { any_of(rng, &paths) };
            let mut text = String::new();
            let record = record(rng, &self.files, path);
            let style = &styles[usize::from(rng.u8(..8) == 0)];
            write(rng, &record, style, &mut text);
            let mut text = text.into_bytes();
            if has_mistakes && rng.u8(..12) == 0 {
                damage(rng, &mut text);
            }
            text
        });
        let records: Vec<Vec<u8>> = records.collect();
        let content = content(rng, format, &records);
        let piece = match rng.u8(..4) {
            0 => rng.usize(1..9),
            1 => rng.usize(1..600),
            2 => 1 << rng.u8(..17),
            _ => 64 << 10,
        };
        Upload { spec, records, content, piece }
    }

    /// Compares the verdicts on each record for itself.
    fn check_records(&self, upload: &Upload, number: u64) -> Compared {
        let InspectionSpec { schema, default_schema, .. } = &upload.spec;
        let new = || Validator::new(&self.catalog, schema.clone(), default_schema.clone());
        let (mut with, mut without) = (new(), new().without_one_pass());
        let mut compared = Compared { records: upload.records.len() as u64, ..Compared::default() };
        for record in &upload.records {
            let before = with.accepted_in_one_pass();
            let (with_one, applied) = described(with.check(record));
            let (without_one, _) = described(without.check(record));
            let place = || format!("WORLD {} upload {number}: {}", self.seed, record.escape_ascii());
            assert_eq!(with_one, without_one, "{}", place());
            compared.accepted += u64::from(applied.is_some());
            if with.accepted_in_one_pass() > before {
                compared.in_one_pass += 1;
                let value: Value = serde_json::from_slice(record).unwrap();
                let applied = applied.unwrap();
                let (_, plain) = self.plain.iter().find(|(id, _)| *id == applied).unwrap();
                assert!(plain.is_valid(&value), "{}", place());
            }
        }
        compared
    }

    /// Compares the inspections of the whole upload.
    fn check_inspections(&self, upload: &Upload, number: u64) {
        let with = Inspector::new(&self.catalog, upload.spec.clone(), Retention::Bounded);
        let without = Inspector::new(&self.catalog, upload.spec.clone(), Retention::Bounded).without_one_pass();
        let (with, without) = (inspect(with, upload), inspect(without, upload));
        let place = || {
            let Upload { spec, content, piece, .. } = upload;
            format!("WORLD {} upload {number}, {spec:?}, pieces of {piece}: {}", self.seed, content.escape_ascii())
        };
        let (Inspection { chunks, .. }, Inspection { chunks: others, .. }) = (&with, &without);
        assert_eq!(chunks, others, "{}", place());
        assert_eq!(outline(with), outline(without), "{}", place());
    }
}

/// Returns the validators of a catalog's schemas for `serde_json::Value`.
fn plain(files: &Files, catalog: &Catalog) -> Vec<(SchemaId, jsonschema::Validator)> {
    let id = |path: &str| format!("eventpulse:/{}", path.trim_end_matches(".json"));
    let resources = files.iter().map(|(path, schema)| (id(path), schema));
    let registry = jsonschema::Registry::new().extend(resources).unwrap().prepare().unwrap();
    let plain = |schema: &SchemaId| {
        let validator = jsonschema::options()
            .with_registry(&registry)
            .should_validate_formats(true)
            .with_format("date-time", |text: &str| Timestamp::parse(text).is_some())
            .build(catalog.schema(schema).unwrap());
        (schema.clone(), validator.unwrap())
    };
    catalog.ids().map(plain).collect()
}

/// Returns the content of an upload.
fn content(rng: &mut Rng, format: Format, records: &[Vec<u8>]) -> Vec<u8> {
    let (before, between, behind): (&str, &[&str], &str) = match (format, rng.u8(..4)) {
        (Format::Ndjson, 0) => ("\n \n", &["\n", "\r\n", " \n", "\n\n", "\n\t"], " "),
        (Format::Ndjson, 1) => ("", &["\r\n"], "\r\n"),
        (Format::Ndjson, _) => ("", &["\n"], "\n"),
        (_, 0..2) => ("[", &[",", ", ", ",\n", " , "], "]"),
        (_, 2) => ("\n", &["\n", " ", ""], "\n"),
        _ => ("[\n", &[",\n"], "\n]\n"),
    };
    let mut content = before.as_bytes().to_vec();
    for (index, record) in records.iter().enumerate() {
        if index > 0 {
            content.extend(any_of(rng, between).as_bytes());
        }
        content.extend(record);
    }
    content.extend(behind.as_bytes());
    content
}

fn inspect(mut inspector: Inspector<'_>, upload: &Upload) -> Inspection {
    for mut piece in upload.content.chunks(upload.piece) {
        if !inspector.push(&mut piece) {
            break;
        }
    }
    inspector.finish();
    inspector.inspection()
}

/// Returns everything of an inspection but its chunks. What was read of an upload that failed before its end depends on the
/// size of the pieces.
fn outline(inspection: Inspection) -> String {
    let Inspection { sha256, accepted, rejections, rejected_records, chunk_count, series, summaries, shapes, .. } =
        inspection;
    let sha256 =
        if rejections.upload_failure().is_some() || rejections.read_until().is_some() { "" } else { sha256.as_str() };
    let (kept, all): (Vec<_>, u64) = (summaries.kept().collect(), summaries.count());
    let lines: Option<Vec<u8>> = rejected_records.map(|records| records.into_pieces().flatten().collect());
    let lines = lines.map(|lines| String::from_utf8_lossy(&lines).into_owned());
    format!("{sha256} {accepted} {rejections:?} {lines:?} {chunk_count} {series:?} {kept:?} {all} {shapes:?}")
}

/// Returns a verdict as text, with the bits of its values, and the schema of an accepted record.
fn described(verdict: Verdict<'_>) -> (String, Option<SchemaId>) {
    match verdict {
        Verdict::Accepted { schema, points } => {
            let mut text = format!("{schema:?}");
            points.for_each(|point| {
                let (time, bits) = (point.time.as_micros(), point.value.to_bits());
                text.push_str(&format!(" {:?} {:?} {time} {bits:x}", point.entity, point.measure));
            });
            (text, Some(schema.applied.clone()))
        }
        rejected => (format!("{rejected:?}"), None),
    }
}
