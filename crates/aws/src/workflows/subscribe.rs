//! Subscribes owners to their notices by e-mail.
//!
//! Each use case loads the subscription, asks SNS for its state, lets the core decide, calls SNS and writes the result. A
//! request that has SNS send a confirmation e-mail first stores a claim (`sending_since`), so that one of several parallel
//! requests sends the e-mail. Until it is done, or the claim expires, no other request writes.

use std::time::Duration;

use eventpulse_core::notification::kind::NoticeKind;
use eventpulse_core::notification::subscription::{
    Removal, Subscription, SubscriptionRefusal, SubscriptionState, own_filter,
};
use eventpulse_core::time::Timestamp;

use crate::adapters::subscription_store::{Observation, SubscribeAnswer, SubscriptionStore, WriteResult};
use crate::error::{Error, Kind};

/// The highest number of attempts while other requests change the same subscription.
const MAX_ATTEMPTS: usize = 10;
/// The longest wait for another request that has SNS send a confirmation e-mail.
const CLAIM_PATIENCE: Duration = Duration::from_secs(15);
/// The pause between two looks at its claim. The calls to SNS take a fraction of a second.
const CLAIM_PAUSE: Duration = Duration::from_millis(300);
/// The longest wait of a receipt for SNS.
const RECEIPT_PATIENCE: Duration = Duration::from_secs(1);

/// The result of subscribing an owner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SubscribeOutcome {
    /// The subscription is stored.
    Subscribed(Box<Subscription>),
    /// SNS refused the address.
    Refused(SubscriptionRefusal),
}

/// A subscription after a check, and the filter policy that SNS has for it.
struct Checked {
    subscription: Subscription,
    filter: Option<String>,
}

/// The result of a claimed confirmation e-mail.
enum Confirmation {
    /// SNS sends the e-mail. The subscription is to be written.
    Sent(Subscription),
    /// SNS refused. The subscription still holds the claim.
    Refused { claimed: Subscription, refusal: SubscriptionRefusal },
    /// Another request was faster.
    Conflict,
}

/// Returns the owner's subscription after a check with SNS.
///
/// # Errors
/// See [`crate::error`].
pub async fn show(store: &SubscriptionStore, owner: &str, now: Timestamp) -> Result<Subscription, Error> {
    let stored = store.load(owner).await?;
    refresh(store, owner, stored, now).await
}

/// Returns the owner's subscription for a receipt: as it is stored, or after a check if that is too old. A receipt waits
/// for SNS only for a short time. After a failed check it does not wait again for a minute.
///
/// # Errors
/// See [`crate::error`]. A failed check is no error.
pub async fn show_for_receipt(store: &SubscriptionStore, owner: &str, now: Timestamp) -> Result<Subscription, Error> {
    let stored = store.load(owner).await?;
    if !stored.needs_check(now) {
        return Ok(stored);
    }
    let error = match tokio::time::timeout(RECEIPT_PATIENCE, refresh(store, owner, stored.clone(), now)).await {
        Ok(Ok(subscription)) => return Ok(subscription),
        Ok(Err(error)) => error.chain(),
        Err(_) => "no answer of SNS in time".to_owned(),
    };
    tracing::warn!(error, owner, "could not check a subscription for a receipt; the receipt shows the stored state");
    if let Err(error) = store.write(owner, stored.clone().check_failed(now)).await {
        tracing::warn!(error = error.chain(), owner, "could not record a failed check; the next receipt checks again");
    }
    Ok(stored)
}

/// Subscribes the owner's address to notices of these kinds. SNS sends a confirmation e-mail if there is nothing to confirm
/// yet, or if the last one was sent a day ago. A repeated call changes nothing.
///
/// # Errors
/// See [`crate::error`]. [`Kind::Contended`] if other requests keep changing the subscription.
pub async fn subscribe(
    store: &SubscriptionStore,
    owner: &str,
    email: &str,
    kinds: &[NoticeKind],
    now: Timestamp,
) -> Result<SubscribeOutcome, Error> {
    for _ in 0..MAX_ATTEMPTS {
        let stored = load_unclaimed(store, owner, now).await?;
        let checked = check(store, stored, now).await?;
        let written = if checked.subscription.needs_confirmation(email, now) {
            match confirm(store, owner, &checked, email, kinds, now).await? {
                Confirmation::Sent(sent) => write_confirmed(store, owner, sent, now).await?,
                Confirmation::Refused { claimed, refusal } => {
                    let before = Subscription { revision: claimed.revision, ..checked.subscription };
                    store.write(owner, before).await?;
                    return Ok(SubscribeOutcome::Refused(refusal));
                }
                Confirmation::Conflict => WriteResult::Conflict,
            }
        } else {
            let changed = checked.subscription.with_kinds(kinds.to_vec());
            set_filter(store, owner, &changed, checked.filter.as_deref()).await?;
            let changed = remove_superseded(store, changed).await;
            store.write(owner, changed).await?
        };
        if let WriteResult::Written(subscription) = written {
            return Ok(SubscribeOutcome::Subscribed(subscription));
        }
    }
    Err(contended(store, owner))
}

