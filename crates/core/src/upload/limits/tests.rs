//! Whatever happens to an upload, its history stays below the limit, and its last commands have room.

use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::intake::digest::Sha256Source;
use crate::intake::failure::{FailureCode, MAX_POINTER_CHARS, MAX_TARGET_CHARS, MAX_TARGETS};
use crate::intake::fingerprint::{FailureAt, Fingerprint, MAX_FINGERPRINTS, MAX_LISTED_FAILURES, ProblemId};
use crate::intake::position::ReadUntil;
use crate::intake::rejection::{FailureGroup, MAX_GROUPS_IN_HISTORY};
use crate::intake::rules::AppliedRules;
use crate::intake::schema::{SchemaId, SchemaRef};
use crate::statistics::series::Point;
use crate::statistics::series_statistics::{SeriesReport, SeriesStatistics};
use crate::statistics::summary::Summary;
use crate::time::Timestamp;
use crate::upload::commands::*;
use crate::upload::tests::given::{at, id};
use crate::upload::{ObjectVersion, Origin, QuarantineLocation, Step, Upload, UploadEvent, quarantine_key, report_key};

/// A control character: JSON takes six bytes for it.
const WORST: &str = "\u{1}";

fn worst(chars: usize) -> String {
    WORST.repeat(chars)
}

fn worst_failure() -> Failure {
    Failure {
        schema_pointer: Some(worst(MAX_POINTER_CHARS)),
        keyword: Some("unevaluatedProperties".to_owned()),
        targets: vec![worst(MAX_TARGET_CHARS); MAX_TARGETS],
        line: Some(u64::MAX),
        byte_offset: Some(u64::MAX),
        ..Failure::new(FailureCode::UnevaluatedProperties, &worst(MAX_POINTER_CHARS), worst(20_000))
    }
}

fn worst_rejection() -> Rejection {
    let group = FailureGroup {
        code: FailureCode::UnevaluatedProperties,
        pointer: worst(MAX_POINTER_CHARS),
        schema: Some("reading/1.0".to_owned()),
        count: u64::MAX,
        first_record: Some(u64::MAX),
        first: worst_failure(),
    };
    let failure =
        FailureAt { code: FailureCode::UnevaluatedProperties, pointer: worst(MAX_POINTER_CHARS + MAX_TARGET_CHARS) };
    let fingerprint = Fingerprint {
        id: ProblemId::of("reading/1", &[]),
        kind_of_upload: "reading/1".to_owned(),
        schema: "reading/1.0".to_owned(),
        failures: vec![failure; MAX_LISTED_FAILURES],
        failures_omitted: 7,
        records: u64::MAX,
    };
    Rejection {
        rejected: u64::MAX,
        upload_failure: Some(worst_failure()),
        groups: vec![group; MAX_GROUPS_IN_HISTORY],
        groups_omitted: 1,
        fingerprints: vec![fingerprint; MAX_FINGERPRINTS],
        read_until: Some(ReadUntil { records: u64::MAX, line: u64::MAX, byte_offset: u64::MAX }),
    }
}

fn summary(values: &[f64]) -> Summary {
    let points: Vec<Point> = values.iter().map(|value| Point { time: at(1), value: *value }).collect();
    Summary::of(&points).unwrap()
}

/// A summary with as many digits as possible.
fn worst_summary() -> Summary {
    summary(&[f64::MAX, 5e-324])
}

fn worst_acceptance(rejection: Option<Rejection>) -> Decision {
    let series = SeriesStatistics {
        entity: worst(1024),
        measure: "value".to_owned(),
        summary: worst_summary(),
        median: Some(-1.797_693_134_862_315_7e308),
    };
    Decision::Accepted {
        sha256: "0".repeat(64),
        sha256_source: Sha256Source::Computed,
        accepted: u64::MAX,
        chunks: u64::MAX / 100,
        shared_chunks: Vec::new(),
        series: Box::new(SeriesReport { listed: vec![series; 100], count: 105, is_whole: true }),
        rejection,
        rules: Some(worst_rules()),
    }
}

/// Rules with more schemas than a history takes.
fn worst_rules() -> Box<AppliedRules> {
    let schema = |minor| (SchemaId { name: "a".repeat(64).into(), major: u32::MAX, minor }, "0".repeat(64));
    let default_schema = SchemaRef::from(schema(0).0);
    Box::new(AppliedRules { default_schema, schemas: (0..1_000).map(schema).collect(), omitted: 0 })
}

#[test]
fn a_decision_keeps_the_rules_of_fifty_schemas_and_counts_the_others() {
    for decision in
        [worst_acceptance(None), Decision::Rejected { rejection: worst_rejection(), rules: Some(worst_rules()) }]
    {
        let rules = decision.bounded().rules().cloned().unwrap();
        assert!((50..100).contains(&rules.schemas.len()), "{}", rules.schemas.len());
        assert_eq!(rules.schemas.len() as u64 + rules.omitted, 1_000);
    }
}

