//! Notices: problems and their status, from the upload to the e-mail.

pub mod crashes;
pub mod floods;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::{Environment, LogType};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use eventpulse_cli::BoxError;
use eventpulse_cli::dev::client::User;
use eventpulse_cli::dev::mailbox::{Mail, address};
use eventpulse_core::id::UploadId;
use eventpulse_core::upload::UploadState;
use serde_json::{Value, json};

use crate::TestResult;
use crate::poll::{Look, PATIENCE, SOON, found, poll};
use crate::samples::assert_valid;
use crate::world::{OPERATOR_ADDRESS, World, document, reading};

/// The shortest allowed interval between two mails to one address.
const ONE_A_SECOND: Duration = Duration::from_secs(1);

/// Returns a user with a confirmed subscription.
async fn subscriber(world: &World) -> Result<User, BoxError> {
    let user = world.user();
    world.client.subscribe(&user).await?;
    let to = address(&user.name);
    let asks = world.mailbox.wait(PATIENCE, |mail| mail.to == to && mail.confirm_url.is_some()).await;
    world.mailbox.confirm(&asks.ok_or("no mail asks for a confirmation")?).await?;
    Ok(user)
}

/// Returns the notices sent to a user, oldest first.
fn notices(world: &World, user: &User) -> Vec<Mail> {
    world.mailbox.to(&address(&user.name)).into_iter().filter(|mail| mail.confirm_url.is_none()).collect()
}

/// Returns whether a notice is a digest. Digests are sent every half minute, independently of other notices.
fn is_digest(mail: &Mail) -> bool {
    mail.subject.starts_with("[EventPulse] Digest")
}

/// Waits until a user has received `number` notices other than digests.
async fn wait_for(world: &World, user: &User, number: usize) -> Result<Vec<Mail>, BoxError> {
    poll(SOON, async || {
        let mails: Vec<Mail> = notices(world, user).into_iter().filter(|mail| !is_digest(mail)).collect();
        let subjects: Vec<String> = mails.iter().map(|mail| mail.subject.clone()).collect();
        found((mails.len() >= number).then_some(mails), || format!("not {number} notices: {subjects:#?}"))
    })
    .await
}

/// Invokes notify with the event of its one-minute schedule. Returns the end of its log.
async fn run_schedule(world: &World) -> Result<String, BoxError> {
    let event = std::fs::read_to_string(world.stack.root.join("events/minute.json"))?;
    invoke(world, "NotifyFunctionName", &event).await
}

async fn invoke(world: &World, function: &str, event: &str) -> Result<String, BoxError> {
    let invoke = world.lambda.invoke().function_name(world.output(function)).log_type(LogType::Tail);
    let output = invoke.payload(Blob::new(event)).send().await?;
    let log = output.log_result().map(|text| BASE64_STANDARD.decode(text)).transpose()?.unwrap_or_default();
    let log = String::from_utf8_lossy(&log).into_owned();
    match output.function_error() {
        Some(error) => Err(format!("{function}: {error}: {log}").into()),
        None => Ok(log),
    }
}

/// Returns an owner's outbox and its revision.
async fn outbox(world: &World, user: &User) -> Result<(Value, u64), BoxError> {
    let stored = world.client.services.notices.outbox(&user.owner).await?;
    Ok((serde_json::to_value(stored.outbox)?, stored.revision))
}

/// Waits until an owner's outbox holds no publication. A mail arrives before its publication is removed.
async fn wait_for_publication(world: &World, user: &User) -> TestResult {
    poll(SOON, async || {
        let (outbox, _) = outbox(world, user).await?;
        found(outbox["publication"].is_null().then_some(()), || {
            format!("the publication is still in the outbox: {outbox:#}")
        })
    })
    .await
}

async fn upload(world: &World, user: &User, name: &str, body: &Value) -> Result<UploadId, BoxError> {
    Ok(world.upload(user, &document(name, body.to_string())).await?.id().clone())
}

fn wrong_value(device: &str, second: u32) -> Value {
    json!({ "device_id": device, "timestamp": format!("2025-02-28T00:00:{second:02}Z"), "value": "warm" })
}

async fn discard(world: &World, user: &User, id: &UploadId) -> TestResult {
    world.call(user, "DELETE", &format!("/quarantine/{id}"), Value::Null).await?.expect(204)?;
    Ok(())
}

