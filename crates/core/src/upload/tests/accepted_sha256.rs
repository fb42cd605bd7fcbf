//! The digest of the accepted bytes, and its source.

use super::given::*;
use super::*;
use crate::intake::digest::Sha256Source::{self, Computed, S3};
use RetryForm::Corrected;

fn accepted_as(name: &str, source: Sha256Source) -> UploadEvent {
    let UploadEvent::Decided { mut decision, claim } = accepted(Some(rejection())) else { panic!("no decision") };
    if let Decision::Accepted { sha256, sha256_source, .. } = &mut decision {
        (*sha256, *sha256_source) = (name.to_owned(), source);
    }
    UploadEvent::Decided { decision, claim }
}

#[test]
fn accepted_digest_is_that_of_the_last_accepted_bytes_with_its_source() {
    let retry = || vec![quarantined(), recorded(), retry_requested(Corrected), retry_received(Corrected)];
    for (name, events, expected) in [
        ("not decided", vec![], None),
        ("rejected", vec![rejected()], None),
        ("a duplicate", vec![duplicate()], None),
        ("accepted", vec![accepted_as("aa", S3)], Some(("aa", S3))),
        ("a correction in progress", [vec![accepted_as("aa", S3)], retry()].concat(), Some(("aa", S3))),
        ("a rejected correction", [vec![accepted_as("aa", S3)], retry(), vec![rejected()]].concat(), Some(("aa", S3))),
        (
            "an accepted correction",
            [vec![accepted_as("aa", S3)], retry(), vec![accepted_as("bb", Computed)]].concat(),
            Some(("bb", Computed)),
        ),
    ] {
        let upload = upload([vec![issued(), received()], events].concat());
        assert_eq!(upload.accepted_sha256(), expected, "{name}");
    }
}

#[test]
fn stored_decision_names_the_source_of_its_digest() {
    for (source, name) in [(S3, "s3"), (Computed, "computed")] {
        let event = RecordedEvent::new(at(1), accepted_as("aa", source));
        let stored = serde_json::to_value(&event).unwrap();
        assert!(stored.to_string().contains(&format!(r#""sha256_source":"{name}""#)), "{stored}");
        assert_eq!(serde_json::from_value::<RecordedEvent>(stored).unwrap(), event);
    }
}
