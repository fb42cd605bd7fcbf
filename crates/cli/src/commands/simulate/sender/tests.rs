use std::collections::VecDeque;
use std::net::Ipv4Addr;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::response::Response;
use serde_json::json;

use super::*;
use crate::client::http::http_client;

/// What arrived: idempotency key, key, body.
type Seen = Vec<[String; 3]>;
/// What is to be answered: status and `Retry-After`; 202 when nothing is left.
type Answers = VecDeque<(u16, &'static str)>;

#[derive(Clone, Default)]
struct Gateway(Arc<Mutex<(Seen, Answers)>>);

impl Gateway {
    fn seen(&self) -> Seen {
        self.0.lock().unwrap().0.clone()
    }
}

async fn answer(State(gateway): State<Gateway>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let header = |name: &str| head.headers.get(name).map_or("", |value| value.to_str().unwrap()).to_owned();
    assert_eq!(
        (head.method.as_str(), head.uri.path(), header("content-type").as_str()),
        ("POST", "/v1/data", "application/json")
    );
    let body = String::from_utf8(to_bytes(body, 1 << 20).await.unwrap().to_vec()).unwrap();
    let mut gateway = gateway.0.lock().unwrap();
    gateway.0.push([header("idempotency-key"), header("x-api-key"), body]);
    let number = gateway.0.len();
    let (status, after) = gateway.1.pop_front().unwrap_or((202, ""));
    let answer = Response::builder().status(status);
    let answer = if after.is_empty() { answer } else { answer.header("retry-after", after) };
    let value = if status == 202 {
        json!({ "upload_id": format!("up_m-{number:08}") })
    } else {
        json!({ "title": "No", "detail": "Because." })
    };
    answer.body(Body::from(value.to_string())).unwrap()
}

async fn gateway(answers: impl IntoIterator<Item = (u16, &'static str)>) -> (Sender, Gateway) {
    let gateway = Gateway::default();
    gateway.0.lock().unwrap().1.extend(answers);
    let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let url = format!("http://{}/v1/data", listener.local_addr().unwrap());
    let router = Router::new().fallback(answer).with_state(gateway.clone());
    tokio::spawn(async { axum::serve(listener, router).await });
    let sender = Sender { http: http_client().unwrap(), url, key: "ep_a".to_owned(), run: "run".to_owned() };
    (sender, gateway)
}

fn message() -> Message {
    Message { body: r#"{"a":1}"#.to_owned(), good: 1, bad: 0 }
}

fn noon() -> Timestamp {
    Timestamp::from_micros(1_740_744_000_000_000)
}

#[tokio::test]
async fn unanswered_message_is_resent_unchanged() {
    for (name, answers, new_key, tries, refused) in [
        ("at once", vec![], 0, 1, None),
        ("throttled", vec![(429, "0")], 0, 2, None),
        ("throttled for long", vec![(429, "0"); 20], 0, 21, None),
        ("no quota", vec![(429, "3600")], 0, 1, Some(429)),
        ("busy", vec![(503, "0"), (500, "0"), (429, "0"), (502, "0"), (504, "0")], 0, 6, None),
        ("down", vec![(503, "0"); 9], 0, 5, Some(503)),
        ("wrong", vec![(400, "")], 0, 1, Some(400)),
        ("wrong key", vec![(403, "")], 0, 1, Some(403)),
        ("new key", vec![(403, "")], 60, 2, None),
        ("elsewhere", vec![(302, "")], 0, 1, Some(302)),
    ] {
        let (sender, gateway) = gateway(answers).await;
        let tally = Mutex::new(RunCounts::default());
        sender.send(&message(), "run-1", noon(), Duration::from_secs(new_key), &tally).await;
        let sent = ["run-1", "ep_a", r#"{"a":1}"#].map(str::to_owned);
        assert_eq!(gateway.seen(), vec![sent; tries], "{name}");
        let document = tally.into_inner().unwrap().document();
        assert_eq!(document["acknowledged"], u64::from(refused.is_none()), "{name}: {document}");
        let why = refused.map(|status: u16| format!("No ({status}): Because."));
        assert_eq!(document["refusals"][0]["why"].as_str().map(str::to_owned), why, "{name}");
    }
}

#[tokio::test]
async fn broken_connection_is_retried_a_few_times() {
    let (mut sender, _gateway) = gateway([]).await;
    sender.url = "http://127.0.0.1:1/v1/data".to_owned();
    let tally = Mutex::new(RunCounts::default());
    sender.send(&message(), "run-1", noon(), Duration::ZERO, &tally).await;
    let document = tally.into_inner().unwrap().document();
    assert_eq!((&document["failed_tries"], &document["refused"]), (&json!(5), &json!(1)), "{document}");
    assert!(
        document["refusals"][0]["why"].as_str().unwrap().starts_with("no answer: Connection refused"),
        "{document}"
    );
}

fn pace(records: u64, duration: u64) -> Pace {
    let duration = Duration::from_secs(duration);
    Pace { rate: 1000.0, connections: 4, batch: 1, records, duration, new_key: Duration::ZERO }
}

/// A run, and what arrived, in order of the messages.
async fn ran(answers: Vec<(u16, &'static str)>, pace: Pace, said: u8) -> (Value, Seen) {
    let (sender, gateway) = gateway(answers).await;
    let (tally, (_said, stop)) = (Arc::default(), watch::channel(said));
    run(&sender, Fleet::new(3, 0.5, 1), pace, &tally, noon, stop).await;
    let document = lock(&tally).document();
    (document, gateway.seen())
}

#[tokio::test]
async fn requested_number_is_sent_with_distinct_idempotency_keys() {
    let (document, mut seen) = ran(vec![(202, ""), (202, ""), (429, "0"), (503, "0")], pace(50, 60), 0).await;
    assert_eq!(
        (&document["sent"], &document["acknowledged"], &document["refused"]),
        (&json!(50), &json!(50), &json!(0))
    );
    assert_eq!((&document["throttled"], &document["failed_tries"]), (&json!(1), &json!(1)));
    let records = &document["records"];
    assert_eq!(records["good"].as_u64().unwrap() + records["bad"].as_u64().unwrap(), 50);
    assert_eq!(seen.len(), 52);
    // What was sent again was sent as it was.
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 50);
}

#[tokio::test]
async fn records_are_sent_in_batches_with_a_smaller_last_one() {
    let (document, seen) = ran(vec![], Pace { batch: 20, ..pace(50, 60) }, 0).await;
    assert_eq!((&document["sent"], seen.len()), (&json!(3), 3));
    let mut sizes: Vec<usize> =
        seen.iter().map(|[_, _, body]| serde_json::from_str::<Vec<Value>>(body).unwrap().len()).collect();
    sizes.sort_unstable();
    assert_eq!(sizes, [10, 20, 20]);
}

#[tokio::test]
async fn run_ends_by_time_by_stop_and_by_a_refused_first_message() {
    for (name, answers, pace, said, sent) in [
        ("no time", vec![], pace(u64::MAX, 0), 0, 1),
        ("stopped", vec![], pace(u64::MAX, 60), 1, 1),
        ("refused", vec![(403, "")], pace(u64::MAX, 60), 0, 1),
    ] {
        let (document, _) = ran(answers, pace, said).await;
        assert_eq!(document["sent"], sent, "{name}: {document}");
    }
}

#[test]
fn token_bucket_limits_the_rate_and_the_burst() {
    let taken = |from: u64, to: u64, bucket: &mut Bucket| {
        let (mut at, to, mut taken) = (Duration::from_millis(from), Duration::from_millis(to), 0);
        while at < to {
            match bucket.take(at) {
                None => taken += 1,
                Some(wait) => at += wait,
            }
        }
        taken
    };
    for (rate, in_ten_seconds) in [(0.5, 5..=6), (1.0, 10..=11), (50.0, 500..=501), (1000.0, 9999..=10_001)] {
        let found = taken(0, 10_000, &mut Bucket::new(rate));
        assert!(in_ten_seconds.contains(&found), "{rate}: {found}");
    }
    let mut bucket = Bucket::new(50.0);
    assert!((50..=51).contains(&taken(0, 1000, &mut bucket)));
    // Nine seconds later: a tenth of a second is made up for, no more.
    assert!((54..=56).contains(&taken(10_000, 11_000, &mut bucket)));
}
