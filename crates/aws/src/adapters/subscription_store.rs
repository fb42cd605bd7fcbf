//! SNS and DynamoDB: the e-mail subscriptions of owners.
//!
//! One item an owner in the table of notices, `pk = owner#<owner>`, `sk = subscription`, written under its `revision`.
//! What it says of SNS is what SNS said when it was last asked. Whoever has SNS mail the link says so in the item first
//! (`asking_at`), so that of two calls at once only one does; until it is back nobody else writes.

mod item;
mod topic;

use std::time::Duration;

use eventpulse_core::notification::kind::NoticeKind;
use eventpulse_core::notification::subscription::{
    ObservedState, Subscription, SubscriptionState, is_filter_policy, is_policy_of,
};
use eventpulse_core::time::Timestamp;

use crate::adapters::dynamodb::item::{number, s};
use crate::adapters::notice_store::owner_pk;
use crate::error::{Error, Kind, is_condition_failed};
use item::{item_of, subscription_of};
use topic::{Removed, Topic};

/// How often something is tried anew while others change the same subscription.
const MAX_ATTEMPTS: usize = 10;
/// How long somebody who has SNS mail the link is waited for.
const PATIENCE: Duration = Duration::from_secs(15);
/// Between two looks whether it is done. Asking SNS takes a fraction of a second.
const PAUSE: Duration = Duration::from_millis(300);

/// How long a receipt waits for SNS.
const PATIENCE_OF_RECEIPTS: Duration = Duration::from_secs(1);

/// Why nobody is subscribed. An answer, not an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SubscriptionRefusal {
    /// The address is subscribed under another filter: that of another owner, or of the operator.
    Elsewhere,
    /// SNS does not take it for an address.
    Address,
    /// There are as many subscriptions, or filters, as the AWS account may have.
    Full,
}

/// The subscriptions of owners to the topic of the notices.
#[derive(Debug, Clone)]
pub struct SubscriptionStore {
    dynamodb: aws_sdk_dynamodb::Client,
    table: String,
    topic: Topic,
}

/// A subscription as SNS has just told of it, and the filter that SNS has.
struct Look {
    subscription: Subscription,
    filter: Option<String>,
}

impl SubscriptionStore {
    /// Over SDK clients, the name of the table and the ARN of the topic.
    #[must_use]
    pub fn new(dynamodb: aws_sdk_dynamodb::Client, sns: aws_sdk_sns::Client, table: String, topic_arn: String) -> Self {
        Self { dynamodb, table, topic: Topic::new(sns, topic_arn) }
    }

    /// The owner's subscription, as SNS tells of it now.
    ///
    /// # Errors
    /// Returns an [AWS failure](crate::error).
    pub async fn get(&self, owner: &str, now: Timestamp) -> Result<Subscription, Error> {
        let stored = self.load(owner).await?;
        self.refresh(owner, stored, now).await
    }

    /// The owner's subscription for a receipt: as it is stored, unless that is too old. A receipt does not wait for long,
    /// SNS's silence is no error, and for a minute it is not asked again then.
    ///
    /// # Errors
    /// Returns an [AWS failure](crate::error).
    pub async fn known(&self, owner: &str, now: Timestamp) -> Result<Subscription, Error> {
        let stored = self.load(owner).await?;
        if !stored.is_to_be_looked_at(now) {
            return Ok(stored);
        }
        let refreshed = tokio::time::timeout(PATIENCE_OF_RECEIPTS, self.refresh(owner, stored.clone(), now)).await;
        let error = match refreshed {
            Ok(Ok(subscription)) => return Ok(subscription),
            Ok(Err(error)) => error.chain(),
            Err(_) => "SNS took too long".to_owned(),
        };
        tracing::warn!(error, "a receipt tells the subscription as it was");
        if let Err(error) = self.write(owner, Subscription { silent_at: Some(now), ..stored.clone() }).await {
            tracing::warn!(error = error.chain(), "the next receipt waits for SNS as well");
        }
        Ok(stored)
    }

