//! Follows a run: shows its progress, and reads the outcomes of its messages.

use std::io::IsTerminal as _;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressFinish, ProgressStyle};
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use super::sender::stopped;
use super::tally::{RunCounts, lock};
use crate::client::api::Api;
use crate::commands::output::error_lines;

/// The time limit for the last outcomes.
const OUTCOMES: Duration = Duration::from_secs(60);
/// The pause between two reads of outcomes.
const ASK: Duration = Duration::from_secs(2);
/// The seconds by which this clock may be ahead of the service's: while sending, and at the end.
const AHEAD: (u64, u64) = (5, 120);
/// The pause between two progress lines: on a terminal, and elsewhere.
const SHOW: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(5));

/// Shows progress: on a terminal in one changing line, elsewhere in a line from time to time.
pub async fn show(tally: Arc<Mutex<RunCounts>>, is_silent: bool) {
    if is_silent {
        return;
    }
    if !std::io::stderr().is_terminal() {
        loop {
            sleep(SHOW.1).await;
            eprintln!("{}", lock(&tally).line());
        }
    }
    let bar = ProgressBar::new_spinner();
    if let Ok(style) = ProgressStyle::with_template("{wide_msg}") {
        bar.set_style(style);
    }
    // Cleared when it is dropped, so that the last word has the line.
    let bar = bar.with_finish(ProgressFinish::AndClear);
    loop {
        bar.set_message(lock(&tally).line());
        bar.tick();
        sleep(SHOW.0).await;
    }
}

/// Reads outcomes repeatedly for the progress line, until it is aborted.
pub async fn ask_while_sending(api: Api, tally: Arc<Mutex<RunCounts>>) {
    loop {
        sleep(ASK).await;
        ask(&api, &tally, AHEAD.0).await;
    }
}

/// Waits until each acknowledged message has an outcome, or the time limit is over.
pub async fn settle(api: &Api, tally: &Mutex<RunCounts>, mut stop: watch::Receiver<u8>) {
    let deadline = Instant::now() + OUTCOMES;
    let all = async {
        loop {
            ask(api, tally, AHEAD.1).await;
            if lock(tally).unsettled() == 0 || Instant::now() + ASK > deadline {
                break;
            }
            sleep(ASK).await;
        }
    };
    tokio::select! {
        () = all => {}
        () = stopped(&mut stop, 2) => {}
    }
}

/// Reads the uploads since the oldest message without an outcome, page by page.
async fn ask(api: &Api, tally: &Mutex<RunCounts>, ahead: u64) {
    let Some(oldest) = lock(tally).oldest_unsettled() else { return };
    let from = (oldest - Duration::from_secs(ahead)).to_string();
    let listed = api.pages("/uploads", &[("from", &from)], "uploads", usize::MAX).await;
    let mut tally = lock(tally);
    match listed {
        Ok(listed) => {
            tally.settle(&listed);
            tally.trouble = None;
        }
        Err(error) => tally.trouble = Some(error_lines(&error).join("; ")),
    }
}