/// Waits until no occurrence of an owner is left to fold.
async fn wait_until_folded(world: &World, user: &User) -> TestResult {
    poll(SOON, async || {
        let left = world.client.services.notices.occurrences(&user.owner).await?.items;
        found(left.is_empty().then_some(()), || format!("{left:#?}"))
    })
    .await
}

/// Sets a variable of notify. Returns its previous value.
async fn set_variable(world: &World, name: &str, value: &str) -> Result<String, BoxError> {
    let function = world.output("NotifyFunctionName");
    let configuration = world.lambda.get_function_configuration().function_name(function).send().await?;
    let variables = configuration.environment().and_then(|environment| environment.variables());
    let mut variables = variables.cloned().ok_or("the function has no environment")?;
    let before = variables.insert(name.to_owned(), value.to_owned());
    let environment = Environment::builder().set_variables(Some(variables)).build();
    world.lambda.update_function_configuration().function_name(function).environment(environment).send().await?;
    Ok(before.ok_or_else(|| format!("the function has no {name}"))?)
}

/// Returns the problems that an e-mail names.
fn problems(mail: &Mail) -> Vec<String> {
    let words = mail.text.split_whitespace().filter(|word| word.starts_with("prb_"));
    words.map(str::to_owned).collect()
}

/// Fails if two mails to one address are less than a second apart.
fn assert_spaced(world: &World) -> TestResult {
    let mut last: BTreeMap<String, SystemTime> = BTreeMap::new();
    for mail in world.mailbox.all().into_iter().filter(|mail| mail.confirm_url.is_none()) {
        let at = std::fs::metadata(&mail.file)?.modified()?;
        if let Some(before) = last.insert(mail.to.clone(), at) {
            let between = at.duration_since(before).unwrap_or_default();
            assert!(between >= ONE_A_SECOND, "{} was mailed again after {between:?}", mail.to);
        }
    }
    Ok(())
}

pub async fn problem_is_notified_when_new_repeated_resolved_and_regressed(world: Arc<World>) -> TestResult {
    let user = subscriber(&world).await?;
    for second in 0..3 {
        upload(&world, &user, "good.json", &reading("life", second, 1.0)).await?;
    }
    let first = upload(&world, &user, "bad\r\nBcc: x.json", &wrong_value("life", 10)).await?;
    let mails = wait_for(&world, &user, 1).await?;
    assert_eq!(mails[0].subject, "[EventPulse] 1 record rejected: TYPE /value (reading 1.0)");
    let text = &mails[0].text;
    for expected in [
        "problem is new.",
        "must be a number, but is a string",
        "`/value` was a number in your last 3 uploads.",
        &format!("eventpulse quarantine show {first}"),
        &world.client.api,
        &format!("GET /quarantine/{first}"),
        "eventpulse notifications off",
    ] {
        assert!(text.contains(expected), "{expected:?} is not in\n{text}");
    }
    assert!(!text.contains("warm") && !text.lines().any(|line| line.starts_with("Bcc")), "{text}");
    let problem = problems(&mails[0]).first().cloned().ok_or("no problem")?;

    // The same failure in two more files sends nothing at once, nor do good uploads: records are still in quarantine.
    let second = upload(&world, &user, "bad.ndjson", &wrong_value("life", 11)).await?;
    let third = upload(&world, &user, "bad.ndjson", &wrong_value("life", 12)).await?;
    upload(&world, &user, "good.json", &reading("life", 20, 1.0)).await?;
    upload(&world, &user, "bad.json", &reading("another device", 20, 1.0)).await?;
    discard(&world, &user, &first).await?;
    discard(&world, &user, &second).await?;
    wait_until_folded(&world, &user).await?;
    let mails: Vec<Mail> = notices(&world, &user).into_iter().filter(|mail| !is_digest(mail)).collect();
    assert_eq!(mails.len(), 1, "{mails:#?}");

    // The problem is resolved when the last records are handled.
    discard(&world, &user, &third).await?;
    let mails = wait_for(&world, &user, 2).await?;
    assert_eq!(mails[1].subject, "[EventPulse] Resolved: TYPE /value (reading 1.0)");
    assert!(mails[1].text.contains(third.as_str()) && problems(&mails[1]) == [problem.clone()], "{}", mails[1].text);
    assert!(mails[1].text.contains("Discarded: 3 uploads with 3 records"), "{}", mails[1].text);

    // A good upload sends no notice. The same failure again is a regression and sends one.
    upload(&world, &user, "good.json", &reading("life", 21, 1.0)).await?;
    let back = upload(&world, &user, "bad.json", &wrong_value("life", 13)).await?;
    let mails = wait_for(&world, &user, 3).await?;
    assert!(mails[2].subject.starts_with("[EventPulse] Back again"), "{}", mails[2].subject);
    assert!(mails[2].text.contains(back.as_str()) && problems(&mails[2]) == [problem.clone()], "{}", mails[2].text);

    // Digests report the two remaining uploads once: in one digest if all of this took less than half a minute.
    let digests = async || -> Look<Vec<Mail>> {
        let digests: Vec<Mail> = notices(&world, &user).into_iter().filter(is_digest).collect();
        let counts: Vec<&str> = digests.iter().filter_map(|mail| mail.subject.split_whitespace().nth(2)).collect();
        let (is_all, seen) = (counts == ["2"] || counts == ["1", "1"], format!("digests report {counts:?} uploads"));
        found(is_all.then_some(digests), || seen)
    };
    let digest_mails = poll(SOON, digests).await?;
    let (more, extent) = match digest_mails.len() {
        1 => ("2 more uploads", "2 uploads with 2 rejected records"),
        _ => ("1 more upload", "1 upload with 1 rejected record"),
    };
    for digest in digest_mails {
        assert_eq!(digest.subject, format!("[EventPulse] Digest: {more} rejected, 1 known problem"));
        assert!(digest.text.contains(extent) && problems(&digest) == [problem.as_str()], "{}", digest.text);
    }
    run_schedule(&world).await?;
    let number = wait_for(&world, &user, 3).await?.len();
    assert_eq!((number, digests().await?.is_break()), (3, true), "no other notice is sent");
    assert_spaced(&world)
}

