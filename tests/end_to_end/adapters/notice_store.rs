//! The contract of the notice store.
//!
//! Each test has a table of its own, with the keys and indexes of the deployed one. It has no stream: the deployed function
//! `notify` neither folds its occurrences nor uses its publish lease.

pub mod profile;
pub mod publish_lease;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_dynamodb::types::{AttributeValue, BillingMode, GlobalSecondaryIndex};
use eventpulse_aws::adapters::notice_store::{AwaitingProblems, Changes, MAX_CHANGES, NoticeStore, StoredOutbox};
use eventpulse_aws::adapters::upload_store::Append;
use eventpulse_aws::adapters::upload_store::open_counters::StoredState;
use eventpulse_cli::BoxError;
use eventpulse_core::id::OwnerId;
use eventpulse_core::intake::failure::FailureCode;
use eventpulse_core::intake::fingerprint::{FailureAt, Fingerprint, ProblemId};
use eventpulse_core::notification::kind::NoticeKind;
use eventpulse_core::notification::occurrence::{Occurrence, OccurrenceKind, PassedKind, RejectedUpload};
use eventpulse_core::notification::outbox::OutboxEntry;
use eventpulse_core::notification::policy::Policy;
use eventpulse_core::notification::problem::Problem;
use eventpulse_core::notification::problem_fold::ProblemFold;
use eventpulse_core::notification::profile::Profile;
use eventpulse_core::notification::source::Source;

use super::{Received, at, received, unique_id, unique_owner};
use crate::TestResult;
use crate::poll::{SOON, found, poll};
use crate::world::World;

const KIND: &str = "reading/1";
const HOUR: Duration = Duration::from_secs(3_600);
const POLICY: Policy = Policy { digest_interval: HOUR, quiet_period: Duration::from_secs(86_400), retention_days: 90 };

/// Creates a table that no other test has. Returns its store and its name.
async fn new_store(world: &World) -> Result<(NoticeStore, String), BoxError> {
    let deployed = &world.client.services.config.notices_table;
    let deployed = world.dynamodb.describe_table().table_name(deployed).send().await?;
    let deployed = deployed.table.ok_or("the notices table has no description")?;
    let mut indexes = Vec::new();
    for index in deployed.global_secondary_indexes() {
        let copy = GlobalSecondaryIndex::builder().set_index_name(index.index_name.clone());
        let copy = copy.set_key_schema(index.key_schema.clone()).set_projection(index.projection.clone());
        indexes.push(copy.build()?);
    }
    let table = format!("contract-{}", unique_id());
    let create = world.dynamodb.create_table().table_name(&table).billing_mode(BillingMode::PayPerRequest);
    let create = create.set_key_schema(deployed.key_schema).set_attribute_definitions(deployed.attribute_definitions);
    create.set_global_secondary_indexes(Some(indexes)).send().await?;
    Ok((NoticeStore::new(world.dynamodb.clone(), table.clone()), table))
}

fn problem_id(pointer: &str) -> ProblemId {
    fingerprint(pointer).id
}

fn fingerprint(pointer: &str) -> Fingerprint {
    let failures = vec![FailureAt { code: FailureCode::Type, pointer: pointer.to_owned() }];
    Fingerprint {
        id: ProblemId::of(KIND, &failures),
        kind_of_upload: KIND.to_owned(),
        schema: "reading/1.0".to_owned(),
        failures,
        failures_omitted: 0,
        records: 3,
    }
}

fn occurrence(seconds: i64, kind: OccurrenceKind) -> Occurrence {
    Occurrence { at: at(seconds), upload_id: unique_id(), revision: 4, kind }
}

/// An upload that is rejected for one problem.
fn rejection(seconds: i64, pointer: &str) -> Occurrence {
    rejection_of(seconds, "readings.json", fingerprint(pointer))
}

fn rejection_of(seconds: i64, file_name: &str, fingerprint: Fingerprint) -> Occurrence {
    let (fingerprints, source) = (vec![fingerprint], Some(Source::of_file(file_name)));
    occurrence(seconds, OccurrenceKind::Rejected(RejectedUpload { fingerprints, source, retried: None }))
}

fn pass(seconds: i64, source: &Source) -> Occurrence {
    let kind = PassedKind { kind_of_upload: KIND.to_owned(), sources: vec![source.clone()] };
    occurrence(seconds, OccurrenceKind::Passed(vec![kind]))
}

