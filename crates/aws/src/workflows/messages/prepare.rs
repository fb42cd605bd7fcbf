//! Inspects messages, and separates those that can be stored in a batch.

use std::collections::BTreeSet;

use eventpulse_core::device::record_limit::too_many_records;
use eventpulse_core::intake::inspection::{Bounds, InputForm, InspectionSpec, Inspector, Retention};
use eventpulse_core::intake::reader::Media;
use eventpulse_core::intake::schema::{Catalog, SchemaRef};
use eventpulse_core::statistics::chunk::Chunk;
use eventpulse_core::upload::{Decision, message_limits};

use super::stages::{Acceptance, MEDIA_TYPE, ParsedMessage, PreparedMessage};

/// The maximum number of chunks of a message in a batch; a message with more gains nothing from a shared transaction.
const MAX_CHUNKS: usize = 24;

/// The result of preparing messages.
#[derive(Default)]
pub(super) struct Preparation {
    /// The messages that can be stored in a batch.
    pub(super) accepted: Vec<PreparedMessage>,
    /// The messages that are processed as single uploads.
    pub(super) handed_on: Vec<ParsedMessage>,
}

/// Inspects messages. `default_schema` applies to records that name no schema.
pub(super) fn prepare_messages(
    catalog: &Catalog,
    default_schema: &SchemaRef,
    messages: Vec<ParsedMessage>,
) -> Preparation {
    let mut preparation = Preparation::default();
    for message in messages {
        match inspect(catalog, default_schema, &message) {
            Some((acceptance, chunks)) => {
                preparation.accepted.push(PreparedMessage { message, acceptance, chunks });
            }
            None => preparation.handed_on.push(message),
        }
    }
    preparation
}

/// Inspects a body. Returns `None` if it or a record of it is rejected, or if it does not fit a batch.
fn inspect(catalog: &Catalog, default_schema: &SchemaRef, message: &ParsedMessage) -> Option<(Acceptance, Vec<Chunk>)> {
    std::str::from_utf8(&message.body).ok()?; // a line of the raw log holds text
    if too_many_records(&message.body).is_some() {
        return None;
    }
    let spec = InspectionSpec {
        owner: message.owner.clone(),
        upload_id: message.upload_id.clone(),
        attempt: 0,
        input: InputForm::Records,
        media: Media::parse(Some(MEDIA_TYPE), None, "").ok()?,
        schema: None,
        default_schema: default_schema.clone(),
        max_rejected: None,
        known_sha256: None,
        limits: message_limits(),
        bounds: Bounds::UPLOAD,
    };
    let mut inspector = Inspector::new(catalog, spec, Retention::Bounded);
    inspector.push(&mut &message.body[..]);
    inspector.finish();
    let mut inspection = inspector.inspection();
    let decision = Decision::of(&inspection).bounded();
    let Decision::Accepted { sha256, rejection: None, .. } = &decision else { return None };
    let sha256 = sha256.clone();
    let chunks = inspection.chunks.take().filter(|chunks| chunks.len() <= MAX_CHUNKS)?;
    let series: BTreeSet<String> = chunks.iter().map(Chunk::partition_key).collect();
    let acceptance = Acceptance { decision, sha256, shapes: inspection.shapes };
    // A series with several chunks has thousands of points, or points of several days: the plan of a batch could not
    // tell how many chunks it makes.
    (series.len() == chunks.len()).then_some((acceptance, chunks))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Readings of one device, one a day.
    fn readings(days: std::ops::RangeInclusive<u32>, device: impl Fn(u32) -> String) -> String {
        let reading = |day: u32| {
            let (device, month, day) = (device(day), (day - 1) / 28 + 1, (day - 1) % 28 + 1);
            format!(r#"{{"device_id": "{device}", "timestamp": "2025-{month:02}-{day:02}T12:00:00Z", "value": 1}}"#)
        };
        format!("[{}]", days.map(reading).collect::<Vec<_>>().join(","))
    }

    /// The same reading several times.
    fn reading_repeated(count: usize) -> String {
        let reading = readings(1..=1, |_| "d".to_owned());
        format!("[{}]", vec![reading.trim_matches(['[', ']']); count].join(","))
    }

    #[test]
    fn only_messages_that_fit_a_batch_are_accepted() {
        let catalog = Catalog::bundled().unwrap();
        let schema = SchemaRef::parse("reading/1.0").unwrap();
        let same = |_| "d".to_owned();
        let own = |day: u32| format!("d{day}");
        for (name, body, is_accepted) in [
            ("one reading", readings(1..=1, same), true),
            ("24 devices", readings(1..=24, own), true),
            ("25 devices", readings(1..=25, own), false),
            ("500 records", reading_repeated(500), true),
            ("501 records", reading_repeated(501), false),
            ("empty", String::new(), false),
            ("not JSON", "{".to_owned(), false),
            (
                "one of two readings is invalid",
                readings(1..=2, same).replacen("\"value\": 1", "\"value\": true", 1),
                false,
            ),
        ] {
            let Preparation { accepted, handed_on } =
                prepare_messages(&catalog, &schema, vec![ParsedMessage::example(body.as_bytes())]);
            assert_eq!((accepted.len(), handed_on.len()), (is_accepted.into(), (!is_accepted).into()), "{name}");
        }
        let not_utf8 = prepare_messages(&catalog, &schema, vec![ParsedMessage::example(b"\xff")]);
        assert_eq!((not_utf8.accepted.len(), not_utf8.handed_on.len()), (0, 1));
    }
}
