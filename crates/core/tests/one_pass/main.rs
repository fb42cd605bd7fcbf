//! Programs against the parser, the validator and the extraction: the same inspections with and without them, and no accepted
//! record that jsonschema refuses on `serde_json::Value`.
//!
//! Records come in sequences, because a program keeps layouts, names and dates from one record to the next. A failing world is
//! run again by its seed: `WORLD` in `check_world`'s message.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may")]

mod records;
mod schemas;
mod uploads;
mod writing;

use std::ops::{AddAssign, Range};

use uploads::World;

/// The number of records of one world.
const RECORDS: u64 = 1_000;
/// The number of worlds of the usual test, in a build without optimisation.
const WORLDS: u64 = 20;

/// What was compared.
#[derive(Debug, Default, Clone, Copy)]
pub struct Compared {
    /// The number of records.
    pub records: u64,
    /// The accepted ones.
    pub accepted: u64,
    /// Of the accepted ones, those that programs accepted.
    pub in_one_pass: u64,
}

impl AddAssign for Compared {
    fn add_assign(&mut self, other: Self) {
        self.records += other.records;
        self.accepted += other.accepted;
        self.in_one_pass += other.in_one_pass;
    }
}

/// Compares the records of some worlds.
fn check_worlds(seeds: Range<u64>) -> Compared {
    let threads = std::thread::available_parallelism().map_or(1, usize::from) as u64;
    let part = |thread: u64| {
        let mut compared = Compared::default();
        for seed in seeds.clone().filter(|seed| seed % threads == thread) {
            let world = World::new(seed);
            let mut of_world = Compared::default();
            while of_world.records < RECORDS {
                of_world += world.check_upload(of_world.records);
            }
            compared += of_world;
        }
        compared
    };
    let mut compared = Compared::default();
    std::thread::scope(|scope| {
        let parts: Vec<_> = (0..threads).map(|thread| scope.spawn(move || part(thread))).collect();
        parts.into_iter().for_each(|part| compared += part.join().unwrap());
    });
    compared
}

#[test]
fn programs_change_no_inspection() {
    compare(0..WORLDS);
}

/// Two hundred thousand records, in seconds: `cargo test --release -p eventpulse-core --test one_pass -- --include-ignored two_hundred`.
#[test]
#[ignore = "takes minutes without optimisation"]
fn programs_change_none_of_two_hundred_thousand_records() {
    compare(1_000..1_200);
}

/// A hundred million records: `cargo test --release -p eventpulse-core --test one_pass -- --ignored --nocapture hundred_million`.
#[test]
#[ignore = "takes the better part of an hour in a release build"]
fn programs_change_none_of_a_hundred_million_records() {
    let mut compared = Compared::default();
    for million in 1..=100 {
        let first = million * 1_000_000;
        compared += compare(first..first + 1_000);
        println!("{compared:?}");
    }
    assert!(compared.records >= 100_000_000, "{compared:?}");
}

/// Compares the records of some worlds, of which many must be accepted, and many of these in one pass.
fn compare(seeds: Range<u64>) -> Compared {
    let least = RECORDS * (seeds.end - seeds.start);
    let compared = check_worlds(seeds);
    assert!(compared.records >= least, "{compared:?}");
    assert!(compared.accepted > compared.records / 4, "{compared:?}");
    assert!(compared.in_one_pass > compared.accepted / 4, "{compared:?}");
    compared
}
