//! `eventpulse dev`: the whole of EventPulse on this machine, and its samples.

pub mod client;
pub mod mailbox;
pub mod samples;
pub mod show;

use std::cell::Cell;
use std::collections::BTreeSet;
use std::process::Stdio;
use std::time::Duration;

use eventpulse_core::statistics::series::Series;
use eventpulse_core::statistics::summary::Statistics;
use eventpulse_core::upload::{Decision, SeriesStatistics, Upload};

use crate::BoxError;
use crate::stack::{Options, PASSWORD, Stack};
use client::{Client, User};
use mailbox::Mailbox;
use samples::{Expected, Sample};
use serde_json::Value;
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

/// The user whose samples these are.
const DEMO: &str = "demo";
/// How long SNS may take to ask whether an address is to be subscribed.
const ASKING_PATIENCE: Duration = Duration::from_secs(15);
/// How long a notice may take: the pauses between those to one owner grow to a minute.
const NOTICE_PATIENCE: Duration = Duration::from_secs(180);
/// How often new mails are looked for.
const LOOK: Duration = Duration::from_millis(200);

/// The arguments of `eventpulse dev`.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// Stop after the samples: exit 0 only if each of them ended as its expectation file says.
    #[arg(long)]
    once: bool,
}

/// Starts the stack, uploads the samples, shows what became of them, and stays until Ctrl-C. `false`: a sample did not
/// end as expected.
///
/// # Errors
/// When the stack does not start, or does not answer.
pub async fn run(args: &Args) -> Result<bool, BoxError> {
    tokio::select! {
        result = start_and_show(args) => result,
        _ = tokio::signal::ctrl_c() => {
            eprintln!("\nstopped");
            Ok(!args.once) // interrupted, the samples prove nothing
        }
    }
}

async fn start_and_show(args: &Args) -> Result<bool, BoxError> {
    let stack = Stack::start(Options::default()).await?;
    let client = Client::new(&stack).await?;
    let users = client.users(&stack, &[DEMO.to_owned()]).await?;
    let demo = users.first().ok_or("there is no demo user")?;
    let mailbox = Mailbox::open(&stack);
    let shown = Cell::new(0);
    let is_well = tokio::select! {
        is_well = show_all(args, &stack, &client, demo, &mailbox) => is_well?,
        () = show_mails(&mailbox, &shown) => false, // which never ends
    };
    show_new_mails(&mailbox, &shown);
    stack.stop().await?;
    Ok(is_well)
}

/// The samples and the fleet; then, unless it is to happen once only, whatever there is to see until Ctrl-C.
async fn show_all(
    args: &Args,
    stack: &Stack,
    client: &Client,
    demo: &User,
    mailbox: &Mailbox,
) -> Result<bool, BoxError> {
    subscribe(client, demo, mailbox).await?;
    let unexpected = show_samples(stack, client, demo, mailbox).await?;
    let fleet_is_well = simulate(stack, client).await?;
    if args.once {
        return Ok(unexpected == 0 && fleet_is_well);
    }
    println!("{}", how_to_look_around(stack, client));
    std::future::pending().await
}

/// Subscribes the demo user to notices, and follows the link in the mail that asks whether that is meant.
async fn subscribe(client: &Client, demo: &User, mailbox: &Mailbox) -> Result<(), BoxError> {
    println!("\n$ curl -X PUT $API_URL/notifications -d '{{}}' ...   # mail notices to {}", mailbox::address(DEMO));
    println!("{}", client.subscribe(demo).await?);
    let address = mailbox::address(DEMO);
    let asks = mailbox.wait(ASKING_PATIENCE, |mail| mail.to == address && mail.confirm_url.is_some()).await;
    mailbox.confirm(&asks.ok_or("no mail asks to confirm the subscription")?).await
}

/// Shows each mail once, as soon as it is there. Never ends.
async fn show_mails(mailbox: &Mailbox, shown: &Cell<usize>) {
    loop {
        show_new_mails(mailbox, shown);
        tokio::time::sleep(LOOK).await;
    }
}

