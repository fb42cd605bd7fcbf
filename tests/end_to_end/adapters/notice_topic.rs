//! The contract of the notice topic. Each test has a topic of its own, so that its notices reach no other subscriber.

use std::sync::Arc;

use eventpulse_aws::adapters::notice_topic::NoticeTopic;
use eventpulse_aws::adapters::subscription_store::SubscriptionTopic;
use eventpulse_aws::error::Kind;
use eventpulse_cli::BoxError;
use eventpulse_cli::dev::mailbox;
use eventpulse_core::notification::kind::NoticeKind;
use eventpulse_core::notification::rendering::Notice;
use eventpulse_core::notification::subscription::filter::filter_policy;

use super::{unique_id, unique_owner};
use crate::TestResult;
use crate::poll::PATIENCE;
use crate::world::World;

/// Creates a topic that no other test has.
async fn new_topic(world: &World) -> Result<(NoticeTopic, SubscriptionTopic), BoxError> {
    let sns = aws_sdk_sns::Client::new(&world.client.sdk);
    let created = sns.create_topic().name(format!("contract-{}", unique_id())).send().await?;
    let arn = created.topic_arn.ok_or("the topic has no ARN")?;
    Ok((NoticeTopic::new(&world.client.sdk, arn.clone()), SubscriptionTopic::new(sns, arn)))
}

fn notice(owner: &str, text: &str) -> Notice {
    Notice {
        id: "ntc_1".to_owned(),
        subject: "Upload rejected".to_owned(),
        text: text.to_owned(),
        json: "{}".to_owned(),
        owner: owner.to_owned(),
        kind: NoticeKind::New,
        codes: vec!["TYPE".to_owned()],
        schemas: vec!["reading/1.0".to_owned()],
    }
}

pub async fn published_notice_is_mailed_to_its_owner_only(world: Arc<World>) -> TestResult {
    let (topic, subscriptions) = new_topic(&world).await?;
    let owner = unique_owner();
    let email = mailbox::address(&owner);
    subscriptions.subscribe(&email, &filter_policy(&owner, &[NoticeKind::New])).await?;
    let mail = world.mailbox.wait(PATIENCE, |mail| mail.to == email && mail.confirm_url.is_some()).await;
    world.mailbox.confirm(&mail.ok_or("no confirmation e-mail")?).await?;

    let of_other_owner = topic.publish(&notice(&unique_owner(), "of another owner")).await?;
    let of_owner = topic.publish(&notice(&owner, "one\ntwo é")).await?;
    assert!(!of_owner.is_empty());
    assert_ne!(of_owner, of_other_owner, "each message has an id of its own");
    let mail = world.mailbox.wait(PATIENCE, |mail| mail.to == email && mail.unsubscribe_url.is_some()).await;
    let mail = mail.ok_or("no e-mail")?;
    assert_eq!(mail.subject, "Upload rejected");
    assert!(mail.text.starts_with("one\ntwo é"), "{}", mail.text);
    assert!(world.mailbox.to(&email).iter().all(|mail| !mail.text.contains("of another owner")));
    Ok(())
}

pub async fn refused_notice_is_an_error(world: Arc<World>) -> TestResult {
    let (topic, _) = new_topic(&world).await?;
    let missing = format!("{}-missing", world.client.services.config.notices_topic_arn);
    let missing = NoticeTopic::new(&world.client.sdk, missing);
    let error = missing.publish(&notice("owner", "text")).await.err().ok_or("the topic does not exist")?;
    assert_eq!((error.kind, error.is_retryable()), (Kind::Missing, false), "{error}");
    let invalid = Notice { subject: "two\nlines".to_owned(), ..notice("owner", "text") };
    let error = topic.publish(&invalid).await.err().ok_or("the subject has two lines")?;
    assert_eq!((error.kind, error.is_retryable()), (Kind::Invalid, false), "{error}");
    Ok(())
}
