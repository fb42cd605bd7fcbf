//! The report in the answer about quarantined data.

use eventpulse_core::upload::QuarantineLocation;
use serde_json::Value;

use crate::api_error::ApiError;
use crate::state::App;

/// The largest report that an answer includes, in bytes of the function's response. Lambda limits a response to 6 MB; see
/// [quotas](https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html).
const MAX_RESPONSE_BYTES: usize = 4 << 20;

/// Loads the report. Returns `None` if it is deleted or too large for an answer.
pub(super) async fn load(app: &App, quarantined: &QuarantineLocation) -> Result<Option<Value>, ApiError> {
    let object = app.services.objects.get(&quarantined.bucket, &quarantined.report_key, None).await?;
    let Some(object) = object.filter(|object| object.size <= MAX_RESPONSE_BYTES as u64) else { return Ok(None) };
    let bytes = object.body.collect().await.map_err(|error| {
        let error_of_body =
            eventpulse_aws::Error::new("GetObject", &quarantined.report_key, eventpulse_aws::Kind::Unreachable);
        ApiError::from(error_of_body.with_source(error))
    });
    Ok(fitting(&bytes?.into_bytes()))
}

/// Parses a report. Returns `None` if it is too large for an answer.
fn fitting(report: &[u8]) -> Option<Value> {
    (bytes_in_response(report) <= MAX_RESPONSE_BYTES).then(|| serde_json::from_slice(report).ok()).flatten()
}

/// Returns the size of a JSON text as a string in the function's response, which is JSON too: quotation marks and
/// backslashes take two bytes there.
fn bytes_in_response(text: &[u8]) -> usize {
    text.iter()
        .map(|byte| match byte {
            b'"' | b'\\' | b'\n' | b'\r' | b'\t' => 2,
            0..0x20 => 6,
            _ => 1,
        })
        .sum()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_size_of_a_report_in_a_response_is_that_of_the_escaped_text() {
        for (name, report) in [
            ("empty", json!({})),
            ("plain", json!({ "file_name": "a.json", "records": [1, 2.5, null] })),
            ("quotation marks and backslashes", json!({ "message": "\"\\\"" })),
            ("control characters and accents", json!({ "message": "\u{1}\n\té\u{1f600}" })),
        ] {
            for text in [report.to_string(), format!("{report:#}")] {
                let right = serde_json::to_string(&text).unwrap().len() - 2;
                assert_eq!(bytes_in_response(text.as_bytes()), right, "{name}: {text}");
            }
        }
    }

    #[test]
    fn a_report_that_exceeds_the_limit_of_a_response_is_not_included() {
        let report = |quotes: usize| json!({ "message": "\"".repeat(quotes) }).to_string();
        // Each quotation mark takes two bytes in the report and four in the response.
        for (name, report, is_included) in [
            ("small", report(1), true),
            ("at the limit", report((MAX_RESPONSE_BYTES - 18) / 4), true),
            ("small enough alone, too large when escaped", report(MAX_RESPONSE_BYTES / 4), false),
        ] {
            assert!(report.len() < MAX_RESPONSE_BYTES, "{name}");
            assert_eq!(fitting(report.as_bytes()).is_some(), is_included, "{name}");
        }
    }
}
