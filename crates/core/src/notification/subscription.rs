//! An owner's e-mail subscription: its stored state, the effect of SNS's answers, and when to send a confirmation e-mail.
//!
//! The owner of an address confirms the subscription by a link in an e-mail from SNS. Only SNS knows whether the link, or
//! later the unsubscribe link, was followed. A check asks SNS, and [`Subscription::observe`] applies the answer.

pub mod filter;
pub mod hint;

use std::time::Duration;

use crate::notification::kind::NoticeKind;
use crate::time::Timestamp;
use filter::{filter_policy, is_filter_policy, is_policy_of};

/// The shortest time between two confirmation e-mails to one address.
pub const RESEND_AFTER: Duration = Duration::from_secs(24 * 3_600);
/// SNS may not know a new subscription for this time.
const SETTLING: Duration = Duration::from_secs(60);
/// SNS keeps an unconfirmed subscription [for 48
/// hours](https://aws.amazon.com/about-aws/whats-new/2023/05/amazon-sns-automatic-deletion-unconfirmed-subscriptions/).
/// One that vanishes within this shorter time was confirmed and then unsubscribed.
const KEPT_UNCONFIRMED: Duration = Duration::from_secs(24 * 3_600);
/// The answer of SNS is recent enough for a receipt for this time.
const CHECK_AFTER: Duration = Duration::from_secs(60);
/// The same for a pending subscription, which changes when the link is followed.
const CHECK_PENDING_AFTER: Duration = Duration::from_secs(2);
/// A request that has SNS send a confirmation e-mail holds its claim for this time.
const SENDING: Duration = Duration::from_secs(30);

/// The state of a subscription.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SubscriptionState {
    /// The owner never subscribed, or deleted the subscription.
    #[default]
    None,
    /// The link in the confirmation e-mail is not followed yet.
    Pending,
    /// Notices are sent.
    Confirmed,
    /// Notices were sent, but the unsubscribe link was followed, or SNS switched the subscription off.
    Gone,
}

impl SubscriptionState {
    /// All states.
    pub const ALL: [Self; 4] = [Self::None, Self::Pending, Self::Confirmed, Self::Gone];

    /// Returns the stored and serialized name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Pending => "pending",
            Self::Confirmed => "confirmed",
            Self::Gone => "gone",
        }
    }

    /// Returns the state with this name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == name)
    }
}

/// The state of a subscription that SNS reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ObservedState {
    /// The link was followed.
    Confirmed,
    /// The subscription waits for confirmation.
    Pending,
    /// SNS does not know the subscription.
    Missing,
}

/// The reason why SNS refused to subscribe an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SubscriptionRefusal {
    /// The address is subscribed with the filter policy of another owner, or of the operator.
    AddressInUse,
    /// SNS does not accept the address.
    InvalidAddress,
    /// The AWS account has reached its quota of subscriptions or filter policies.
    QuotaReached,
}

/// The result of removing a subscription from SNS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Removal {
    /// SNS has no such subscription any more.
    Removed,
    /// SNS keeps the subscription, because it is not confirmed.
    KeptWhilePending,
}

/// An owner's subscription as it is stored.
///
/// ```
/// use eventpulse_core::notification::kind::NoticeKind;
/// use eventpulse_core::notification::subscription::{ObservedState, Subscription, SubscriptionState};
/// use eventpulse_core::time::Timestamp;
///
/// let now = Timestamp::parse("2025-02-28T12:00:00Z").unwrap();
/// let none = Subscription::default();
/// assert!(none.needs_confirmation("ann@example.com", now));
///
/// // SNS sends the confirmation e-mail, and the link is followed.
/// let arn = Some("arn:aws:sns:eu-central-1:123456789012:notices:1".to_owned());
/// let pending = none.confirmation_sent("ann@example.com", vec![NoticeKind::New], arn, now);
/// assert_eq!(pending.state, SubscriptionState::Pending);
/// assert!(!pending.needs_confirmation("ann@example.com", now));
/// let confirmed = pending.observe(ObservedState::Confirmed, now);
/// assert_eq!(confirmed.state, SubscriptionState::Confirmed);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscription {
    /// The state.
    pub state: SubscriptionState,
    /// The address.
    pub email: Option<String>,
    /// The kinds of notices that the owner wants.
    pub kinds: Vec<NoticeKind>,
    /// The ARN of the subscription. It stays after a deletion before the confirmation, because SNS then keeps the
    /// subscription.
    pub arn: Option<String>,
    /// The time at which SNS first returned this ARN.
    pub subscribed_at: Option<Timestamp>,
    /// The time of the last confirmation e-mail.
    pub confirmation_sent_at: Option<Timestamp>,
    /// The time of the first check that found the subscription confirmed.
    pub confirmed_at: Option<Timestamp>,
    /// The time of the first check that found it gone.
    pub gone_at: Option<Timestamp>,
    /// The time of the last check that SNS answered.
    pub checked_at: Option<Timestamp>,
    /// The time of the last check that SNS did not answer, or not in time for a receipt.
    pub check_failed_at: Option<Timestamp>,
    /// The time at which a request claimed the right to have SNS send a confirmation e-mail. `None` when it is done.
    pub sending_since: Option<Timestamp>,
    /// Subscriptions of earlier addresses that SNS keeps, because they are not confirmed.
    pub superseded_arns: Vec<String>,
    /// The number of times that the subscription was written.
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
            confirmation_sent_at: None,
            confirmed_at: None,
            gone_at: None,
            checked_at: None,
            check_failed_at: None,
            sending_since: None,
            superseded_arns: Vec::new(),
            revision: 0,
        }
    }
}

