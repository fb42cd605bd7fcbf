//! An owner's e-mail subscription: what is kept of it, what SNS's word makes of that, and when the owner may be asked.
//!
//! Who is to be mailed has to agree, by a link in a mail of SNS's. Whether they did, or took it back, only SNS knows: it
//! is asked, and [`Subscription::seen`] folds its word into what is stored.

pub mod hint;

use serde_json::{Value, json};

use crate::notification::kind::NoticeKind;
use crate::time::Timestamp;

/// Nobody is asked to confirm more often than once a day.
pub const ASK_AGAIN_SECONDS: i64 = 86_400;
/// How long SNS may take to know a subscription that it has just made.
const SETTLING_SECONDS: i64 = 60;
/// A younger subscription that nobody confirmed is still there: SNS keeps those [for 48
/// hours](https://aws.amazon.com/about-aws/whats-new/2023/05/amazon-sns-automatic-deletion-unconfirmed-subscriptions/).
/// So one that vanishes earlier was confirmed, and then unsubscribed.
const KEPT_UNCONFIRMED_SECONDS: i64 = 24 * 3600;
/// How long SNS's word is good enough for a receipt.
const LOOK_SECONDS: i64 = 60;
/// The same while it may change at any moment, by a link that is followed.
const LOOK_WHILE_PENDING_SECONDS: i64 = 2;
/// How long whoever asks may take; then it counts as broken off.
const ASKING_SECONDS: i64 = 30;

/// Where a subscription stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SubscriptionState {
    /// It was never asked for, or its owner deleted it.
    #[default]
    None,
    /// It waits for somebody to follow the link in SNS's mail.
    Pending,
    /// Notices are mailed.
    Confirmed,
    /// They were, and are no more: somebody followed the unsubscribe link, or SNS switched it off.
    Gone,
}

impl SubscriptionState {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::None, Self::Pending, Self::Confirmed, Self::Gone];

    /// Its name, which does not change.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Pending => "pending",
            Self::Confirmed => "confirmed",
            Self::Gone => "gone",
        }
    }

    /// By its name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == name)
    }
}

/// What SNS says of a subscription.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ObservedState {
    /// Somebody followed the link.
    Confirmed,
    /// It waits for confirmation.
    Pending,
    /// It does not know it.
    Unknown,
}

/// What is kept of an owner's subscription.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscription {
    /// Where it stands.
    pub state: SubscriptionState,
    /// The address.
    pub email: Option<String>,
    /// What its owner wants to be told.
    pub kinds: Vec<NoticeKind>,
    /// SNS's name for it. Also of one that was deleted before anybody confirmed it, which SNS does not remove.
    pub arn: Option<String>,
    /// When SNS first named it so.
    pub subscribed_at: Option<Timestamp>,
    /// When SNS last mailed the link.
    pub asked_at: Option<Timestamp>,
    /// When it was first seen confirmed.
    pub confirmed_at: Option<Timestamp>,
    /// When it was first seen gone.
    pub gone_at: Option<Timestamp>,
    /// When SNS was last asked about it.
    pub looked_at: Option<Timestamp>,
    /// When SNS last did not tell, or took too long for a receipt.
    pub silent_at: Option<Timestamp>,
    /// When somebody set out to have the link mailed, and has not come back yet.
    pub asking_at: Option<Timestamp>,
    /// Subscriptions of earlier addresses that SNS would not remove, because nobody had confirmed them.
    pub left: Vec<String>,
    /// How often it was written; 0 of one that never was.
    pub revision: usize,
}

impl Default for Subscription {
    fn default() -> Self {
        Self {
            state: SubscriptionState::None,
            email: None,
            kinds: NoticeKind::OF_OWNERS.to_vec(),
            arn: None,
            subscribed_at: None,
            asked_at: None,
            confirmed_at: None,
            gone_at: None,
            looked_at: None,
            silent_at: None,
            asking_at: None,
            left: Vec::new(),
            revision: 0,
        }
    }
}

impl Subscription {
    /// What SNS's word makes of it.
    ///
    /// SNS puts a subscription that it switched off, for too many mails a second, [back to pending
    /// ](https://repost.aws/knowledge-center/sns-email-subscription-disabled): to its owner that is gone. One that was
    /// deleted, and is confirmed after all by the link of an old mail, stays deleted: that is its owner's last word. It
    /// is left behind, to be removed now that SNS does that.
    #[must_use]
    pub fn seen(mut self, seen: ObservedState, now: Timestamp) -> Self {
        (self.looked_at, self.silent_at) = (Some(now), None);
        match (self.state, seen) {
            (SubscriptionState::Confirmed, ObservedState::Confirmed) => {}
            (SubscriptionState::None, ObservedState::Confirmed) => self.left.extend(self.arn.take()),
            (_, ObservedState::Confirmed) => {
                (self.state, self.confirmed_at, self.gone_at) = (SubscriptionState::Confirmed, Some(now), None);
            }
            (SubscriptionState::Confirmed, _) => self.is_gone(now),
            (SubscriptionState::Pending, ObservedState::Unknown) if is_within(self.asked_at, SETTLING_SECONDS, now) => {
            }
            (SubscriptionState::Pending, ObservedState::Unknown)
                if is_within(self.subscribed_at, KEPT_UNCONFIRMED_SECONDS, now) =>
            {
                self.is_gone(now);
            }
            (SubscriptionState::Pending | SubscriptionState::None, ObservedState::Unknown) => self.arn = None,
            _ => {}
        }
        self
    }

