//! Upload commands: retry, correct, discard and withdraw.

use std::sync::Arc;

use eventpulse_cli::BoxError;
use eventpulse_core::id::UploadId;
use eventpulse_core::intake::inspection::MaxRejected;
use eventpulse_core::upload::RetryForm;
use eventpulse_core::upload::object_metadata::ObjectMetadata;
use serde_json::{Value, json};

use crate::TestResult;
use crate::owners::lines;
use crate::world::{World, document, reading};

fn id_of(receipt: &Value) -> String {
    receipt["upload_id"].as_str().unwrap_or_default().to_owned()
}

fn outcome_of(receipt: &Value) -> (Value, Value, Value, Value) {
    let status = receipt["quarantine"]["status"].clone();
    (receipt["state"].clone(), receipt["accepted"].clone(), receipt["rejected"].clone(), status)
}

/// Returns three records, of which the first is good.
fn one_of_three(device: &str) -> String {
    lines(&[
        reading(device, 0, 35.0),
        json!({ "device_id": device, "timestamp": "2025-02-28T00:00:01Z", "value": "40" }),
        json!({ "device_id": device, "timestamp": "2025-02-28T00:00:02Z", "value": null }),
    ])
}

pub async fn partially_accepted_upload_is_corrected_in_steps(world: Arc<World>) -> TestResult {
    let user = world.user();
    let receipt = world.upload_by_rest(&user, &document("steps.ndjson", one_of_three("steps"))).await?;
    let id = id_of(&receipt);
    assert_eq!(outcome_of(&receipt), (json!("partially_accepted"), json!(1), json!(2), json!("open")));
    let item = world.get(&user, &format!("/quarantine/{id}")).await?;
    assert_eq!(item["report"]["records"].as_array().map(Vec::len), Some(2));

    // A retry without a correction fails at the same positions as before.
    world.retry(&user, &id, None).await?.expect(202)?;
    let receipt = world.outcome(&user, &id).await?;
    assert_eq!(outcome_of(&receipt), (json!("partially_accepted"), json!(1), json!(2), json!("open")));
    let again = world.get(&user, &format!("/quarantine/{id}")).await?;
    assert_eq!(again["report"]["records"], item["report"]["records"]);

    // Correct one of the two records.
    let half = lines(&[reading("steps", 1, 40.0), json!({ "device_id": "steps", "value": 123 })]);
    world.retry(&user, &id, Some(("application/x-ndjson", &half))).await?.expect(202)?;
    let receipt = world.outcome(&user, &id).await?;
    assert_eq!(outcome_of(&receipt), (json!("partially_accepted"), json!(2), json!(1), json!("open")));
    assert_eq!(receipt["failures"][0]["code"], "REQUIRED");

    // Correct the last record.
    let last = reading("steps", 2, 123.0).to_string();
    world.retry(&user, &id, Some(("application/json", &last))).await?.expect(202)?;
    let receipt = world.outcome(&user, &id).await?;
    assert_eq!(outcome_of(&receipt), (json!("accepted"), json!(3), json!(0), json!("resolved")));
    let answer = world.stats(&user, "steps").await?;
    assert_eq!((&answer["count"], &answer["mean"], &answer["median"]), (&json!(3), &json!(66.0), &json!(40.0)));
    assert_eq!(answer["uploads"]["included"]["count"], 1, "the corrections belong to the same upload");
    assert_eq!(answer["uploads"]["excluded"]["quarantined"]["count"], 0);

    let requested = receipt["history"].as_array().ok_or("no history")?.iter();
    let requested: Vec<(&str, &str)> = requested
        .filter(|event| event["event"] == "retry_requested")
        .map(|event| (event["form"].as_str().unwrap_or_default(), event["by"].as_str().unwrap_or_default()))
        .collect();
    let by = user.owner.as_str();
    assert_eq!(requested, [("unchanged_records", by), ("corrected", by), ("corrected", by)]);
    world.retry(&user, &id, None).await?.problem(409, "conflict")?;
    assert_eq!(world.get(&user, "/quarantine").await?["uploads"], json!([]));
    Ok(())
}

