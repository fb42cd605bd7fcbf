//! Subscriptions to notices: from the confirmation link in the mail of SNS to the unsubscribe link.

use std::process::Stdio;
use std::sync::Arc;

use eventpulse_cli::BoxError;
use eventpulse_cli::dev::client::User;
use eventpulse_cli::dev::mailbox::Mail;
use serde_json::{Value, json};

use crate::TestResult;
use crate::poll::{SOON, found, poll};
use crate::world::{World, document};

const PATH: &str = "/notifications";

fn address(user: &User) -> String {
    format!("{}@example.com", user.name)
}

async fn put(world: &World, user: &User, body: Value) -> Result<Value, BoxError> {
    world.call(user, "PUT", PATH, body).await?.expect(200)
}

/// Returns the mails that ask an address to confirm.
fn asking(world: &World, address: &str) -> Vec<Mail> {
    world.mailbox.to(address).into_iter().filter(|mail| mail.confirm_url.is_some()).collect()
}

/// Waits for the confirmation mail number `asked` to an address. Returns its link.
async fn link(world: &World, address: &str, asked: usize) -> Result<String, BoxError> {
    let mails = poll(SOON, async || {
        let mails = Some(asking(world, address)).filter(|mails| mails.len() >= asked);
        found(mails, || format!("{address} was not asked {asked} times"))
    });
    let mails = mails.await?;
    assert_eq!(mails.len(), asked, "{mails:#?}");
    Ok(mails.last().and_then(|mail| mail.confirm_url.clone()).ok_or("no link")?)
}

async fn follow(world: &World, url: &str) -> TestResult {
    world.http.get(url).send().await?.error_for_status()?;
    Ok(())
}

/// Returns the filter policies that SNS has for an address.
async fn filters(world: &World, address: &str) -> Result<Vec<Value>, BoxError> {
    let sns = aws_sdk_sns::Client::new(&world.client.sdk);
    let topic = &world.client.services.config.notices_topic_arn;
    let mut pages = sns.list_subscriptions_by_topic().topic_arn(topic).into_paginator().send();
    let mut found = Vec::new();
    while let Some(page) = pages.next().await {
        for subscription in page?.subscriptions() {
            let arn = subscription.subscription_arn().unwrap_or_default();
            if subscription.endpoint() != Some(address) || !arn.starts_with("arn:") {
                continue;
            }
            let attributes = sns.get_subscription_attributes().subscription_arn(arn).send().await?;
            let filter = attributes.attributes().and_then(|attributes| attributes.get("FilterPolicy"));
            found.push(serde_json::from_str(filter.map_or("null", String::as_str))?);
        }
    }
    Ok(found)
}

/// Changes attributes of a user, as an administrator does. Returns the user with a token that contains them.
async fn with_attributes(world: &World, user: &User, attributes: &Value) -> Result<User, BoxError> {
    let script = "import boto3, json, os, sys\n\
                  cognito = boto3.client('cognito-idp', region_name=os.environ['AWS_REGION'])\n\
                  cognito.admin_update_user_attributes(UserPoolId=sys.argv[1], Username=sys.argv[2],\n\
                  \x20   UserAttributes=[dict(Name=name, Value=value) for name, value in json.loads(sys.argv[3]).items()])";
    let mut python = world.stack.python();
    python.args(["-c", script, world.output("UserPoolId"), user.owner.as_str(), &attributes.to_string()]);
    let output = python.stdout(Stdio::piped()).stderr(Stdio::piped()).output().await?;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let tokens = world.client.tokens(user.owner.as_str()).await?;
    Ok(User { token: tokens["IdToken"].as_str().unwrap_or_default().to_owned(), ..user.clone() })
}

