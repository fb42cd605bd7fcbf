//! Seeded fault simulation of the workflows: the real code over stand-ins for S3, DynamoDB and the queues, in one process
//! and in virtual time. The stand-ins throttle, lose requests and answers, delay and reorder, refuse large items, return
//! unprocessed items and short pages; functions are killed during any call, and deliveries are repeated.
//!
//! `cargo test --workspace --test simulation` runs 200 seeds; `SEEDS=10000` runs more, and `SEED=7` runs one. Each seed
//! runs twice: with faults and without. The invariants:
//!
//! - every upload and every acknowledged message settles once;
//! - no item exceeds 300 KB;
//! - nothing is `failed` unless AWS failed;
//! - the statistics are those of the records that were sent, in answers and in receipts, also after corrections;
//! - every object names its owner, and every acceptance the rules that were applied;
//! - the owners' rejected data lies in quarantine, and the counters of open uploads equal the histories.

// A test may panic to fail.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

mod corrections;
mod dynamodb;
mod expression;
mod network;
mod plan;
mod s3;
mod world;

use std::collections::BTreeMap;
use std::rc::Rc;

use corrections::{check_receipt, complete_corrections, correct};
use eventpulse_aws::workflows::upload_commands::{CommandOutcome, discard, retry_unchanged, withdraw};
use eventpulse_core::id::UploadId;
use eventpulse_core::upload::{Upload, UploadState};
use plan::{Command, Plan, series};
use tokio::task::JoinSet;
use world::{QUARANTINE, World, in_virtual_time, parsed};

/// The largest allowed item in bytes.
const MAX_ITEM_BYTES: usize = 300_000;
/// The shares of faulty calls in the runs with faults, in percent: one per seed, in turn.
const FAULT_PERCENTS: [u32; 3] = [5, 20, 40];

