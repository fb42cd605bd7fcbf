//! Bad input: each kind is quarantined with its failure code, and no bytes are lost.

use std::sync::Arc;

use eventpulse_cli::dev::report_on;
use eventpulse_cli::dev::samples::Sample;
use eventpulse_core::id::UploadId;
use eventpulse_core::intake::inspection::MaxRejected;
use eventpulse_core::upload::UploadState;

use crate::TestResult;
use crate::poll::{SOON, found, poll};
use crate::world::{World, document, gzip, reading};

/// Returns the document as one that an operator puts into the bucket, since the API issues no upload of this type.
fn dropped_with_content_type(content_type: &str, mut sample: Sample) -> Sample {
    sample.expected.content_type = Some(content_type.to_owned());
    sample.expected.dropped = true;
    sample
}

pub async fn each_bad_upload_is_quarantined_with_its_code(world: Arc<World>) -> TestResult {
    let seed = reading("bad", 0, 31337.25).to_string();
    let json = |text: &str| document("x.json", text);
    let deep = format!("{}1{}", "[".repeat(65), "]".repeat(65));
    let long =
        format!(r#"{{"device_id":"bad","timestamp":"2025-02-28T12:00:00Z","value":1,"x":"{}"}}"#, "x".repeat(16 << 20));
    let bomb = gzip(&vec![b'0'; 1 << 20]).repeat(64); // gzip members may follow one another
    let rows: Vec<(&str, &str, Sample)> = vec![
        ("not JSON", "NOT_JSON", json("hello")),
        ("single quotes", "NOT_JSON", json("{'device_id': 'x'}")),
        ("truncated", "TRUNCATED", json(&seed[..seed.len() - 5])),
        ("empty", "EMPTY_UPLOAD", json("")),
        ("white space", "EMPTY_UPLOAD", json(" \n\t ")),
        ("an empty array", "EMPTY_UPLOAD", json("[]")),
        ("wrong schema", "REQUIRED", json(r#"{"schema":"weather/1.0","device_id":"1"}"#)),
        ("unknown schema", "UNKNOWN_SCHEMA", json(r#"{"schema":"orders/1.0","device_id":"1"}"#)),
        ("no schema at all", "UNKNOWN_SCHEMA", json(r#"{"schema":7}"#)),
        ("missing member", "REQUIRED", json(r#"{"device_id":"1","timestamp":"2025-02-28T12:00:00Z"}"#)),
        ("wrong type", "TYPE", json(&seed.replace("31337.25", "\"31337.25\""))),
        ("extra member", "ADDITIONAL_PROPERTIES", json(&seed.replace('{', r#"{"extra":1,"#))),
        ("bad timestamp", "FORMAT", json(&seed.replace("2025-02-28", "2025-02-30"))),
        ("a timestamp that lax parsers take", "FORMAT", json(&seed.replace("T00:00:00Z", "T12:0/:00Z"))),
        ("number beyond f64", "NUMBER_OUT_OF_RANGE", json(&seed.replace("31337.25", "1e400"))),
        ("NaN", "NOT_JSON", json(&seed.replace("31337.25", "NaN"))),
        ("duplicate member", "DUPLICATE_MEMBER", json(&seed.replace('{', r#"{"value":1,"#))),
        ("depth 65", "TOO_DEEP", json(&seed.replace("31337.25", &deep))),
        ("byte order mark", "BYTE_ORDER_MARK", json(&format!("\u{feff}{seed}"))),
        ("UTF-16", "NOT_UTF8", document("x.json", seed.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>())),
        (
            "Latin-1",
            "NOT_UTF8",
            document("x.json", [b"{\"device_id\":\"caf\xe9\"," as &[u8], &seed.as_bytes()[1..]].concat()),
        ),
        ("lone surrogate", "LONE_SURROGATE", json(&seed.replace("\"bad\"", "\"\\ud800\""))),
        ("16 MiB and more", "RECORD_TOO_LARGE", json(&long)),
        ("16 MiB and more in a line", "RECORD_TOO_LARGE", document("x.ndjson", long.clone())),
        ("a gzip bomb", "RECORD_TOO_LARGE", document("x.json", bomb)),
        ("damaged gzip", "CORRUPT_COMPRESSION", document("x.json", &gzip(seed.as_bytes())[..20])),
        ("wrong content type", "UNSUPPORTED_CONTENT_TYPE", dropped_with_content_type("text/plain", json(&seed))),
        ("an array called NDJSON", "CONTENT_TYPE_MISMATCH", document("x.ndjson", format!("[{seed}]"))),
        ("an indented document called NDJSON", "CONTENT_TYPE_MISMATCH", document("x.ndjson", seed.replace(',', ",\n"))),
    ];
    let user = world.user();
    for (name, code, sample) in rows {
        let upload = world.upload(&user, &sample).await.map_err(|error| format!("{name}: {error}"))?;
        let rejection = upload.rejection().ok_or(format!("{name}: not rejected but {:?}", upload.state()))?;
        let codes: Vec<&str> = rejection.groups.iter().map(|group| group.code.as_str()).collect();
        assert!(codes.contains(&code), "{name}: expected {code}, got {rejection:#?}");
        assert_eq!(upload.state(), UploadState::Quarantined, "{name}");
        let quarantined = upload.quarantine_location().ok_or("not in quarantine")?;
        let held = world.object(&quarantined.bucket, quarantined.key.as_deref().unwrap_or_default(), None).await?;
        assert!(held.as_ref() == Some(&sample.bytes), "{name}: the quarantined object differs from the upload");
        let report = report_on(&world.client, &upload).await?.to_string();
        assert!(report.contains(code), "{name}: the report lacks {code}");
        assert!(!report.contains("31337.25"), "{name}: the report contains a value");
    }
    assert_eq!(world.statistics(&user.owner, "bad").await?, None, "no bad upload counts towards statistics");
    Ok(())
}

pub async fn uploads_with_special_characters_in_the_key_are_processed(world: Arc<World>) -> TestResult {
    let user = world.user();
    for (number, name) in
        ["a b.json", "a+b.json", "a%2Bb.json", "é.json", "ü ☃ +%20&?=#.json", "..", "-rf.json"].iter().enumerate()
    {
        let mut sample = document(name, reading("named", u32::try_from(number)?, 1.0).to_string());
        sample.expected.content_type = Some("application/json".to_owned());
        sample.expected.file_name = Some((*name).to_owned());
        let upload = world.upload(&user, &sample).await.map_err(|error| format!("{name}: {error}"))?;
        assert_eq!(upload.state(), UploadState::Accepted, "{name}");
        assert_eq!(upload.origin().owner, user.owner, "{name}");
        sample.bytes = b"{".to_vec();
        let upload = world.upload(&user, &sample).await.map_err(|error| format!("{name}: {error}"))?;
        let quarantined = upload.quarantine_location().ok_or("not in quarantine")?;
        let held = world.object(&quarantined.bucket, quarantined.key.as_deref().unwrap_or_default(), None).await?;
        assert_eq!(held, Some(sample.bytes), "{name}");
    }
    assert_eq!(world.statistics(&user.owner, "named").await?.map(|statistics| statistics.count), Some(7));
    Ok(())
}

pub async fn presigned_url_refuses_other_content(world: Arc<World>) -> TestResult {
    let user = world.user();
    let sample = document("x.json", reading("once", 0, 1.0).to_string());
    let issued = world.client.issue(&user, &sample).await?;
    assert_eq!(world.client.put(&issued, vec![b' '; sample.bytes.len() + 1]).await?, 403, "another size");
    let mut altered = world.client.issue(&user, &sample).await?;
    altered.put.url =
        altered.put.url.replace(issued.upload_id.as_str(), "other").replace(altered.upload_id.as_str(), "other");
    assert_eq!(world.client.put(&altered, sample.bytes.clone()).await?, 403, "another key");
    let mut retyped = world.client.issue(&user, &sample).await?;
    for (name, value) in &mut retyped.put.headers {
        if name == "content-type" {
            *value = "text/html".to_owned();
        }
    }
    assert_eq!(world.client.put(&retyped, sample.bytes.clone()).await?, 403, "another content type");
    assert_eq!(world.client.put(&issued, sample.bytes.clone()).await?, 200);
    world.client.settled(&issued.upload_id).await?;
    assert_eq!(world.client.put(&issued, sample.bytes.clone()).await?, 412, "twice");
    Ok(())
}

pub async fn reading_stops_where_the_rest_cannot_count_and_nothing_is_lost(world: Arc<World>) -> TestResult {
    let user = world.user();
    let (same, mixed) = ("{}\n".repeat(50_000), format!("{}\n{}", reading("stop", 0, 1.0), "7\n{}\n".repeat(20_000)));
    let mut limited = document("limited.ndjson", mixed.clone());
    limited.expected.max_rejected = Some(MaxRejected::Count(3));
    for (name, sample, records) in
        [("one reason", document("same.ndjson", same.clone()), 10_000), ("max_rejected", limited, 1_002)]
    {
        let upload = world.upload(&user, &sample).await.map_err(|error| format!("{name}: {error}"))?;
        let rejection = upload.rejection().ok_or("not rejected")?;
        assert_eq!(upload.state(), UploadState::Quarantined, "{name}");
        assert_eq!(rejection.read_until.map(|until| until.records), Some(records), "{name}");
        assert_eq!(report_on(&world.client, &upload).await?["read_until"]["records"], records, "{name}");
        let receipt = world.get(&user, &format!("/uploads/{}", upload.id())).await?;
        assert_eq!(receipt["read_until"]["line"], records, "{name}");
        let quarantined = upload.quarantine_location().ok_or("not in quarantine")?;
        let held = world.object(&quarantined.bucket, quarantined.key.as_deref().unwrap_or_default(), None).await?;
        assert!(held.as_ref() == Some(&sample.bytes), "{name}: the quarantined object is the whole upload");
    }
    assert_eq!(world.statistics(&user.owner, "stop").await?, None);
    Ok(())
}

pub async fn late_version_is_removed_unread(world: Arc<World>) -> TestResult {
    let user = world.user();
    // The URL works again after its object has been moved to quarantine.
    let bad = document("x.json", "{}");
    let issued = world.client.issue(&user, &bad).await?;
    assert_eq!(world.client.put(&issued, bad.bytes.clone()).await?, 200);
    let first = world.client.settled(&issued.upload_id).await?;
    assert_eq!(first.state(), UploadState::Quarantined);
    assert_eq!(
        world.client.put(&issued, b"[]".to_vec()).await?,
        200,
        "S3 accepts the object, since the key is free again"
    );
    let stored = poll(SOON, async || {
        let stored = world.client.services.uploads.read(&issued.upload_id).await?;
        found(stored.filter(|stored| stored.late_versions == 1), || "the late version is not counted".to_owned())
    })
    .await?;
    assert_eq!(stored.upload, first, "the history does not grow");
    assert_eq!(world.object(world.process_bucket(), &issued.key, None).await?, None, "the late version is removed");
    let after = world.client.settled(&issued.upload_id).await?;
    assert_eq!((after.state(), after.rejected()), (first.state(), first.rejected()), "nothing else changed");
    assert_eq!(world.mails_about(&issued.upload_id).await.len(), 1, "the late version sends no mail");
    Ok(())
}

pub async fn object_in_the_quarantine_bucket_triggers_nothing(world: Arc<World>) -> TestResult {
    let sample = document("uploads/x.json", reading("trap", 0, 1.0).to_string());
    let bucket = world.quarantine_bucket();
    let put = world.client.s3.put_object().bucket(bucket).key("uploads/x.json").content_type("application/json");
    let version = put.body(sample.bytes.clone().into()).send().await?.version_id.unwrap_or_default();
    // A later upload is processed, so an event for this object would have been processed, too.
    world.upload(&world.user(), &document("y.json", reading("after", 0, 1.0).to_string())).await?;
    let id = UploadId::of_object(bucket, "uploads/x.json", &version);
    assert!(world.client.services.uploads.load(&id).await?.is_none(), "the object was processed as an upload");
    Ok(())
}
