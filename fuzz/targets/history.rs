//! Folds arbitrary histories, one event per line, and asks every command about the result.
#![no_main]

use eventpulse_core::id::UploadId;
use eventpulse_core::time::Timestamp;
use eventpulse_core::upload::{RecordedEvent, Upload, commands};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let events = data.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok());
    let history: Vec<RecordedEvent> = events.take(64).collect();
    for event in &history {
        let text = serde_json::to_string(event).expect("an event that can be written");
        let read: RecordedEvent = serde_json::from_str(&text).expect("an event that can be read again");
        assert_eq!(&read, event);
    }
    let Ok(upload) = Upload::fold(UploadId::of_object("bucket", "key", "version"), &history) else { return };
    assert_eq!(upload.revision(), history.len());
    for now in [Timestamp::from_micros(0), Timestamp::from_micros(i64::from(u32::MAX) * 1_000_000), Timestamp::MAX] {
        let _ = (upload.state_at(now), upload.quarantine_status(now), upload.next_step());
        let _ = commands::is_held_by_another_worker(&upload, now);
        let requests = [commands::discard(&upload, now), commands::request_withdrawal(&upload, now)];
        for events in requests.into_iter().flatten() {
            let mut after = upload.clone();
            for event in events {
                after.apply(&RecordedEvent::new(now, event));
            }
            let _ = (after.state_at(now), after.next_step());
        }
    }
    let _ = (upload.accepted(), upload.rejected(), commands::plan_quarantine(&upload));
    let _ = commands::recordable_occurrence(&upload);
});
