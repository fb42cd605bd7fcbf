//! Writes JSON logs to standard output, one object per line.

use tracing::Span;
use tracing_subscriber::EnvFilter;

use crate::environment::Environment;

/// Silences the runtime, which logs each error of a handler a second time and without the correlation id.
const RUNTIME_OFF: &str = "lambda_runtime=off";

/// Starts logging. `level` is a [filter](EnvFilter); without a valid one, the level is `info`.
pub fn init(level: Option<&str>) {
    let filter = level.and_then(|level| EnvFilter::try_new(format!("{level},{RUNTIME_OFF}")).ok());
    let filter = filter.unwrap_or_else(|| EnvFilter::new(format!("info,{RUNTIME_OFF}")));
    tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_current_span(true)
        .with_span_list(false)
        .with_target(false)
        .with_env_filter(filter)
        .init();
}

/// Returns the span around a delivery: every line logged in it carries the correlation id and, once known, the upload id.
#[must_use]
pub fn delivery_span(correlation_id: &str, request_id: &str, size_bytes: u64) -> Span {
    tracing::info_span!("delivery", correlation_id, request_id, upload_id = tracing::field::Empty, size_bytes)
}

/// Starts logging at the level of `LOG_LEVEL`. Runs before the configuration is read, so that its errors are logged.
pub fn init_from_env() {
    init(Environment::of_process().optional("LOG_LEVEL").as_deref());
}
