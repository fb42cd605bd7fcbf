//! The identity of bytes: the SHA-256 that S3 verified, or the computed one.

use std::sync::Arc;

use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{ChecksumAlgorithm, CompletedMultipartUpload, CompletedPart};
use eventpulse_cli::BoxError;
use eventpulse_cli::dev::client::User;
use eventpulse_core::id::UploadId;
use eventpulse_core::intake::digest::{Sha256Digest, Sha256Source};
use eventpulse_core::upload::UploadState;
use serde_json::{Value, json};

use crate::TestResult;
use crate::messages::{deliver, message};
use crate::owners::lines;
use crate::world::{World, reading};

/// The size of a part in bytes, the smallest that S3 takes.
const PART_BYTES: usize = 5 << 20;

fn hexadecimal(bytes: &[u8]) -> String {
    Sha256Digest::of(bytes).to_hex()
}

fn base64(bytes: &[u8]) -> String {
    Sha256Digest::of(bytes).to_base64()
}

/// Requests an upload of this size. Its URL accepts the bytes with this digest only, if there is one.
async fn issue(world: &World, user: &User, size: usize, sha256: Option<&str>) -> Result<Value, BoxError> {
    let mut new = json!({ "file_name": "a.ndjson", "content_type": "application/x-ndjson", "size": size });
    if let Some(sha256) = sha256 {
        new["sha256"] = json!(sha256);
    }
    world.call(user, "POST", "/uploads", new).await?.expect(201)
}

/// Sends bytes to the URL of an upload, with its headers or others. Returns the status.
async fn put(world: &World, issued: &Value, bytes: &str, others: &[(&str, &str)]) -> Result<u16, BoxError> {
    let mut put = world.http.put(issued["url"].as_str().ok_or("no URL")?).body(bytes.to_owned());
    for (name, value) in issued["headers"].as_object().ok_or("no headers")? {
        if name != "content-length" && !others.iter().any(|(other, _)| other == name) {
            put = put.header(name, value.as_str().unwrap_or_default());
        }
    }
    put = others.iter().fold(put, |put, (name, value)| put.header(*name, *value));
    Ok(put.send().await?.status().as_u16())
}

/// Sends an upload and waits for its outcome. `signed`: whether its URL signs the digest.
async fn upload(world: &World, user: &User, bytes: &str, signed: bool) -> Result<Value, BoxError> {
    let sha256 = hexadecimal(bytes.as_bytes());
    let issued = issue(world, user, bytes.len(), Some(sha256.as_str()).filter(|_| signed)).await?;
    assert_eq!(put(world, &issued, bytes, &[]).await?, 200);
    world.outcome(user, issued["upload_id"].as_str().ok_or("no id")?).await
}

fn digest(receipt: &Value) -> (&str, &str) {
    (receipt["sha256"].as_str().unwrap_or_default(), receipt["sha256_source"].as_str().unwrap_or_default())
}

pub async fn equal_bytes_count_once_whether_s3_verified_their_digest_or_not(world: Arc<World>) -> TestResult {
    let (user, other) = (world.user(), world.user());
    for (name, signed_first, source) in [("signed", true, "s3"), ("unsigned", false, "computed")] {
        let body = lines(&[reading(name, 0, 1.0), reading(name, 1, 2.0)]);
        let sha256 = hexadecimal(body.as_bytes());
        let first = upload(&world, &user, &body, signed_first).await?;
        assert_eq!((&first["state"], digest(&first)), (&json!("accepted"), (sha256.as_str(), source)), "{name}");
        let second = upload(&world, &user, &body, !signed_first).await?;
        assert_eq!((&second["state"], digest(&second)), (&json!("duplicate"), ("", "")), "{name}");
        assert_eq!(second["duplicate_of"], first["upload_id"], "{name}");
        assert_eq!(world.stats(&user, name).await?["count"], 2, "{name}");

        let theirs = upload(&world, &other, &body, !signed_first).await?;
        let source = if signed_first { "computed" } else { "s3" };
        assert_eq!((&theirs["state"], digest(&theirs)), (&json!("accepted"), (sha256.as_str(), source)), "{name}");
    }
    Ok(())
}