fn show_new_mails(mailbox: &Mailbox, shown: &Cell<usize>) {
    for mail in mailbox.after(shown.get()) {
        shown.set(shown.get() + 1);
        print!("{}", show::mail(&mail));
    }
}

/// Uploads each sample and shows what became of it. Returns how many did not end as expected.
async fn show_samples(stack: &Stack, client: &Client, demo: &User, mailbox: &Mailbox) -> Result<usize, BoxError> {
    let samples = Sample::read_all(&stack.root.join("events/uploads"))?;
    let mut unexpected = 0;
    let mut uploads = Vec::new();
    for sample in &samples {
        let id = client.upload(demo, sample).await?;
        let upload = client.settled(&id).await?;
        let statistics = statistics_of(client, &upload).await?;
        print!("{}", show::upload(&upload, &sample.expected.about, &statistics));
        let report = report_on(client, &upload).await?;
        for difference in differences(&sample.expected, &upload, &statistics, &report) {
            unexpected += 1;
            println!("   ✗ not as expected: {difference}");
        }
        uploads.push(upload);
    }
    for upload in new_groups(&uploads, &demo.owner) {
        let id = upload.id().as_str();
        if mailbox.wait(NOTICE_PATIENCE, |mail| mail.text.contains(id)).await.is_none() {
            unexpected += 1;
            println!("   ✗ not as expected: no mail tells of {}, upload {id}", &upload.origin().file_name);
        }
    }
    match unexpected {
        0 => println!("\n✓ all {} samples ended as their expectation files say", samples.len()),
        _ => println!("\n✗ {unexpected} differences from what the expectation files say"),
    }
    Ok(unexpected)
}

/// A fleet of devices of the demo user, by the command that anybody would use. `false`: not all was told as it was sent.
async fn simulate(stack: &Stack, client: &Client) -> Result<bool, BoxError> {
    let profile = stack.root.join("target/local-stack/demo.profile.json");
    let command = |arguments: &[&str]| -> Result<Command, BoxError> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(arguments).arg("--profile").arg(&profile).kill_on_drop(true);
        Ok(command)
    };
    let login = ["login", "--api", &client.api, "--username", DEMO, "--password-stdin"];
    let mut login = command(&login)?.stdin(Stdio::piped()).stdout(Stdio::null()).spawn()?;
    if let Some(mut input) = login.stdin.take() {
        input.write_all(PASSWORD.as_bytes()).await?;
    }
    let fleet = ["simulate", "--devices", "20", "--rate", "50", "--bad", "2%", "--events", "200", "--seed", "7"];
    println!("\n$ eventpulse {}", fleet.join(" "));
    Ok(login.wait().await?.success() && command(&fleet)?.status().await?.success())
}

/// The statistics of what an upload contributed, from the stored chunks.
///
/// # Errors
/// When the stack does not answer.
pub async fn statistics_of(client: &Client, upload: &Upload) -> Result<Vec<(SeriesStatistics, Statistics)>, BoxError> {
    let Some(Decision::Accepted { series, .. }) = upload.decision() else { return Ok(Vec::new()) };
    let mut all = Vec::new();
    for count in series.iter().take(show::SERIES_SHOWN) {
        let (entity, measure) = (count.entity.clone(), count.measure.clone());
        let series = Series { owner: upload.origin().owner.clone(), entity, measure };
        if let Some(statistics) = client.services.chunks.of_upload(&series, upload.id()).await? {
            all.push((count.clone(), statistics));
        }
    }
    Ok(all)
}

/// The report on an upload; `null` where nothing of it was rejected.
///
/// # Errors
/// When the stack does not answer, or the report is not there.
pub async fn report_on(client: &Client, upload: &Upload) -> Result<Value, BoxError> {
    let Some(quarantined) = upload.quarantine_location() else { return Ok(Value::Null) };
    let report = client.services.objects.get(&quarantined.bucket, &quarantined.report_key, None).await?;
    Ok(serde_json::from_slice(&report.ok_or("there is no report")?.body.collect().await?.to_vec())?)
}