pub async fn objects_of_an_upload_name_its_owner_and_what_its_verdict_depends_on(world: Arc<World>) -> TestResult {
    let (user, objects) = (world.user(), &world.client.services.objects);
    let mut sample = document("named.ndjson", one_of_three("named"));
    sample.expected.max_rejected = Some(MaxRejected::Count(2));
    let id: UploadId = id_of(&world.upload_by_rest(&user, &sample).await?).parse()?;
    let load = async || world.client.services.uploads.load(&id).await?.ok_or(BoxError::from("no upload"));
    let metadata = async |bucket: &str, key: &str| -> Result<ObjectMetadata, BoxError> {
        let head = objects.head(bucket, key, None).await?.ok_or_else(|| format!("no object {key}"))?;
        Ok(ObjectMetadata::from_map(&head.metadata)?)
    };
    let upload = load().await?;
    let expected = ObjectMetadata {
        upload_id: Some(id.clone()),
        max_rejected: Some(MaxRejected::Count(2)),
        ..ObjectMetadata::of_owner(&user.owner)
    };
    let (first, held) = (upload.object().ok_or("no object")?, upload.quarantine_location().ok_or("not held")?);
    let records = held.key.as_deref().unwrap_or_default();
    for (bucket, key) in
        [(&first.bucket, first.key.as_str()), (&held.bucket, records), (&held.bucket, &held.report_key)]
    {
        assert_eq!(metadata(bucket, key).await?, expected, "{key}");
    }
    let half = lines(&[reading("named", 1, 40.0), json!({ "device_id": "named", "value": 123 })]);
    world.retry(&user, &id, Some(("application/x-ndjson", &half))).await?.expect(202)?;
    world.outcome(&user, &id).await?;
    let corrected = load().await?.object().cloned().ok_or("no object")?;
    let expected = ObjectMetadata { retry_form: Some(RetryForm::Corrected), ..expected };
    assert_eq!(metadata(&corrected.bucket, &corrected.key).await?, expected, "{}", corrected.key);
    Ok(())
}

pub async fn correction_with_more_records_than_are_rejected_counts_nothing(world: Arc<World>) -> TestResult {
    let user = world.user();
    let receipt = world.upload_by_rest(&user, &document("more.ndjson", one_of_three("more"))).await?;
    let id = id_of(&receipt);
    let whole = lines(&[reading("more", 0, 35.0), reading("more", 1, 40.0), reading("more", 2, 123.0)]);
    world.retry(&user, &id, Some(("application/x-ndjson", &whole))).await?.expect(202)?;
    let receipt = world.outcome(&user, &id).await?;
    assert_eq!(outcome_of(&receipt).0, json!("partially_accepted"));
    assert_eq!((&receipt["accepted"], &receipt["failures"][0]["code"]), (&json!(1), &json!("TOO_MANY_RECORDS")));
    // The same correction, unchanged, is refused again; one with the two records counts.
    world.retry(&user, &id, None).await?.expect(202)?;
    let receipt = world.outcome(&user, &id).await?;
    assert_eq!(receipt["failures"][0]["code"], "TOO_MANY_RECORDS");
    let rejected = lines(&[reading("more", 1, 40.0), reading("more", 2, 123.0)]);
    world.retry(&user, &id, Some(("application/x-ndjson", &rejected))).await?.expect(202)?;
    let receipt = world.outcome(&user, &id).await?;
    assert_eq!(outcome_of(&receipt), (json!("accepted"), json!(3), json!(0), json!("resolved")));
    assert_eq!(world.stats(&user, "more").await?["count"], 3);
    Ok(())
}

