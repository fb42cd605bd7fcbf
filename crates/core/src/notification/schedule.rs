//! The schedule of one invocation that publishes notices: the next owner and the end of the invocation.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::time::Timestamp;

/// A notice that is due within this time is worth waiting for.
pub const LOOKAHEAD: Duration = Duration::from_millis(1_500);
/// The pause until the index of due owners follows its table.
const INDEX_LAG: Duration = Duration::from_millis(200);
/// The maximum number of successive passes in which the index shows due owners without due notices.
const MAX_IDLE_PASSES: u32 = 3;
/// A notice that has been due for longer is overdue.
const OVERDUE: Duration = Duration::from_secs(300);

/// An owner with a notice that is, or will be, due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DueOwner {
    /// The owner.
    pub owner: String,
    /// The time at which the notice is due.
    pub due_at: Timestamp,
}

impl DueOwner {
    /// Returns how long the notice has been due, if it is overdue.
    #[must_use]
    pub fn overdue(&self, now: Timestamp) -> Option<Duration> {
        let waited = now.as_micros().saturating_sub(self.due_at.as_micros());
        let waited = Duration::from_micros(u64::try_from(waited).unwrap_or_default());
        (waited > OVERDUE).then_some(waited)
    }
}

/// The next step of the invocation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ScheduleStep {
    /// Wait for `pause`, then publish to these owners, in order.
    Publish {
        /// The pause.
        pause: Duration,
        /// The owners.
        owners: Vec<String>,
    },
    /// Wait until a notice becomes due, then look again.
    Wait(Duration),
    /// Nothing more is due.
    Stop,
}

/// The schedule of one invocation.
#[derive(Debug, Default)]
pub struct Schedule {
    failed: BTreeSet<String>,
    is_published: bool,
    idle_passes: u32,
}

impl Schedule {
    /// Records that a notice was published in this pass.
    pub fn published(&mut self) {
        self.is_published = true;
    }

    /// Records that publishing to an owner failed. The schedule omits the owner from now on, so that other owners do
    /// not wait.
    pub fn failed(&mut self, owner: String) {
        self.failed.insert(owner);
    }

    /// Returns the number of owners that are left out.
    #[must_use]
    pub fn failures(&self) -> usize {
        self.failed.len()
    }

    /// Ends a pass. Returns the next step, given the owners in the index of due owners.
    pub fn next(&mut self, due: Vec<DueOwner>, now: Timestamp) -> ScheduleStep {
        let is_published = std::mem::take(&mut self.is_published);
        let due: Vec<DueOwner> = due.into_iter().filter(|due| !self.failed.contains(&due.owner)).collect();
        if due.is_empty() {
            return ScheduleStep::Stop;
        }
        let soon = now + LOOKAHEAD;
        let owners: Vec<String> = due.into_iter().filter(|due| due.due_at <= soon).map(|due| due.owner).collect();
        if owners.is_empty() {
            // A pause ends during this invocation. Its owner does not wait for the next one.
            self.idle_passes = 0;
            return ScheduleStep::Wait(LOOKAHEAD / 2);
        }
        if is_published {
            self.idle_passes = 0;
            return ScheduleStep::Publish { pause: Duration::ZERO, owners };
        }
        // The index shows owners without a due notice, because it lags behind, or other senders were faster.
        self.idle_passes += 1;
        if self.idle_passes > MAX_IDLE_PASSES {
            ScheduleStep::Stop
        } else {
            ScheduleStep::Publish { pause: INDEX_LAG, owners }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_micros(seconds * 1_000_000)
    }

    fn due(owner: &str, seconds: i64) -> DueOwner {
        DueOwner { owner: owner.to_owned(), due_at: at(seconds) }
    }

    fn publish(pause: Duration, owners: &[&str]) -> ScheduleStep {
        ScheduleStep::Publish { pause, owners: owners.iter().map(|owner| (*owner).to_owned()).collect() }
    }

    #[test]
    fn nothing_due_stops() {
        assert_eq!(Schedule::default().next(Vec::new(), at(0)), ScheduleStep::Stop);
    }

    #[test]
    fn owners_that_are_due_soon_are_next_in_order() {
        let mut schedule = Schedule::default();
        schedule.published();
        let step = schedule.next(vec![due("ann", 0), due("bob", 1), due("eve", 2)], at(0));
        assert_eq!(step, publish(Duration::ZERO, &["ann", "bob"]));
    }

    #[test]
    fn a_notice_that_becomes_due_is_waited_for() {
        let mut schedule = Schedule::default();
        for _ in 0..10 {
            assert_eq!(schedule.next(vec![due("ann", 9)], at(0)), ScheduleStep::Wait(LOOKAHEAD / 2));
        }
    }

    #[test]
    fn an_index_without_due_notices_ends_the_schedule_after_some_passes() {
        let mut schedule = Schedule::default();
        for _ in 0..MAX_IDLE_PASSES {
            assert_eq!(schedule.next(vec![due("ann", 0)], at(0)), publish(INDEX_LAG, &["ann"]));
        }
        assert_eq!(schedule.next(vec![due("ann", 0)], at(0)), ScheduleStep::Stop);
    }

    #[test]
    fn a_published_notice_ends_the_idle_passes() {
        let mut schedule = Schedule::default();
        for _ in 0..10 {
            assert_eq!(schedule.next(vec![due("ann", 0)], at(0)), publish(INDEX_LAG, &["ann"]));
            schedule.published();
            assert_eq!(schedule.next(vec![due("ann", 0)], at(0)), publish(Duration::ZERO, &["ann"]));
        }
    }

    #[test]
    fn an_owner_with_a_failure_is_left_out() {
        let mut schedule = Schedule::default();
        schedule.failed("ann".to_owned());
        schedule.published();
        let step = schedule.next(vec![due("ann", 0), due("bob", 0)], at(0));
        assert_eq!((step, schedule.failures()), (publish(Duration::ZERO, &["bob"]), 1));
        assert_eq!(schedule.next(vec![due("ann", 0)], at(0)), ScheduleStep::Stop);
    }

    #[test]
    fn a_notice_is_overdue_after_five_minutes() {
        for (name, now, expected) in [("not due yet", -9, None), ("due", 300, None), ("overdue", 301, Some(301))] {
            assert_eq!(due("ann", 0).overdue(at(now)), expected.map(Duration::from_secs), "{name}");
        }
    }
}
