//! EventPulse's inspection, as the functions run it.

use eventpulse_core::id::UploadId;
use eventpulse_core::intake::inspection::{Bounds, InputForm, Inspection, InspectionSpec, Inspector, Retention};
use eventpulse_core::intake::reader::{Format, Limits, Media};
use eventpulse_core::intake::schema::{Catalog, SchemaRef};

use crate::Failed;

/// The approximate size of the pieces in which S3 returns an object, in bytes.
const PIECE_BYTES: usize = 64 << 10;

/// The number of rejected records at which reading stops, plus the one that exceeds it.
pub(crate) const MAX_REJECTED: u64 = Bounds::UPLOAD.rejected;

/// The inspection, prepared once, as at a cold start.
pub(crate) struct Ours {
    catalog: Catalog,
    spec: InspectionSpec,
}

impl Ours {
    pub(crate) fn new(format: Format) -> Result<Ours, Failed> {
        let spec = InspectionSpec {
            owner: "2f1c7a52-0b0e-4f5e-9a50-6f0f3a1f7a11".parse()?,
            upload_id: UploadId::of_object("bucket", "key", "version"),
            attempt: 0,
            input: InputForm::Records,
            media: Media { format, compression: None },
            known_sha256: None,
            schema: None,
            default_schema: SchemaRef::parse("reading/1.0")?,
            max_rejected: None,
            limits: Limits::default(),
            bounds: Bounds::UPLOAD,
        };
        Ok(Ours { catalog: Catalog::bundled()?, spec })
    }

    pub(crate) fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    /// Reads the upload once, to decide about it.
    pub(crate) fn first(&self, content: &[u8]) -> Inspection {
        let mut inspector = Inspector::new(&self.catalog, self.spec.clone(), Retention::Bounded);
        for piece in content.chunks(PIECE_BYTES) {
            if !inspector.push(&mut &piece[..]) {
                break;
            }
        }
        inspector.finish();
        inspector.inspection()
    }

    /// Reads the upload as often as the function does, until the rejected records are NDJSON or the upload is rejected as a
    /// whole. Returns the number of rejected records.
    pub(crate) fn whole(&self, content: &[u8]) -> u64 {
        let first = self.first(content);
        let rejected = first.rejections.rejected();
        if first.rejections.upload_failure().is_some() {
            return rejected;
        }
        if let Some(records) = first.rejected_records {
            records.into_pieces().for_each(drop);
            return rejected;
        }
        let mut inspector = Inspector::new(&self.catalog, self.spec.clone(), Retention::Rejected);
        for mut piece in content.chunks(PIECE_BYTES) {
            while inspector.push(&mut piece) && inspector.is_full() {
                drop(inspector.drain_rejected());
            }
        }
        inspector.finish();
        drop(inspector.drain_rejected());
        rejected
    }
}