pub async fn rejected_correction_updates_the_same_item(world: Arc<World>) -> TestResult {
    let user = world.user();
    let receipt = world.upload_by_rest(&user, &document("again.json", "{")).await?;
    let id = id_of(&receipt);
    let upload_id = UploadId::parse(&id)?;
    world.mails_about(&upload_id).await; // a later failure could otherwise share this mail
    for (correction, code) in [("[", "TRUNCATED"), (r#"{"device_id":"again"}"#, "REQUIRED"), ("7", "TYPE")] {
        world.retry(&user, &id, Some(("application/json", correction))).await?.expect(202)?;
        let receipt = world.outcome(&user, &id).await?;
        assert_eq!(outcome_of(&receipt).0, "quarantined");
        assert_eq!(receipt["failures"][0]["code"], code);
        let uploads = world.get(&user, "/quarantine").await?["uploads"].clone();
        assert_eq!(uploads.as_array().map(Vec::len), Some(1), "the item stays the only one: {uploads:#}");
        assert_eq!(uploads[0]["codes"], json!([code]));
        let item = world.get(&user, &format!("/quarantine/{id}")).await?;
        let url = item["download"]["object"]["url"].as_str().ok_or("no link")?;
        assert_eq!(world.http.get(url).send().await?.text().await?, correction, "the item shows the latest correction");
    }
    let truncated_mentions = async || {
        world.mails_about(&upload_id).await.iter().map(|mail| mail.text.matches("TRUNCATED").count()).sum::<usize>()
    };
    assert!(truncated_mentions().await > 0, "the first failure is mailed");
    Ok(())
}

pub async fn parallel_retries_count_once(world: Arc<World>) -> TestResult {
    let user = world.user();
    let receipt = world.upload_by_rest(&user, &document("many.json", "{")).await?;
    let id = id_of(&receipt);
    let fixed = reading("many", 0, 1.0).to_string();
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let (world, user, id, fixed) = (Arc::clone(&world), user.clone(), id.clone(), fixed.clone());
        calls.spawn(async move {
            let reply = world.retry(&user, &id, Some(("application/json", &fixed))).await.map_err(|e| e.to_string())?;
            Ok::<u16, String>(reply.status)
        });
    }
    let mut taken = 0;
    while let Some(call) = calls.join_next().await {
        match call?? {
            202 => taken += 1,
            409 => {}
            status => return Err(format!("a retry answers {status}").into()),
        }
    }
    assert_eq!(taken, 1, "only one retry is acknowledged");
    let receipt = world.receipt(&user, &id, |receipt| receipt["quarantine"]["status"] == "resolved").await?;
    assert_eq!(outcome_of(&receipt), (json!("accepted"), json!(1), json!(0), json!("resolved")));
    assert_eq!(world.stats(&user, "many").await?["count"], 1);
    Ok(())
}

pub async fn large_correction_is_sent_by_presigned_url(world: Arc<World>) -> TestResult {
    let user = world.user();
    let receipt = world.upload_by_rest(&user, &document("large.json", "{")).await?;
    let id = id_of(&receipt);
    let records: Vec<Value> = (0..80_000).map(|second| reading("large", second, 1.0)).collect();
    let body = lines(&records);
    assert!(body.len() > 4 << 20);
    let too_large = world.retry(&user, &id, Some(("application/x-ndjson", &body))).await?;
    too_large.problem(413, "body-too-large")?;
    let request = json!({ "content_type": "application/x-ndjson", "size": body.len() });
    let issued = world.call(&user, "POST", &format!("/quarantine/{id}/correction"), request).await?.expect(201)?;
    let mut put = world.http.put(issued["url"].as_str().ok_or("no url")?);
    for (name, value) in issued["headers"].as_object().ok_or("no headers")? {
        if name != "content-length" {
            put = put.header(name, value.as_str().unwrap_or_default());
        }
    }
    assert_eq!(put.body(body).send().await?.status().as_u16(), 200);
    let receipt = world.receipt(&user, &id, |receipt| receipt["quarantine"]["status"] == "resolved").await?;
    assert_eq!((outcome_of(&receipt).0, outcome_of(&receipt).1), (json!("accepted"), json!(80_000)));
    assert_eq!(world.stats(&user, "large").await?["count"], 80_000);
    Ok(())
}

