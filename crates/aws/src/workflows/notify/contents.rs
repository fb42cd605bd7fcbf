//! What a notice tells: read when it is sent, so that what happened while it waited goes with it.

use eventpulse_core::id::OwnerId;
use std::collections::{BTreeMap, BTreeSet};

use eventpulse_core::intake::fingerprint::ProblemId;
use eventpulse_core::notification::kind::NoticeKind;
use eventpulse_core::notification::occurrence::PendingNotice;
use eventpulse_core::notification::outbox::OutboxEntry;
use eventpulse_core::notification::problem::Problem;
use eventpulse_core::notification::profile::Profile;
use eventpulse_core::notification::rendering::{
    DeploymentInfo, FeaturedProblem, MAX_GROUPS_IN_NOTICE, Notice, NoticeContents, OtherProblem, RemainderTotals,
    RepeatedProblem, ResolvedProblem,
};
use eventpulse_core::upload::Upload;

use super::Notifier;
use crate::adapters::notice_store::Keyed;
use crate::error::{Error, Kind};

/// How many groups a digest tells; of the others it tells the sums.
const MAX_REPEATS: usize = 500;

impl Notifier {
    /// What is to be told, as a notice; none if there is nothing any more.
    pub(super) async fn notice(&self, owner: &str, id: &str, what: &OutboxEntry) -> Result<Option<Notice>, Error> {
        let site = DeploymentInfo { api_url: &self.api_url, retention_days: self.retention_days };
        match what {
            OutboxEntry::Digest { epoch, from, to } => {
                let (repeats, beyond) = self.repeats(owner, *epoch).await?;
                let news = NoticeContents::Digest { from: *from, to: *to, repeats: &repeats, beyond };
                Ok(Notice::of(id, owner, &news, &site).filter(|_| !repeats.is_empty()))
            }
            OutboxEntry::Tells { kind, keys } => {
                let tells = self.groups.tells_by_key(owner, keys).await?;
                let groups = self.groups_of(owner, tells.iter().map(|tell| (tell.of.as_str(), &tell.group))).await?;
                let told = tells.iter().filter_map(|tell| Some((tell, groups.get(&tell.group)?)));
                if *kind == NoticeKind::Resolved {
                    let resolution = |(tell, group): (&PendingNotice, &Problem)| ResolvedProblem {
                        group: group.clone(),
                        upload_id: tell.upload_id.clone(),
                        at: tell.at,
                    };
                    let resolutions: Vec<ResolvedProblem> = told.map(resolution).collect();
                    let news = NoticeContents::Resolved(&resolutions);
                    return Ok(Notice::of(id, owner, &news, &site).filter(|_| !resolutions.is_empty()));
                }
                let Some((first, group)) = told.clone().next() else { return Ok(None) };
                let Some(upload) = self.upload_then(first).await? else { return Ok(None) };
                let profile = self.profile(owner, group).await?;
                let other = |(tell, group): (&PendingNotice, &Problem)| OtherProblem {
                    group: group.clone(),
                    upload_id: tell.upload_id.clone(),
                };
                let others: Vec<OtherProblem> = told.skip(1).map(other).collect();
                let first = FeaturedProblem { group, upload: &upload, profile: profile.as_ref() };
                Ok(Notice::of(id, owner, &NoticeContents::Failing { kind: *kind, first, others: &others }, &site))
            }
        }
    }

    /// What a digest tells: the largest groups, and the sums of the others.
    async fn repeats(&self, owner: &str, epoch: u64) -> Result<(Vec<RepeatedProblem>, RemainderTotals), Error> {
        let mut tallies = self.groups.gathered(owner, epoch).await?;
        tallies.sort_by_key(|(_, tally)| std::cmp::Reverse((tally.uploads, tally.records)));
        let mut beyond = RemainderTotals::default();
        for (_, tally) in tallies.drain(MAX_REPEATS.min(tallies.len())..) {
            beyond.add(&tally);
        }
        let groups = self.groups_of(owner, tallies.iter().map(|(id, tally)| (tally.of.as_str(), id))).await?;
        let repeat = |(id, tally)| Some(RepeatedProblem { group: groups.get(&id)?.clone(), tally });
        Ok((tallies.into_iter().filter_map(repeat).collect(), beyond))
    }