#[test]
fn a_decision_keeps_the_largest_series_and_groups_and_counts_the_others() {
    let Decision::Accepted { series, rejection: Some(rejection), .. } =
        worst_acceptance(Some(worst_rejection())).bounded()
    else {
        panic!("the decision changed")
    };
    assert!((1..100).contains(&series.listed.len()));
    assert_eq!(series.listed.len() as u64 + series.omitted(), 105);
    assert!((1..10).contains(&rejection.groups.len()));
    assert_eq!(rejection.groups.len() as u64 + rejection.groups_omitted, 11);
    assert!(!rejection.fingerprints.is_empty());
    let print = &rejection.fingerprints[0];
    assert_eq!((print.failures.len() as u64 + print.failures_omitted, print.records), (17, u64::MAX));
    assert!(rejection.primary_failure().unwrap().message.ends_with('…'));
    let bounded = worst_acceptance(Some(worst_rejection())).bounded();
    assert_eq!(bounded.clone().bounded(), bounded, "a second time changes nothing");
}

fn with_series(name: &str, values: &[f64]) -> Decision {
    let mut decision = worst_acceptance(None);
    let Decision::Accepted { series, rules, .. } = &mut decision else { panic!("no acceptance") };
    *rules = None;
    for listed in &mut series.listed {
        listed.entity = name.to_owned();
        listed.summary = summary(values);
    }
    decision
}

#[test]
fn a_decision_with_ordinary_names_and_values_keeps_every_series() {
    let decision = with_series("0b3f6c9e-7a51-4d0c-9a58-1f5f6c0f9d11", &[1_020.589_583, -17.942_145, 0.1, 1e6]);
    assert_eq!(decision.clone().bounded(), decision);
}

#[test]
fn hostile_values_fill_no_more_of_a_history_than_hostile_names() {
    for (name, decision) in [
        ("names", worst_acceptance(None)),
        ("values", with_series("a", &[f64::MAX, 5e-324])),
        ("values of many points", with_series("a", &[[f64::MAX, -5e-324]; 1_000].concat())),
    ] {
        let Decision::Accepted { series, .. } = decision.bounded() else { panic!("no acceptance") };
        let bytes = json_bytes(&series);
        assert!((1..100).contains(&series.listed.len()), "{name}: {} series", series.listed.len());
        assert!(bytes <= MAX_SERIES_BYTES + 100, "{name}: {bytes} bytes");
    }
}

#[test]
fn a_text_is_shortened_to_its_size_as_json() {
    for (name, text, most, expected) in [
        ("empty", "", 20, ""),
        ("fits exactly", "abcd", 6, "abcd"),
        ("one too many", "abcdefgh", 9, "abcd…"),
        ("accents", "ééééé", 10, "éé…"),
        ("escaped", "\u{1}\u{1}\u{1}", 12, "\u{1}…"),
    ] {
        let shortened = shortened_to(text, most);
        assert_eq!(shortened, expected, "{name}");
        assert!(json_bytes(&shortened) <= most, "{name}");
    }
}

/// An upload with its history, as the workflows advance it.
struct Run {
    upload: Upload,
    history: Vec<RecordedEvent>,
    second: i64,
}

impl Run {
    fn new() -> Self {
        let origin = Origin {
            owner: "o".repeat(128).parse().unwrap(),
            key: worst(1024),
            file_name: "\"".repeat(200),
            schema: Some("reading/1.0".to_owned()),
            max_rejected: None,
            expires_at: None,
        };
        let history = vec![RecordedEvent::new(at(1), UploadEvent::ObjectFound { origin })];
        Self { upload: Upload::fold(id(), &history).unwrap(), history, second: 1 }
    }

    fn now(&self) -> Timestamp {
        at(self.second)
    }

    fn record(&mut self, events: Vec<UploadEvent>) {
        for event in events {
            let recorded = RecordedEvent::new(self.now(), event);
            self.upload.apply(&recorded);
            self.history.push(recorded);
        }
    }

    fn object(&self) -> ObjectVersion {
        let key =
            self.upload.pending_retry().map_or_else(|| self.upload.origin().key.clone(), |retry| retry.key.clone());
        ObjectVersion { bucket: "b".repeat(63), key, version_id: "v".repeat(1024), size: u64::MAX, line: None }
    }

    fn fail(&mut self, deaths: u32) {
        let (reason, correlation_id) = (worst(5_000), format!("{}{}", self.second, worst(5_000)));
        let report = FailedDeliveryReport { reason: &reason, correlation_id: &correlation_id, deaths };
        match on_failed_delivery(&self.upload, &report, "reading/1.0") {
            FailedDeliveryAction::Nothing => {}
            FailedDeliveryAction::Record(events) | FailedDeliveryAction::Finish(events) => self.record(events),
        }
    }

