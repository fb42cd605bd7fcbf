//! The samples of `cargo dev`.

use std::path::Path;
use std::sync::Arc;

use eventpulse_cli::dev::samples::Sample;
use eventpulse_cli::dev::{differences, report_on, statistics_of};
use eventpulse_core::upload::UploadState;
use serde_json::Value;

use crate::TestResult;
use crate::world::World;

pub async fn each_sample_ends_as_expected(world: Arc<World>) -> TestResult {
    let samples = Sample::read_all(&world.stack.root.join("events/uploads"))?;
    assert!(samples.len() >= 10, "there are {} samples", samples.len());
    let user = world.user();
    for sample in &samples {
        let upload = world.upload(&user, sample).await?;
        let statistics = statistics_of(&world.client, &upload).await?;
        let report = report_on(&world.client, &upload).await?;
        let differences = differences(&sample.expected, &upload, &statistics, &report);
        assert!(differences.is_empty(), "{}: {differences:#?}", sample.path.display());
    }
    Ok(())
}

pub async fn rejected_samples_are_quarantined_with_a_valid_report(world: Arc<World>) -> TestResult {
    let user = world.user();
    let mut seen = 0;
    for sample in Sample::read_all(&world.stack.root.join("events/uploads"))? {
        if sample.expected.dropped || !matches!(sample.expected.outcome.as_str(), "quarantined" | "partially_accepted")
        {
            continue;
        }
        let upload = world.upload(&user, &sample).await?;
        let name = sample.path.display().to_string();
        let report = report_on(&world.client, &upload).await?;
        assert_valid(&world, "report/1.0", &report);
        assert_eq!(report["upload_id"], upload.id().as_str(), "{name}");
        let (object, quarantined) = (upload.object().ok_or("no object")?, upload.quarantine_location().ok_or("none")?);
        let key = quarantined.key.clone().ok_or("no object in quarantine")?;
        let held = world.object(&quarantined.bucket, &key, None).await?.ok_or("not there")?;
        let raw = world.object(&object.bucket, &object.key, Some(&object.version_id)).await?;
        if upload.state() == UploadState::Quarantined {
            assert_eq!(held, sample.bytes, "{name}: the quarantine holds the sent bytes");
            assert_eq!(raw, None, "{name}: the object is removed from the process bucket");
        } else {
            assert_eq!(raw.as_ref(), Some(&sample.bytes), "{name}: a partially accepted object stays");
            let lines: Vec<Value> = held
                .split(|byte| *byte == b'\n')
                .filter(|line| !line.is_empty())
                .map(serde_json::from_slice)
                .collect::<Result<_, _>>()?;
            assert_eq!(lines.len() as u64, upload.rejected(), "{name}: every rejected record is kept");
            for line in lines {
                assert!(
                    line["index"].is_u64() && line["line"].is_u64() && line["byte_offset"].is_u64(),
                    "{name}: {line}"
                );
            }
        }
        seen += 1;
    }
    assert!(seen >= 6, "{seen} samples were rejected");
    Ok(())
}

/// Fails unless a document fits a contract, `<name>/<version>`.
pub fn assert_valid(world: &World, name: &str, document: &Value) {
    let path = world.stack.root.join(format!("contracts/{name}.json"));
    let schema: Value = serde_json::from_slice(&std::fs::read(Path::new(&path)).expect("the contract")).expect("JSON");
    let validator = jsonschema::options().should_validate_formats(true).build(&schema).expect("a schema");
    let errors: Vec<String> = validator.iter_errors(document).map(|error| error.to_string()).collect();
    assert!(errors.is_empty(), "{name}: {errors:?}\n{document:#}");
}
