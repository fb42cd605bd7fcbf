//! The HTTP client of all client commands.

use std::sync::Once;
use std::time::Duration;

use super::error::{self, ClientError};

/// How long the other side may take to accept a connection.
const CONNECT: Duration = Duration::from_secs(5);
/// How long a connection is kept for the next call: servers close what is not used, and that is not to happen under a call.
const IDLE: Duration = Duration::from_secs(20);
/// How long sent bytes may go unacknowledged before the connection counts as broken.
#[cfg(target_os = "linux")]
const UNACKNOWLEDGED: Duration = Duration::from_secs(60);
/// How long one call of the API or of Cognito may take in all. API Gateway gives up after 29 s.
pub(crate) const CALL: Duration = Duration::from_secs(60);

/// The HTTP client of all client commands: rustls on ring, the machine's certificates, no redirects.
///
/// It sets no limit on a whole exchange, because a large file takes as long as it takes; each call of the API has one.
///
/// # Errors
/// When TLS cannot be set up: this machine has no certificates of authorities.
pub fn http_client() -> Result<reqwest::Client, ClientError> {
    install_ring();
    let http = reqwest::Client::builder().connect_timeout(CONNECT).pool_idle_timeout(IDLE);
    #[cfg(target_os = "linux")] // elsewhere, the probes of idle connections find a broken one, later
    let http = http.tcp_user_timeout(UNACKNOWLEDGED);
    // A token goes where the profile says, and nowhere else.
    http.redirect(reqwest::redirect::Policy::none())
        .build()
        .map_err(|error| ClientError::Other(format!("HTTPS cannot be set up: {}", error::innermost(&error))))
}

/// Makes ring the cryptography of rustls in this process: reqwest makes no client before there is one. A second time
/// does nothing.
pub fn install_ring() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // Refused when the process has chosen already, and then that choice holds.
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
}

/// Returns the present time in seconds since 1970.
pub(crate) fn now() -> i64 {
    eventpulse_aws::clock().as_micros().div_euclid(1_000_000)
}
