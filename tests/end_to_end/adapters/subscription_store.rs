//! The contract of the subscription store, and of its subscriptions in SNS.

use std::sync::Arc;

use eventpulse_aws::adapters::subscription_store::{Observation, SubscribeAnswer, SubscriptionTopic, WriteResult};
use eventpulse_cli::BoxError;
use eventpulse_cli::dev::mailbox;
use eventpulse_core::notification::kind::NoticeKind;
use eventpulse_core::notification::subscription::filter::{filter_policy, is_filter_policy};
use eventpulse_core::notification::subscription::{
    ObservedState, Removal, Subscription, SubscriptionRefusal, SubscriptionState,
};

use super::{at, unique_owner};
use crate::TestResult;
use crate::poll::PATIENCE;
use crate::world::World;

pub async fn missing_subscription_is_the_default(world: Arc<World>) -> TestResult {
    let subscriptions = &world.client.services.subscriptions;
    assert_eq!(subscriptions.load(&unique_owner()).await?, Subscription::default());
    Ok(())
}

pub async fn written_subscription_is_read_by_its_owner_only(world: Arc<World>) -> TestResult {
    let subscriptions = &world.client.services.subscriptions;
    let owner = unique_owner();
    let subscription = Subscription {
        state: SubscriptionState::Gone,
        email: Some("ann+é@example.com".to_owned()),
        kinds: vec![NoticeKind::Digest, NoticeKind::New],
        arn: Some("arn:aws:sns:eu-central-1:1:notices:1".to_owned()),
        subscribed_at: Some(at(0)),
        confirmation_sent_at: Some(at(1)),
        confirmed_at: Some(at(2)),
        gone_at: Some(at(3)),
        checked_at: Some(at(4)),
        check_failed_at: Some(at(5)),
        sending_since: Some(at(6)),
        superseded_arns: vec!["arn:aws:sns:eu-central-1:1:notices:2".to_owned()],
        revision: 0,
    };
    let expected = Subscription { revision: 1, ..subscription.clone() };
    assert_eq!(subscriptions.write(&owner, subscription).await?, WriteResult::Written(Box::new(expected.clone())));
    assert_eq!(subscriptions.load(&owner).await?, expected);
    assert_eq!(subscriptions.load(&unique_owner()).await?, Subscription::default());
    Ok(())
}

pub async fn write_of_a_stale_subscription_is_a_conflict(world: Arc<World>) -> TestResult {
    let subscriptions = &world.client.services.subscriptions;
    let owner = unique_owner();
    let write = async |loaded: Subscription| subscriptions.write(&owner, loaded).await;
    let WriteResult::Written(first) = write(Subscription::default()).await? else { return Err("nobody wrote".into()) };
    let stale = Subscription::default().checked(at(1));
    assert_eq!(write(stale).await?, WriteResult::Conflict, "it exists");
    let WriteResult::Written(second) = write(first.clone().checked(at(2))).await? else {
        return Err("nobody wrote since".into());
    };
    assert_eq!(write(first.checked(at(3))).await?, WriteResult::Conflict, "a stale revision");
    assert_eq!(subscriptions.load(&owner).await?, *second);
    let (one, two) = tokio::join!(write(second.clone().checked(at(4))), write(second.checked(at(5))));
    let written = [one?, two?].into_iter().filter(|result| *result != WriteResult::Conflict).count();
    assert_eq!((written, subscriptions.load(&owner).await?.revision), (1, 3), "one of two parallel writes");
    Ok(())
}

pub async fn subscribed_address_is_pending_until_it_is_confirmed(world: Arc<World>) -> TestResult {
    let topic = &world.client.services.subscriptions.topic;
    let owner = unique_owner();
    let (email, filter) = (mailbox::address(&owner), filter_policy(&owner, &[NoticeKind::New]));
    let arn = subscribe(topic, &email, &filter).await?;
    assert_eq!(topic.attributes(&arn).await?.state, ObservedState::Pending);
    assert_eq!(subscribe(topic, &email, &filter).await?, arn, "a repetition");
    let mail = world.mailbox.wait(PATIENCE, |mail| mail.to == email && mail.confirm_url.is_some()).await;
    world.mailbox.confirm(&mail.ok_or("no confirmation e-mail")?).await?;
    assert_eq!(topic.attributes(&arn).await?.state, ObservedState::Confirmed);
    assert_eq!(subscribe(topic, &email, &filter).await?, arn, "the ARN stays the same");
    assert_eq!(topic.unsubscribe(&arn).await?, Removal::Removed);
    assert_eq!(topic.attributes(&arn).await?, Observation { state: ObservedState::Missing, filter: None });
    assert_eq!(topic.unsubscribe(&arn).await?, Removal::Removed, "a repetition");
    Ok(())
}

pub async fn set_filter_is_read_back(world: Arc<World>) -> TestResult {
    let topic = &world.client.services.subscriptions.topic;
    let owner = unique_owner();
    let arn = subscribe(topic, &mailbox::address(&owner), &filter_policy(&owner, &[NoticeKind::New])).await?;
    let filter = topic.attributes(&arn).await?.filter.ok_or("no filter")?;
    assert!(is_filter_policy(&filter, &owner, &[NoticeKind::New]), "{filter}");
    let kinds = [NoticeKind::Digest, NoticeKind::Resolved];
    topic.set_filter(&arn, &filter_policy(&owner, &kinds)).await?;
    let filter = topic.attributes(&arn).await?.filter.ok_or("no filter")?;
    assert!(is_filter_policy(&filter, &owner, &kinds), "{filter}");
    Ok(())
}

pub async fn address_with_another_filter_or_form_is_refused(world: Arc<World>) -> TestResult {
    let topic = &world.client.services.subscriptions.topic;
    let (owner, other) = (unique_owner(), unique_owner());
    let (email, filter) = (mailbox::address(&owner), filter_policy(&owner, &[NoticeKind::New]));
    let arn = subscribe(topic, &email, &filter).await?;
    let answer = topic.subscribe(&email, &filter_policy(&other, &[NoticeKind::New])).await?;
    assert_eq!(answer, SubscribeAnswer::Refused(SubscriptionRefusal::AddressInUse));
    assert_eq!(subscribe(topic, &email, &filter).await?, arn, "the subscription stays");
    let answer = topic.subscribe("no address", &filter).await?;
    assert_eq!(answer, SubscribeAnswer::Refused(SubscriptionRefusal::InvalidAddress));
    Ok(())
}

pub async fn unknown_subscription_is_missing(world: Arc<World>) -> TestResult {
    let topic = &world.client.services.subscriptions.topic;
    let arn = format!("{}:00000000-0000-0000-0000-000000000000", world.client.services.config.notices_topic_arn);
    assert_eq!(topic.attributes(&arn).await?, Observation { state: ObservedState::Missing, filter: None });
    assert_eq!(topic.unsubscribe(&arn).await?, Removal::Removed);
    Ok(())
}

/// Subscribes an address. Returns the ARN.
async fn subscribe(topic: &SubscriptionTopic, email: &str, filter: &str) -> Result<String, BoxError> {
    match topic.subscribe(email, filter).await? {
        SubscribeAnswer::Subscribed { arn: Some(arn) } => Ok(arn),
        answer => Err(format!("no ARN: {answer:?}").into()),
    }
}