/// Folds occurrences into stored problems.
fn folded(problems: Vec<Problem>, occurrences: &[Occurrence]) -> ProblemFold {
    let mut fold = ProblemFold::new(problems, BTreeMap::new(), POLICY);
    assert_eq!(fold.fold_all(occurrences, usize::MAX), occurrences.len());
    fold
}

/// Returns the problems that a fold changed.
fn changed_problems(fold: &ProblemFold) -> Vec<Problem> {
    fold.changed_problems().cloned().collect()
}

/// Writes an outbox with the result of a fold, and deletes the items with the sort keys `done`.
async fn change(
    notices: &NoticeStore,
    owner: &str,
    stored: &StoredOutbox,
    fold: Option<&ProblemFold>,
    done: &[String],
) -> Result<Append, BoxError> {
    let changes = Changes { fold, digest_number: stored.outbox.digest_number, done };
    Ok(notices.change(owner, stored, changes, HOUR, at(0)).await?)
}

pub async fn owner_without_items_has_an_empty_outbox(world: Arc<World>) -> TestResult {
    let (notices, _) = new_store(&world).await?;
    let (owner, id) = (unique_owner(), problem_id("/value"));
    assert_eq!(notices.outbox(&owner).await?, StoredOutbox::default());
    let page = notices.occurrences(&owner).await?;
    assert!(page.items.is_empty() && !page.has_more);
    assert!(notices.problems(&owner, BTreeSet::from([(KIND, &id)])).await?.is_empty());
    let awaiting = notices.awaiting_problems(&owner, KIND, &BTreeSet::new(), 10).await?;
    assert_eq!(awaiting, AwaitingProblems { is_all: true, ..AwaitingProblems::default() });
    assert!(notices.pending_notices(&owner, 10).await?.is_empty());
    assert!(notices.counts(&owner, 0, [&id].into_iter()).await?.is_empty());
    assert!(notices.digest_counts(&owner, 0).await?.is_empty());
    assert_eq!(notices.profile(&owner, KIND).await?, Profile::default());
    assert_eq!(notices.open_mark(&owner, KIND).await?, None);
    Ok(())
}

pub async fn occurrence_recorded_twice_is_stored_once(world: Arc<World>) -> TestResult {
    let (notices, _) = new_store(&world).await?;
    let (owner, recorded) = (unique_owner(), rejection(0, "/a b+c%2Bé"));
    for attempt in ["first", "second"] {
        notices.record_occurrence(&owner, &recorded).await?;
        let page = notices.occurrences(&owner).await?;
        let [stored] = page.items.as_slice() else { return Err(format!("{attempt}: {page:?}").into()) };
        assert_eq!((&stored.value, page.has_more), (&recorded, false), "{attempt}");
    }
    assert!(notices.occurrences(&unique_owner()).await?.items.is_empty(), "another owner has none");
    Ok(())
}

pub async fn occurrence_is_recorded_only_with_its_event(world: Arc<World>) -> TestResult {
    let (notices, _) = new_store(&world).await?;
    let uploads = &world.client.services.uploads;
    let owner = unique_owner();
    let Received { upload, events } = received(&owner, 0)?;
    let (first, second) = (rejection(0, "/a"), rejection(1, "/b"));
    let action = notices.occurrence_action(&owner, &first)?;
    assert_eq!(uploads.append_with(&upload, &StoredState::NOTHING, &events, action).await?, Append::Done);
    let action = notices.occurrence_action(&owner, &second)?;
    assert_eq!(
        uploads.append_with(&upload, &StoredState::NOTHING, &events, action).await?,
        Append::Conflict,
        "a stale revision"
    );
    let page = notices.occurrences(&owner).await?;
    assert_eq!(page.items.into_iter().map(|keyed| keyed.value).collect::<Vec<_>>(), [first]);
    Ok(())
}

pub async fn occurrences_beyond_one_change_are_read_after_the_oldest(world: Arc<World>) -> TestResult {
    let (notices, _) = new_store(&world).await?;
    let owner = unique_owner();
    let count = i64::try_from(MAX_CHANGES)? + 1;
    for seconds in (0..count).rev() {
        notices.record_occurrence(&owner, &rejection(seconds, "/value")).await?;
    }
    let page = notices.occurrences(&owner).await?;
    assert!(page.has_more);
    let times: Vec<_> = page.items.iter().map(|keyed| keyed.value.at).collect();
    assert_eq!(times, (0..count - 1).map(at).collect::<Vec<_>>(), "the oldest first");
    let done: Vec<String> = page.items.into_iter().map(|keyed| keyed.key).collect();
    assert_eq!(change(&notices, &owner, &StoredOutbox::default(), None, &done).await?, Append::Done);
    let rest = notices.occurrences(&owner).await?;
    assert_eq!(rest.items.iter().map(|keyed| keyed.value.at).collect::<Vec<_>>(), [at(count - 1)]);
    Ok(())
}

