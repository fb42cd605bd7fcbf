//! The findings of an inspection, for comparison.

use std::sync::LazyLock;

use eventpulse_core::id::{OwnerId, UploadId};
use eventpulse_core::intake::inspection::{Bounds, InputForm, InspectionSpec, Inspector, Retention};
use eventpulse_core::intake::reader::{Limits, Media};
use eventpulse_core::intake::schema::{Catalog, SchemaRef};

static CATALOG: LazyLock<Catalog> = LazyLock::new(|| Catalog::bundled().expect("schemas that compile"));

/// Inspects bytes that arrive in pieces of this size. Returns all findings as text.
pub fn findings(media: Media, bytes: &[u8], piece: usize) -> String {
    let spec = InspectionSpec {
        owner: OwnerId::parse("owner-1").expect("an owner"),
        upload_id: UploadId::of_object("bucket", "key", "version"),
        attempt: 0,
        input: InputForm::Records,
        media,
        schema: None,
        default_schema: SchemaRef::parse("reading/1.0").expect("a schema"),
        max_rejected: None,
        known_sha256: None,
        limits: Limits { record_bytes: 1 << 16, decompressed_bytes: 1 << 20, ..Limits::default() },
        bounds: Bounds::UPLOAD,
    };
    let mut inspector = Inspector::new(&CATALOG, spec, Retention::Bounded);
    for mut piece in bytes.chunks(piece) {
        if !inspector.push(&mut piece) {
            break;
        }
    }
    inspector.finish();
    let inspection = inspector.inspection();
    let (accepted, rejections) = (inspection.accepted, &inspection.rejections);
    let rejected = inspection.rejected_records.map(|records| records.into_pieces().collect::<Vec<_>>().concat());
    let rejected = rejected.as_deref().map(String::from_utf8_lossy);
    // After a failure of the whole upload, nothing of the rest counts.
    match rejections.upload_failure() {
        Some(failure) => format!("{failure:?}"),
        None => format!("{accepted} {} {:?} {rejected:?}", rejections.rejected(), inspection.series),
    }
}
