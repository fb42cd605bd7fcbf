//! The publish lease.

use std::sync::Arc;

use eventpulse_aws::adapters::notice_store::PublishLease;

use super::new_store;
use crate::TestResult;
use crate::adapters::at;
use crate::world::World;

pub async fn lease_is_held_until_it_is_released_or_expires(world: Arc<World>) -> TestResult {
    let (notices, _) = new_store(&world).await?;
    let acquire = async |seconds: i64| notices.acquire_publish_lease(at(seconds)).await;
    let PublishLease::Acquired { expires_at: first } = acquire(0).await? else { return Err("it is free".into()) };
    assert_eq!(acquire(1).await?, PublishLease::Held { until: first });
    notices.release_publish_lease(first, at(3)).await?;
    assert_eq!(acquire(2).await?, PublishLease::Held { until: at(3) }, "the spacing after a notice");
    let PublishLease::Acquired { expires_at: second } = acquire(3).await? else { return Err("it is free".into()) };
    assert!(matches!(acquire(22).await?, PublishLease::Held { .. }));
    let PublishLease::Acquired { expires_at: third } = acquire(23).await? else { return Err("it expired".into()) };
    notices.release_publish_lease(second, at(24)).await?;
    assert_eq!(acquire(24).await?, PublishLease::Held { until: third }, "released by its earlier holder");
    Ok(())
}

pub async fn lease_of_a_wrong_clock_is_taken(world: Arc<World>) -> TestResult {
    let (notices, _) = new_store(&world).await?;
    assert!(matches!(notices.acquire_publish_lease(at(86_400)).await?, PublishLease::Acquired { .. }));
    assert!(matches!(notices.acquire_publish_lease(at(0)).await?, PublishLease::Acquired { .. }));
    Ok(())
}
