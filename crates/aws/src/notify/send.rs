//! One notice: chosen, written down, published, crossed off.

use std::collections::{BTreeMap, BTreeSet};

use eventpulse_core::group::{Due, Group, GroupId, Outbox, Sending, Tally, Tell, What, notice_id};
use eventpulse_core::notice::{Case, MAX_GROUPS_IN_NOTICE, News, Notice, NoticeKind, Other, Repeat, Resolution, Site};
use eventpulse_core::profile::Profile;
use eventpulse_core::time::Timestamp;
use eventpulse_core::upload::{SELF_TEST, Upload};

use super::{HORIZON, Notifier, after, wait_until};
use crate::error::{Error, Kind};
use crate::groups::{Changes, Keyed};
use crate::uploads::Append;

/// How many tells are looked at for those that go in one notice.
const TELLS_READ: usize = 4 * MAX_GROUPS_IN_NOTICE;
/// How often somebody else may be faster when a notice is crossed off.
const ATTEMPTS: u32 = 10;

/// What became of an attempt to send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sent {
    /// A notice was published.
    Published,
    /// Nothing is to be sent now.
    NotDue,
    /// Somebody else is at it.
    Contended,
    /// It is due, but others were to be told first.
    OutOfTime,
}

impl Notifier {
    /// Sends one notice to an owner, if one is due now or soon.
    pub(super) async fn send(
        &self,
        owner: &str,
        until: Timestamp,
        clock: impl Fn() -> Timestamp + Copy,
    ) -> Result<Sent, Error> {
        let (mut outbox, revision) = self.groups.outbox(owner).await?;
        let soon = outbox.due_at(self.digest_seconds).filter(|at| *at <= after(clock(), HORIZON) && *at < until);
        let Some(at) = soon else { return Ok(Sent::NotDue) };
        wait_until(at, clock).await;
        let (id, what) = match outbox.due(clock(), self.digest_seconds) {
            None => return Ok(Sent::NotDue),
            Some(Due::Again(Sending { id, what, .. })) => (id, what),
            Some(Due::Digest(what)) => (notice_id(owner, revision), what),
            Some(Due::Tells) => (notice_id(owner, revision), choose(&self.groups.tells(owner, TELLS_READ).await?)),
        };
        let notice = self.notice(owner, &id, &what).await?;
        if notice.is_some() && !self.has_slot(until, clock).await? {
            return Ok(Sent::OutOfTime);
        }
        let now = clock();
        if outbox.sending.is_some() {
            outbox.begin_again(now);
        } else {
            outbox.begin(id.clone(), what.clone(), now);
        }
        let terms = (now, self.digest_seconds);
        if self.groups.change(owner, (&outbox, revision), Changes::default(), terms).await? == Append::Conflict {
            return Ok(Sent::Contended);
        }
        if let Some(notice) = &notice {
            let message_id = self.notices.publish(notice).await?;
            let kind = notice.kind.as_str();
            tracing::info!(owner, notice_id = id, kind, message_id, subject = notice.subject, "a notice was published");
        } else {
            tracing::error!(owner, notice_id = id, "there is nothing to tell of what was owed");
        }
        self.cross_off(owner, &id, &what, clock).await?;
        match notice.map(|notice| notice.kind) {
            Some(NoticeKind::SelfTest) => tracing::info!("the self-test came through"),
            Some(_) => self.ask_again(owner, clock()).await,
            None => {}
        }
        Ok(Sent::Published)
    }

    /// Waits for the slot that every notice goes through. `false`: not in time.
    async fn has_slot(&self, until: Timestamp, clock: impl Fn() -> Timestamp + Copy) -> Result<bool, Error> {
        loop {
            match self.groups.take_slot(clock()).await? {
                None => return Ok(true),
                Some(free_at) if free_at >= until => return Ok(false),
                Some(free_at) => wait_until(free_at, clock).await,
            }
        }
    }

    /// Notes that a notice is sent.
    async fn cross_off(&self, owner: &str, id: &str, what: &What, clock: impl Fn() -> Timestamp) -> Result<(), Error> {
        let keys = match what {
            What::Tells { keys, .. } => keys.as_slice(),
            What::Digest { .. } => &[],
        };
        for _ in 0..ATTEMPTS {
            let (mut outbox, revision): (Outbox, u64) = self.groups.outbox(owner).await?;
            if outbox.sending.as_ref().is_none_or(|sending| sending.id != id) {
                return Ok(()); // somebody took this sender for dead, and was faster
            }
            let now = clock();
            outbox.sent(now);
            let changes = Changes { done: keys, ..Changes::default() };
            if self.groups.change(owner, (&outbox, revision), changes, (now, self.digest_seconds)).await?
                == Append::Done
            {
                return Ok(());
            }
        }
        Err(Error::new("crossing off", owner, Kind::Contended))
    }

    /// An owner who has not confirmed yet is asked again when there is something to tell.
    async fn ask_again(&self, owner: &str, now: Timestamp) {
        match self.subscriptions.ask_again(owner, now).await {
            Ok(true) => tracing::info!(owner, "a subscription that is not confirmed was asked for again"),
            Ok(false) => {}
            Err(error) => tracing::warn!(error = error.chain(), owner, "a subscription could not be asked for again"),
        }
    }