pub async fn corrected_records_resolve_their_problem(world: Arc<World>) -> TestResult {
    let user = subscriber(&world).await?;
    let body = format!("{}\n{}\n", reading("mended", 1, 1.0), wrong_value("mended", 2));
    let partly = world.upload(&user, &document("mended.ndjson", body)).await?.id().clone();
    wait_for(&world, &user, 1).await?;
    let correct = async |body: Value| {
        let body = body.to_string();
        world.retry(&user, partly.as_str(), Some(("application/json", &body))).await?.expect(202)
    };
    // A correction that is rejected for another reason resolves the first problem, and is a new one.
    correct(json!({ "device_id": "mended", "value": 1 })).await?;
    let mails = wait_for(&world, &user, 3).await?;
    let mut subjects: Vec<&str> = mails[1..].iter().map(|mail| mail.subject.as_str()).collect();
    subjects.sort_unstable();
    let expected = [
        "[EventPulse] 1 record rejected: REQUIRED /timestamp (reading 1.0)",
        "[EventPulse] Resolved: TYPE /value (reading 1.0)",
    ];
    assert_eq!(subjects, expected);
    world.client.settled(&partly).await?;
    correct(reading("mended", 2, 2.0)).await?;
    let mails = wait_for(&world, &user, 4).await?;
    assert_eq!(mails[3].subject, "[EventPulse] Resolved: REQUIRED /timestamp (reading 1.0)");
    assert!(mails[3].text.contains("Corrected: 1 upload with 1 record"), "{}", mails[3].text);
    Ok(())
}