/// Ends the owner's subscription. A repeated call changes nothing.
///
/// SNS does not remove an unconfirmed subscription, [it lets it expire
/// ](https://docs.aws.amazon.com/sns/latest/dg/sns-delete-subscription-topic.html). Its ARN is kept, so that a later check
/// removes it if the link is followed after all.
///
/// # Errors
/// See [`crate::error`]. [`Kind::Contended`] if other requests keep changing the subscription.
pub async fn unsubscribe(store: &SubscriptionStore, owner: &str, now: Timestamp) -> Result<(), Error> {
    for _ in 0..MAX_ATTEMPTS {
        let stored = load_unclaimed(store, owner, now).await?;
        if stored.revision == 0 {
            return Ok(());
        }
        let removal = match &stored.arn {
            Some(arn) => store.topic.unsubscribe(arn).await?,
            None => Removal::Removed,
        };
        let deleted = remove_superseded(store, stored.deleted(removal)).await;
        if store.write(owner, deleted).await? != WriteResult::Conflict {
            return Ok(());
        }
    }
    Err(contended(store, owner))
}

/// Has SNS send another confirmation e-mail if the last one was not followed for a day. Returns whether it did. Of SNS, it
/// calls only GetSubscriptionAttributes and Subscribe.
///
/// # Errors
/// See [`crate::error`].
pub async fn remind(store: &SubscriptionStore, owner: &str, now: Timestamp) -> Result<bool, Error> {
    let stored = store.load(owner).await?;
    if !stored.needs_reminder(now) {
        return Ok(false);
    }
    let checked = check(store, stored, now).await?;
    let email = checked.subscription.email.clone().filter(|_| checked.subscription.needs_reminder(now));
    let Some(email) = email else {
        // The check changed the state. A conflict means that another request has stored it already.
        store.write(owner, checked.subscription).await?;
        return Ok(false);
    };
    let kinds = checked.subscription.kinds.clone();
    match confirm(store, owner, &checked, &email, &kinds, now).await? {
        Confirmation::Sent(sent) => Ok(store.write(owner, sent).await? != WriteResult::Conflict),
        Confirmation::Refused { claimed, refusal } => {
            tracing::warn!(?refusal, owner, "SNS refused to send another confirmation e-mail");
            store.write(owner, claimed.reminder_refused(now)).await?;
            Ok(false)
        }
        Confirmation::Conflict => Ok(false),
    }
}

/// Claims the confirmation e-mail and has SNS send it.
async fn confirm(
    store: &SubscriptionStore,
    owner: &str,
    checked: &Checked,
    email: &str,
    kinds: &[NoticeKind],
    now: Timestamp,
) -> Result<Confirmation, Error> {
    let subscription = &checked.subscription;
    let filter = subscription.filter_to_subscribe(owner, email, kinds, checked.filter.as_deref());
    let claimed = match store.write(owner, subscription.clone().claim_sending(now)).await? {
        WriteResult::Written(claimed) => *claimed,
        WriteResult::Conflict => return Ok(Confirmation::Conflict),
    };
    match subscribe_address(store, owner, &claimed.superseded_arns, email, filter).await {
        Ok(SubscribeAnswer::Subscribed { arn }) => {
            Ok(Confirmation::Sent(claimed.confirmation_sent(email, kinds.to_vec(), arn, now)))
        }
        Ok(SubscribeAnswer::Refused(refusal)) => Ok(Confirmation::Refused { claimed, refusal }),
        Err(error) => {
            store.write(owner, claimed.release_sending()).await?;
            Err(error)
        }
    }
}

/// Subscribes an address in SNS. If SNS has the address with another filter policy, that can be an earlier one of the same
/// owner, of a subscription that was never confirmed. Then SNS accepts only that filter policy.
async fn subscribe_address(
    store: &SubscriptionStore,
    owner: &str,
    superseded_arns: &[String],
    email: &str,
    filter: String,
) -> Result<SubscribeAnswer, Error> {
    let mut answer = store.topic.subscribe(email, &filter).await?;
    let mut tried = vec![filter];
    for arn in superseded_arns {
        if answer != SubscribeAnswer::Refused(SubscriptionRefusal::AddressInUse) {
            break;
        }
        let Observation { state, filter } = store.topic.attributes(arn).await?;
        if let Some(filter) = own_filter(owner, state, filter).filter(|filter| !tried.contains(filter)) {
            answer = store.topic.subscribe(email, &filter).await?;
            tried.push(filter);
        }
    }
    Ok(answer)
}