    /// What is to be told, as a notice; none if there is nothing any more.
    async fn notice(&self, owner: &str, id: &str, what: &What) -> Result<Option<Notice>, Error> {
        let site = Site { api_url: &self.api_url, retention_days: self.retention_days };
        match what {
            What::Digest { epoch, from, to } => {
                let repeats = self.repeats(owner, *epoch).await?;
                let news = News::Digest { from: *from, to: *to, repeats: &repeats };
                Ok(Notice::of(id, owner, &news, &site).filter(|_| !repeats.is_empty()))
            }
            What::Tells { kind, keys } => {
                let tells = self.groups.tells_by_key(owner, keys).await?;
                let groups = self.groups_of(owner, tells.iter().map(|tell| (tell.of.as_str(), &tell.group))).await?;
                let told = tells.iter().filter_map(|tell| Some((tell, groups.get(&tell.group)?)));
                if *kind == NoticeKind::Resolved {
                    let resolution = |(tell, group): (&Tell, &Group)| Resolution {
                        group: group.clone(),
                        upload_id: tell.upload_id.clone(),
                        at: tell.at,
                    };
                    let resolutions: Vec<Resolution> = told.map(resolution).collect();
                    let news = News::Resolved(&resolutions);
                    return Ok(Notice::of(id, owner, &news, &site).filter(|_| !resolutions.is_empty()));
                }
                let Some((first, group)) = told.clone().next() else { return Ok(None) };
                let Some(upload) = self.upload_then(first).await? else { return Ok(None) };
                let profile = self.profile(owner, group).await?;
                let other =
                    |(tell, group): (&Tell, &Group)| Other { group: group.clone(), upload_id: tell.upload_id.clone() };
                let others: Vec<Other> = told.skip(1).map(other).collect();
                let first = Case { group, upload: &upload, profile: profile.as_ref() };
                Ok(Notice::of(id, owner, &News::Failing { kind: *kind, first, others: &others }, &site))
            }
        }
    }

    async fn repeats(&self, owner: &str, epoch: u64) -> Result<Vec<Repeat>, Error> {
        let gathered = self.groups.gathered(owner, epoch).await?;
        let ids: Vec<(GroupId, Tally)> =
            gathered.into_iter().filter_map(|(id, tally)| Some((GroupId::parse(&id)?, tally))).collect();
        let groups = self.groups_of(owner, ids.iter().map(|(id, tally)| (tally.of.as_str(), id))).await?;
        let repeat = |(id, tally): (GroupId, Tally)| {
            let Tally { uploads, records, first_seen, last_seen, upload_id, came_back, resolved, .. } = tally;
            let group = groups.get(&id)?.clone();
            Some(Repeat { group, uploads, records, first_seen, last_seen, upload_id, came_back, resolved })
        };
        Ok(ids.into_iter().filter_map(repeat).collect())
    }

    async fn groups_of<'a>(
        &self,
        owner: &str,
        wanted: impl Iterator<Item = (&'a str, &'a GroupId)>,
    ) -> Result<BTreeMap<GroupId, Group>, Error> {
        let groups = self.groups.groups(owner, wanted.collect()).await?;
        Ok(groups.into_iter().map(|group| (group.id.clone(), group)).collect())
    }

    /// The upload as it was when it was noted: retries have changed it since, perhaps.
    async fn upload_then(&self, tell: &Tell) -> Result<Option<Upload>, Error> {
        let history = self.uploads.history(&tell.upload_id).await?;
        let Some(then) = history.get(..tell.revision) else { return Ok(None) };
        let upload = Upload::fold(tell.upload_id.clone(), then);
        upload.map(Some).map_err(|error| Error::new("fold", tell.upload_id.as_str(), Kind::Corrupt).because(error))
    }

    async fn profile(&self, owner: &str, group: &Group) -> Result<Option<Profile>, Error> {
        if owner == SELF_TEST {
            return Ok(None);
        }
        self.groups.profile(owner, &group.kind).await.map(Some)
    }
}

/// The tells that go in one notice: those of the oldest one's kind, but for groups of which something else is to be told
/// before.
fn choose(tells: &[Keyed<Tell>]) -> What {
    let kind = tells.first().map_or(NoticeKind::New, |keyed| keyed.value.kind);
    let mut waiting: BTreeSet<&GroupId> = BTreeSet::new();
    let mut keys = Vec::new();
    for Keyed { key, value } in tells {
        if value.kind == kind && !waiting.contains(&value.group) && keys.len() < MAX_GROUPS_IN_NOTICE {
            keys.push(key.clone());
        }
        // One tell of a group a notice: what comes after it is told after it.
        waiting.insert(&value.group);
    }
    What::Tells { kind, keys }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tell(second: i64, kind: NoticeKind, group: &str) -> Keyed<Tell> {
        let at = Timestamp::from_micros(second * 1_000_000);
        let upload_id = eventpulse_core::id::UploadId::new(at, [0; 10]);
        let value = Tell { at, kind, group: GroupId::of(group, &[]), of: "a/1".to_owned(), upload_id, revision: 1 };
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
            assert_eq!(choose(&tells), What::Tells { kind, keys: expected }, "{name}");
        }
        let many: Vec<_> = (0..60).map(|at| tell(at, New, &at.to_string())).collect();
        let What::Tells { keys, .. } = choose(&many) else { panic!() };
        assert_eq!(keys.len(), MAX_GROUPS_IN_NOTICE);
    }
}
