//! `eventpulse dev`: starts the local stack, uploads the samples and shows their results.

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
use eventpulse_core::upload::{SeriesStatistics, Upload};

use crate::BoxError;
use crate::client::text::number;
use crate::stack::{Data, Options, PASSWORD, Port, Stack, USUAL_PORT};
use client::{Client, User};
use mailbox::Mailbox;
use samples::{Expected, Sample};
use serde_json::Value;
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

/// The user who owns the samples.
const DEMO: &str = "demo";
/// The time that SNS has to send the mail that asks to confirm a subscription.
const CONFIRMATION_TIMEOUT: Duration = Duration::from_secs(15);
/// The time that a notice has to arrive: the pauses between notices to one owner grow to a minute.
const NOTICE_TIMEOUT: Duration = Duration::from_secs(180);
/// The time between two reads of the mailbox.
const MAILBOX_INTERVAL: Duration = Duration::from_millis(200);

/// The arguments of `eventpulse dev`.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// Stop after the samples. The exit code is 0 only if each sample ends as its expectation file says.
    #[arg(long, conflicts_with = "keep")]
    once: bool,
    /// The port of the local stack on 127.0.0.1 [default: 4566, or any free port if 4566 is in use].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    port: Option<u16>,
    /// Keep all data when the stack stops, and continue with it in the next `dev --keep` on the same port.
    ///
    /// The data is the uploads, statistics, quarantine, users, device keys, queues and mails. It is in
    /// target/local-stack/kept/PORT. The samples are uploaded in the first run only. Without --keep, a stack starts
    /// empty and its data is lost when it stops; kept data stays as it is.
    #[arg(long)]
    keep: bool,
    /// Start with an empty stack. This is the default without --keep; with --keep, it deletes the kept data first.
    #[arg(long)]
    fresh: bool,
}

impl Args {
    fn options(&self) -> Options {
        let fixed = self.port.map(Port::Fixed);
        let port = fixed.unwrap_or(Port::Preferred(USUAL_PORT));
        let data = if self.keep {
            Data::Kept { port: self.port.unwrap_or(USUAL_PORT), fresh: self.fresh }
        } else {
            Data::Temporary
        };
        Options { port, data, ..Options::default() }
    }
}

/// Starts the stack, uploads the samples, shows their results, and runs until Ctrl-C. Returns `false` if a sample does not
/// end as expected.
///
/// # Errors
/// Returns an error if the stack does not start or does not answer.
pub async fn run(args: &Args) -> Result<bool, BoxError> {
    tokio::select! {
        result = start_and_show(args) => result,
        () = interrupted(args) => {
            match (args.keep, args.port) {
                (false, _) => eprintln!("stopped"),
                (true, None) => eprintln!("stopped; `cargo dev --keep` continues with the data"),
                (true, Some(port)) => eprintln!("stopped; `cargo dev --keep --port {port}` continues with the data"),
            }
            Ok(!args.once) // an interrupted run proves nothing about the samples
        }
    }
}

/// Waits for Ctrl-C. The stack stops afterwards.
async fn interrupted(args: &Args) {
    let waiting = tokio::signal::ctrl_c().await;
    eprintln!("\n{}", if args.keep { "saving the data ..." } else { "stopping ..." });
    drop(waiting); // without a signal handler, there is no Ctrl-C to wait for
}

async fn start_and_show(args: &Args) -> Result<bool, BoxError> {
    let stack = Stack::start(args.options()).await?;
    let client = Client::new(&stack).await?;
    let users = client.users(&stack, &[DEMO.to_owned()]).await?;
    let demo = users.first().ok_or("there is no demo user")?;
    let mailbox = Mailbox::open(&stack);
    let shown = Cell::new(mailbox.all().len());
    let is_well = tokio::select! {
        is_well = show_all(args, &stack, &client, demo, &mailbox) => is_well?,
        () = show_mails(&mailbox, &shown) => false, // never ends
    };
    show_new_mails(&mailbox, &shown);
    stack.stop().await?;
    Ok(is_well)
}

/// Shows the samples and the simulated devices, unless the stack continues with kept data. Then, without `--once`, shows
/// how to use the stack and never returns.
async fn show_all(
    args: &Args,
    stack: &Stack,
    client: &Client,
    demo: &User,
    mailbox: &Mailbox,
) -> Result<bool, BoxError> {
    let mut is_well = true;
    match &stack.kept {
        Some(kept) if kept.is_continued() => {
            println!("\nThe stack continues with the data in {}", kept.directory().display())
        }
        kept => {
            subscribe(client, demo, mailbox).await?;
            let unexpected = show_samples(stack, client, demo, mailbox).await?;
            is_well = simulate(stack, client).await? && unexpected == 0;
            kept.as_ref().map_or(Ok(()), |kept| kept.mark_populated())?;
        }
    }
    if args.once {
        return Ok(is_well);
    }
    println!("{}", usage_hints(args, stack, client));
    std::future::pending().await
}

