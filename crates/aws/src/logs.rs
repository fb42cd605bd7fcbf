//! JSON logs on standard output, one object a line.

use tracing::Span;
use tracing_subscriber::EnvFilter;

/// The runtime logs each error that a handler returns once more, without the correlation id.
const NOT_TWICE: &str = "lambda_runtime=off";

/// Starts logging. `level` is a [filter](EnvFilter), `info` where it is none.
pub fn init(level: Option<&str>) {
    let filter = level.and_then(|level| EnvFilter::try_new(format!("{level},{NOT_TWICE}")).ok());
    let filter = filter.unwrap_or_else(|| EnvFilter::new(format!("info,{NOT_TWICE}")));
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

/// Starts logging at the level that the function's environment asks for.
#[allow(clippy::disallowed_methods)] // before there is a Config, so that what is wrong with it can be logged
pub fn init_from_env() {
    init(std::env::var("LOG_LEVEL").ok().as_deref());
}