/// The uploads of an owner, in the order in which they came, that failed in a way that none before them did: those that a
/// notice tells of at once.
#[must_use]
pub fn new_groups<'a>(uploads: &'a [Upload], owner: &str) -> Vec<&'a Upload> {
    let mut known = BTreeSet::new();
    let of_owner = uploads
        .iter()
        .filter(|upload| upload.origin().owner.as_str() == owner && upload.quarantine_location().is_some());
    let is_new = |upload: &&Upload| {
        let groups = upload.rejection().map_or(&[][..], |rejection| &rejection.fingerprints);
        // Each of them becomes known, so no short cut.
        groups.iter().filter(|group| known.insert(group.id.clone())).count() > 0
    };
    of_owner.filter(is_new).collect()
}

/// Where an upload differs from what is expected of it.
#[must_use]
pub fn differences(
    expected: &Expected,
    upload: &Upload,
    statistics: &[(SeriesStatistics, Statistics)],
    report: &Value,
) -> Vec<String> {
    let mut differences = Vec::new();
    let mut compare = |what: &str, expected: String, found: String| {
        if expected != found {
            differences.push(format!("{what} is {found}, expected {expected}"));
        }
    };
    compare("the outcome", expected.outcome.clone(), upload.state().as_str().to_owned());
    compare("accepted", expected.accepted.to_string(), upload.accepted().to_string());
    compare("rejected", expected.rejected.to_string(), upload.rejected().to_string());
    for series in &expected.statistics {
        let found = statistics.iter().find(|(name, _)| name.entity == series.entity && name.measure == series.measure);
        let told = |all: [Option<f64>; 5], count: u64| format!("{count} points, {}", all.map(six_digits).join(" "));
        let wanted =
            [Some(series.mean), Some(series.median), series.standard_deviation, Some(series.min), Some(series.max)];
        let got = found.map_or_else(
            || "nothing".to_owned(),
            |(_, s)| told([Some(s.mean), Some(s.median), s.standard_deviation, Some(s.min), Some(s.max)], s.count),
        );
        compare(&format!("{}/{}", series.entity, series.measure), told(wanted, series.count), got);
    }
    let records = report["records"].as_array().map_or(&[][..], Vec::as_slice);
    let of_records = records.iter().flat_map(|record| record["failures"].as_array().map_or(&[][..], Vec::as_slice));
    let told_failures: Vec<&Value> = std::iter::once(&report["upload_failure"]).chain(of_records).collect();
    for failure in &expected.failures {
        let told = told_failures.iter().any(|told| {
            told["code"] == *failure.code
                && told["pointer"] == *failure.pointer
                && failure.line.is_none_or(|line| told["line"] == line)
                && failure.byte_offset.is_none_or(|byte_offset| told["byte_offset"] == byte_offset)
        });
        if !told {
            differences.push(format!("there is no {failure:?}"));
        }
    }
    differences
}

fn six_digits(value: Option<f64>) -> String {
    value.map_or_else(|| "none".to_owned(), |value| format!("{value:.5e}"))
}

fn how_to_look_around(stack: &Stack, client: &Client) -> String {
    let config = &client.services.config;
    let environment = stack.environment().map(|(name, value)| format!("{name}={value}")).join(" ");
    format!(
        "
The stack is up until Ctrl-C. To look around, in another terminal:
  export API_URL={api}
  cargo eventpulse login --api $API_URL --username {DEMO}     # password: {PASSWORD}
  cargo eventpulse uploads
  cargo eventpulse stats 12345
  cargo eventpulse quarantine list
Mails are shown here as they are delivered, and are in {mail}

As its operator, with any AWS tool:
  export {environment}
Uploads arrive in s3://{process}/uploads/
Rejected ones go to s3://{quarantine}/
Histories are in the table {uploads}, statistics in {chunks}
The emulator's log is {log}",
        api = client.api,
        process = config.process_bucket,
        quarantine = config.quarantine_bucket,
        uploads = config.uploads_table,
        chunks = config.chunks_table,
        log = stack.log.display(),
        mail = stack.mail.display(),
    )
}
