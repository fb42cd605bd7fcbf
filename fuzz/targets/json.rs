//! Checks arbitrary bytes as one record: a record that is not JSON for `serde_json` must not be accepted, and each failure
//! must lie within the record.
#![no_main]

use std::sync::LazyLock;

use eventpulse_core::intake::schema::{Catalog, SchemaRef};
use eventpulse_core::intake::validation::{Validator, Verdict};
use libfuzzer_sys::fuzz_target;

static CATALOG: LazyLock<Catalog> = LazyLock::new(|| Catalog::bundled().expect("schemas that compile"));

fuzz_target!(|data: &[u8]| {
    let mut validator = Validator::new(&CATALOG, None, SchemaRef::parse("reading/1.0").expect("a schema"));
    match validator.check(data) {
        Verdict::Accepted { points, .. } => {
            serde_json::from_slice::<serde_json::Value>(data).expect("an accepted record is JSON");
            points.for_each(|point| assert!(point.value.is_finite()));
        }
        Verdict::Rejected { failures, .. } => {
            assert!(!failures.is_empty());
            for failure in failures.iter() {
                assert!(!failure.message.is_empty());
                assert!(failure.byte_offset.unwrap_or(0) <= data.len() as u64, "{failure:?}");
            }
        }
    }
});