impl Subscription {
    /// Applies the answer of SNS to a check.
    ///
    /// If SNS switches a subscription off, for too many e-mails per second, it [becomes pending
    /// again](https://repost.aws/knowledge-center/sns-email-subscription-disabled); here it is gone. If a deleted
    /// subscription is confirmed by the link of an old e-mail, it stays deleted: its ARN becomes superseded, so that it is
    /// removed now that SNS allows it.
    #[must_use]
    pub fn observe(mut self, observed: ObservedState, now: Timestamp) -> Self {
        (self.checked_at, self.check_failed_at) = (Some(now), None);
        match (self.state, observed) {
            (SubscriptionState::Confirmed, ObservedState::Confirmed) => {}
            (SubscriptionState::None, ObservedState::Confirmed) => self.superseded_arns.extend(self.arn.take()),
            (_, ObservedState::Confirmed) => {
                (self.state, self.confirmed_at, self.gone_at) = (SubscriptionState::Confirmed, Some(now), None);
            }
            (SubscriptionState::Confirmed, _) => self.become_gone(now),
            (SubscriptionState::Pending, ObservedState::Missing)
                if is_within(self.confirmation_sent_at, SETTLING, now) => {}
            (SubscriptionState::Pending, ObservedState::Missing)
                if is_within(self.subscribed_at, KEPT_UNCONFIRMED, now) =>
            {
                self.become_gone(now);
            }
            (SubscriptionState::Pending | SubscriptionState::None, ObservedState::Missing) => self.arn = None,
            _ => {}
        }
        self
    }

    fn become_gone(&mut self, now: Timestamp) {
        (self.state, self.gone_at) = (SubscriptionState::Gone, Some(now));
    }

    /// Records a check without an ARN, which needs no answer of SNS.
    #[must_use]
    pub fn checked(self, now: Timestamp) -> Self {
        Self { checked_at: Some(now), check_failed_at: None, ..self }
    }

    /// Records that SNS did not answer a check in time.
    #[must_use]
    pub fn check_failed(self, now: Timestamp) -> Self {
        Self { check_failed_at: Some(now), ..self }
    }

    /// Returns whether SNS must send a confirmation e-mail when the owner subscribes this address.
    #[must_use]
    pub fn needs_confirmation(&self, email: &str, now: Timestamp) -> bool {
        if self.email.as_deref() != Some(email) {
            return true;
        }
        match self.state {
            SubscriptionState::Confirmed => false,
            SubscriptionState::Gone => true,
            SubscriptionState::Pending => self.may_resend(now),
            SubscriptionState::None => self.arn.is_none() || self.may_resend(now),
        }
    }

    /// Returns whether SNS must send another confirmation e-mail after a notice was published: the link in the last one
    /// was not followed for a day.
    #[must_use]
    pub fn needs_reminder(&self, now: Timestamp) -> bool {
        self.state == SubscriptionState::Pending && self.may_resend(now) && !self.is_sending(now)
    }

    /// Returns the earliest time for another confirmation e-mail.
    #[must_use]
    pub fn can_resend_at(&self) -> Option<Timestamp> {
        self.confirmation_sent_at.map(|at| at + RESEND_AFTER)
    }

    fn may_resend(&self, now: Timestamp) -> bool {
        !is_within(self.confirmation_sent_at, RESEND_AFTER, now)
    }

    /// Returns whether a request has SNS send a confirmation e-mail now. Other requests wait and do not write.
    #[must_use]
    pub fn is_sending(&self, now: Timestamp) -> bool {
        is_within(self.sending_since, SENDING, now)
    }

