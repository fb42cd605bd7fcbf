//! Waiting by the clock of the invocation.

use std::time::Duration;

use eventpulse_core::time::Timestamp;

/// Waits until a time.
pub(super) async fn sleep_until(at: Timestamp, clock: impl Fn() -> Timestamp) {
    let micros = u64::try_from(at.as_micros() - clock().as_micros()).unwrap_or_default();
    tokio::time::sleep(Duration::from_micros(micros)).await;
}