/// The outcome of a run.
#[derive(Debug, Default)]
struct Outcome {
    states: Vec<UploadState>,
    /// The count and the sum of each series.
    statistics: BTreeMap<(&'static str, String), (u64, i64)>,
    largest_item: (usize, String),
    dead: usize,
    faults: u64,
}

#[test]
fn every_seed_ends_as_if_nothing_had_failed() {
    let seeds = seeds();
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(seeds.len());
    let (mut faults, mut dead) = (0, 0);
    std::thread::scope(|scope| {
        let run = |first: usize| {
            let seeds = &seeds;
            move || {
                let of_thread = seeds.iter().skip(first).step_by(threads);
                of_thread.map(|seed| check(*seed)).fold((0, 0), |sum, (faults, dead)| (sum.0 + faults, sum.1 + dead))
            }
        };
        let running: Vec<_> = (0..threads).map(|first| scope.spawn(run(first))).collect();
        for thread in running {
            let counts = thread.join().expect("a thread of seeds");
            (faults, dead) = (faults + counts.0, dead + counts.1);
        }
    });
    assert!(faults > 0, "the runs had no fault");
    println!("{} seeds, {faults} faults, {dead} dead letters delivered again", seeds.len());
}

/// Checks the invariants for a seed. Returns the numbers of faults and of dead letters.
fn check(seed: u64) -> (u64, usize) {
    let plan = Plan::new(seed);
    let calm = in_virtual_time(run(seed, &plan, false));
    let faulty = in_virtual_time(run(seed, &plan, true));
    assert_eq!(calm.dead, 0, "seed {seed}: dead letters without a fault");
    for (name, outcome) in [("without faults", &calm), ("with faults", &faulty)] {
        let (bytes, item) = &outcome.largest_item;
        assert!(*bytes <= MAX_ITEM_BYTES, "seed {seed}, {name}: {item} has {bytes} bytes");
        for (index, state) in outcome.states.iter().enumerate() {
            let is_settled = !matches!(
                state,
                UploadState::Issued | UploadState::Received | UploadState::Waiting | UploadState::Failed
            );
            assert!(is_settled, "seed {seed}, {name}: upload {index} is {state:?}");
        }
        assert_eq!(outcome.statistics, plan.expected(), "seed {seed}, {name}: the statistics");
    }
    (faulty.faults, faulty.dead)
}

/// Runs a plan to its end: the deliveries, the commands, and the recovery.
async fn run(seed: u64, plan: &Plan, is_faulty: bool) -> Outcome {
    let fault_percent = FAULT_PERCENTS[seed as usize % FAULT_PERCENTS.len()];
    let world = World::new(seed, if is_faulty { fault_percent } else { 0 }, is_faulty);
    let mut files = Vec::new();
    for (index, file) in plan.files.iter().enumerate() {
        files.push(world.upload(file.owner, &file.content, index).await);
    }
    let messages = parsed(plan, world.now());
    let mut uploads = files.clone();
    uploads.extend(messages.iter().map(|message| message.upload_id.clone()));
    let mut tasks = JoinSet::new();
    let half = messages.len() / 2;
    for part in [messages[..half].to_vec(), messages[half..].to_vec()] {
        tasks.spawn_local(world.clone().deliver_messages(part));
    }
    world.run(tasks).await;
    let mut dead = world.recover(&uploads).await;
    if is_faulty {
        world.network.state().fault_percent = fault_percent;
        world.is_hostile.set(true);
    }
    let mut tasks = JoinSet::new();
    for command in &plan.commands {
        tasks.spawn_local(command_of_owner(world.clone(), plan.clone(), *command, files.clone()));
    }
    world.run(tasks).await;
    dead += world.recover(&uploads).await;
    complete_corrections(&world, plan, &files).await;
    // An interrupted withdrawal completes when its owner repeats it.
    for command in plan.commands.iter().filter(|command| matches!(command, Command::Withdraw(_))) {
        command_of_owner(world.clone(), plan.clone(), *command, files.clone()).await;
    }
    outcome(seed, &world, plan, &uploads, dead).await
}

/// Sends a command as a client does: again, until it is answered.
async fn command_of_owner(world: Rc<World>, plan: Plan, command: Command, files: Vec<UploadId>) {
    if let Command::Correct(index) = command {
        return correct(&world, &plan, index, &files[index]).await;
    }
    for _ in 0..30 {
        let (Command::Withdraw(index) | Command::Retry(index) | Command::Discard(index) | Command::Correct(index)) =
            command;
        let owner = plan.files[index].owner.parse().expect("an owner");
        let (id, now) = (&files[index], world.now());
        let done = world.invoke(async {
            match command {
                Command::Withdraw(_) => is_answered(withdraw(&world.services, &owner, id, now).await),
                Command::Retry(_) => is_answered(retry_unchanged(&world.services, &owner, id, now).await),
                Command::Discard(_) => is_answered(discard(&world.services, &owner, id, now).await),
                Command::Correct(_) => true,
            }
        });
        if done.await == Some(true) {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_secs(20)).await;
    }
    panic!("{command:?} is never answered");
}

fn is_answered<T, E>(outcome: Result<CommandOutcome<T>, E>) -> bool {
    outcome.is_ok()
}

async fn outcome(seed: u64, world: &World, plan: &Plan, uploads: &[UploadId], dead: usize) -> Outcome {
    let mut outcome = Outcome { dead, ..Outcome::default() };
    // The indexes follow their tables.
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    for (index, id) in uploads.iter().enumerate() {
        let upload = world.services.uploads.load(id).await.expect("a call without a fault").expect("an upload");
        check_quarantine(world, &upload);
        let has_rules = upload.decision().is_some_and(|decision| decision.rules().is_some());
        assert!(has_rules || upload.accepted_in_attempt() == 0, "seed {seed}, upload {index}: no rules in its history");
        check_receipt(&format!("seed {seed}, upload {index}"), plan, index, &upload);
        outcome.states.push(upload.state());
    }
    for (owner, device) in plan.expected().into_keys() {
        let answer = world.services.chunks.answer(&series(owner, &device), None, None).await.expect("an answer");
        let counted = answer.map_or((0, 0), |answer| {
            #[allow(clippy::cast_possible_truncation)] // all values are whole and small
            let sum = answer.statistics.sum.expect("a small sum") as i64;
            (answer.statistics.count, sum)
        });
        outcome.statistics.insert((owner, device), counted);
    }
    for owner in plan::OWNERS {
        let owner = owner.parse().expect("an owner");
        let counted = world.services.uploads.open_totals(&owner, world.now()).await.expect("counters");
        let recounted = world.services.uploads.recount_open(&owner, world.now()).await.expect("histories");
        assert_eq!(counted, recounted, "the counters of the open uploads of {owner}");
    }
    let state = world.network.state();
    let without_owner = state.buckets.without_owner();
    assert!(without_owner.is_empty(), "seed {seed}: objects without an owner: {without_owner:?}");
    outcome.faults = state.faults;
    outcome.largest_item = state.tables.largest_item.clone();
    outcome
}

/// Checks that open rejected data has an object in the quarantine bucket.
fn check_quarantine(world: &World, upload: &Upload) {
    let is_open = upload.quarantine_status(world.now()) == Some(eventpulse_core::upload::QuarantineStatus::Open);
    let Some(location) = upload.quarantine_location().filter(|_| is_open) else { return };
    let state = world.network.state();
    let keys = state.buckets.keys(QUARANTINE);
    for key in location.key.iter().chain([&location.report_key]) {
        assert!(keys.contains(&key.as_str()), "{key} of {} is not in quarantine: {keys:?}", upload.id());
    }
}

/// Returns the seeds to run.
#[allow(clippy::disallowed_methods)] // the test's own configuration
fn seeds() -> Vec<u64> {
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse().expect("a number"));
    match number("SEED") {
        Some(seed) => vec![seed],
        None => (0..number("SEEDS").unwrap_or(200)).collect(),
    }
}