    /// Has notices of these kinds mailed to an address, as soon as its owner agreed by SNS's mail. That is sent when
    /// there is nothing yet to agree to, or when the last was sent a day ago. The same again changes nothing.
    ///
    /// # Errors
    /// Returns an [AWS failure](crate::error).
    pub async fn put(
        &self,
        owner: &str,
        email: &str,
        kinds: &[NoticeKind],
        now: Timestamp,
    ) -> Result<Result<Subscription, SubscriptionRefusal>, Error> {
        for _ in 0..MAX_ATTEMPTS {
            let stored = self.load_unasked(owner, now).await?;
            let Look { subscription, filter } = self.look(stored, now).await?;
            if subscription.asks(email, now) {
                match self.ask(owner, subscription, filter.as_deref(), (email, kinds), now).await? {
                    Some(answer) => return Ok(answer),
                    None => continue,
                }
            }
            let wanting = subscription.wanting(kinds.to_vec());
            self.set_filter(owner, &wanting, filter.as_deref()).await?;
            let wanting = self.tidied(wanting).await;
            if let Some(subscription) = self.write(owner, wanting).await? {
                return Ok(Ok(subscription));
            }
        }
        Err(self.contended(owner))
    }

    /// Ends the owner's subscription. A second time changes nothing.
    ///
    /// SNS does not remove a subscription that nobody confirmed, [it lets it lapse
    /// ](https://docs.aws.amazon.com/sns/latest/dg/sns-delete-subscription-topic.html): its name is kept, so that it is
    /// found and removed should somebody follow the link after all.
    ///
    /// # Errors
    /// Returns an [AWS failure](crate::error).
    pub async fn delete(&self, owner: &str, now: Timestamp) -> Result<(), Error> {
        for _ in 0..MAX_ATTEMPTS {
            let stored = self.load_unasked(owner, now).await?;
            if stored.revision == 0 {
                return Ok(());
            }
            let removed = match &stored.arn {
                Some(arn) => self.topic.unsubscribe(arn).await?,
                None => Removed::Done,
            };
            let deleted = self.tidied(stored.deleted(removed == Removed::NotWhilePending)).await;
            if self.write(owner, deleted).await?.is_some() {
                return Ok(());
            }
        }
        Err(self.contended(owner))
    }

    /// Has SNS mail the link once more because there is news for an owner who has not followed it, at most daily.
    /// Returns whether it did. It calls GetSubscriptionAttributes and Subscribe, nothing else of SNS.
    ///
    /// # Errors
    /// Returns an [AWS failure](crate::error).
    pub async fn ask_again(&self, owner: &str, now: Timestamp) -> Result<bool, Error> {
        let stored = self.load(owner).await?;
        if !stored.asks_for_news(now) {
            return Ok(false);
        }
        let Look { subscription, filter } = self.look(stored, now).await?;
        let email = subscription.email.clone().filter(|_| subscription.asks_for_news(now));
        let Some(email) = email else {
            // Somebody answered meanwhile. Should another have written that already, so much the better.
            self.write(owner, subscription).await?;
            return Ok(false);
        };
        let kinds = subscription.kinds.clone();
        match self.claimed(owner, subscription, filter.as_deref(), (&email, &kinds), now).await? {
            Some((_, Ok(asked))) => Ok(self.write(owner, asked).await?.is_some()),
            Some((claim, Err(refused))) => {
                tracing::warn!(?refused, "the link cannot be mailed again");
                // Not tried anew with each piece of news.
                self.write(owner, Subscription { asking_at: None, asked_at: Some(now), ..claim }).await?;
                Ok(false)
            }
            None => Ok(false),
        }
    }