/// Writes a subscription after its confirmation e-mail, with another check: if the address was confirmed already, SNS sends
/// no e-mail. The write fails if the claim expired and another request took over.
async fn write_confirmed(
    store: &SubscriptionStore,
    owner: &str,
    sent: Subscription,
    now: Timestamp,
) -> Result<WriteResult, Error> {
    let subscription = match check(store, sent.clone(), now).await {
        Ok(Checked { subscription, filter }) => {
            if let Err(error) = set_filter(store, owner, &subscription, filter.as_deref()).await {
                tracing::warn!(error = error.chain(), owner, "could not set a filter policy; the next check sets it");
            }
            subscription
        }
        Err(error) => {
            tracing::warn!(
                error = error.chain(),
                owner,
                "could not check a subscription after its confirmation e-mail"
            );
            sent
        }
    };
    store.write(owner, remove_superseded(store, subscription).await).await
}

/// Checks a subscription with SNS, and writes the result.
async fn refresh(
    store: &SubscriptionStore,
    owner: &str,
    stored: Subscription,
    now: Timestamp,
) -> Result<Subscription, Error> {
    if !stored.is_checkable() {
        return Ok(stored);
    }
    let is_claimed = stored.is_sending(now);
    let Checked { subscription, filter } = check(store, stored, now).await?;
    if is_claimed {
        return Ok(subscription); // The request with the claim will write.
    }
    if subscription.state == SubscriptionState::Confirmed {
        set_filter(store, owner, &subscription, filter.as_deref()).await?;
    }
    match store.write(owner, remove_superseded(store, subscription).await).await? {
        WriteResult::Written(subscription) => Ok(*subscription),
        WriteResult::Conflict => store.load(owner).await,
    }
}

async fn check(store: &SubscriptionStore, stored: Subscription, now: Timestamp) -> Result<Checked, Error> {
    let Some(arn) = &stored.arn else { return Ok(Checked { subscription: stored.checked(now), filter: None }) };
    let Observation { state, filter } = store.topic.attributes(arn).await?;
    Ok(Checked { subscription: stored.observe(state, now), filter })
}

/// Sets the filter policy for the owner's kinds, unless SNS has it. SNS may refuse it for a pending subscription. Then it is
/// set when a check sees the subscription confirmed.
async fn set_filter(
    store: &SubscriptionStore,
    owner: &str,
    subscription: &Subscription,
    current: Option<&str>,
) -> Result<(), Error> {
    let (Some(arn), Some(filter)) = (&subscription.arn, subscription.filter_to_set(owner, current)) else {
        return Ok(());
    };
    match store.topic.set_filter(arn, &filter).await {
        Err(error) if subscription.state == SubscriptionState::Pending && !error.is_retryable() => {
            tracing::info!(error = error.chain(), owner, "SNS takes the filter policy only after the confirmation");
            Ok(())
        }
        result => result,
    }
}

/// Removes subscriptions of earlier addresses from SNS. SNS keeps unconfirmed ones; they are tried again at each check, so
/// that an address that is confirmed late receives no notices.
async fn remove_superseded(store: &SubscriptionStore, mut subscription: Subscription) -> Subscription {
    for arn in std::mem::take(&mut subscription.superseded_arns) {
        match store.topic.unsubscribe(&arn).await {
            Ok(Removal::Removed) => {}
            Ok(Removal::KeptWhilePending) => subscription.superseded_arns.push(arn),
            Err(error) => {
                tracing::warn!(
                    error = error.chain(),
                    "could not remove an earlier subscription; the next check retries"
                );
                subscription.superseded_arns.push(arn);
            }
        }
    }
    subscription
}

/// Loads the subscription once no other request has SNS send a confirmation e-mail.
async fn load_unclaimed(store: &SubscriptionStore, owner: &str, now: Timestamp) -> Result<Subscription, Error> {
    let mut waited = Duration::ZERO;
    while waited < CLAIM_PATIENCE {
        let stored = store.load(owner).await?;
        if !stored.is_sending(now + waited) {
            return Ok(stored);
        }
        tokio::time::sleep(CLAIM_PAUSE).await;
        waited += CLAIM_PAUSE;
    }
    Err(contended(store, owner))
}

fn contended(store: &SubscriptionStore, owner: &str) -> Error {
    Error::new("PutItem", store.target(owner), Kind::Contended)
}
