//! A hostile neighbour: one owner sends bombs, floods and late PUTs, and another one works as always.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use eventpulse_aws::workflows::issue::Issued;
use eventpulse_cli::BoxError;
use eventpulse_cli::dev::client::User;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use crate::TestResult;
use crate::devices::{self, acknowledged};
use crate::http::Reply;
use crate::world::{World, document, gzip, reading};

/// The duration of the measurement without an attack.
const QUIET: Duration = Duration::from_secs(30);
/// The duration of the attack.
const ATTACK: Duration = Duration::from_secs(120);
/// A call may take this many times the slowest one of its kind without an attack.
const SLOWDOWN: u32 = 5;
/// The pause of each task of the attacker between two calls.
const PAUSE: Duration = Duration::from_millis(100);
/// Calls that take less than this are never slow: here, the attacker, the functions and the stand-in for AWS share two cores.
const LEAST: Duration = Duration::from_secs(3);

/// The durations of each kind of call.
type Durations = BTreeMap<&'static str, Vec<Duration>>;

pub async fn hostile_owner_neither_slows_nor_fails_another_one(world: Arc<World>) -> TestResult {
    let (hostile, owner) = (world.user(), world.user());
    let (_, hostile_key) = devices::key(&world, &hostile, "standard").await?;
    let (_, key) = devices::key(&world, &owner, "standard").await?;
    // The first calls start functions.
    work(&world, &owner, &key, "warm", Duration::from_secs(3)).await?;
    let quiet = work(&world, &owner, &key, "quiet", QUIET).await?;

    let is_over = Arc::new(AtomicBool::new(false));
    let attack = attack(&world, &hostile, &hostile_key, &is_over).await?;
    let attacked = work(&world, &owner, &key, "attacked", ATTACK).await;
    is_over.store(true, Ordering::Relaxed);
    let answers = attack.join_all().await.into_iter().flatten().fold(BTreeMap::new(), |mut counts, status| {
        *counts.entry(status).or_insert(0_u32) += 1;
        counts
    });
    let attacked = attacked.map_err(|error| format!("{error} (answers to the attacker: {answers:?})"))?;

    println!("answers to the attacker: {answers:?}");
    let slowest = |durations: &[Duration]| durations.iter().max().copied().unwrap_or_default();
    let mut slow = Vec::new();
    for (kind, durations) in &attacked {
        let (without, with) = (slowest(&quiet[kind]), slowest(durations));
        println!("{kind}: {} calls, slowest {with:?}, without the attack {without:?}", durations.len());
        if with > (without * SLOWDOWN).max(LEAST) {
            slow.push(*kind);
        }
    }
    assert!(slow.is_empty(), "slow during the attack: {slow:?}");
    Ok(())
}

/// Works as a well-behaved owner for some time: sends files and messages, waits for their outcomes, and reads statistics.
/// Fails unless each call is answered as it should, and everything counts.
async fn work(world: &World, user: &User, key: &str, device: &str, time: Duration) -> Result<Durations, BoxError> {
    let begun = Instant::now();
    let mut durations = Durations::new();
    let mut sent = 0;
    while begun.elapsed() < time {
        let file = document("steady.json", reading(device, sent, 1.0).to_string());
        let issued = timed(&mut durations, "issue", world.client.issue(user, &file)).await?;
        let status = timed(&mut durations, "put", world.client.put(&issued, file.bytes.clone())).await?;
        assert_eq!(status, 200);
        let outcome = world.outcome(user, issued.upload_id.as_str());
        let receipt = timed(&mut durations, "outcome of a file", outcome).await?;
        assert_eq!(receipt["state"], "accepted", "{receipt:#}");
        let message = reading(device, sent + 1, 2.0);
        let id = acknowledged(timed(&mut durations, "message", devices::send(world, key, &message)).await?)?;
        let receipt = timed(&mut durations, "outcome of a message", devices::outcome(world, user, &id)).await?;
        assert_eq!(receipt["state"], "accepted", "{receipt:#}");
        sent += 2;
        let path = format!("/?device_id={device}");
        let statistics = timed(&mut durations, "statistics", world.get(user, &path)).await?;
        assert_eq!(statistics["count"], sent, "{statistics:#}");
        timed(&mut durations, "list", world.get(user, "/uploads?limit=10")).await?;
        sleep(Duration::from_millis(500)).await;
    }
    Ok(durations)
}

