//! The REST API's client: who is signed in, calls, files on their way.

pub mod api;
pub mod download;
pub mod media;
pub mod profile;
pub mod send;
pub mod sign_in;
pub mod text;
pub mod validate;

use std::sync::Once;
use std::time::Duration;

use api::ClientError;

/// The HTTP client of all calls. It follows no redirects: they would take the token along.
///
/// # Errors
/// When TLS cannot be set up.
pub fn http_client() -> Result<reqwest::Client, ClientError> {
    static RING: Once = Once::new();
    // Once a process; that another provider was first does no harm.
    RING.call_once(|| drop(rustls::crypto::ring::default_provider().install_default()));
    reqwest::Client::builder()
        .connect_timeout(Duration::from_secs(5))
        .read_timeout(Duration::from_secs(60))
        .redirect(reqwest::redirect::Policy::none())
        .user_agent(concat!("eventpulse/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(|error| ClientError::Other(format!("HTTPS cannot be set up: {error}")))
}
