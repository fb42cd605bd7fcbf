//! The repeated delivery of an upload that waits for another upload with the same bytes.

use eventpulse_core::time::Timestamp;
use eventpulse_core::upload::{Upload, commands};
use serde_json::{Value, json};

use crate::adapters::waiting_queue::WaitingQueue;
use crate::error::{Error, Kind};
use crate::workflows::delivery::{Delivery, ObjectCreated};

/// The `source` of an event in the waiting queue. Other events come from `aws.s3`.
pub const SOURCE: &str = "eventpulse.waiting";

/// Sends the delivery to the waiting queue, which delivers it again after a pause.
///
/// # Errors
/// Returns an [AWS failure](crate::error).
pub async fn deliver_later(
    queue: &WaitingQueue,
    delivery: &Delivery,
    upload: &Upload,
    now: Timestamp,
) -> Result<(), Error> {
    let mut random = [0];
    getrandom::fill(&mut random)
        .map_err(|error| Error::new("random", upload.id().as_str(), Kind::Other).with_source(error))?;
    let pause = commands::look_again_after(upload, now, random[0]);
    queue.send(event(&delivery.again(upload)).to_string(), pause).await
}

/// Returns the event of a delivery, in the form of EventBridge. The failure queue takes the same form.
#[must_use]
pub fn event(delivery: &Delivery) -> Value {
    json!({
        "id": delivery.correlation_id,
        "source": SOURCE,
        "detail-type": "Object Created",
        "detail": ObjectCreated::of(delivery),
    })
}
