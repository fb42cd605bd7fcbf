//! Presigned uploads from a browser.

use std::time::Duration;

use aws_sdk_s3::config::{BehaviorVersion, Config, Credentials, Region};
use eventpulse_aws::adapters::object_store::ObjectStore;
use eventpulse_aws::adapters::object_store::presign::PutOptions;
use eventpulse_core::id::{OwnerId, UploadId};
use eventpulse_core::intake::inspection::MaxRejected;
use eventpulse_core::time::Timestamp;
use eventpulse_core::upload::RetryForm;
use eventpulse_core::upload::object_metadata::ObjectMetadata;

use crate::expanded::{properties, strings};

/// A browser asks before the PUT whether the bucket allows these headers. It sets `Content-Length` itself.
#[tokio::test]
async fn a_browser_may_send_exactly_the_headers_that_a_presigned_put_signs() {
    let config =
        Config::builder().behavior_version(BehaviorVersion::latest()).region(Region::from_static("eu-central-1"));
    let config = config.credentials_provider(Credentials::new("key", "secret", None, None, "test")).build();
    let options = PutOptions {
        content_type: "application/json",
        content_encoding: Some("gzip"),
        size: 2,
        sha256_base64: Some("RBNvo1WzZ4oRRq0W9+hknpT7T8If536DEMBg9hyq/4o="),
        now: Timestamp::parse("2025-02-28T12:00:00Z").unwrap(),
        expires_in: Duration::from_secs(60),
    };
    let objects = ObjectStore::new(aws_sdk_s3::Client::from_conf(config));
    let metadata = ObjectMetadata {
        upload_id: Some(UploadId::of_object("bucket", "key", "version")),
        schema: Some("reading/1.0".to_owned()),
        max_rejected: Some(MaxRejected::Count(3)),
        retry_form: Some(RetryForm::Corrected),
        ..ObjectMetadata::of_owner(&OwnerId::operator())
    };
    let put = objects.presign_put(("bucket", "key"), &options, metadata.to_map()).await.unwrap();
    let mut sent: Vec<_> = put.headers.iter().map(|(name, _)| name.as_str()).collect();
    sent.retain(|name| *name != "content-length");
    sent.sort_unstable();

    let signed = put.url.split(['?', '&']).find_map(|part| part.strip_prefix("X-Amz-SignedHeaders=")).unwrap();
    let mut signed: Vec<_> = signed.split("%3B").collect();
    signed.retain(|name| !["content-length", "host"].contains(name));
    assert_eq!(sent, signed);

    let [condition, cors, _] =
        properties("ProcessBucket")["CorsConfiguration"]["Fn::If"].as_array().unwrap().as_slice()
    else {
        panic!("no condition")
    };
    assert_eq!(condition, "HasConsole");
    let mut allowed = strings(&cors["CorsRules"][0]["AllowedHeaders"]);
    allowed.sort_unstable();
    assert_eq!(sent, allowed);
    assert_eq!(strings(&cors["CorsRules"][0]["AllowedMethods"]), ["PUT"]);
}
