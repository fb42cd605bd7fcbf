use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::thread::JoinHandle;

use aws_config::{BehaviorVersion, SdkConfig};
use aws_sdk_s3::config::{Credentials, Region, SharedCredentialsProvider};
use eventpulse_core::intake::digest::Sha256Digest;

use super::*;

/// `printf abc | sha256sum | xxd -r -p | base64`
const SHA256_OF_ABC: &str = "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=";

/// Answers one request. Returns the address, and the head of the request when it is answered.
fn server(answer: String) -> (String, JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let serving = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let (mut head, mut buffer) = (Vec::new(), [0; 4_096]);
        while !head.ends_with(b"\r\n\r\n") {
            let read = stream.read(&mut buffer).unwrap();
            head.extend_from_slice(&buffer[..read]);
        }
        stream.write_all(answer.as_bytes()).unwrap();
        String::from_utf8(head).unwrap().to_ascii_lowercase()
    });
    (address, serving)
}

fn store(endpoint: String) -> ObjectStore {
    let credentials = Credentials::new("key", "secret", None, None, "test");
    let sdk = SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::from_static("eu-central-1"))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .http_client(crate::http_client())
        .endpoint_url(endpoint)
        .build();
    ObjectStore::from_sdk(&sdk, true)
}

#[tokio::test]
async fn the_digest_of_an_opened_object_is_that_of_s3_and_is_not_checked_again() {
    // Bytes that do not have the checksum: an SDK that validates it fails to read them, after it has hashed them.
    let other = "xyz";
    let checksum = format!("x-amz-checksum-sha256: {SHA256_OF_ABC}\r\n");
    let full = "x-amz-checksum-type: FULL_OBJECT\r\n";
    let composite = format!("x-amz-checksum-sha256: {SHA256_OF_ABC}-1\r\nx-amz-checksum-type: COMPOSITE\r\n");
    let forged = format!("x-amz-meta-x-amz-checksum-sha256: {SHA256_OF_ABC}\r\n{full}");
    let of_abc = Some(Sha256Digest::of(b"abc"));
    for (name, headers, expected) in [
        ("of the object", format!("{checksum}{full}"), of_abc),
        ("without type", checksum, None),
        ("of parts", composite, None),
        ("in metadata", forged, None),
        ("none", String::new(), None),
    ] {
        let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: 3\r\nconnection: close\r\n{headers}\r\n{other}");
        let (endpoint, serving) = server(answer);
        let object = store(endpoint).get("bucket", "key", None).await.unwrap().unwrap();
        assert_eq!(object.sha256, expected, "{name}");
        let body = object.body.collect().await.map(|body| body.into_bytes()).unwrap();
        assert_eq!(&body[..], other.as_bytes(), "{name}");
        let head = serving.join().unwrap();
        assert!(head.contains("\r\nx-amz-checksum-mode: enabled\r\n"), "{name}: {head}");
        let signed = head.lines().find_map(|line| line.split_once("signedheaders=")).map(|(_, names)| names);
        assert!(signed.is_some_and(|names| names.contains("x-amz-checksum-mode")), "{name}: {head}");
    }
}