pub async fn subscription_passes_through_every_state(world: Arc<World>) -> TestResult {
    let user = world.user();
    let email = address(&user);
    let none = world.get(&user, PATH).await?;
    assert_eq!((&none["state"], &none["email"], &none["kinds"]), (&json!("none"), &json!(email), &json!([])));
    let receipt = world.upload_by_rest(&user, &document("unmailed.json", "{")).await?;
    assert_eq!(receipt["notifications"]["state"], "none");
    assert!(receipt["notifications"]["hint"].as_str().is_some_and(|hint| hint.contains("PUT /notifications")));

    let pending = put(&world, &user, json!({})).await?;
    assert_eq!((&pending["state"], &pending["email"]), (&json!("pending"), &json!(email)), "{pending:#}");
    assert_eq!(pending["kinds"], json!(["new", "regressed", "quiet", "resolved", "digest"]));
    let first = link(&world, &email, 1).await?;
    let again = put(&world, &user, json!({})).await?;
    assert_eq!((&again["state"], &again["requested_at"]), (&json!("pending"), &pending["requested_at"]));
    assert!(again["resend_available_at"].as_str() > again["requested_at"].as_str(), "{again:#}");
    let other_kinds = put(&world, &user, json!({ "kinds": ["new", "digest"] })).await?;
    assert_eq!((&other_kinds["state"], &other_kinds["kinds"]), (&json!("pending"), &json!(["new", "digest"])));

    follow(&world, &first).await?;
    let confirmed = world.get(&user, PATH).await?;
    assert_eq!((&confirmed["state"], &confirmed["kinds"]), (&json!("confirmed"), &json!(["new", "digest"])));
    assert!(confirmed["confirmed_at"].is_string(), "{confirmed:#}");
    assert_eq!(filters(&world, &email).await?, [json!({ "owner": [user.owner], "kind": ["new", "digest"] })]);
    let issued = json!({ "file_name": "a.json", "content_type": "application/json", "size": 2 });
    let issued = world.call(&user, "POST", "/uploads", issued).await?.expect(201)?;
    assert_eq!(issued["notifications"], json!({ "state": "confirmed" }));
    assert_eq!(asking(&world, &email).len(), 1, "one confirmation mail is sent");

    let receipt = world.upload_by_rest(&user, &document("mailed.json", r#"{"device_id":"mailed"}"#)).await?;
    assert_eq!(receipt["notifications"], json!({ "state": "confirmed" }), "{receipt:#}");
    let unsubscribe = poll(SOON, async || {
        let link = world.mailbox.to(&email).into_iter().find_map(|mail| mail.unsubscribe_url);
        found(link, || "no notice came".to_owned())
    });
    follow(&world, &unsubscribe.await?).await?;
    let gone = world.get(&user, PATH).await?;
    assert_eq!((&gone["state"], &gone["email"]), (&json!("gone"), &json!(email)), "{gone:#}");
    assert!(
        gone["gone_at"].is_string() && gone["hint"].as_str().is_some_and(|hint| hint.contains("subscribes it again"))
    );
    let id = receipt["upload_id"].as_str().ok_or("no id")?;
    let receipt = world.get(&user, &format!("/uploads/{id}")).await?;
    assert_eq!(receipt["notifications"]["state"], "gone");
    assert!(receipt["notifications"]["hint"].is_string());

    assert_eq!(put(&world, &user, json!({})).await?["state"], "pending");
    follow(&world, &link(&world, &email, 2).await?).await?;
    let changed = put(&world, &user, json!({ "kinds": ["resolved"] })).await?;
    assert_eq!((&changed["state"], &changed["kinds"]), (&json!("confirmed"), &json!(["resolved"])));
    assert_eq!(filters(&world, &email).await?, [json!({ "owner": [user.owner], "kind": ["resolved"] })]);
    for _ in 0..2 {
        world.call(&user, "DELETE", PATH, Value::Null).await?.expect(204)?;
    }
    assert_eq!(world.get(&user, PATH).await?["state"], "none");
    assert!(filters(&world, &email).await?.is_empty(), "SNS has no subscription");
    assert_eq!(asking(&world, &email).len(), 2);
    Ok(())
}

pub async fn parallel_subscribe_calls_send_one_mail(world: Arc<World>) -> TestResult {
    let user = world.user();
    let mut calls = tokio::task::JoinSet::new();
    for call in 0..6 {
        let (world, user) = (Arc::clone(&world), user.clone());
        let body = json!({ "kinds": [if call % 2 == 0 { "new" } else { "resolved" }] });
        calls.spawn(async move { put(&world, &user, body).await.map_err(|error| error.to_string()) });
    }
    while let Some(answer) = calls.join_next().await {
        assert_eq!(answer??["state"], "pending");
    }
    follow(&world, &link(&world, &address(&user), 1).await?).await?;
    let shown = world.get(&user, PATH).await?;
    let expected = json!({ "owner": [user.owner], "kind": shown["kinds"] });
    assert_eq!(filters(&world, &address(&user)).await?, [expected], "the API shows the filter that SNS has");
    Ok(())
}

pub async fn owners_see_and_change_only_their_own_subscription(world: Arc<World>) -> TestResult {
    let (user, other) = (world.user(), world.user());
    put(&world, &user, json!({})).await?;
    follow(&world, &link(&world, &address(&user), 1).await?).await?;
    let theirs = world.get(&other, PATH).await?;
    assert_eq!((&theirs["state"], &theirs["email"]), (&json!("none"), &json!(address(&other))));
    world.call(&other, "DELETE", PATH, Value::Null).await?.expect(204)?;
    assert_eq!(world.get(&user, PATH).await?["state"], "confirmed", "the subscription is unchanged");

    // Two accounts have the same address: the second one gets a conflict.
    let same = with_attributes(&world, &other, &json!({ "email": address(&user), "email_verified": "true" })).await?;
    let refused = world.call(&same, "PUT", PATH, json!({})).await?;
    let problem = refused.problem(409, "conflict")?;
    assert!(problem["detail"].as_str().is_some_and(|detail| detail.contains("another account")), "{problem:#}");
    assert!(problem["detail"].as_str().is_some_and(|detail| detail.contains("in two days")), "{problem:#}");
    assert_eq!(world.get(&same, PATH).await?["state"], "none");
    assert_eq!(asking(&world, &address(&user)).len(), 1);
    subscription_ended_before_confirmation_stays_ended(&world).await
}

async fn subscription_ended_before_confirmation_stays_ended(world: &World) -> TestResult {
    let user = world.user();
    put(world, &user, json!({})).await?;
    let link = link(world, &address(&user), 1).await?;
    world.call(&user, "DELETE", PATH, Value::Null).await?.expect(204)?;
    assert_eq!(world.get(&user, PATH).await?["state"], "none");
    // SNS may still confirm the subscription by this link, or may have removed it already. The result is the same.
    world.http.get(&link).send().await?;
    assert_eq!(world.get(&user, PATH).await?["state"], "none", "the deletion stays in effect");
    assert!(filters(world, &address(&user)).await?.is_empty(), "SNS has no subscription");
    Ok(())
}

pub async fn unverified_address_is_refused(world: Arc<World>) -> TestResult {
    let user = with_attributes(&world, &world.user(), &json!({ "email_verified": "false" })).await?;
    let refused = world.call(&user, "PUT", PATH, json!({})).await?;
    let problem = refused.problem(409, "conflict")?;
    assert!(problem["detail"].as_str().is_some_and(|detail| detail.contains("is not verified")), "{problem:#}");
    let none = world.get(&user, PATH).await?;
    assert_eq!((&none["state"], &none["email"]), (&json!("none"), &Value::Null));
    assert!(world.mailbox.to(&address(&user)).is_empty());
    Ok(())
}

pub async fn changed_address_is_subscribed_and_the_old_one_is_not_reused(world: Arc<World>) -> TestResult {
    let user = world.user();
    put(&world, &user, json!({ "kinds": ["new"] })).await?;
    follow(&world, &link(&world, &address(&user), 1).await?).await?;
    assert_eq!(world.get(&user, PATH).await?["state"], "confirmed");
    let moved_to = format!("{}+moved@example.com", user.name);
    let moved = with_attributes(&world, &user, &json!({ "email": moved_to, "email_verified": "true" })).await?;
    let shown = world.get(&moved, PATH).await?;
    assert_eq!((&shown["state"], &shown["email"]), (&json!("confirmed"), &json!(address(&user))));
    assert!(shown["hint"].as_str().is_some_and(|hint| hint.contains(&moved_to)), "{shown:#}");
    let pending = put(&world, &moved, json!({ "kinds": ["new"] })).await?;
    assert_eq!((&pending["state"], &pending["email"]), (&json!("pending"), &json!(moved_to)));
    assert!(filters(&world, &address(&user)).await?.is_empty(), "the old address has no subscription");
    follow(&world, &link(&world, &moved_to, 1).await?).await?;
    assert_eq!(world.get(&moved, PATH).await?["state"], "confirmed");
    assert_eq!(filters(&world, &moved_to).await?, [json!({ "owner": [user.owner], "kind": ["new"] })]);
    owner_returns_to_an_unconfirmed_address(&world).await
}

/// Checks that an owner can return to an earlier address whose subscription was never confirmed. SNS still has that
/// subscription, with its old filter.
async fn owner_returns_to_an_unconfirmed_address(world: &World) -> TestResult {
    let user = world.user();
    let (first, second) = (address(&user), format!("{}+second@example.com", user.name));
    put(world, &user, json!({ "kinds": ["new"] })).await?;
    link(world, &first, 1).await?;
    let moved = with_attributes(world, &user, &json!({ "email": second, "email_verified": "true" })).await?;
    let shown = world.get(&moved, PATH).await?;
    assert!(shown["hint"].as_str().is_some_and(|hint| hint.contains("at once")), "{shown:#}");
    assert_eq!(put(world, &moved, json!({ "kinds": ["new"] })).await?["email"], json!(second));
    let back = with_attributes(world, &user, &json!({ "email": first, "email_verified": "true" })).await?;
    let pending = put(world, &back, json!({ "kinds": ["digest"] })).await?;
    assert_eq!((&pending["state"], &pending["email"]), (&json!("pending"), &json!(first)));
    follow(world, &link(world, &first, 2).await?).await?;
    let confirmed = world.get(&back, PATH).await?;
    assert_eq!((&confirmed["state"], &confirmed["kinds"]), (&json!("confirmed"), &json!(["digest"])));
    assert_eq!(filters(world, &first).await?, [json!({ "owner": [user.owner], "kind": ["digest"] })]);
    Ok(())
}

pub async fn invalid_body_names_the_member(world: Arc<World>) -> TestResult {
    let user = world.user();
    for (body, pointer) in [
        (json!({ "kinds": [] }), "/kinds"),
        (json!({ "kinds": ["new", "synthetic_check"] }), "/kinds/1"),
        (json!({ "kinds": ["new", "new"] }), "/kinds/1"),
        (json!({ "email": "somebody.else@example.com" }), ""),
        (json!({ "owner": "somebody-else" }), ""),
    ] {
        let reply = world.call(&user, "PUT", PATH, body.clone()).await?;
        let problem = reply.problem(400, "invalid-request").map_err(|error| format!("{body}: {error}"))?;
        let reported = problem["errors"][0]["pointer"].as_str().unwrap_or_default();
        assert!(reported.starts_with(pointer), "{body}: {problem:#}");
    }
    assert_eq!(world.get(&user, PATH).await?["state"], "none");
    assert!(world.mailbox.to(&address(&user)).is_empty());
    Ok(())
}
