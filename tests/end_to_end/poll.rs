//! Polling with a deadline.

use std::ops::ControlFlow;
use std::time::Duration;

use eventpulse_cli::BoxError;
use tokio::time::{Instant, sleep};

/// The time limit without progress. The tests share two cores, and their notices are sent one after the other.
pub const PATIENCE: Duration = Duration::from_secs(180);

/// The time limit of one poll, even with progress.
const LONGEST: Duration = Duration::from_secs(900);

/// The interval between cheap looks.
pub const SOON: Duration = Duration::from_millis(100);

/// The result of one look: the awaited value, or a description of the present state.
pub type Look<T> = Result<ControlFlow<T, String>, BoxError>;

/// Calls `look` at the given interval until it returns the awaited value.
///
/// # Errors
///
/// Fails if `look` fails, if the state stays the same for longer than [`PATIENCE`], or if the poll exceeds `LONGEST`.
pub async fn poll<T>(every: Duration, mut look: impl AsyncFnMut() -> Look<T>) -> Result<T, BoxError> {
    let begun = Instant::now();
    let mut last = (String::new(), begun);
    loop {
        match look().await? {
            ControlFlow::Break(found) => return Ok(found),
            ControlFlow::Continue(seen) if begun.elapsed() > LONGEST => {
                return Err(format!("after {} s: {seen}", LONGEST.as_secs()).into());
            }
            ControlFlow::Continue(seen) if seen != last.0 => last = (seen, Instant::now()),
            ControlFlow::Continue(seen) if last.1.elapsed() > PATIENCE => {
                return Err(format!("for {} s: {seen}", PATIENCE.as_secs()).into());
            }
            ControlFlow::Continue(_) => {}
        }
        sleep(every).await;
    }
}

/// Returns the result of a look: the awaited value, or the description of the present state.
pub fn found<T>(what: Option<T>, instead: impl FnOnce() -> String) -> Look<T> {
    Ok(what.map_or_else(|| ControlFlow::Continue(instead()), ControlFlow::Break))
}
