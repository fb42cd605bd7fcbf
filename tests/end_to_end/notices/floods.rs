//! Bursts of a thousand failures.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use eventpulse_cli::BoxError;
use eventpulse_cli::dev::client::User;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::{
    assert_spaced, invoke, notices, problems, run_schedule, set_variable, subscriber, wait_for, wait_for_publication,
};
use crate::TestResult;
use crate::devices::{key, send};
use crate::poll::{SOON, found, poll};
use crate::world::World;

/// Posts messages with a key, up to 32 at a time. Returns their upload ids.
async fn post_all(world: &Arc<World>, secret: &str, bodies: Vec<Value>) -> Result<Vec<String>, BoxError> {
    let permits = Arc::new(tokio::sync::Semaphore::new(32));
    let mut calls = tokio::task::JoinSet::new();
    for body in bodies {
        let (world, secret, permits) = (Arc::clone(world), secret.to_owned(), Arc::clone(&permits));
        calls.spawn(async move {
            let _permit = permits.acquire_owned().await.map_err(|error| error.to_string())?;
            let reply = send(&world, &secret, &body).await.map_err(|error| error.to_string())?;
            let body = reply.expect(202).map_err(|error| error.to_string())?;
            Ok::<_, String>(body["upload_id"].as_str().unwrap_or_default().to_owned())
        });
    }
    let mut ids = Vec::new();
    while let Some(id) = calls.join_next().await {
        ids.push(id??);
    }
    Ok(ids)
}

/// Waits until an owner's next digest counts at least `uploads` uploads.
async fn count(world: &World, user: &User, uploads: u64) -> TestResult {
    poll(SOON, async || {
        let outbox = world.client.services.notices.outbox(&user.owner).await?.outbox;
        let counts = world.client.services.notices.digest_counts(&user.owner, outbox.digest_number).await?;
        let counted: u64 = counts.iter().map(|(_, counts)| counts.uploads).sum();
        found((counted >= uploads).then_some(()), || format!("{counted} of {uploads} uploads are counted"))
    })
    .await
}

pub async fn thousand_failures_of_one_problem_send_two_mails(world: Arc<World>) -> TestResult {
    let user = subscriber(&world).await?;
    let (_, secret) = key(&world, &user, "fast").await?;
    let bodies = (0..1_000).map(
        |number| json!({ "device_id": "flood", "timestamp": "2025-02-28T00:00:00Z", "value": format!("{number}") }),
    );
    // Digests are an hour apart, as by default, so that one digest counts all failures even on a slow machine.
    let digest_seconds = set_variable(&world, "DIGEST_SECONDS", "3600").await?;
    let flood: Result<_, BoxError> = async {
        let begun = Instant::now();
        let ids = post_all(&world, &secret, bodies.collect()).await?;
        println!("1,000 acknowledged within {:?}", begun.elapsed());
        count(&world, &user, 999).await?;
        wait_for(&world, &user, 1).await?;
        wait_for_publication(&world, &user).await?; // the change below stops running functions
        Ok(ids)
    }
    .await;
    set_variable(&world, "DIGEST_SECONDS", &digest_seconds).await?;
    let ids = flood?;
    let mut event: Value =
        serde_json::from_str(&std::fs::read_to_string(world.stack.root.join("events/notices-stream.json"))?)?;
    event["Records"][0]["dynamodb"]["Keys"]["pk"]["S"] = json!(format!("owner#{}", user.owner));
    let mails = poll(Duration::from_secs(1), async || {
        invoke(&world, "NotifyFunctionName", &event.to_string()).await?;
        let mails = notices(&world, &user);
        found((mails.len() >= 2).then_some(mails), || "no digest".to_owned())
    })
    .await?;
    assert_eq!(mails[0].subject, "[EventPulse] Message rejected: TYPE /value (reading 1.0)");
    assert!(ids.iter().filter(|id| mails[0].text.contains(*id)).count() == 1, "{}", mails[0].text);
    assert_eq!(mails[1].subject, "[EventPulse] Digest: 999 more uploads rejected, 1 known problem");
    assert!(mails[1].text.contains("999 uploads with 999 rejected records"), "{}", mails[1].text);
    assert_eq!(problems(&mails[0]).first(), problems(&mails[1]).first());
    run_schedule(&world).await?;
    assert_eq!(notices(&world, &user).len(), 2, "one immediate notice and one digest");
    assert_spaced(&world)
}

/// Returns a weather record whose combination of failures is unique to `number`.
fn wrong_weather(number: usize) -> Value {
    let mut record = json!({ "schema": "weather/1.0", "station": "Kyiv", "observed_at": "2025-02-28T00:00:00Z" });
    let mut rest = number + 1; // 0 would be valid
    for measure in ["precipitation_mm", "temp_max_c", "temp_min_c", "wind_m_s"] {
        match rest % 3 {
            1 => record[measure] = json!("x"),
            2 => record[measure] = json!(-1_000),
            _ => {}
        }
        rest /= 3;
    }
    if rest % 2 == 1 {
        record["sky"] = json!("green");
    }
    rest /= 2;
    match rest % 4 {
        1 => record["station"] = json!(1),
        2 => record["station"] = json!(""),
        3 => record["station"] = json!("x".repeat(257)),
        _ => {}
    }
    rest /= 4;
    match rest {
        1 => record["observed_at"] = json!(1),
        2 => record["observed_at"] = json!("today"),
        _ => {}
    }
    record
}

pub async fn thousand_problems_are_notified_within_the_rate(world: Arc<World>) -> TestResult {
    let user = subscriber(&world).await?;
    let (_, secret) = key(&world, &user, "fast").await?;
    let ids = post_all(&world, &secret, (0..1_000).map(wrong_weather).collect()).await?;
    assert_eq!(ids.len(), 1_000);
    let reported: Vec<String> = poll(SOON, async || {
        let reported =
            notices(&world, &user).iter().flat_map(|mail| BTreeSet::from_iter(problems(mail))).collect::<Vec<_>>();
        if reported.len() < 1_000 {
            run_schedule(&world).await?;
        }
        let seen = reported.len();
        found((seen >= 1_000).then_some(reported), || format!("{seen} of 1,000 problems were reported"))
    })
    .await?;
    let distinct: BTreeSet<&String> = reported.iter().collect();
    assert_eq!((reported.len(), distinct.len()), (1_000, 1_000), "each problem is reported once");
    let mails = notices(&world, &user);
    println!("1,000 problems in {} mails", mails.len());
    assert!(mails.len() <= 30, "{} mails", mails.len());
    let text: String = mails.iter().map(|mail| mail.text.as_str()).collect();
    let missing = ids.iter().filter(|id| !text.contains(*id)).count();
    assert_eq!(missing, 0, "each problem names its upload");
    assert_spaced(&world)
}