pub async fn discarded_records_are_hidden_and_withdrawn_uploads_leave_every_answer(world: Arc<World>) -> TestResult {
    let user = world.user();
    let partly = world.upload_by_rest(&user, &document("gone.ndjson", one_of_three("gone"))).await?;
    let whole = world.upload_by_rest(&user, &document("gone.json", "{")).await?;
    for (receipt, state) in [(&partly, "partially_accepted"), (&whole, "discarded")] {
        let path = format!("/quarantine/{}", id_of(receipt));
        for _ in 0..2 {
            world.call(&user, "DELETE", &path, Value::Null).await?.expect(204)?;
        }
        let after = world.get(&user, &format!("/uploads/{}", id_of(receipt))).await?;
        assert_eq!((&after["state"], &after["quarantine"]["status"]), (&json!(state), &json!("discarded")));
        world.retry(&user, &id_of(receipt), None).await?.problem(409, "conflict")?;
        let item = world.get(&user, &path).await?;
        assert_eq!((&item["download"]["object"], &item["report"]), (&Value::Null, &Value::Null));
    }
    assert_eq!(world.get(&user, "/quarantine").await?["uploads"], json!([]));
    assert_eq!(world.stats(&user, "gone").await?["count"], 1, "the accepted record still counts");

    let sample = document("back.ndjson", lines(&[reading("gone", 7, 1.0), reading("back", 8, 2.0)]));
    let receipt = world.upload_by_rest(&user, &sample).await?;
    assert_eq!(world.stats(&user, "gone").await?["count"], 2);
    let path = format!("/uploads/{}", id_of(&receipt));
    for _ in 0..2 {
        let withdrawn = world.call(&user, "DELETE", &path, Value::Null).await?.expect(200)?;
        assert_eq!(withdrawn["state"], "withdrawn");
    }
    assert_eq!(world.stats(&user, "gone").await?["count"], 1);
    assert_eq!(world.stats(&user, "back").await?, Value::Null, "the device has no data");
    let devices = world.get(&user, "/devices").await?;
    assert!(!devices.to_string().contains("\"back\""), "{devices}");
    let again = world.upload_by_rest(&user, &sample).await?;
    assert_eq!(again["state"], "accepted", "the same bytes are accepted again: {again:#}");
    assert_eq!(world.stats(&user, "gone").await?["count"], 2);
    let discarded = world.call(&user, "DELETE", &format!("/uploads/{}", id_of(&whole)), Value::Null).await?;
    discarded.problem(409, "conflict")?;
    let nothing = world.call(&user, "DELETE", &format!("/quarantine/{}", id_of(&again)), Value::Null).await?;
    nothing.problem(409, "conflict")?;
    Ok(())
}

pub async fn used_url_does_not_change_a_terminal_upload(world: Arc<World>) -> TestResult {
    let user = world.user();
    let sample = document("used.json", "{}");
    let issued = world.client.issue(&user, &sample).await?;
    assert_eq!(world.client.put(&issued, sample.bytes.clone()).await?, 200);
    let id = issued.upload_id.as_str();
    let receipt = world.outcome(&user, id).await?;
    assert_eq!(receipt["state"], "quarantined");
    // The key is free again, so S3 accepts further objects: in quarantine, during the correction, and after it.
    assert_eq!(world.client.put(&issued, b"[]".to_vec()).await?, 200);
    let fixed = reading("used", 0, 1.0).to_string();
    world.retry(&user, id, Some(("application/json", &fixed))).await?.expect(202)?;
    let receipt = world.receipt(&user, id, |receipt| receipt["quarantine"]["status"] == "resolved").await?;
    assert_eq!(outcome_of(&receipt).0, "accepted");
    world.receipt(&user, id, |receipt| receipt["late_versions"] == 1).await?;
    assert_eq!(world.client.put(&issued, b"7 ".to_vec()).await?, 200);
    world.receipt(&user, id, |receipt| receipt["late_versions"] == 2).await?;
    let receipt = world.outcome(&user, id).await?;
    assert_eq!(outcome_of(&receipt), (json!("accepted"), json!(1), json!(0), json!("resolved")));
    assert_eq!(world.stats(&user, "used").await?["count"], 1);
    Ok(())
}