    /// Does what a worker or the owner does next, if the state allows it.
    fn act(&mut self, action: u8) {
        self.second += 1;
        let now = self.now();
        let day = Duration::from_secs(86_400);
        let step = self.upload.next_step().filter(|_| self.upload.object().is_some());
        let events = match (action, step) {
            (0, _) => receive(&self.upload, &self.object(), &worst(5_000)),
            (1, Some(Step::Process)) if self.upload.open_claim().is_none() => {
                begin_acceptance(&self.upload, &"0".repeat(64))
            }
            (2, Some(Step::Process)) => record_decision(&self.upload, worst_acceptance(Some(worst_rejection()))),
            (3, Some(Step::Process)) => record_decision(
                &self.upload,
                Decision::Rejected { rejection: worst_rejection(), rules: Some(worst_rules()) },
            ),
            (4, Some(Step::Process)) => reject(&self.upload, worst_failure(), "reading/1.0"),
            (5, Some(Step::RollBack)) => vec![UploadEvent::RolledBack],
            (5, Some(Step::Quarantine)) => {
                let records = plan_quarantine(&self.upload).records;
                let key = Some(quarantine_key(&self.upload, records));
                let location =
                    QuarantineLocation { bucket: "q".repeat(63), key, records, report_key: report_key(&self.upload) };
                vec![UploadEvent::Quarantined { location }]
            }
            (5, Some(Step::RecordOccurrence)) => record_occurrence(&self.upload),
            (14, Some(Step::Process)) => wait(&self.upload, &"0".repeat(64), &id()),
            (6, _) => return self.fail(0),
            (7, _) => return self.fail(POISON_DEATHS),
            (8, _) => {
                let from = self.upload.quarantine_location().cloned();
                from.and_then(|from| retry_unchanged(&self.upload, &from, day, now).ok()).unwrap_or_default()
            }
            (9, _) => request_correction(&self.upload, "application/json", day, now).unwrap_or_default(),
            // The request lapses, and its data never arrives.
            (10, _) => {
                let events = request_correction(&self.upload, "application/json", Duration::ZERO, now);
                events.unwrap_or_default()
            }
            (11, _) => discard(&self.upload, now).unwrap_or_default(),
            (12, _) => request_withdrawal(&self.upload, now).unwrap_or_default(),
            (13, _) => complete_withdrawal(&self.upload).unwrap_or_default(),
            _ => Vec::new(),
        };
        self.record(events);
    }

    fn check(&self) {
        let bytes: usize = self.history.iter().map(stored_bytes).sum();
        assert_eq!(self.upload.history_bytes(), bytes);
        assert!(bytes <= MAX_HISTORY_BYTES, "{bytes} bytes in {} events", self.history.len());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn no_sequence_of_commands_exceeds_the_limit(actions in prop::collection::vec(0u8..=14, 1..600)) {
        let mut run = Run::new();
        for action in actions {
            run.act(action);
            // Ending commands would end most sequences early.
            if run.upload.next_step().is_none() && action < 11 && run.second % 7 == 0 {
                run.act(10);
            }
        }
        run.check();
    }
}

#[test]
fn endless_rounds_end_with_a_refusal_below_the_limit() {
    // Each round goes through every step of an attempt, with as many failures as are recorded.
    let round: &[u8] = &[0, 14, 6, 14, 6, 1, 6, 5, 14, 6, 1, 6, 5, 14, 6, 1, 6, 5, 1, 7, 5, 6, 5, 6, 6, 5, 5];
    let late_poison: &[u8] = &[0, 14, 6, 6, 6, 6, 6, 14, 6, 14, 6, 1, 7, 5, 6, 5, 6, 6, 5, 5];
    let rejected_again: &[u8] = &[0, 3, 6, 5, 6, 5];
    for (name, actions, retry) in [
        ("failing", round, 9),
        ("failing while it waits", late_poison, 9),
        ("rejected", rejected_again, 8),
        ("partially accepted", &[0, 2, 5, 5], 8),
        ("never sent", &[10], 10),
    ] {
        let mut run = Run::new();
        run.act(0);
        run.act(3);
        run.act(5);
        run.act(5);
        for _ in 0..1_000 {
            let before = run.upload.history_bytes();
            run.act(retry);
            actions.iter().for_each(|action| run.act(*action));
            let grown = run.upload.history_bytes() - before;
            assert!(
                grown <= ATTEMPT_BYTES / 10 * 9,
                "{name}: {grown} bytes; the last tenth is for the owner's commands"
            );
        }
        run.check();
        let refusal = request_correction(&run.upload, "application/json", Duration::from_secs(60), run.now());
        let Err(Refusal::TooManyRetries { retries }) = refusal else { panic!("{name}: {refusal:?}") };
        assert!(retries >= 1, "{name}");
        let discarded = discard(&run.upload, run.now());
        assert!(discarded.is_ok_and(|events| events.len() == 1), "{name}: the owner can still discard it");
        run.act(11);
        run.act(12);
        run.act(13);
        run.check();
        assert!(run.upload.retries_requested() == retries, "{name}");
    }
}