    /// Asks, and does what follows. `None` when somebody else was first.
    async fn ask(
        &self,
        owner: &str,
        subscription: Subscription,
        filter: Option<&str>,
        wanted: (&str, &[NoticeKind]),
        now: Timestamp,
    ) -> Result<Option<Result<Subscription, SubscriptionRefusal>>, Error> {
        let before = subscription.clone();
        let asked = match self.claimed(owner, subscription, filter, wanted, now).await? {
            Some((_, Ok(asked))) => asked,
            Some((claim, Err(refused))) => {
                self.write(owner, Subscription { revision: claim.revision, ..before }).await?;
                return Ok(Some(Err(refused)));
            }
            None => return Ok(None),
        };
        // It may be one that was confirmed all along: SNS then mails nothing.
        let asked = match self.look(asked.clone(), now).await {
            Ok(Look { subscription, filter }) => {
                if let Err(error) = self.set_filter(owner, &subscription, filter.as_deref()).await {
                    tracing::warn!(error = error.chain(), "the filter will be set when it is looked at next");
                }
                subscription
            }
            Err(error) => {
                tracing::warn!(error = error.chain(), "what was asked for was not looked at");
                asked
            }
        };
        // Not written, if it took so long that somebody else took over.
        Ok(self.write(owner, self.tidied(asked).await).await?.map(Ok))
    }

    /// Claims the asking and has SNS mail the link. Returns the claim and, if SNS did, what is to be stored. `None` when
    /// somebody else was first. A claim that nobody ends, because the function died, lapses by itself.
    async fn claimed(
        &self,
        owner: &str,
        subscription: Subscription,
        filter: Option<&str>,
        (email, kinds): (&str, &[NoticeKind]),
        now: Timestamp,
    ) -> Result<Option<(Subscription, Result<Subscription, SubscriptionRefusal>)>, Error> {
        // Of one that it has already, SNS wants the attributes that it has; others are set by themselves.
        let same = subscription.email.as_deref() == Some(email);
        let filter = filter.filter(|filter| same && is_policy_of(filter, owner));
        let filter = filter
            .map_or_else(|| eventpulse_core::notification::subscription::filter_policy(owner, kinds), str::to_owned);
        let claim = Subscription { asking_at: Some(now), ..subscription };
        let Some(claim) = self.write(owner, claim).await? else { return Ok(None) };
        let asked = match self.subscribed(owner, &claim, email, &filter).await {
            Ok(asked) => asked,
            Err(error) => {
                self.write(owner, Subscription { asking_at: None, ..claim }).await?;
                return Err(error);
            }
        };
        let asked = asked.map(|arn| claim.clone().asked(email, kinds.to_vec(), arn, now));
        Ok(Some((claim, asked)))
    }

    /// Subscribes an address. Where SNS has it under another filter, that may be one of this owner's: it was theirs before,
    /// and nobody confirmed it, so it is still there. Then its own filter is what SNS wants.
    async fn subscribed(
        &self,
        owner: &str,
        subscription: &Subscription,
        email: &str,
        filter: &str,
    ) -> Result<Result<Option<String>, SubscriptionRefusal>, Error> {
        let mut asked = self.topic.subscribe(email, filter).await?;
        let mut tried = vec![filter.to_owned()];
        for arn in &subscription.left {
            if asked != Err(SubscriptionRefusal::Elsewhere) {
                break;
            }
            let (seen, Some(filter)) = self.topic.look(arn).await? else { continue };
            if seen != ObservedState::Unknown && is_policy_of(&filter, owner) && !tried.contains(&filter) {
                asked = self.topic.subscribe(email, &filter).await?;
                tried.push(filter);
            }
        }
        Ok(asked)
    }

    /// Asks SNS, and writes what it says.
    async fn refresh(&self, owner: &str, stored: Subscription, now: Timestamp) -> Result<Subscription, Error> {
        if stored.arn.is_none() && stored.left.is_empty() {
            return Ok(stored);
        }
        let is_being_asked = stored.is_being_asked(now);
        let Look { subscription, filter } = self.look(stored, now).await?;
        if is_being_asked {
            return Ok(subscription); // who asks will write
        }
        if subscription.state == SubscriptionState::Confirmed {
            self.set_filter(owner, &subscription, filter.as_deref()).await?;
        }
        let subscription = self.tidied(subscription).await;
        match self.write(owner, subscription).await? {
            Some(subscription) => Ok(subscription),
            None => self.load(owner).await,
        }
    }

