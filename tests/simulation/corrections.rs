//! Owners who correct their rejected records, and the receipts that they read in the end.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use eventpulse_aws::workflows::upload_commands::{CommandOutcome, Correction, retry_corrected};
use eventpulse_core::id::UploadId;
use eventpulse_core::statistics::series::Point;
use eventpulse_core::statistics::summary::Summary;
use eventpulse_core::time::Timestamp;
use eventpulse_core::upload::{QuarantineStatus, Upload, UploadState};

use super::plan::{CORRECT_VALUE, Command, Plan, values};
use super::world::World;

/// The number of times that an owner looks at the receipt, every 20 seconds.
const LOOKS: usize = 60;
/// The number of series that a receipt lists.
const LISTED: usize = 100;

/// Corrects a file in two steps, as its owner does: sends the next correction whenever rejected records are open.
pub async fn correct(world: &World, plan: &Plan, index: usize, id: &UploadId) {
    let owner = plan.files[index].owner.parse().expect("an owner");
    let accepted_at_once =
        values(&plan.files[index].content).iter().filter(|(_, value)| value.is_some()).count() as u64;
    for _ in 0..LOOKS {
        let loaded = world.invoke(world.services.uploads.load(id)).await;
        if let Some(Ok(Some(upload))) = loaded {
            match upload.quarantine_status(world.now()) {
                Some(QuarantineStatus::Open) => {
                    let [first, second] = plan.corrections(index);
                    let body = if upload.accepted() == accepted_at_once { first } else { second };
                    let (content_type, body) = ("application/x-ndjson", body.into_bytes());
                    let correction = Correction { content_type, content_encoding: None, body };
                    let sent = retry_corrected(&world.services, &owner, id, correction, world.now());
                    if let Some(Ok(outcome)) = world.invoke(sent).await {
                        assert!(!matches!(outcome, CommandOutcome::NotFound), "{id} is its owner's");
                    }
                }
                Some(QuarantineStatus::Resolved) => return,
                None if upload.state() == UploadState::Accepted => return,
                _ => {}
            }
        }
        tokio::time::sleep(Duration::from_secs(20)).await;
    }
}

/// Checks that the receipt of the upload at an index has the statistics of its accepted records.
pub fn check_receipt(name: &str, plan: &Plan, index: usize, upload: &Upload) {
    let report = upload.series_report();
    let expected = expected(plan, index, upload);
    let state = upload.state();
    assert_eq!(report.count, expected.len() as u64, "{name}, {state:?}: the number of series");
    assert_eq!(report.listed.len(), expected.len().min(LISTED), "{name}: the number of listed series");
    for series in &report.listed {
        let values = &expected[&series.entity];
        let points: Vec<Point> =
            values.iter().map(|value| Point { time: Timestamp::from_secs(0), value: *value }).collect();
        let (wanted, found) = (Summary::of(&points).expect("a value"), &series.summary);
        let numbers = |it: &Summary| (it.count(), it.sum(), it.mean(), it.variance(), it.min(), it.max());
        assert_eq!(numbers(found), numbers(&wanted), "{name}: {}", series.entity);
        let median = values[(values.len() - 1) / 2].midpoint(values[values.len() / 2]);
        assert_eq!(series.median, Some(median), "{name}: the median of {}", series.entity);
    }
}

/// Returns the accepted values of an upload by device, in order.
#[allow(clippy::cast_precision_loss)] // small numbers
fn expected(plan: &Plan, index: usize, upload: &Upload) -> BTreeMap<String, Vec<f64>> {
    let is_corrected = plan.commands.contains(&Command::Correct(index));
    let content = match plan.files.get(index) {
        Some(file) => &file.content,
        None => &plan.messages[index - plan.files.len()].body,
    };
    let mut expected: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    if upload.state() == UploadState::Duplicate {
        return expected;
    }
    for (device, value) in values(content) {
        if let Some(value) = value.or(is_corrected.then_some(CORRECT_VALUE)) {
            expected.entry(device).or_default().push(value as f64);
        }
    }
    expected.values_mut().for_each(|values| values.sort_by(f64::total_cmp));
    expected
}

/// Lets the owners complete the corrections that faults interrupted.
pub async fn complete_corrections(world: &Rc<World>, plan: &Plan, files: &[UploadId]) {
    let mut tasks = tokio::task::JoinSet::new();
    for command in &plan.commands {
        if let Command::Correct(index) = *command {
            let (world, plan, id) = (world.clone(), plan.clone(), files[index].clone());
            tasks.spawn_local(async move { correct(&world, &plan, index, &id).await });
        }
    }
    world.run(tasks).await;
}