/// Subscribes the demo user to notices and confirms the subscription by the link in the mail.
async fn subscribe(client: &Client, demo: &User, mailbox: &Mailbox) -> Result<(), BoxError> {
    println!("\n$ curl -X PUT $API_URL/notifications -d '{{}}' ...   # mail notices to {}", mailbox::address(DEMO));
    println!("{}", client.subscribe(demo).await?);
    let address = mailbox::address(DEMO);
    let asks = mailbox.wait(CONFIRMATION_TIMEOUT, |mail| mail.to == address && mail.confirm_url.is_some()).await;
    mailbox.confirm(&asks.ok_or("no mail asks to confirm the subscription")?).await
}

/// Shows each mail when it arrives. Never ends.
async fn show_mails(mailbox: &Mailbox, shown: &Cell<usize>) {
    loop {
        show_new_mails(mailbox, shown);
        tokio::time::sleep(MAILBOX_INTERVAL).await;
    }
}

fn show_new_mails(mailbox: &Mailbox, shown: &Cell<usize>) {
    for mail in mailbox.after(shown.get()) {
        shown.set(shown.get() + 1);
        print!("{}", show::mail(&mail));
    }
}

/// Uploads each sample and shows its result. Returns the number of differences from the expectation files.
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
    for upload in new_problems(&uploads, &demo.owner) {
        let id = upload.id().as_str();
        if mailbox.wait(NOTICE_TIMEOUT, |mail| mail.text.contains(id)).await.is_none() {
            unexpected += 1;
            println!("   ✗ not as expected: no mail is about {}, upload {id}", &upload.origin().file_name);
        }
    }
    match unexpected {
        0 => println!("\n✓ all {} samples ended as their expectation files say", samples.len()),
        _ => println!("\n✗ {unexpected} differences from the expectation files"),
    }
    Ok(unexpected)
}

/// Simulates devices of the demo user with `eventpulse simulate`. Returns `false` if a message did not end as sent.
async fn simulate(stack: &Stack, client: &Client) -> Result<bool, BoxError> {
    let profile = stack.root.join("target/local-stack/demo.profile.json");
    let command = |arguments: &[&str]| -> Result<Command, BoxError> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(arguments).arg("--profile").arg(&profile).kill_on_drop(true);
        Ok(command)
    };
    let login = ["login", "--api", &client.api, "--username", &mailbox::address(DEMO), "--password-stdin"];
    let mut login = command(&login)?.stdin(Stdio::piped()).stdout(Stdio::null()).spawn()?;
    if let Some(mut input) = login.stdin.take() {
        input.write_all(PASSWORD.as_bytes()).await?;
    }
    let fleet = ["simulate", "--devices", "20", "--rate", "50", "--bad", "2%", "--events", "200", "--seed", "7"];
    println!("\n$ eventpulse {}", fleet.join(" "));
    Ok(login.wait().await?.success() && command(&fleet)?.status().await?.success())
}

/// Loads the statistics that an upload contributed, from the stored chunks.
///
/// # Errors
/// Returns an error if the stack does not answer.
pub async fn statistics_of(client: &Client, upload: &Upload) -> Result<Vec<(SeriesStatistics, Statistics)>, BoxError> {
    let mut all = Vec::new();
    for count in upload.series_report().listed.iter().take(show::SERIES_SHOWN) {
        let (entity, measure) = (count.entity.clone(), count.measure.clone());
        let series = Series { owner: upload.origin().owner.clone(), entity, measure };
        if let Some(statistics) = client.services.chunks.of_upload(&series, upload.id()).await? {
            all.push((count.clone(), statistics));
        }
    }
    Ok(all)
}

/// Loads the report on an upload: `null` if nothing was rejected.
///
/// # Errors
/// Returns an error if the stack does not answer or the report is missing.
pub async fn report_on(client: &Client, upload: &Upload) -> Result<Value, BoxError> {
    let Some(quarantined) = upload.quarantine_location() else { return Ok(Value::Null) };
    let report = client.services.objects.get(&quarantined.bucket, &quarantined.report_key, None).await?;
    Ok(serde_json::from_slice(&report.ok_or("there is no report")?.body.collect().await?.to_vec())?)
}