    async fn look(&self, stored: Subscription, now: Timestamp) -> Result<Look, Error> {
        let Some(arn) = &stored.arn else {
            let subscription = Subscription { looked_at: Some(now), silent_at: None, ..stored };
            return Ok(Look { subscription, filter: None });
        };
        let (seen, filter) = self.topic.look(arn).await?;
        let filter = filter.filter(|_| seen != ObservedState::Unknown);
        Ok(Look { subscription: stored.seen(seen, now), filter })
    }

    /// Gives SNS the filter that the owner wants. SNS may not take it before the subscription is confirmed: then it is
    /// given when that is seen.
    async fn set_filter(&self, owner: &str, subscription: &Subscription, has: Option<&str>) -> Result<(), Error> {
        let Subscription { state, kinds, arn: Some(arn), .. } = subscription else { return Ok(()) };
        if has.is_some_and(|has| is_filter_policy(has, owner, kinds)) {
            return Ok(());
        }
        match (
            state,
            self.topic.set_filter(arn, &eventpulse_core::notification::subscription::filter_policy(owner, kinds)).await,
        ) {
            (SubscriptionState::Pending, Err(error)) if !error.is_retryable() => {
                tracing::info!(error = error.chain(), "the filter will be set once the subscription is confirmed");
                Ok(())
            }
            (_, result) => result,
        }
    }

    /// Without subscriptions of earlier addresses, as far as SNS removes them: those that nobody confirmed it does not.
    /// They are tried again at each look, so that nobody is mailed who confirms one late.
    async fn tidied(&self, mut subscription: Subscription) -> Subscription {
        for arn in std::mem::take(&mut subscription.left) {
            match self.topic.unsubscribe(&arn).await {
                Ok(Removed::Done) => {}
                Ok(Removed::NotWhilePending) => subscription.left.push(arn),
                Err(error) => {
                    tracing::warn!(error = error.chain(), "an earlier subscription is still to be removed");
                    subscription.left.push(arn);
                }
            }
        }
        subscription
    }

    /// The subscription as it is stored, once nobody is at having SNS mail the link.
    async fn load_unasked(&self, owner: &str, now: Timestamp) -> Result<Subscription, Error> {
        let mut waited = Duration::ZERO;
        while waited < PATIENCE {
            let stored = self.load(owner).await?;
            if !stored.is_being_asked(now.plus_seconds(waited.as_secs().cast_signed())) {
                return Ok(stored);
            }
            tokio::time::sleep(PAUSE).await;
            waited += PAUSE;
        }
        Err(self.contended(owner))
    }

    /// By a consistent GetItem.
    async fn load(&self, owner: &str) -> Result<Subscription, Error> {
        let get = self.dynamodb.get_item().table_name(&self.table).consistent_read(true);
        let output = get.key("pk", s(owner_pk(owner))).key("sk", s(item::SK)).send().await;
        let output = output.map_err(|error| Error::sdk("GetItem", self.target(owner), error))?;
        let Some(item) = output.item else { return Ok(Subscription::default()) };
        subscription_of(&item).ok_or_else(|| Error::new("GetItem", self.target(owner), Kind::Corrupt))
    }

    /// Writes a subscription, if nobody has since it was read. `None` when somebody has.
    async fn write(&self, owner: &str, read: Subscription) -> Result<Option<Subscription>, Error> {
        let revision = read.revision + 1;
        let subscription = Subscription { revision, ..read };
        let put = self.dynamodb.put_item().table_name(&self.table).set_item(Some(item_of(owner, &subscription)));
        let put = match revision {
            1 => put.condition_expression("attribute_not_exists(pk)"),
            _ => put
                .condition_expression("#revision = :read")
                .expression_attribute_names("#revision", "revision")
                .expression_attribute_values(":read", number(revision - 1)),
        };
        match put.send().await {
            Ok(_) => Ok(Some(subscription)),
            Err(error) if is_condition_failed(&error) => Ok(None),
            Err(error) => Err(Error::sdk("PutItem", self.target(owner), error)),
        }
    }

    fn contended(&self, owner: &str) -> Error {
        Error::new("PutItem", self.target(owner), Kind::Contended)
    }

    fn target(&self, owner: &str) -> String {
        format!("{}/{}/{}", self.table, owner_pk(owner), item::SK)
    }
}
