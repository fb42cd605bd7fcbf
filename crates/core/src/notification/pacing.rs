//! Pacing: all notices of a deployment are published one after the other, with a pause between them.
//!
//! A sender holds the publish lease of the deployment while it publishes one notice.

use std::time::Duration;

use crate::time::Timestamp;

/// The shortest time between the answer of SNS to one notice of a deployment and the next notice. SNS and the mail
/// servers behind it delay some notices more than others, and no subscriber may receive more than one per second.
pub const PUBLISH_SPACING: Duration = Duration::from_millis(1_250);
/// The longest time that one call to publish a notice takes.
pub const PUBLISH_TIMEOUT: Duration = Duration::from_secs(10);
/// The publish lease of a sender expires after this time.
pub const PUBLISH_LEASE: Duration = Duration::from_secs(20);
/// A publication expires after this time. Then another sender publishes the notice again.
pub const PUBLICATION_EXPIRES_AFTER: Duration = Duration::from_secs(60);
/// The pause before another attempt to acquire the publish lease from a sender that publishes.
const LEASE_RETRY: Duration = Duration::from_millis(200);

// A call to publish ends before the publish lease expires, and the publish lease before the publication.
const _: () = assert!(
    PUBLISH_TIMEOUT.as_millis() + PUBLISH_SPACING.as_millis() < PUBLISH_LEASE.as_millis()
        && PUBLISH_LEASE.as_millis() < PUBLICATION_EXPIRES_AFTER.as_millis()
);

/// Returns the earliest time for the next notice of the deployment after one at `at`.
#[must_use]
pub fn next_publication_at(at: Timestamp) -> Timestamp {
    at + PUBLISH_SPACING
}

/// Returns whether a call to publish that starts `now` ends before the publish lease expires, even if it times out.
#[must_use]
pub fn fits_into_lease(now: Timestamp, lease_expires_at: Timestamp) -> bool {
    next_publication_at(now) + PUBLISH_TIMEOUT <= lease_expires_at
}

/// Returns when to try again to acquire a publish lease that is held until `held_until`: at that time if it is only the
/// spacing after a notice, otherwise soon, because its sender releases it early.
#[must_use]
pub fn retry_lease_at(now: Timestamp, held_until: Timestamp) -> Timestamp {
    if held_until <= next_publication_at(now) { held_until } else { now + LEASE_RETRY }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_micros(millis * 1_000)
    }

    #[test]
    fn a_call_to_publish_ends_before_the_lease() {
        for (name, now, expected) in
            [("at the start", 0, true), ("at the last moment", 8_750, true), ("late", 8_751, false)]
        {
            assert_eq!(fits_into_lease(at(now), at(20_000)), expected, "{name}");
        }
    }

    #[test]
    fn a_held_lease_is_tried_again() {
        for (name, held_until, expected) in [
            ("expired", 900, 900),
            ("the spacing after a notice", 2_250, 2_250),
            ("a sender that publishes", 2_251, 1_200),
            ("a sender that just began", 21_000, 1_200),
        ] {
            assert_eq!(retry_lease_at(at(1_000), at(held_until)), at(expected), "{name}");
        }
    }
}
