//! What is going on, for who waits: on a terminal one live line a step, elsewhere one line when a step begins.

use std::{
    io::{IsTerminal, Write, stderr},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use tokio::task::JoinHandle;

/// A step that ends before this was not worth a word.
const PATIENCE: Duration = Duration::from_millis(400);
const TICK: Duration = Duration::from_millis(100);
const WHEEL: [char; 4] = ['|', '/', '-', '\\'];
/// Longest live line: it must not wrap, or it could not be overwritten.
const WIDTH: usize = 78;

/// Where to say what is going on.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Progress(Kind);

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Kind {
    Silent,
    Lines,
    Live,
}

impl Progress {
    /// Says nothing.
    pub fn silent() -> Self {
        Self(Kind::Silent)
    }

    /// On standard error: live when that is a terminal, else one line for each step.
    pub fn on_stderr() -> Self {
        Self(if stderr().is_terminal() { Kind::Live } else { Kind::Lines })
    }

    /// Begins a step, such as "building the functions". It lasts until [`Step::done`] or drop.
    pub(super) fn step(self, label: &'static str) -> Step {
        let note = Arc::new(Mutex::new(String::new()));
        let shown = Arc::clone(&note);
        let started = Instant::now();
        let ticker = match self.0 {
            Kind::Silent => None,
            Kind::Lines => Some(tokio::spawn(async move {
                tokio::time::sleep(PATIENCE).await;
                // A lost line of progress is no reason to fail.
                let _ = writeln!(stderr(), "{label} ...");
            })),
            Kind::Live => Some(tokio::spawn(async move {
                tokio::time::sleep(PATIENCE).await;
                for wheel in WHEEL.iter().cycle() {
                    let note = shown.lock().unwrap_or_else(PoisonError::into_inner).clone();
                    let line = format!("{wheel} {label} ({} s) {note}", started.elapsed().as_secs());
                    let line: String = line.chars().take(WIDTH).collect();
                    let _ = write!(stderr(), "\r\x1b[K{line}").and_then(|()| stderr().flush());
                    tokio::time::sleep(TICK).await;
                }
            })),
        };
        Step { label, live: self.0 == Kind::Live, started, note, ticker }
    }
}

/// A step under way.
#[derive(Debug)]
pub(super) struct Step {
    label: &'static str,
    live: bool,
    started: Instant,
    note: Arc<Mutex<String>>,
    ticker: Option<JoinHandle<()>>,
}

impl Step {
    /// What it is called.
    pub(super) fn label(&self) -> &'static str {
        self.label
    }

    /// A word about how far it is, shown beside it on a terminal.
    pub(super) fn note(&self, note: &str) {
        let mut shown = self.note.lock().unwrap_or_else(PoisonError::into_inner);
        note.trim().clone_into(&mut shown);
    }

    /// It went well.
    pub(super) fn done(self) {
        let (live, label, elapsed) = (self.live, self.label, self.started.elapsed());
        drop(self);
        if live && elapsed >= PATIENCE {
            let _ = writeln!(stderr(), "  {label} ({:.1} s)", elapsed.as_secs_f64());
        }
    }
}

impl Drop for Step {
    fn drop(&mut self) {
        if let Some(ticker) = self.ticker.take() {
            ticker.abort();
        }
        if self.live && self.started.elapsed() >= PATIENCE {
            let _ = write!(stderr(), "\r\x1b[K").and_then(|()| stderr().flush());
        }
    }
}