    /// Returns whether SNS has subscriptions of this owner, so that a check can change something.
    #[must_use]
    pub fn is_checkable(&self) -> bool {
        self.arn.is_some() || !self.superseded_arns.is_empty()
    }

    /// Returns whether a receipt needs a check first. It does not while another request has an e-mail sent, or shortly
    /// after a failed check, so that not every receipt waits for SNS.
    #[must_use]
    pub fn needs_check(&self, now: Timestamp) -> bool {
        let pause = if self.state == SubscriptionState::Pending { CHECK_PENDING_AFTER } else { CHECK_AFTER };
        self.is_checkable()
            && !is_within(self.checked_at, pause, now)
            && !is_within(self.check_failed_at, CHECK_AFTER, now)
            && !self.is_sending(now)
    }

    /// Claims the right to have SNS send a confirmation e-mail. The claim expires by itself.
    #[must_use]
    pub fn claim_sending(self, now: Timestamp) -> Self {
        Self { sending_since: Some(now), ..self }
    }

    /// Ends the claim without an e-mail.
    #[must_use]
    pub fn release_sending(self) -> Self {
        Self { sending_since: None, ..self }
    }

    /// Ends the claim after SNS refused a reminder. The next one waits as long as after a sent one.
    #[must_use]
    pub fn reminder_refused(self, now: Timestamp) -> Self {
        Self { sending_since: None, confirmation_sent_at: Some(now), ..self }
    }

    /// Records that SNS sent a confirmation e-mail for the subscription with this ARN.
    #[must_use]
    pub fn confirmation_sent(
        mut self,
        email: &str,
        kinds: Vec<NoticeKind>,
        arn: Option<String>,
        now: Timestamp,
    ) -> Self {
        if self.arn != arn {
            self.superseded_arns.extend(self.arn.take());
            self.subscribed_at = Some(now);
        }
        // An earlier address that is subscribed again has its old ARN.
        self.superseded_arns.retain(|superseded| Some(superseded) != arn.as_ref());
        Self {
            state: SubscriptionState::Pending,
            email: Some(email.to_owned()),
            kinds,
            arn,
            confirmation_sent_at: Some(now),
            confirmed_at: None,
            gone_at: None,
            sending_since: None,
            ..self
        }
    }

    /// Changes the kinds of notices. This needs no confirmation.
    #[must_use]
    pub fn with_kinds(mut self, kinds: Vec<NoticeKind>) -> Self {
        if self.state == SubscriptionState::None {
            self.state = SubscriptionState::Pending;
        }
        Self { kinds, ..self }
    }

    /// Deletes the subscription after SNS removed it, or refused to.
    #[must_use]
    pub fn deleted(self, removal: Removal) -> Self {
        if removal == Removal::KeptWhilePending {
            let state = SubscriptionState::None;
            return Self { state, confirmed_at: None, gone_at: None, sending_since: None, ..self };
        }
        let Self { superseded_arns, checked_at, revision, .. } = self;
        Self { superseded_arns, checked_at, revision, ..Self::default() }
    }

    /// Returns the filter policy for subscribing an address. `current` is the filter policy of the present subscription:
    /// if that is the owner's own for the same address, SNS accepts no other one.
    #[must_use]
    pub fn filter_to_subscribe(&self, owner: &str, email: &str, kinds: &[NoticeKind], current: Option<&str>) -> String {
        let is_same_address = self.email.as_deref() == Some(email);
        let own = current.filter(|current| is_same_address && is_policy_of(current, owner));
        own.map_or_else(|| filter_policy(owner, kinds), str::to_owned)
    }

    /// Returns the filter policy that SNS has to be given, if `current` is not the one for the owner's kinds.
    #[must_use]
    pub fn filter_to_set(&self, owner: &str, current: Option<&str>) -> Option<String> {
        let is_set = current.is_some_and(|current| is_filter_policy(current, owner, &self.kinds));
        (self.arn.is_some() && !is_set).then(|| filter_policy(owner, &self.kinds))
    }
}

/// Returns the filter policy of a superseded subscription if it is the owner's own. SNS refuses to subscribe an address
/// with another filter policy than the one that it has, so the owner's earlier one is worth another try.
#[must_use]
pub fn own_filter(owner: &str, observed: ObservedState, filter: Option<String>) -> Option<String> {
    filter.filter(|filter| observed != ObservedState::Missing && is_policy_of(filter, owner))
}

/// Returns whether less than `duration` has passed since `then`.
fn is_within(then: Option<Timestamp>, duration: Duration, now: Timestamp) -> bool {
    then.is_some_and(|then| now < then + duration)
}

#[cfg(test)]
mod tests;