pub async fn bytes_without_the_announced_digest_are_refused_and_not_processed(world: Arc<World>) -> TestResult {
    let user = world.user();
    let (announced, forged) = (reading("announced", 0, 1.0).to_string(), reading("announced", 0, 2.0).to_string());
    let sha256 = hexadecimal(announced.as_bytes());
    let issued = issue(&world, &user, announced.len(), Some(&sha256)).await?;
    assert_eq!(put(&world, &issued, &forged, &[]).await?, 400, "other bytes than announced");
    let digest_of_forged = base64(forged.as_bytes());
    let with_theirs = [("x-amz-checksum-sha256", digest_of_forged.as_str())];
    assert_eq!(put(&world, &issued, &forged, &with_theirs).await?, 403, "another digest than the signed one");
    let id = issued["upload_id"].as_str().ok_or("no id")?;
    let receipt = world.get(&user, &format!("/uploads/{id}")).await?;
    assert_eq!((&receipt["state"], digest(&receipt)), (&json!("issued"), ("", "")));

    // The digest of other bytes, as a checksum or as metadata, does not come with bytes that announced none.
    let unsigned = issue(&world, &user, forged.len(), None).await?;
    let digest_of_announced = base64(announced.as_bytes());
    for name in ["x-amz-checksum-sha256", "x-amz-meta-x-amz-checksum-sha256"] {
        let status = put(&world, &unsigned, &forged, &[(name, &digest_of_announced)]).await?;
        assert!(matches!(status, 400 | 403), "{name}: {status}");
    }
    assert_eq!(put(&world, &issued, &announced, &[]).await?, 200);
    let receipt = world.outcome(&user, id).await?;
    assert_eq!((&receipt["state"], digest(&receipt)), (&json!("accepted"), (sha256.as_str(), "s3")));
    assert_eq!(world.stats(&user, "announced").await?["mean"], 1.0);
    Ok(())
}

pub async fn checksum_that_covers_the_whole_object_is_its_digest_however_it_was_sent(world: Arc<World>) -> TestResult {
    let (bucket, s3) = (world.process_bucket(), &world.client.s3);
    let body = |name: &str| reading(name, 0, 1.0).to_string();
    let put = |name: &str| s3.put_object().bucket(bucket).key(format!("uploads/{name}.json"));
    let bytes = |body: &str| ByteStream::from(body.as_bytes().to_vec());
    let (checked, plain, forged) = (body("digest-checked"), body("digest-plain"), body("digest-forged"));
    let forgery = base64(checked.as_bytes());
    let sent = [
        (
            "digest-checked",
            checked.as_bytes().to_vec(),
            Sha256Source::S3,
            put("digest-checked").checksum_algorithm(ChecksumAlgorithm::Sha256).body(bytes(&checked)).send().await?,
        ),
        (
            "digest-plain",
            plain.as_bytes().to_vec(),
            Sha256Source::Computed,
            put("digest-plain").body(bytes(&plain)).send().await?,
        ),
        (
            "digest-forged",
            forged.as_bytes().to_vec(),
            Sha256Source::Computed,
            put("digest-forged")
                .metadata("x-amz-checksum-sha256", &forgery)
                .metadata("sha256", &forgery)
                .body(bytes(&forged))
                .send()
                .await?,
        ),
    ];
    let mut sent: Vec<_> = sent
        .into_iter()
        .map(|(name, bytes, source, put)| (format!("uploads/{name}.json"), bytes, source, put.version_id))
        .collect();
    let (key, bytes) = ("uploads/digest-parts.ndjson", large());
    sent.push((key.to_owned(), bytes.clone(), Sha256Source::Computed, put_in_parts(&world, key, &bytes).await?));
    for (key, bytes, source, version_id) in sent {
        let id = UploadId::of_object(bucket, &key, &version_id.ok_or("no version")?);
        let upload = world.client.settled(&id).await?;
        assert_eq!(upload.state(), UploadState::Accepted, "{key}");
        assert_eq!(upload.accepted_sha256(), Some((hexadecimal(&bytes).as_str(), source)), "{key}");
    }
    Ok(())
}

