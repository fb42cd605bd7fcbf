//! The command line as a person uses it: the binary, its profile file and its exit codes.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;

use eventpulse_cli::BoxError;
use eventpulse_cli::client::retry::Retrier;
use eventpulse_cli::client::sign_in::{Prompt, discover, sign_in};
use eventpulse_cli::dev::mailbox::address;
use eventpulse_cli::stack::PASSWORD;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

use crate::TestResult;
use crate::devices::keys::refused;
use crate::devices::{acknowledged, key, outcome, send};
use crate::owners::lines;
use crate::poll::{SOON, found, poll};
use crate::world::{World, reading};

/// The output of a command and its exit code.
struct Said {
    code: i32,
    out: String,
    err: String,
}

impl Said {
    fn json(&self) -> Result<Value, BoxError> {
        serde_json::from_str(&self.out).map_err(|error| format!("{error}: {} {}", self.out, self.err).into())
    }
}

/// A person at a terminal with a separate directory.
struct Person {
    binary: PathBuf,
    directory: tempfile::TempDir,
}

impl Person {
    /// The stack has built the command beside the functions, in the target directory of this test.
    fn new() -> Result<Self, BoxError> {
        let test = std::env::current_exe()?;
        let binary = test.parent().and_then(Path::parent).ok_or("no target directory")?.join("eventpulse");
        Ok(Self { binary, directory: tempfile::tempdir()? })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    async fn runs(&self, arguments: &[&str], input: &str) -> Result<Said, BoxError> {
        let mut command = Command::new(&self.binary);
        command.args(arguments).current_dir(self.directory.path()).env("EVENTPULSE_PROFILE", self.path("profile.json"));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn()?;
        let mut standard_input = child.stdin.take().ok_or("no input")?;
        // A command that does not read its input may have closed it.
        let _ = standard_input.write_all(input.as_bytes()).await;
        drop(standard_input);
        let output = child.wait_with_output().await?;
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Ok(Said { code: output.status.code().unwrap_or(-1), out: text(output.stdout), err: text(output.stderr) })
    }

    /// Runs a command. Returns its output, and fails unless it exits with `code`.
    async fn exits(&self, code: i32, arguments: &[&str]) -> Result<Said, BoxError> {
        let said = self.runs(arguments, "").await?;
        if said.code == code {
            Ok(said)
        } else {
            Err(format!("{arguments:?}: {} {} {}", said.code, said.out, said.err).into())
        }
    }

    /// Runs `eventpulse admin` with the operator's credentials. Returns its output as JSON.
    async fn administers(&self, world: &World, code: i32, arguments: &[&str]) -> Result<Value, BoxError> {
        let mut command = Command::new(&self.binary);
        command.arg("admin").args(arguments).arg("--json").envs(world.stack.environment());
        let output = command.output().await?;
        if output.status.code() != Some(code) {
            return Err(format!("{arguments:?}: {} {}", output.status, String::from_utf8_lossy(&output.stderr)).into());
        }
        Ok(serde_json::from_slice(&output.stdout).unwrap_or_default())
    }
}

fn mode(path: &Path) -> Result<u32, BoxError> {
    use std::os::unix::fs::PermissionsExt as _;
    Ok(std::fs::metadata(path)?.permissions().mode() & 0o777)
}

pub async fn cli_uploads_reads_statistics_and_fixes_the_quarantine(world: Arc<World>) -> TestResult {
    let (user, person) = (world.user(), Person::new()?);
    let signed_out = person.exits(3, &["uploads"]).await?;
    assert!(signed_out.err.contains("eventpulse login"), "{}", signed_out.err);
    let login = ["login", "--api", &world.client.api, "--username", &address(&user.name), "--password-stdin"];
    let wrong = person.runs(&login, "nonsense\n").await?;
    assert_eq!((wrong.code, wrong.err.as_str()), (3, "error: wrong e-mail address or password\n"));
    let login = person.runs(&login, &format!("{PASSWORD}\n")).await?;
    assert_eq!(login.code, 0, "{}", login.err);
    assert_eq!(mode(&person.path("profile.json"))?, 0o600);
    assert!(!login.out.contains(&user.token[..20]), "no token is shown");

    std::fs::write(person.path("good.json"), reading("typed", 0, 35.0).to_string())?;
    let mixed = lines(&[reading("typed", 1, 40.0), json!({ "device_id": "typed", "value": 1 })]);
    std::fs::write(person.path("mixed.ndjson"), mixed)?;
    let bad = r#"{"device_id":"typed","timestamp":"2025-02-28T00:00:02Z","value":"123"}"#;
    std::fs::write(person.path("bad.json"), bad)?;

    let checked = person.exits(1, &["validate", "good.json", "bad.json"]).await?;
    assert!(checked.out.contains("TYPE at /value"), "{}", checked.out);
    person.exits(0, &["validate", "good.json"]).await?;

    let sent = person.exits(1, &["upload", "good.json", "mixed.ndjson", "bad.json", "--json"]).await?.json()?;
    let outcomes: Vec<&str> = (0..3).map(|at| sent[at]["receipt"]["state"].as_str().unwrap_or_default()).collect();
    assert_eq!(outcomes, ["accepted", "partially_accepted", "quarantined"]);
    let id = sent[2]["receipt"]["upload_id"].as_str().ok_or("no id")?.to_owned();
    assert_eq!(sent[0]["receipt"]["sha256_source"], "s3", "the command announces the digest");
    let good = sent[0]["receipt"]["upload_id"].as_str().ok_or("no id")?;
    let shown = person.exits(0, &["uploads", "show", good]).await?;
    assert!(shown.out.contains("(verified by S3)"), "{}", shown.out);
    let again = person.exits(0, &["upload", "good.json"]).await?;
    assert!(again.out.contains("duplicate"), "{}", again.out);

    let stats = person.exits(0, &["stats", "typed", "--json"]).await?.json()?;
    assert_eq!((&stats["count"], &stats["mean"]), (&json!(2), &json!(37.5)));
    let range = ["stats", "typed", "--from", "2025-02-28T00:00:01Z", "--to", "2025-02-28T00:00:02Z"];
    let range = person.exits(0, &range).await?;
    assert!(range.out.contains("count               1"), "{}", range.out);
    let months = person.exits(0, &["series", "typed", "--bucket", "1mo", "--tz", "europe/berlin"]).await?;
    assert!(months.out.contains("2025-02-01T00:00:00+01:00"), "{}", months.out);
    let refused = person.runs(&["series", "typed", "--tz", "Berlin"], "").await?;
    assert!(refused.code != 0 && refused.err.contains("such as Europe/Berlin"), "{}", refused.err);

    let listed = person.exits(0, &["quarantine", "list", "--code", "TYPE"]).await?;
    assert!(listed.out.contains(&id) && listed.out.lines().count() == 2, "{}", listed.out);
    let shown = person.exits(0, &["quarantine", "show", &id, "--download", "."]).await;
    assert!(shown.is_err_and(|error| error.to_string().contains("bad.json exists")));
    let shown = person.exits(0, &["quarantine", "show", &id, "--download", "down"]).await?;
    assert!(shown.out.contains("TYPE at /value") && shown.out.contains("eventpulse quarantine retry"), "{}", shown.out);
    assert_eq!(std::fs::read_to_string(person.path("down/bad.json"))?, bad);
    let report: Value = serde_json::from_slice(&std::fs::read(person.path("down/bad.json.report.json"))?)?;
    assert_eq!(report["upload_id"], id);

    let still = person.exits(1, &["quarantine", "retry", &id]).await?;
    assert!(still.out.contains("quarantined") && still.out.contains("TYPE at /value"), "{}", still.out);
    std::fs::write(person.path("bad.json"), bad.replace("\"123\"", "123"))?;
    person.exits(0, &["quarantine", "retry", &id, "bad.json"]).await?;
    let stats = person.exits(0, &["stats", "typed", "--json"]).await?.json()?;
    assert_eq!((&stats["count"], &stats["mean"], &stats["median"]), (&json!(3), &json!(66.0), &json!(40.0)));

    let listed = person.exits(0, &["uploads", "--state", "accepted", "--json"]).await?.json()?;
    assert_eq!(listed.as_array().map(Vec::len), Some(2), "{listed:#}");
    let shown = person.exits(0, &["uploads", "show", &id]).await?;
    assert!(shown.out.contains("retry_requested") && shown.out.contains("corrected"), "{}", shown.out);
    assert!(person.exits(0, &["devices"]).await?.out.contains("typed"));
    assert!(person.exits(0, &["series", "typed", "--bucket", "1m"]).await?.out.contains("2025-02-28T00:00:00Z"));
    let shown = person.exits(0, &["stats", "typed", "--quantiles", "0.05,1"]).await?;
    assert!(
        shown.out.contains("quantile 0.05       35.5") && shown.out.contains("variance            2443"),
        "{}",
        shown.out
    );
    person.exits(3, &["stats", "typed", "--quantiles", "2"]).await?;
    person.exits(0, &["uploads", "withdraw", &id]).await?;
    assert_eq!(person.exits(0, &["stats", "typed", "--json"]).await?.json()?["count"], 2);
    let partly = sent[1]["receipt"]["upload_id"].as_str().ok_or("no id")?;
    person.exits(3, &["quarantine", "discard", partly]).await?;
    person.exits(0, &["quarantine", "discard", partly, "--yes"]).await?;
    assert_eq!(person.exits(0, &["quarantine", "list", "--json"]).await?.json()?, json!([]));

    person.exits(2, &["uploads", "withdraw", "../quarantine/up_1"]).await?;
    person.exits(1, &["validate", "good.json", "missing.json"]).await?;
    person.exits(3, &["stats", "nobody"]).await?;
    person.exits(3, &["upload", "missing.json"]).await?;
    std::fs::write(person.path("table.csv"), "a,b")?;
    person.exits(2, &["upload", "table.csv"]).await?;
    person.exits(2, &["stats"]).await?;
    person.exits(0, &["logout"]).await?;
    assert!(!person.path("profile.json").exists());
    Ok(())
}

pub async fn cli_uploads_many_large_files_in_parallel(world: Arc<World>) -> TestResult {
    let (user, person) = (world.user(), Person::new()?);
    let login = ["login", "--api", &world.client.api, "--username", &address(&user.name), "--password-stdin"];
    assert_eq!(person.runs(&login, &format!("{PASSWORD}\n")).await?.code, 0);
    let mut arguments = vec!["upload".to_owned(), "--jobs".to_owned(), "3".to_owned(), "--json".to_owned()];
    for number in 0..6u32 {
        let records: Vec<Value> =
            (0..20_000).map(|second| reading("many", second, f64::from(number * 20_000 + second))).collect();
        let name = format!("{number}.ndjson");
        std::fs::write(person.path(&name), lines(&records))?;
        arguments.push(name);
    }
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let sent = person.exits(0, &arguments).await?.json()?;
    assert_eq!(sent.as_array().map(Vec::len), Some(6));
    let stats = person.exits(0, &["stats", "many", "--json"]).await?.json()?;
    assert_eq!((&stats["count"], &stats["median"]), (&json!(120_000), &json!(59_999.5)));
    assert_eq!(stats["uploads"]["included"]["count"], 6);
    Ok(())
}

pub async fn invited_user_chooses_a_password(world: Arc<World>) -> TestResult {
    world.stack.invite_user("invited").await?;
    let found = discover(&world.http, &Retrier::default(), &world.client.api).await?;
    let mut asked = Vec::new();
    let mut prompt = |prompt: Prompt| {
        asked.push(prompt);
        Ok("A-password-of-my-own-1".to_owned())
    };
    let profile = sign_in(
        &world.http,
        &Retrier::default(),
        &world.client.api,
        &found,
        &address("invited"),
        PASSWORD,
        &mut prompt,
    )
    .await?;
    assert!(!profile.id_token.is_empty());
    assert_eq!(asked, [Prompt::NewPassword]);
    let headers = [("authorization", profile.id_token.as_str())];
    world.send("GET", "/uploads", &headers, Vec::new()).await?.expect(200)?;
    Ok(())
}

pub async fn cli_manages_keys_and_simulates_a_fleet(world: Arc<World>) -> TestResult {
    let (user, person) = (world.user(), Person::new()?);
    let login = ["login", "--api", &world.client.api, "--username", &address(&user.name), "--password-stdin"];
    assert_eq!(person.runs(&login, &format!("{PASSWORD}\n")).await?.code, 0);
    let made = person.exits(0, &["keys", "create", "--name", "roof", "--json"]).await?.json()?;
    let (id, secret) = (made["key_id"].as_str().ok_or("no id")?, made["api_key"].as_str().ok_or("no key")?);
    let rotated = person.exits(0, &["keys", "rotate", id, "--keep-old", "1h"]).await?;
    assert!(rotated.out.contains("not shown again") && rotated.out.contains("curl"), "{}", rotated.out);
    let listed = person.exits(0, &["keys", "list"]).await?;
    assert!(listed.out.contains("roof") && !listed.out.contains(secret), "{}", listed.out);
    let revoked = person.exits(0, &["keys", "revoke", id]).await?;
    assert!(revoked.out.contains("5 s"), "the output names the delay in seconds: {}", revoked.out);

    let fleet =
        ["simulate", "--devices", "10", "--rate", "100", "--bad", "5%", "--events", "300", "--seed", "7", "--json"];
    let summary = person.exits(0, &fleet).await?.json()?;
    assert_eq!((&summary["well"], &summary["acknowledged"]), (&json!(true), &json!(300)), "{summary:#}");
    let devices = world.get(&user, "/devices").await?;
    assert_eq!(devices["devices"].as_array().map(Vec::len), Some(10), "{devices:#}");
    let quarantined = world.get(&user, "/uploads?state=quarantined&limit=100").await?;
    let quarantined = quarantined["uploads"].as_array().map(Vec::len).unwrap_or_default();
    let accepted = world.get(&user, "/uploads?state=accepted&limit=100").await?;
    assert!(accepted["next"].is_string() && quarantined > 0, "{quarantined} of 300 quarantined");
    let keys = world.get(&user, "/keys").await?;
    let states: Vec<&Value> = keys["keys"].as_array().ok_or("no list")?.iter().map(|key| &key["state"]).collect();
    assert_eq!(states, ["revoked", "revoked"], "the simulation revokes its key");
    // With an invalid key, the simulation stops after the first message.
    let refused = person.exits(1, &["simulate", "--events", "50", "--key", secret, "--json"]).await?.json()?;
    assert_eq!((&refused["well"], &refused["acknowledged"]), (&json!(false), &json!(0)), "{refused:#}");
    Ok(())
}

pub async fn admin_offboards_an_owner_and_leaves_others_alone(world: Arc<World>) -> TestResult {
    let (person, user, other) = (Person::new()?, world.user(), world.user());
    let (key_id, secret) = key(&world, &user, "standard").await?;
    let (_, secret_of_other) = key(&world, &other, "standard").await?;
    let body = |device: &str, second| reading(device, second, 1.0);
    acknowledged(send(&world, &secret, &body("offboarded", 0)).await?)?;
    let owner = user.owner.as_str();

    let offboarded = person.administers(&world, 0, &["offboard", owner]).await?;
    assert_eq!(offboarded, json!({ "owner": owner, "user": "disabled", "revoked_keys": [key_id] }));
    let again = person.administers(&world, 0, &["offboard", owner]).await?;
    assert_eq!(again["revoked_keys"], json!([]), "a repeated call has nothing left to do");
    refused(&world, &secret).await?;
    acknowledged(send(&world, &secret_of_other, &body("others", 0)).await?)?;

    let upload = json!({ "file_name": "a.json", "content_type": "application/json", "size": 10 });
    for (path, body) in [("/keys", json!({})), ("/uploads", upload.clone())] {
        world.call(&user, "POST", path, body).await?.problem(403, "offboarded")?;
    }
    world.call(&user, "POST", &format!("/keys/{key_id}/rotate"), json!({})).await?.problem(403, "offboarded")?;
    let at = discover(&world.http, &Retrier::default(), &world.client.api).await?;
    let mut ask = |_: Prompt| unreachable!("the user is disabled");
    let signed_in =
        sign_in(&world.http, &Retrier::default(), &world.client.api, &at, &address(&user.name), PASSWORD, &mut ask)
            .await;
    assert!(signed_in.is_err(), "the user is disabled");

    let reinstated = person.administers(&world, 0, &["reinstate", owner]).await?;
    assert_eq!(reinstated, json!({ "owner": owner, "user": "enabled", "was_offboarded": true }));
    sign_in(&world.http, &Retrier::default(), &world.client.api, &at, &address(&user.name), PASSWORD, &mut ask).await?;
    assert_eq!(send(&world, &secret, &body("offboarded", 1)).await?.status, 403, "revoked keys stay revoked");
    let (_, new) = key(&world, &user, "standard").await?;
    acknowledged(send(&world, &new, &body("offboarded", 2)).await?)?;
    Ok(())
}

pub async fn admin_revokes_keys_and_recounts_open_uploads(world: Arc<World>) -> TestResult {
    let (person, user) = (Person::new()?, world.user());
    let (key_id, secret) = key(&world, &user, "standard").await?;
    let wrong = json!({ "device_id": "recounted", "timestamp": "2025-02-28T00:00:00Z", "value": "wrong" });
    let rejected = acknowledged(send(&world, &secret, &wrong).await?)?;
    outcome(&world, &user, &rejected).await?;
    let recount = poll(SOON, async || {
        let counted = person.administers(&world, 0, &["recount", user.owner.as_str()]).await?;
        let is_counted = counted["counters"]["quarantined"] == 1;
        found(is_counted.then_some(counted.clone()), || format!("the counters are {counted}"))
    });
    assert_eq!(recount.await?["histories"], json!({ "quarantined": 1, "pending": 0 }));
    let revoked = person.administers(&world, 0, &["revoke-key", &key_id]).await?;
    assert_eq!((&revoked["key_id"], &revoked["owner"]), (&json!(key_id), &json!(user.owner)));
    refused(&world, &secret).await?;
    person.administers(&world, 3, &["revoke-key", "key_00000000000000000000000000"]).await?;
    person.administers(&world, 3, &["--stack", "nowhere", "offboard", "x"]).await?;
    Ok(())
}
