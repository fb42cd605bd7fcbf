use std::io::Write as _;
use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::to_bytes;
use axum::extract::{Request, State};
use axum::http::{Method, StatusCode};
use tempfile::NamedTempFile;

use super::*;

/// What arrived: method, path and query, headers in their order of names, body.
type Seen = Arc<Mutex<Vec<(Method, String, Vec<(String, String)>, Vec<u8>)>>>;

/// A place to send to; a URL that ends in `no` refuses, without a look at the body.
async fn storage() -> (String, Seen) {
    async fn take(State(seen): State<Seen>, request: Request) -> StatusCode {
        let (head, body) = request.into_parts();
        if head.uri.path().ends_with("no") {
            return StatusCode::FORBIDDEN;
        }
        let Ok(bytes) = to_bytes(body, usize::MAX).await else { return StatusCode::BAD_REQUEST };
        let text = |value: &axum::http::HeaderValue| value.to_str().unwrap().to_owned();
        let mut headers: Vec<_> = head.headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect();
        headers.sort();
        seen.lock().unwrap().push((head.method, head.uri.to_string(), headers, bytes.to_vec()));
        StatusCode::OK
    }
    let seen = Seen::default();
    let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let router = Router::new().fallback(take).with_state(Arc::clone(&seen));
    tokio::spawn(async { axum::serve(listener, router).await });
    (url, seen)
}

fn file_of(bytes: &[u8]) -> NamedTempFile {
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(bytes).unwrap();
    file
}

/// Bytes among which no piece is like another.
fn bytes(count: usize) -> Vec<u8> {
    (0..count).map(|index| (index * index / 7 + index) as u8).collect()
}

fn headers(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

#[test]
fn digest_covers_all_bytes() {
    let rows = [
        (b"".as_slice(), 0, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        (b"abc", 3, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        (&[b'a'; 1_000_000], 1_000_000, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"),
    ];
    for (bytes, size, sha256) in rows {
        assert_eq!(digest(file_of(bytes).path()).unwrap(), (size, sha256.to_owned()));
    }
    let error = digest(Path::new("/nowhere/a b.json")).unwrap_err();
    assert_eq!(error.to_string(), "cannot read /nowhere/a b.json");
}

#[tokio::test]
async fn file_and_signed_headers_arrive_exactly() {
    let (url, seen) = storage().await;
    let given = headers(&[
        ("content-type", "application/x-ndjson"),
        ("x-amz-meta-name", "a +%2B.json"),
        ("x-amz-checksum-sha256", "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0="),
    ]);
    for size in [0, 1, PIECE_BYTES - 1, PIECE_BYTES, PIECE_BYTES + 1, 5 * PIECE_BYTES + 17] {
        let (bytes, progress) = (bytes(size), Arc::new(AtomicU64::new(0)));
        let (file, told) = (file_of(&bytes), Arc::clone(&progress));
        let status = put(
            &crate::client::http::http_client().unwrap(),
            &format!("{url}/uploads/x%20y?X-Amz-Signature=a%2Bb"),
            &given,
            file.path(),
            size as u64,
            move |sent| assert!(told.swap(sent, Ordering::Relaxed) < sent),
        )
        .await;
        assert_eq!(status.unwrap(), 200, "{size}");
        assert_eq!(progress.load(Ordering::Relaxed), size as u64);
        let (method, uri, mut arrived, body) = seen.lock().unwrap().pop().unwrap();
        assert_eq!((method, uri.as_str()), (Method::PUT, "/uploads/x%20y?X-Amz-Signature=a%2Bb"));
        assert!(body == bytes, "{size}: other bytes");
        let mut expected = given.clone();
        expected.push(("content-length".to_owned(), size.to_string()));
        expected.sort();
        arrived.retain(|(name, _)| name != "host" && name != "accept"); // what each HTTP client says
        assert_eq!(arrived, expected, "{size}");
    }
}

#[tokio::test]
async fn content_length_is_sent_once() {
    let (url, seen) = storage().await;
    let file = file_of(b"[]");
    let given = headers(&[("content-length", "2")]);
    put(&crate::client::http::http_client().unwrap(), &url, &given, file.path(), 2, |_| {}).await.unwrap();
    let (_, _, arrived, _) = seen.lock().unwrap().pop().unwrap();
    let lengths: Vec<_> = arrived.iter().filter(|(name, _)| name == "content-length").collect();
    assert_eq!(lengths, [&("content-length".to_owned(), "2".to_owned())]);
}

#[tokio::test]
async fn file_of_another_size_is_not_sent() {
    let (url, seen) = storage().await;
    for expected in [0, 9, 11] {
        let file = file_of(b"0123456789");
        let error = put(&crate::client::http::http_client().unwrap(), &url, &[], file.path(), expected, |_| {})
            .await
            .unwrap_err();
        assert!(matches!(error, SendError::Changed { found: 10, .. }), "{error}");
        assert!(
            error.to_string().contains(&format!("had {expected} bytes, now it has 10; upload it again")),
            "{error}"
        );
    }
    assert!(seen.lock().unwrap().is_empty());
}

#[tokio::test]
async fn file_that_changes_while_sending_never_arrives() {
    let (url, seen) = storage().await;
    let size = 40 * PIECE_BYTES as u64;
    for (what, new_size) in [("grows", size + 1), ("shrinks", size / 2), ("is emptied", 0)] {
        let file = file_of(&bytes(40 * PIECE_BYTES));
        let other = file.reopen().unwrap();
        let change = move |_| other.set_len(new_size).unwrap();
        let error =
            put(&crate::client::http::http_client().unwrap(), &url, &[], file.path(), size, change).await.unwrap_err();
        assert!(matches!(error, SendError::Changed { found, .. } if found == new_size), "{what}: {error}");
    }
    assert!(seen.lock().unwrap().is_empty());
}

#[tokio::test]
async fn refusal_returns_the_status_and_a_broken_connection_an_error_without_the_url() {
    let (url, _) = storage().await;
    let file = file_of(b"[]");
    let http = crate::client::http::http_client().unwrap();
    assert_eq!(put(&http, &format!("{url}/no"), &[], file.path(), 2, |_| {}).await.unwrap(), 403);
    let closed = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap();
    let error = put(&http, &format!("http://{closed}/?X-Amz-Signature=secret"), &[], file.path(), 2, |_| {}).await;
    let error = error.unwrap_err();
    assert!(matches!(error, SendError::Http(_)));
    assert!(!format!("{error:?}").contains("secret"), "{error:?}");
}
