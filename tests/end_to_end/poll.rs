//! Waiting, by looking again and again.

use std::ops::ControlFlow;
use std::time::Duration;

use eventpulse_cli::BoxError;
use tokio::time::{Instant, sleep};

/// How long nothing may move: the tests share two cores, and the notices of all of them go one after the other.
pub const PATIENCE: Duration = Duration::from_secs(180);

/// How long all of it may take, whatever moves.
const LONGEST: Duration = Duration::from_secs(900);

/// Between two looks at what costs little to look at.
pub const SOON: Duration = Duration::from_millis(100);

/// What one look finds: what is waited for, or words for what is there instead.
pub type Look<T> = Result<ControlFlow<T, String>, BoxError>;

/// Looks every so often until what is waited for is there; fails when what is there instead is the same for
/// too long, or there is no end to its changing.
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

/// What is looked for, or words for what is there instead.
pub fn found<T>(what: Option<T>, instead: impl FnOnce() -> String) -> Look<T> {
    Ok(what.map_or_else(|| ControlFlow::Continue(instead()), ControlFlow::Break))
}
