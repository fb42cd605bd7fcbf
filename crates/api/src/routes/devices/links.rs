//! Links to the statistics of a device.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Serialize;
use utoipa::ToSchema;

/// Links to related resources.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DeviceLinks {
    /// The statistics of the device.
    #[schema(format = "uri")]
    stats: String,
    /// The statistics of the device in buckets of time.
    #[schema(format = "uri")]
    series: String,
}

impl DeviceLinks {
    /// Returns links that every HTTP client sends unchanged.
    ///
    /// Clients remove the path segments `.` and `..`, percent-encoded or not
    /// ([URL standard](https://url.spec.whatwg.org/#double-dot-path-segment)), and proxies decode slashes in a path. Such
    /// an id goes into the query.
    pub(super) fn of(api_url: &str, device_id: &str) -> Self {
        let id = utf8_percent_encode(device_id, NON_ALPHANUMERIC);
        if is_safe_in_path(device_id) {
            let device = format!("{api_url}/devices/{id}");
            Self { stats: format!("{device}/stats"), series: format!("{device}/series") }
        } else {
            Self { stats: format!("{api_url}/?device_id={id}"), series: format!("{api_url}/series?device_id={id}") }
        }
    }
}

fn is_safe_in_path(device_id: &str) -> bool {
    !matches!(device_id, "." | "..") && !device_id.contains(|c: char| matches!(c, '/' | '\\') || c.is_control())
}

#[cfg(test)]
mod tests {
    use url::Url;

    use super::*;

    /// Returns the device id that a server reads from a URL, and the rest of its path.
    fn read(url: &str) -> (String, String) {
        let url = Url::parse(url).unwrap();
        if let Some((_, id)) = url.query_pairs().find(|(name, _)| name == "device_id") {
            return (id.into_owned(), url.path().to_owned());
        }
        let segments: Vec<&str> = url.path_segments().unwrap().collect();
        let [stage, devices, id, last] = segments[..] else { panic!("{url}") };
        let id = percent_encoding::percent_decode_str(id).decode_utf8().unwrap().into_owned();
        (id, format!("/{stage}/{devices}/*/{last}"))
    }

    #[test]
    fn links_name_the_device_after_a_client_parsed_them() {
        let (by_path, by_query) = (("/v1/devices/*/stats", "/v1/devices/*/series"), ("/v1/", "/v1/series"));
        for (id, expected) in [
            ("12345", by_path),
            (".", by_query),
            ("..", by_query),
            ("...", by_path),
            ("%2E", by_path),
            ("%2e%2E", by_path),
            (".%2e", by_path),
            ("/", by_query),
            ("a/../b", by_query),
            ("\\..\\", by_query),
            ("?", by_path),
            ("#", by_path),
            ("a?b=c&device_id=d#e", by_path),
            (" ", by_path),
            ("a b", by_path),
            ("+", by_path),
            ("%2B", by_path),
            ("%", by_path),
            ("é", by_path),
            ("温度計", by_path),
            ("\0", by_query),
            ("\n", by_query),
            ("\u{202e}", by_path),
        ] {
            let links = DeviceLinks::of("https://api.example/v1", id);
            for (link, path) in [(links.stats, expected.0), (links.series, expected.1)] {
                assert_eq!(read(&link), (id.to_owned(), path.to_owned()), "{id:?}: {link}");
            }
        }
    }
}