pub async fn unreadable_occurrence_is_set_aside(world: Arc<World>) -> TestResult {
    let (notices, table) = new_store(&world).await?;
    let (owner, readable) = (unique_owner(), rejection(0, "/value"));
    let s = |text: &str| AttributeValue::S(text.to_owned());
    let pk = s(&format!("owner#{owner}"));
    let put = world.dynamodb.put_item().table_name(&table).item("pk", pk.clone()).item("sk", s("occurrence#0"));
    put.item("occurrence", s("{")).send().await?;
    notices.record_occurrence(&owner, &readable).await?;
    let page = notices.occurrences(&owner).await?;
    assert_eq!(page.items.into_iter().map(|keyed| keyed.value).collect::<Vec<_>>(), [readable]);
    let get = async |sk: &str| {
        let get = world.dynamodb.get_item().table_name(&table).key("pk", pk.clone()).key("sk", s(sk));
        get.consistent_read(true).send().await.map(|output| output.item)
    };
    assert_eq!(get("occurrence#0").await?, None);
    let aside = get("unreadable#occurrence#0").await?.ok_or("the item is lost")?;
    assert_eq!(aside.get("occurrence"), Some(&s("{")));
    Ok(())
}

pub async fn change_at_a_stale_revision_is_a_conflict(world: Arc<World>) -> TestResult {
    let (notices, _) = new_store(&world).await?;
    let owner = unique_owner();
    let mut stored = StoredOutbox::default();
    stored.outbox.add_pending(1, at(0));
    stored.outbox.add_counts(at(1));
    let keys = vec!["pending#a b+c%2Bé".to_owned()];
    stored.outbox.begin("ntc_1".to_owned(), OutboxEntry::Pending { kind: NoticeKind::New, keys }, at(2));
    assert_eq!(change(&notices, &owner, &stored, None, &[]).await?, Append::Done);
    let loaded = notices.outbox(&owner).await?;
    assert_eq!(loaded, StoredOutbox { outbox: stored.outbox.clone(), revision: 1 });

    let fold = folded(Vec::new(), &[rejection(0, "/value")]);
    assert_eq!(change(&notices, &owner, &stored, Some(&fold), &[]).await?, Append::Conflict);
    let ids = BTreeSet::from([(KIND, &fold.changed_problems().next().ok_or("no problem")?.id)]);
    assert!(notices.problems(&owner, ids).await?.is_empty(), "nothing is written");
    assert!(notices.pending_notices(&owner, 10).await?.is_empty(), "nothing is written");
    assert_eq!(notices.outbox(&owner).await?, loaded);

    let (one, two) =
        tokio::join!(change(&notices, &owner, &loaded, None, &[]), change(&notices, &owner, &loaded, None, &[]));
    let done = [one?, two?].into_iter().filter(|result| *result == Append::Done).count();
    assert_eq!((done, notices.outbox(&owner).await?.revision), (1, 2), "one of two parallel changes");
    Ok(())
}

pub async fn problems_notices_and_counts_are_read_back(world: Arc<World>) -> TestResult {
    let (notices, _) = new_store(&world).await?;
    let owner = unique_owner();
    let (a, b, missing) = (problem_id("/a"), problem_id("/b"), problem_id("/missing"));
    let occurrences = [rejection(0, "/a"), rejection(1, "/b"), rejection(2, "/a")];
    let fold = folded(Vec::new(), &occurrences);
    assert_eq!(change(&notices, &owner, &StoredOutbox::default(), Some(&fold), &[]).await?, Append::Done);

    let ids = || BTreeSet::from([(KIND, &a), (KIND, &b), (KIND, &missing)]);
    assert_eq!(notices.problems(&owner, ids()).await?, changed_problems(&fold));
    assert!(notices.problems(&unique_owner(), ids()).await?.is_empty(), "another owner has none");
    let pending = notices.pending_notices(&owner, 10).await?;
    let values: Vec<_> = pending.iter().map(|keyed| keyed.value.clone()).collect();
    assert_eq!(values, fold.pending_notices());
    let mut keys: Vec<String> = pending.into_iter().map(|keyed| keyed.key).collect();
    keys.push("pending#missing".to_owned());
    assert_eq!(notices.pending_notices_by_key(&owner, &keys).await?, fold.pending_notices());
    let counts: BTreeMap<_, _> = fold.changed_counts().map(|(id, counts)| (id.clone(), counts.clone())).collect();
    assert_eq!(counts.keys().collect::<Vec<_>>(), [&a]);
    assert_eq!(notices.counts(&owner, 0, [&a, &b].into_iter()).await?, counts);
    assert_eq!(notices.digest_counts(&owner, 0).await?, counts.into_iter().collect::<Vec<_>>());
    assert!(notices.digest_counts(&owner, 1).await?.is_empty(), "another digest has none");
    Ok(())
}