pub async fn quiet_problem_reports_the_records_that_are_missing(world: Arc<World>) -> TestResult {
    let user = subscriber(&world).await?;
    upload(&world, &user, "meter-1.json", &wrong_value("silent", 1)).await?;
    let problem = problems(&wait_for(&world, &user, 1).await?[0]);
    wait_for_publication(&world, &user).await?; // the change below stops running functions
    let quiet_seconds = set_variable(&world, "QUIET_SECONDS", "1").await?;
    let quiet: Result<_, BoxError> = async {
        // Uploads of another source do not make the problem quiet.
        upload(&world, &user, "other.json", &reading("silent", 2, 1.0)).await?;
        wait_until_folded(&world, &user).await?;
        run_schedule(&world).await?;
        let before = notices(&world, &user).len();
        upload(&world, &user, "meter-2.json", &reading("silent", 3, 1.0)).await?;
        let mails = poll(Duration::from_secs(1), async || {
            run_schedule(&world).await?;
            let mails = notices(&world, &user);
            found((mails.len() >= 2).then_some(mails), || "no notice of a quiet problem".to_owned())
        })
        .await?;
        wait_for_publication(&world, &user).await?;
        Ok((before, mails))
    }
    .await;
    set_variable(&world, "QUIET_SECONDS", &quiet_seconds).await?;
    let (before, mails) = quiet?;
    assert_eq!(before, 1, "{mails:#?}");
    assert_eq!(mails[1].subject, "[EventPulse] Quiet, 1 record in quarantine: TYPE /value (reading 1.0)");
    assert_eq!(problems(&mails[1]).first(), problem.first());
    for expected in ["missing from every statistic", "quarantine list --code TYPE --schema reading/1.0"] {
        let text = mails[1].text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(text.contains(expected), "{expected:?} is not in\n{}", mails[1].text);
    }
    upload(&world, &user, "meter-3.json", &wrong_value("silent", 4)).await?;
    let mails = wait_for(&world, &user, 3).await?;
    assert!(mails[2].subject.starts_with("[EventPulse] Back again"), "{}", mails[2].subject);
    Ok(())
}

pub async fn owners_with_like_failures_get_separate_notices(world: Arc<World>) -> TestResult {
    let (one, two) = (subscriber(&world).await?, subscriber(&world).await?);
    let mut uploads = Vec::new();
    for user in [&one, &two] {
        uploads.push(upload(&world, user, "same.json", &wrong_value("shared", 1)).await?);
    }
    discard(&world, &one, &uploads[0]).await?;
    let of_one = wait_for(&world, &one, 2).await?;
    let of_two = wait_for(&world, &two, 1).await?;
    assert_eq!(of_two[0].subject, of_one[0].subject, "both owners are notified of a new problem");
    assert!(of_one[1].subject.contains("Resolved"), "{}", of_one[1].subject);
    for (mails, own, other) in [(&of_one, &uploads[0], &uploads[1]), (&of_two, &uploads[1], &uploads[0])] {
        assert!(mails[0].text.contains(own.as_str()));
        assert!(mails.iter().all(|mail| !mail.text.contains(other.as_str())));
    }
    assert!(!of_one.iter().any(|mail| mail.text.contains(two.owner.as_str())));
    run_schedule(&world).await?;
    assert_eq!(notices(&world, &two).len(), 1, "the problem of the other owner stays open");
    Ok(())
}

pub async fn first_partially_accepted_upload_has_no_history_section(world: Arc<World>) -> TestResult {
    let user = subscriber(&world).await?;
    let body = format!("{}\n{}\n", reading("past", 1, 1.0), wrong_value("past", 2));
    let upload = world.upload(&user, &document("mixed.ndjson", body)).await?;
    assert_eq!(upload.state(), UploadState::PartiallyAccepted);
    let mails = wait_for(&world, &user, 1).await?;
    assert_eq!(mails[0].subject, "[EventPulse] 1 of 2 records rejected: TYPE /value (reading 1.0)");
    assert!(!mails[0].text.contains("What changed"), "{}", mails[0].text);
    Ok(())
}

pub async fn duplicates_and_repeated_deliveries_send_no_mail(world: Arc<World>) -> TestResult {
    let user = subscriber(&world).await?;
    let good = document("good.json", reading("quiet", 1, 1.0).to_string());
    assert_eq!(world.upload(&user, &good).await?.state(), UploadState::Accepted);
    assert_eq!(world.upload(&user, &good).await?.state(), UploadState::Duplicate);
    world.client.issue(&user, &good).await?; // never uploaded
    let id = upload(&world, &user, "bad.json", &wrong_value("quiet", 2)).await?;
    // Repeat the same delivery several times.
    let object = world.client.settled(&id).await?.object().cloned().ok_or("no object")?;
    for _ in 0..3 {
        world.deliver(&object, "again").await?;
    }
    wait_for(&world, &user, 1).await?;
    run_schedule(&world).await?;
    let mails = notices(&world, &user);
    assert_eq!(mails.len(), 1, "{mails:#?}");
    assert!(mails[0].text.contains(id.as_str()));
    Ok(())
}

