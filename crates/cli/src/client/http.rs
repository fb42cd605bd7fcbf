//! The HTTP client of all client commands.

use std::sync::Once;
use std::time::Duration;

use super::error::{self, ClientError};

/// The time limit for a connection to open.
const CONNECT: Duration = Duration::from_secs(5);
/// How long an idle connection is kept. It is shorter than the idle time of servers, so that none closes during a call.
const IDLE: Duration = Duration::from_secs(20);
/// How long sent bytes may stay unacknowledged before the connection counts as broken.
#[cfg(target_os = "linux")]
const UNACKNOWLEDGED: Duration = Duration::from_secs(60);
/// The time limit for a call of the API or of Cognito. API Gateway's own limit is 29 s.
pub(crate) const CALL: Duration = Duration::from_secs(60);

/// Returns the HTTP client of all client commands: rustls on ring, the machine's certificates, no redirects.
///
/// It has no limit for a whole exchange, because large files take long. Each call of the API has one.
///
/// # Errors
/// Fails when TLS cannot be set up because this machine has no CA certificates.
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

/// Makes ring the cryptography of rustls in this process, which reqwest needs. A repeated call does nothing.
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