pub async fn problems_await_the_sources_that_failed(world: Arc<World>) -> TestResult {
    let (notices, _) = new_store(&world).await?;
    let owner = unique_owner();
    let (one, two) = (Source::of_file("one.json"), Source::of_file("two a b+c%2Bé.json"));
    let of = |pointer: &str, name: &str| rejection_of(0, name, fingerprint(pointer));
    let occurrences = [of("/a", "one.json"), of("/b", "one.json"), of("/b", "two a b+c%2Bé.json")];
    let fold = folded(Vec::new(), &occurrences);
    assert_eq!(change(&notices, &owner, &StoredOutbox::default(), Some(&fold), &[]).await?, Append::Done);

    let awaiting = async |source: &Source, max: usize| {
        notices.awaiting_problems(&owner, KIND, &BTreeSet::from([source]), max).await
    };
    let of_two = awaiting(&two, 9).await?;
    assert_eq!(of_two.problems.iter().map(|problem| &problem.id).collect::<Vec<_>>(), [&problem_id("/b")]);
    assert_eq!((of_two.other_sources, of_two.is_all), (BTreeSet::from([one.clone()]), true));
    let of_one = awaiting(&one, 9).await?;
    assert_eq!((of_one.problems.len(), of_one.other_sources.len(), of_one.is_all), (2, 0, true));
    let some = awaiting(&one, 1).await?;
    assert_eq!((some.problems.len(), some.is_all), (2, false), "there are more than 1");
    let other_kind = notices.awaiting_problems(&owner, "reading/2", &BTreeSet::from([&one]), 9).await?;
    assert!(other_kind.problems.is_empty(), "another kind of upload");

    let passed = folded(of_one.problems, &[pass(1, &one)]);
    let stored = notices.outbox(&owner).await?;
    assert_eq!(change(&notices, &owner, &stored, Some(&passed), &[]).await?, Append::Done);
    assert!(awaiting(&one, 9).await?.problems.is_empty(), "an upload of this source has passed");
    assert_eq!(awaiting(&two, 9).await?.problems.len(), 1, "another source is still awaited");
    Ok(())
}

pub async fn awaiting_problems_are_paged_to_the_end(world: Arc<World>) -> TestResult {
    let (notices, _) = new_store(&world).await?;
    let (owner, source) = (unique_owner(), Source::of_file("readings.json"));
    // A query reads 1 MB at a time.
    let large = |number: usize| {
        let schema = "s".repeat(100_000);
        rejection_of(0, "readings.json", Fingerprint { schema, ..fingerprint(&format!("/{number}")) })
    };
    let fold = folded(Vec::new(), &(0..24).map(large).collect::<Vec<_>>());
    assert_eq!(change(&notices, &owner, &StoredOutbox::default(), Some(&fold), &[]).await?, Append::Done);
    let awaiting = notices.awaiting_problems(&owner, KIND, &BTreeSet::from([&source]), 100).await?;
    assert_eq!((awaiting.problems.len(), awaiting.is_all), (24, true));
    Ok(())
}

pub async fn problems_are_due_until_they_are_evaluated(world: Arc<World>) -> TestResult {
    let (notices, _) = new_store(&world).await?;
    let (owner, day, source) = (unique_owner(), 86_400, Source::of_file("readings.json"));
    let fold = folded(Vec::new(), &[rejection(0, "/a"), pass(1, &source), rejection(2, "/b")]);
    assert_eq!(change(&notices, &owner, &StoredOutbox::default(), Some(&fold), &[]).await?, Append::Done);
    let listed = async |seconds: i64, expected: &[&str]| {
        let expected: BTreeSet<String> =
            expected.iter().map(|pointer| format!("problem#{KIND}#{}", problem_id(pointer))).collect();
        // The index lags behind its table.
        poll(SOON, async || {
            let due = notices.due_problems(at(seconds), 10).await?.remove(owner.as_str()).unwrap_or_default();
            found((due == expected).then_some(()), || format!("{due:?}"))
        })
        .await
    };
    listed(day - 1, &[]).await?;
    listed(day, &["/a"]).await?; // quiet
    listed(93 * day, &["/a", "/b"]).await?; // expired

    let keys = notices.due_problems(at(day), 10).await?.remove(owner.as_str()).ok_or("nothing is due")?;
    let mut evaluated = ProblemFold::new(notices.problems_by_key(&owner, keys).await?, BTreeMap::new(), POLICY);
    evaluated.evaluate(at(day), 10);
    assert_eq!(evaluated.pending_notices().iter().map(|notice| notice.kind).collect::<Vec<_>>(), [NoticeKind::Quiet]);
    let stored = notices.outbox(&owner).await?;
    assert_eq!(change(&notices, &owner, &stored, Some(&evaluated), &[]).await?, Append::Done);
    listed(day, &[]).await
}