async fn timed<T>(durations: &mut Durations, kind: &'static str, call: impl Future<Output = T>) -> T {
    let begun = Instant::now();
    let output = call.await;
    durations.entry(kind).or_default().push(begun.elapsed());
    output
}

/// The attacker: an owner with a token, an API key, and a presigned URL that was used.
struct Attacker {
    user: User,
    key: String,
    used: Issued,
    /// Twenty million bad records in a few kilobytes.
    bomb: Vec<u8>,
    /// Bad records with names of their own.
    names: Vec<u8>,
}

/// A call of the attacker.
#[derive(Debug, Clone, Copy)]
enum Strike {
    ValidateBomb,
    ValidateNames,
    List,
    Devices,
    Issue,
    LatePut,
    Message,
    UploadBomb,
}

impl Strike {
    const ALL: [Self; 11] = [
        Self::ValidateBomb,
        Self::ValidateNames,
        Self::List,
        Self::List,
        Self::Devices,
        Self::Devices,
        Self::Issue,
        Self::Issue,
        Self::LatePut,
        Self::Message,
        Self::UploadBomb,
    ];

    /// Makes the call. Returns the status of the answer.
    async fn call(self, world: &World, attacker: &Attacker) -> Result<u16, BoxError> {
        let Attacker { user, key, used, bomb, names } = attacker;
        let status = |reply: Reply| reply.status;
        match self {
            Self::ValidateBomb => validate(world, user, bomb).await.map(status),
            Self::ValidateNames => validate(world, user, names).await.map(status),
            Self::List => world.call(user, "GET", "/uploads?limit=100", Value::Null).await.map(status),
            Self::Devices => world.call(user, "GET", "/devices", Value::Null).await.map(status),
            Self::Issue => {
                let request = json!({ "file_name": "a.json", "content_type": "application/json", "size": 2 });
                world.call(user, "POST", "/uploads", request).await.map(status)
            }
            Self::LatePut => world.client.put(used, b"{}\n".to_vec()).await,
            Self::Message => devices::send(world, key, &json!({ "device_id": true })).await.map(status),
            Self::UploadBomb => {
                let issued = world.client.issue(user, &document("bomb.ndjson.gz", bomb.clone())).await?;
                world.client.put(&issued, bomb.clone()).await
            }
        }
    }
}

async fn validate(world: &World, user: &User, body: &[u8]) -> Result<Reply, BoxError> {
    let token = format!("Bearer {}", user.token);
    let headers =
        [("authorization", token.as_str()), ("content-type", "application/x-ndjson"), ("content-encoding", "gzip")];
    world.send("POST", "/validate", &headers, body.to_vec()).await
}

/// Starts the attack. Each task repeats one call and returns the statuses of its answers; 0 for a call that failed.
async fn attack(
    world: &Arc<World>,
    user: &User,
    key: &str,
    is_over: &Arc<AtomicBool>,
) -> Result<JoinSet<Vec<u16>>, BoxError> {
    let used = world.client.issue(user, &document("used.ndjson", "{}\n")).await?;
    world.client.put(&used, b"{}\n".to_vec()).await?;
    let names: String = (0..200_000).map(|number| format!("{{\"n{number}\":0}}\n")).collect();
    let attacker = Arc::new(Attacker {
        user: user.clone(),
        key: key.to_owned(),
        used,
        bomb: gzip("{}\n".repeat(20_000_000).as_bytes()),
        names: gzip(names.as_bytes()),
    });
    let mut tasks = JoinSet::new();
    for strike in Strike::ALL {
        let (world, attacker, is_over) = (Arc::clone(world), Arc::clone(&attacker), Arc::clone(is_over));
        tasks.spawn(async move {
            let mut statuses = Vec::new();
            while !is_over.load(Ordering::Relaxed) {
                statuses.push(strike.call(&world, &attacker).await.unwrap_or(0));
                sleep(PAUSE).await;
            }
            statuses
        });
    }
    Ok(tasks)
}