    fn is_gone(&mut self, now: Timestamp) {
        (self.state, self.gone_at) = (SubscriptionState::Gone, Some(now));
    }

    /// Whether the link is to be mailed because the owner wants notices at this address.
    #[must_use]
    pub fn asks(&self, email: &str, now: Timestamp) -> bool {
        if self.email.as_deref() != Some(email) {
            return true;
        }
        match self.state {
            SubscriptionState::Confirmed => false,
            SubscriptionState::Gone => true,
            SubscriptionState::Pending => self.may_be_asked_again(now),
            SubscriptionState::None => self.arn.is_none() || self.may_be_asked_again(now),
        }
    }

    /// Whether the link is to be mailed again because there is news: nobody confirmed for a day.
    #[must_use]
    pub fn asks_for_news(&self, now: Timestamp) -> bool {
        self.state == SubscriptionState::Pending && self.may_be_asked_again(now) && !self.is_being_asked(now)
    }

    /// From when on the link may be mailed again.
    #[must_use]
    pub fn can_be_asked_again_at(&self) -> Option<Timestamp> {
        self.asked_at.map(|at| at.plus_seconds(ASK_AGAIN_SECONDS))
    }

    fn may_be_asked_again(&self, now: Timestamp) -> bool {
        !is_within(self.asked_at, ASK_AGAIN_SECONDS, now)
    }

    /// Whether somebody is just having the link mailed: nobody else does then, and nobody writes.
    #[must_use]
    pub fn is_being_asked(&self, now: Timestamp) -> bool {
        is_within(self.asking_at, ASKING_SECONDS, now)
    }

    /// Whether SNS is to be asked again before a receipt tells of it. Not while somebody else does, and not soon after it
    /// was silent: not every receipt is to wait for it.
    #[must_use]
    pub fn is_to_be_looked_at(&self, now: Timestamp) -> bool {
        let pause = if self.state == SubscriptionState::Pending { LOOK_WHILE_PENDING_SECONDS } else { LOOK_SECONDS };
        (self.arn.is_some() || !self.left.is_empty())
            && !is_within(self.looked_at, pause, now)
            && !is_within(self.silent_at, LOOK_SECONDS, now)
            && !self.is_being_asked(now)
    }

    /// The link was mailed, by the subscription of this name.
    #[must_use]
    pub fn asked(mut self, email: &str, kinds: Vec<NoticeKind>, arn: Option<String>, now: Timestamp) -> Self {
        if self.arn != arn {
            self.left.extend(self.arn.take());
            self.subscribed_at = Some(now);
        }
        // An address that comes back has its old name again.
        self.left.retain(|left| Some(left) != arn.as_ref());
        Self {
            state: SubscriptionState::Pending,
            email: Some(email.to_owned()),
            kinds,
            arn,
            asked_at: Some(now),
            confirmed_at: None,
            gone_at: None,
            asking_at: None,
            ..self
        }
    }

    /// The owner wants these kinds of notices, and nobody has to be asked.
    #[must_use]
    pub fn wanting(mut self, kinds: Vec<NoticeKind>) -> Self {
        if self.state == SubscriptionState::None {
            self.state = SubscriptionState::Pending;
        }
        Self { kinds, ..self }
    }

    /// The owner wants none any more. `is_kept`: SNS did not remove the subscription, since nobody had confirmed it.
    #[must_use]
    pub fn deleted(self, is_kept: bool) -> Self {
        if is_kept {
            return Self { state: SubscriptionState::None, confirmed_at: None, gone_at: None, asking_at: None, ..self };
        }
        let Self { left, looked_at, revision, .. } = self;
        Self { left, looked_at, revision, ..Self::default() }
    }
}

/// Whether less than so many seconds passed since then.
fn is_within(then: Option<Timestamp>, seconds: i64, now: Timestamp) -> bool {
    then.is_some_and(|then| now < then.plus_seconds(seconds))
}

/// The filter policy that lets an owner's notices of these kinds through, and nobody else's.
#[must_use]
pub fn filter_policy(owner: &str, kinds: &[NoticeKind]) -> String {
    policy(owner, kinds).to_string()
}

fn policy(owner: &str, kinds: &[NoticeKind]) -> Value {
    let kinds: Vec<&str> = kinds.iter().map(|kind| kind.as_str()).collect();
    json!({ "owner": [owner], "kind": kinds })
}

/// Whether a filter policy is that one.
#[must_use]
pub fn is_filter_policy(text: &str, owner: &str, kinds: &[NoticeKind]) -> bool {
    serde_json::from_str::<Value>(text).is_ok_and(|found| found == policy(owner, kinds))
}

/// Whether a filter policy lets only notices of this owner through.
#[must_use]
pub fn is_policy_of(text: &str, owner: &str) -> bool {
    serde_json::from_str::<Value>(text).is_ok_and(|found| found["owner"] == json!([owner]))
}

#[cfg(test)]
mod tests;