pub async fn machine_subscribers_get_the_notice_as_json(world: Arc<World>) -> TestResult {
    let user = world.user();
    let topic = &world.client.services.config.notices_topic_arn;
    let policy = json!({ "Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Principal": { "Service": "sns.amazonaws.com" }, "Action": "sqs:SendMessage", "Resource": "*",
        "Condition": { "ArnEquals": { "aws:SourceArn": topic } },
    }] });
    let create = json!({ "QueueName": "machine", "Attributes": {
        "Policy": policy.to_string(), "VisibilityTimeout": "43200", // received messages stay invisible
    } });
    let queue = world.sqs("create_queue", &create).await?["QueueUrl"].clone();
    let wanted = json!({ "QueueUrl": queue, "AttributeNames": ["QueueArn"] });
    let arn = world.sqs("get_queue_attributes", &wanted).await?["Attributes"]["QueueArn"].clone();
    let sns = aws_sdk_sns::Client::new(&world.client.sdk);
    let subscribe = sns.subscribe().topic_arn(topic).protocol("sqs");
    let filter = json!({ "owner": [user.owner], "code": ["TYPE"], "schema": [{ "prefix": "reading/" }] });
    let subscribe = subscribe.endpoint(arn.as_str().unwrap_or_default()).attributes("FilterPolicy", filter.to_string());
    subscribe.attributes("RawMessageDelivery", "true").send().await?;

    upload(&world, &user, "other.json", &json!({ "device_id": "machine" })).await?; // REQUIRED: filtered out
    let bad = upload(&world, &user, "bad.json", &wrong_value("machine", 1)).await?;
    poll(SOON, async || {
        let (outbox, _) = outbox(&world, &user).await?;
        found((!outbox["published_at"].is_null()).then_some(()), || "the first notice is not published".to_owned())
    })
    .await?;
    discard(&world, &user, &bad).await?;
    let mut received: Vec<Value> = Vec::new();
    poll(SOON, async || {
        let receive = json!({ "QueueUrl": queue, "MessageAttributeNames": ["All"], "MaxNumberOfMessages": 10, "WaitTimeSeconds": 1 });
        let answer = world.sqs("receive_message", &receive).await?;
        received.extend(answer["Messages"].as_array().cloned().unwrap_or_default());
        found((received.len() >= 2).then_some(()), || format!("{received:#?}"))
    })
    .await?;
    let attribute = |message: &Value, name: &str| message["MessageAttributes"][name]["StringValue"].clone();
    let kinds: BTreeSet<String> = received.iter().map(|message| attribute(message, "kind").to_string()).collect();
    assert_eq!(kinds, BTreeSet::from([r#""new""#.to_owned(), r#""resolved""#.to_owned()]), "{received:#?}");
    for message in &received {
        let notice: Value = serde_json::from_str(message["Body"].as_str().unwrap_or_default())?;
        assert_valid(&world, "notice/1.0", &notice);
        assert_eq!((&notice["kind"], &notice["owner"]), (&attribute(message, "kind"), &json!(user.owner)));
        assert_eq!(attribute(message, "owner"), user.owner.as_str());
        assert!(attribute(message, "code").as_str().is_some_and(|codes| codes.contains("\"TYPE\"")), "{message:#}");
        assert_eq!(attribute(message, "schema"), r#"["reading/1.0"]"#);
        if notice["kind"] == "new" {
            assert!(notice.to_string().contains(bad.as_str()));
        }
    }
    Ok(())
}

pub async fn operator_gets_every_notice_within_the_rate(world: Arc<World>) -> TestResult {
    let owners: Vec<User> = (0..3).map(|_| world.user()).collect();
    let mut ids = Vec::new();
    for (number, owner) in (0..).zip(&owners) {
        ids.push(upload(&world, owner, "bad.json", &wrong_value("operator", number)).await?);
    }
    for id in &ids {
        let mail =
            world.mailbox.wait(PATIENCE, |mail| mail.to == OPERATOR_ADDRESS && mail.text.contains(id.as_str())).await;
        assert!(mail.is_some(), "the operator received no mail about {id}");
    }
    assert!(owners.iter().all(|owner| notices(&world, owner).is_empty()), "owners without a subscription get no mail");
    assert_spaced(&world)
}
