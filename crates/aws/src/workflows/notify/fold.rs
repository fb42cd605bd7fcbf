//! What became of an owner's uploads, folded into groups.

use std::collections::BTreeSet;
use std::time::Duration;

use eventpulse_core::notification::occurrence::{Occurrence, ProblemFold};
use eventpulse_core::notification::outbox::Outbox;
use eventpulse_core::time::Timestamp;

use super::Notifier;
use crate::adapters::notice_store::{Changes, Keyed, MAX_CHANGES};
use crate::adapters::upload_store::Append;
use crate::error::{Error, Kind};

/// How often somebody else may be faster, in a row.
const ATTEMPTS: u32 = 20;
/// How long to wait then, the first time.
const PAUSE: Duration = Duration::from_millis(20);

impl Notifier {
    /// Folds what is new of an owner, until `until`. Each occurrence is taken away in the transaction that counts it. What
    /// comes while this is at work is for those whom it wakes.
    pub(super) async fn fold(
        &self,
        owner: &str,
        until: Timestamp,
        clock: impl Fn() -> Timestamp + Copy,
    ) -> Result<(), Error> {
        let begun = clock();
        let mut lost = 0;
        while lost < ATTEMPTS {
            // Read first: who folds the same occurrences meanwhile changes it.
            let outbox = self.groups.outbox(owner).await?;
            let (mut page, has_more) = self.groups.seen(owner).await?;
            let of_page = page.len();
            page.retain(|keyed| keyed.value.at <= begun);
            if page.is_empty() || clock() >= until {
                return Ok(());
            }
            let is_all = !has_more && page.len() == of_page;
            if self.fold_page(owner, outbox, (&page, is_all), clock()).await? == Append::Done {
                lost = 0;
            } else {
                tokio::time::sleep(PAUSE * (1 << lost.min(6))).await;
                lost += 1;
            }
        }
        Err(Error::new("fold", owner, Kind::Contended))
    }

    /// Folds as many of these occurrences as one transaction takes. `is_all`: there were no others.
    async fn fold_page(
        &self,
        owner: &str,
        (mut outbox, revision): (Outbox, u64),
        (page, is_all): (&[Keyed<Occurrence>], bool),
        now: Timestamp,
    ) -> Result<Append, Error> {
        let marks = self.marks(owner, page).await?;
        let mut ledger = self.ledger(owner, page, outbox.epoch).await?;
        let done = take(&mut ledger, page);
        if done.is_empty() && ledger.writes() == 0 {
            return Err(Error::new("fold", owner, Kind::Corrupt)); // one is more than a transaction takes
        }
        outbox.owe(ledger.tells().len(), now);
        if ledger.tallied().next().is_some() {
            outbox.gather(now);
        }
        let keys: Vec<String> = done.iter().map(|keyed| keyed.key.clone()).collect();
        let changes = Changes { ledger: Some(&ledger), epoch: outbox.epoch, done: &keys };
        let terms = (now, self.digest_seconds);
        if self.groups.change(owner, (&outbox, revision), changes, terms).await? == Append::Conflict {
            return Ok(Append::Conflict);
        }
        let failed: BTreeSet<&str> =
            done.iter().flat_map(|keyed| keyed.value.fingerprints()).map(|print| print.kind.as_str()).collect();
        for kind in &failed {
            self.groups.mark_open(owner, kind, now).await?;
        }
        let is_closed = |kind: &str| !ledger.has_open(kind) && !failed.contains(kind);
        let closed: Vec<_> = marks.iter().filter(|(kind, _)| is_closed(kind)).collect();
        // What failed since the page was read has said so, and is not folded: then whoever folds it closes, or nobody does.
        if is_all && done.len() == page.len() && !closed.is_empty() && self.groups.seen(owner).await?.0.is_empty() {
            for (kind, mark) in closed {
                self.groups.mark_closed(owner, kind, mark).await?;
            }
        }
        Ok(Append::Done)
    }

    /// Of the kinds that passed, when a group of them was last said to be open.
    async fn marks(&self, owner: &str, page: &[Keyed<Occurrence>]) -> Result<Vec<(String, String)>, Error> {
        let kinds: BTreeSet<&String> = page.iter().flat_map(|keyed| keyed.value.passed()).collect();
        let mut marks = Vec::new();
        for kind in kinds {
            if let Some(mark) = self.groups.open_mark(owner, kind).await? {
                marks.push((kind.clone(), mark));
            }
        }
        Ok(marks)
    }

    /// The groups that occurrences are about, and what the digest has of them.
    async fn ledger(&self, owner: &str, page: &[Keyed<Occurrence>], epoch: u64) -> Result<ProblemFold, Error> {
        let prints = page.iter().flat_map(|keyed| keyed.value.fingerprints());
        let mut groups =
            self.groups.groups(owner, prints.map(|print| (print.kind.as_str(), &print.id)).collect()).await?;
        let passed: BTreeSet<&String> = page.iter().flat_map(|keyed| keyed.value.passed()).collect();
        for kind in passed {
            // More than one transaction changes: a pass that does not come to its end comes again.
            groups.extend(self.groups.open(owner, kind, MAX_CHANGES / 2).await?);
        }
        let prints = page.iter().flat_map(|keyed| keyed.value.fingerprints()).map(|print| &print.id);
        let ids: BTreeSet<_> = groups.iter().map(|group| &group.id).chain(prints).collect();
        let tallies = self.groups.tallies(owner, epoch, ids.into_iter()).await?;
        Ok(ProblemFold::new(groups, tallies, self.digest_seconds))
    }
}

/// Takes as many occurrences in as one transaction can write. Returns those that are dealt with.
fn take<'p>(ledger: &mut ProblemFold, page: &'p [Keyed<Occurrence>]) -> Vec<&'p Keyed<Occurrence>> {
    let mut done = Vec::new();
    for keyed in page {
        let left = MAX_CHANGES.saturating_sub(ledger.writes() + done.len() + 1);
        // A group takes two writes: itself, and what is told of it.
        let most = left / 2;
        if most < keyed.value.fingerprints().len().max(1) || !ledger.take(&keyed.value, most) {
            break;
        }
        done.push(keyed);
    }
    done
}