/// Returns records for two parts.
fn large() -> Vec<u8> {
    let reading = format!("{}{}\n", reading("digest-parts", 0, 1.0), " ".repeat(1 << 20));
    reading.repeat(6).into_bytes()
}

/// Writes an object in two parts, with checksums. Returns its version.
async fn put_in_parts(world: &World, key: &str, bytes: &[u8]) -> Result<Option<String>, BoxError> {
    let (bucket, s3) = (world.process_bucket(), &world.client.s3);
    let create = s3.create_multipart_upload().bucket(bucket).key(key).checksum_algorithm(ChecksumAlgorithm::Sha256);
    let id = create.send().await?.upload_id.ok_or("no upload")?;
    let mut parts = Vec::new();
    for (number, part) in (1..).zip(bytes.chunks(PART_BYTES)) {
        let put = s3.upload_part().bucket(bucket).key(key).upload_id(&id).part_number(number);
        let put = put.checksum_algorithm(ChecksumAlgorithm::Sha256).body(ByteStream::from(part.to_vec()));
        let put = put.send().await?;
        let part = CompletedPart::builder().part_number(number).set_e_tag(put.e_tag);
        parts.push(part.set_checksum_sha256(put.checksum_sha256).build());
    }
    assert_eq!(parts.len(), 2);
    let parts = CompletedMultipartUpload::builder().set_parts(Some(parts)).build();
    let complete = s3.complete_multipart_upload().bucket(bucket).key(key).upload_id(&id).multipart_upload(parts);
    let complete = complete.send().await?;
    assert!(complete.checksum_sha256.is_some_and(|checksum| checksum.ends_with("-2")), "a checksum of the parts");
    Ok(complete.version_id)
}

pub async fn messages_and_corrections_have_the_source_of_their_own_bytes(world: Arc<World>) -> TestResult {
    let user = world.user();
    let body = reading("digest-message", 0, 1.0);
    let sent = message(&user, "digest-message", &body);
    assert_eq!(deliver(&world, &[&sent]).await?, Vec::<usize>::new());
    let receipt = world.outcome(&user, sent.id().as_str()).await?;
    assert_eq!(digest(&receipt), (hexadecimal(body.to_string().as_bytes()).as_str(), "computed"));

    let mixed = lines(&[reading("digest-corrected", 0, 1.0), json!({ "device_id": "digest-corrected" })]);
    let receipt = upload(&world, &user, &mixed, true).await?;
    assert_eq!((&receipt["state"], digest(&receipt).1), (&json!("partially_accepted"), "s3"));
    let (id, correction) = (receipt["upload_id"].as_str().ok_or("no id")?, reading("digest-corrected", 1, 2.0));
    let correction = correction.to_string();
    world.retry(&user, id, Some(("application/json", &correction))).await?.expect(202)?;
    let receipt = world.outcome(&user, id).await?;
    let of_correction = hexadecimal(correction.as_bytes());
    assert_eq!((&receipt["state"], digest(&receipt)), (&json!("accepted"), (of_correction.as_str(), "computed")));
    let history = receipt["history"].as_array().ok_or("no history")?;
    let decided: Vec<_> = history.iter().filter(|entry| entry["event"] == "decided").map(digest).collect();
    let of_mixed = hexadecimal(mixed.as_bytes());
    assert_eq!(decided, [(of_mixed.as_str(), "s3"), (of_correction.as_str(), "computed")]);
    Ok(())
}