pub async fn pending_notices_are_read_oldest_first_until_done(world: Arc<World>) -> TestResult {
    let (notices, _) = new_store(&world).await?;
    let owner = unique_owner();
    // One change takes 49 problems with a notice each.
    for first in [40, 0] {
        let seconds = first..first + 40;
        let occurrences: Vec<Occurrence> = seconds.map(|second| rejection(second, &format!("/{second}"))).collect();
        let fold = folded(Vec::new(), &occurrences);
        let stored = notices.outbox(&owner).await?;
        assert_eq!(change(&notices, &owner, &stored, Some(&fold), &[]).await?, Append::Done);
    }
    let mut read = Vec::new();
    loop {
        let pending = notices.pending_notices(&owner, 30).await?;
        if pending.is_empty() {
            break;
        }
        assert!(pending.len() <= 30);
        read.extend(pending.iter().map(|keyed| keyed.value.at));
        let done: Vec<String> = pending.into_iter().map(|keyed| keyed.key).collect();
        let stored = notices.outbox(&owner).await?;
        assert_eq!(change(&notices, &owner, &stored, None, &done).await?, Append::Done);
    }
    assert_eq!(read, (0..80).map(at).collect::<Vec<_>>());
    Ok(())
}

pub async fn due_owners_are_listed_until_published(world: Arc<World>) -> TestResult {
    let (notices, _) = new_store(&world).await?;
    let (early, late) = (unique_owner(), unique_owner());
    let listed = async |seconds: i64, max: i32, expected: &[(&str, i64)]| {
        // The index lags behind its table.
        poll(SOON, async || {
            let due = notices.due_owners(at(seconds), max).await?;
            let owners: Vec<_> = due.iter().map(|due| (due.owner.as_str(), due.due_at)).collect();
            let expected: Vec<_> = expected.iter().map(|(owner, due)| (*owner, at(*due))).collect();
            found((owners == expected).then_some(()), || format!("{due:?}"))
        })
        .await
    };
    for (owner, seconds) in [(&late, 5), (&early, 3)] {
        let mut stored = StoredOutbox::default();
        stored.outbox.add_pending(1, at(seconds));
        assert_eq!(change(&notices, owner, &stored, None, &[]).await?, Append::Done);
    }
    listed(5, 10, &[(&early, 3), (&late, 5)]).await?;
    listed(5, 1, &[(&early, 3)]).await?;
    listed(4, 10, &[(&early, 3)]).await?;
    let published = StoredOutbox { revision: 1, ..StoredOutbox::default() };
    assert_eq!(change(&notices, &early, &published, None, &[]).await?, Append::Done);
    listed(5, 10, &[(&late, 5)]).await
}

pub async fn owners_with_occurrences_are_listed_until_folded(world: Arc<World>) -> TestResult {
    let (notices, _) = new_store(&world).await?;
    let owners: Vec<_> = (0..20).map(|_| unique_owner()).collect();
    let listed = async |expected: &[OwnerId]| {
        let expected: BTreeSet<String> = expected.iter().map(ToString::to_string).collect();
        poll(SOON, async || {
            let listed = notices.owners_with_occurrences().await?;
            found((listed == expected).then_some(()), || format!("{listed:?}"))
        })
        .await
    };
    for owner in &owners {
        notices.record_occurrence(owner, &rejection(0, "/a")).await?;
        notices.record_occurrence(owner, &rejection(1, "/b")).await?;
    }
    listed(&owners).await?;
    let done: Vec<String> = notices.occurrences(&owners[0]).await?.items.into_iter().map(|keyed| keyed.key).collect();
    assert_eq!(change(&notices, &owners[0], &StoredOutbox::default(), None, &done).await?, Append::Done);
    listed(&owners[1..]).await
}
