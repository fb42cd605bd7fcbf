//! An HTTP server on loopback for tests: it answers as its script says, or breaks the connection.

use std::collections::{HashMap, VecDeque};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::api::Api;
use super::http::now;
use super::profile::{self, Profile};
use super::retry::{Retrier, RetryPolicy};

/// The reaction to one request.
#[derive(Debug, Clone)]
pub(crate) enum Step {
    /// An answer: status, `Retry-After`, body.
    Answer(u16, Option<&'static str>, Value),
    /// The connection breaks before the answer.
    Reset,
}

/// The reactions to the requests of each method, in their order. The last one is repeated.
pub(crate) type Script = HashMap<&'static str, VecDeque<Step>>;

/// The server, with the requests that arrived.
pub(crate) struct Scripted {
    /// The URL.
    pub(crate) url: String,
    /// Method, path and `Idempotency-Key` of each request.
    pub(crate) requests: Arc<Mutex<Vec<(String, String)>>>,
}

impl Scripted {
    /// Starts a server. The script may name the server's own URL.
    pub(crate) async fn start(script: impl FnOnce(&str) -> Vec<(&'static str, Vec<Step>)>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let mut script: Script = script(&url).into_iter().map(|(method, steps)| (method, steps.into())).collect();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&requests);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                serve(stream, &mut script, &seen).await;
            }
        });
        Self { url, requests }
    }

    /// Returns the API of this server for a signed-in user, with retries within milliseconds, and the lines that they tell.
    pub(crate) fn api(&self) -> (Api, Arc<Mutex<Vec<String>>>, tempfile::TempDir) {
        let home = tempfile::tempdir().unwrap();
        let path: PathBuf = home.path().join("profile.json");
        let profile = Profile {
            api: format!("{}/v1", self.url),
            endpoint: format!("{}/cognito", self.url),
            client_id: "client".to_owned(),
            username: "ada".to_owned(),
            id_token: "token".to_owned(),
            refresh_token: "refresh".to_owned(),
            expires_at: now() + 3600,
        };
        profile::save(&path, &profile).unwrap();
        let lines = Arc::new(Mutex::new(Vec::new()));
        let told = Arc::clone(&lines);
        let milliseconds = Duration::from_millis;
        let policy = RetryPolicy { total: milliseconds(900), first: milliseconds(1), longest: milliseconds(400) };
        let retrier = Retrier::new(policy, move |line| told.lock().unwrap().push(line.to_owned()));
        (Api::open(path).unwrap().with_retrier(retrier), lines, home)
    }

    /// Returns the methods and paths of the requests.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.requests.lock().unwrap().iter().map(|(request, _)| request.clone()).collect()
    }
}

/// Answers one request.
async fn serve(mut stream: TcpStream, script: &mut Script, seen: &Mutex<Vec<(String, String)>>) {
    let mut bytes = Vec::new();
    let head = loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break String::from_utf8_lossy(&bytes[..end]).into_owned();
        }
        match stream.read_buf(&mut bytes).await {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
    };
    let header = |name: &str| {
        let lines = head.lines().skip(1).filter_map(|line| line.split_once(':'));
        lines.filter(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim().to_owned()).next()
    };
    let mut words = head.split_whitespace();
    let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    seen.lock().unwrap().push((format!("{method} {path}"), header("idempotency-key").unwrap_or_default()));
    let steps = script.get_mut(method).unwrap_or_else(|| panic!("no script for {method} {path}"));
    let step = if steps.len() > 1 { steps.pop_front() } else { steps.front().cloned() };
    let Some(Step::Answer(status, retry_after, body)) = step else { return };
    let length: usize = header("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    while bytes.len() < head.len() + 4 + length && stream.read_buf(&mut bytes).await.is_ok_and(|read| read > 0) {}
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let retry_after = retry_after.map(|seconds| format!("retry-after: {seconds}\r\n")).unwrap_or_default();
    let answer = format!(
        "HTTP/1.1 {status} X\r\n{retry_after}content-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    );
    drop(stream.write_all(answer.as_bytes()).await);
    drop(stream.shutdown().await);
}