/// Returns the uploads of an owner, in the order of arrival, that failed in a way in which no earlier upload failed. Each of
/// them causes a notice at once.
#[must_use]
pub fn new_problems<'a>(uploads: &'a [Upload], owner: &str) -> Vec<&'a Upload> {
    let mut known = BTreeSet::new();
    let of_owner = uploads
        .iter()
        .filter(|upload| upload.origin().owner.as_str() == owner && upload.quarantine_location().is_some());
    let is_new = |upload: &&Upload| {
        let fingerprints = upload.rejection().map_or(&[][..], |rejection| &rejection.fingerprints);
        // No short-circuit: every problem becomes known.
        fingerprints.iter().filter(|print| known.insert(print.id.clone())).count() > 0
    };
    of_owner.filter(is_new).collect()
}

/// Returns the differences between an upload and its expectation file.
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
        let as_text = |all: [Option<f64>; 5], count: u64| format!("{count} points, {}", all.map(shown).join(" "));
        let wanted =
            [Some(series.mean), Some(series.median), series.standard_deviation, Some(series.min), Some(series.max)];
        let got = found.map_or_else(
            || "nothing".to_owned(),
            |(_, s)| as_text([Some(s.mean), Some(s.median), s.standard_deviation, Some(s.min), Some(s.max)], s.count),
        );
        compare(&format!("{}/{}", series.entity, series.measure), as_text(wanted, series.count), got);
    }
    let records = report["records"].as_array().map_or(&[][..], Vec::as_slice);
    let of_records = records.iter().flat_map(|record| record["failures"].as_array().map_or(&[][..], Vec::as_slice));
    let reported: Vec<&Value> = std::iter::once(&report["upload_failure"]).chain(of_records).collect();
    for failure in &expected.failures {
        let is_reported = reported.iter().any(|other| {
            other["code"] == *failure.code
                && other["pointer"] == *failure.pointer
                && failure.line.is_none_or(|line| other["line"] == line)
                && failure.byte_offset.is_none_or(|byte_offset| other["byte_offset"] == byte_offset)
        });
        if !is_reported {
            differences.push(format!("there is no {failure:?}"));
        }
    }
    differences
}

fn shown(value: Option<f64>) -> String {
    value.map_or_else(|| "none".to_owned(), number)
}

fn usage_hints(args: &Args, stack: &Stack, client: &Client) -> String {
    let config = &client.services.config;
    let environment = stack.environment().map(|(name, value)| format!("{name}={value}")).join(" ");
    format!(
        "
The stack runs until Ctrl-C{end}. To use it, in another terminal:
  export API_URL={api}
  cargo eventpulse login --api $API_URL --username {address}     # password: {PASSWORD}
  cargo eventpulse uploads
  cargo eventpulse stats 12345
  cargo eventpulse quarantine list
Mails appear here when they arrive, and are in {mail}

To use it as the operator, with any AWS tool:
  export {environment}
Uploads are in s3://{process}/uploads/
Rejected uploads are in s3://{quarantine}/
Histories are in the table {uploads}, statistics in the table {chunks}
The log of the emulator is {log}",
        end = if args.keep { ", which keeps its data" } else { "" },
        api = client.api,
        address = mailbox::address(DEMO),
        process = config.process_bucket,
        quarantine = config.quarantine_bucket,
        uploads = config.uploads_table,
        chunks = config.chunks_table,
        log = stack.log.display(),
        mail = stack.mail.display(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(clap::Parser)]
    struct Cli {
        #[command(flatten)]
        args: Args,
    }

    fn parsed(arguments: &[&str]) -> Result<Options, clap::Error> {
        let cli = <Cli as clap::Parser>::try_parse_from(std::iter::once(&"dev").chain(arguments))?;
        Ok(cli.args.options())
    }

    #[test]
    fn arguments_choose_the_port_and_the_data() {
        for (arguments, port, data) in [
            (&[][..], Port::Preferred(4566), Data::Temporary),
            (&["--once", "--fresh"], Port::Preferred(4566), Data::Temporary),
            (&["--port", "5000"], Port::Fixed(5000), Data::Temporary),
            (&["--keep"], Port::Preferred(4566), Data::Kept { port: 4566, fresh: false }),
            (&["--keep", "--fresh"], Port::Preferred(4566), Data::Kept { port: 4566, fresh: true }),
            (&["--keep", "--port", "5000"], Port::Fixed(5000), Data::Kept { port: 5000, fresh: false }),
        ] {
            let options = parsed(arguments).unwrap();
            assert_eq!((options.port, options.data), (port, data), "{arguments:?}");
        }
    }

    #[test]
    fn arguments_that_contradict_each_other_are_refused() {
        for arguments in [&["--once", "--keep"][..], &["--port", "0"], &["--port", "70000"]] {
            assert!(parsed(arguments).is_err(), "{arguments:?}");
        }
    }
}