    async fn groups_of<'a>(
        &self,
        owner: &str,
        wanted: impl Iterator<Item = (&'a str, &'a ProblemId)>,
    ) -> Result<BTreeMap<ProblemId, Problem>, Error> {
        let groups = self.groups.groups(owner, wanted.collect()).await?;
        Ok(groups.into_iter().map(|group| (group.id.clone(), group)).collect())
    }

    /// The upload as it was when it was noted: retries have changed it since, perhaps.
    async fn upload_then(&self, tell: &PendingNotice) -> Result<Option<Upload>, Error> {
        let history = self.uploads.history(&tell.upload_id).await?;
        let Some(then) = history.get(..tell.revision) else { return Ok(None) };
        let upload = Upload::fold(tell.upload_id.clone(), then);
        upload.map(Some).map_err(|error| Error::new("fold", tell.upload_id.as_str(), Kind::Corrupt).with_source(error))
    }

    async fn profile(&self, owner: &str, group: &Problem) -> Result<Option<Profile>, Error> {
        if owner == OwnerId::SYNTHETIC_CHECK {
            return Ok(None);
        }
        self.groups.profile(owner, &group.kind).await.map(Some)
    }
}

/// The tells that go in one notice: those of the oldest one's kind, but for groups of which something else is to be told
/// before.
pub(super) fn choose(tells: &[Keyed<PendingNotice>]) -> OutboxEntry {
    let kind = tells.first().map_or(NoticeKind::New, |keyed| keyed.value.kind);
    let mut waiting: BTreeSet<&ProblemId> = BTreeSet::new();
    let mut keys = Vec::new();
    for Keyed { key, value } in tells {
        if value.kind == kind && !waiting.contains(&value.group) && keys.len() < MAX_GROUPS_IN_NOTICE {
            keys.push(key.clone());
        }
        // One tell of a group a notice: what comes after it is told after it.
        waiting.insert(&value.group);
    }
    OutboxEntry::Tells { kind, keys }
}

#[cfg(test)]
mod tests {
    use eventpulse_core::time::Timestamp;

    use super::*;

    fn tell(second: i64, kind: NoticeKind, group: &str) -> Keyed<PendingNotice> {
        let at = Timestamp::from_micros(second * 1_000_000);
        let upload_id = eventpulse_core::id::UploadId::new(at, [0; 10]);
        let value =
            PendingNotice { at, kind, group: ProblemId::of(group, &[]), of: "a/1".to_owned(), upload_id, revision: 1 };
        Keyed { key: format!("{second}"), value }
    }

    #[test]
    fn a_notice_tells_one_thing_and_each_group_s_story_in_order() {
        use NoticeKind::{New, Regressed, Resolved};
        type Row = (&'static str, &'static [(NoticeKind, &'static str)], NoticeKind, &'static [&'static str]);
        let rows: [Row; 4] = [
            ("all new", &[(New, "a"), (New, "b"), (New, "c")], New, &["0", "1", "2"]),
            ("the oldest's kind", &[(Resolved, "a"), (New, "b"), (Resolved, "c")], Resolved, &["0", "2"]),
            ("not before what comes first", &[(New, "a"), (Resolved, "b"), (New, "b")], New, &["0"]),
            ("not twice in one", &[(Regressed, "a"), (Resolved, "a"), (Regressed, "a")], Regressed, &["0"]),
        ];
        for (name, tells, kind, expected) in rows {
            let tells: Vec<_> = (0..).zip(tells).map(|(at, (kind, group))| tell(at, *kind, group)).collect();
            let expected = expected.iter().map(|key| (*key).to_owned()).collect();
            assert_eq!(choose(&tells), OutboxEntry::Tells { kind, keys: expected }, "{name}");
        }
        let many: Vec<_> = (0..60).map(|at| tell(at, New, &at.to_string())).collect();
        let OutboxEntry::Tells { keys, .. } = choose(&many) else { panic!() };
        assert_eq!(keys.len(), MAX_GROUPS_IN_NOTICE);
    }
}
