//! Progress messages on standard error: one live line per step on a terminal, a line every 30 seconds elsewhere.

use std::{
    io::{IsTerminal, Write, stderr},
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{self, RecvTimeoutError, Sender},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

/// A step that takes less time shows nothing.
const MIN_SHOWN: Duration = Duration::from_millis(400);
/// The time between two redraws of the live line.
const REDRAW: Duration = Duration::from_millis(100);
/// The time between two lines of a step where there is no terminal.
const LINE_INTERVAL: Duration = Duration::from_secs(30);
const SPINNER: [char; 4] = ['|', '/', '-', '\\'];
/// The columns of the live line. A line that wraps cannot be overwritten.
const COLUMNS: usize = 78;

/// The form of progress messages.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Progress(Form);

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Form {
    Silent,
    Lines,
    Live,
}

impl Progress {
    /// Returns progress that shows nothing.
    #[must_use]
    pub fn silent() -> Self {
        Self(Form::Silent)
    }

    /// Returns progress on standard error: a live line if that is a terminal, otherwise a line every 30 seconds.
    #[must_use]
    pub fn on_stderr() -> Self {
        Self(if stderr().is_terminal() { Form::Live } else { Form::Lines })
    }

    /// Begins a step, such as "deploying template.yaml". It ends with [`Step::done`] or when it is dropped.
    #[must_use]
    pub fn step(self, label: &'static str) -> Step {
        let note = Arc::new(Mutex::new(String::new()));
        let started = Instant::now();
        let ticker = (self.0 != Form::Silent).then(|| Ticker::start(self.0, label, started, Arc::clone(&note)));
        Step { label, form: self.0, started, note, ticker }
    }
}

/// A step in progress.
#[derive(Debug)]
pub struct Step {
    label: &'static str,
    form: Form,
    started: Instant,
    note: Arc<Mutex<String>>,
    ticker: Option<Ticker>,
}

impl Step {
    /// Returns the label.
    #[must_use]
    pub fn label(&self) -> &'static str {
        self.label
    }

    /// Sets the detail that is shown beside the label, such as "crate 34 of 210".
    pub fn note(&self, note: &str) {
        let mut shown = self.note.lock().unwrap_or_else(PoisonError::into_inner);
        note.trim().clone_into(&mut shown);
    }

    /// Ends the step and shows how long it took.
    pub fn done(self) {
        let Self { label, form, started, ticker, .. } = self;
        let elapsed = started.elapsed();
        drop(ticker); // removes the live line
        let is_shown = match form {
            Form::Silent => false,
            Form::Live => elapsed >= MIN_SHOWN,
            Form::Lines => elapsed >= LINE_INTERVAL,
        };
        if is_shown {
            let _ = writeln!(stderr(), "  {label}: done in {:.1} s", elapsed.as_secs_f64());
        }
    }
}

/// A thread that shows a step until it is dropped.
#[derive(Debug)]
struct Ticker {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Ticker {
    fn start(form: Form, label: &'static str, started: Instant, note: Arc<Mutex<String>>) -> Self {
        let (stop, stopped) = mpsc::channel::<()>();
        let is_over = move |pause| stopped.recv_timeout(pause) != Err(RecvTimeoutError::Timeout);
        let thread = thread::spawn(move || {
            let note = || note.lock().unwrap_or_else(PoisonError::into_inner).clone();
            if is_over(MIN_SHOWN) {
                return;
            }
            // A message that cannot be written is no reason to fail.
            if form == Form::Lines {
                let _ = writeln!(stderr(), "{label} ...");
                while !is_over(LINE_INTERVAL) {
                    let _ = writeln!(stderr(), "{}", line(label, started.elapsed(), &note()));
                }
                return;
            }
            for spinner in SPINNER.iter().cycle() {
                let line = live_line(*spinner, label, started.elapsed(), &note());
                let _ = write!(stderr(), "\r\x1b[K{line}").and_then(|()| stderr().flush());
                if is_over(REDRAW) {
                    let _ = write!(stderr(), "\r\x1b[K").and_then(|()| stderr().flush());
                    return;
                }
            }
        });
        Self { stop: Some(stop), thread: Some(thread) }
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn line(label: &str, elapsed: Duration, note: &str) -> String {
    let separator = if note.is_empty() { "" } else { ", " };
    format!("  {label}: {} s{separator}{note}", elapsed.as_secs())
}

fn live_line(spinner: char, label: &str, elapsed: Duration, note: &str) -> String {
    let line = line(label, elapsed, note);
    format!("{spinner}{}", &line[1..]).chars().take(COLUMNS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_the_seconds_and_the_detail() {
        let minute = Duration::from_secs(60);
        assert_eq!(line("building", minute, ""), "  building: 60 s");
        assert_eq!(line("building", minute, "crate 3 of 9: serde"), "  building: 60 s, crate 3 of 9: serde");
    }

    #[test]
    fn a_live_line_fits_the_terminal() {
        let line = live_line('|', "building", Duration::from_secs(60), &"é".repeat(200));
        assert!(line.starts_with("| building: 60 s, éé"), "{line}");
        assert_eq!(line.chars().count(), COLUMNS);
    }

    #[test]
    fn a_step_ends_at_once() {
        let started = Instant::now();
        Progress(Form::Lines).step("waiting").done();
        assert!(started.elapsed() < LINE_INTERVAL);
    }
}
