//! Profiles of accepted uploads, and the open marks in them.

use std::sync::Arc;

use eventpulse_aws::adapters::notice_store::profile::Passed;
use eventpulse_core::intake::shape::{JsonType, Shape};
use eventpulse_core::notification::profile::Profile;

use super::{KIND, new_store};
use crate::TestResult;
use crate::adapters::{at, unique_owner};
use crate::world::World;

pub async fn open_mark_is_removed_only_if_unchanged(world: Arc<World>) -> TestResult {
    let (notices, _) = new_store(&world).await?;
    let owner = unique_owner();
    notices.mark_open(&owner, KIND, at(0)).await?;
    let first = notices.open_mark(&owner, KIND).await?.ok_or("no mark")?;
    notices.mark_open(&owner, KIND, at(1)).await?;
    let second = notices.open_mark(&owner, KIND).await?.ok_or("no mark")?;
    assert_ne!(first, second);
    notices.mark_closed(&owner, KIND, &first).await?;
    assert_eq!(notices.open_mark(&owner, KIND).await?.as_ref(), Some(&second), "a later rejection changed it");
    assert_eq!(notices.open_mark(&owner, "reading/2").await?, None, "another kind of upload");
    notices.mark_closed(&owner, KIND, &second).await?;
    notices.mark_closed(&owner, KIND, &second).await?;
    assert_eq!(notices.open_mark(&owner, KIND).await?, None);
    Ok(())
}

pub async fn passed_uploads_are_counted_in_their_profile(world: Arc<World>) -> TestResult {
    let (notices, _) = new_store(&world).await?;
    let owner = unique_owner();
    let members = vec![("/value".to_owned(), JsonType::Number), ("/a b+c%2Bé/*".to_owned(), JsonType::String)];
    let mut passed = Passed::default();
    passed.add(&[Shape { kind: KIND.to_owned(), members }]);
    passed.add(&[Shape { kind: KIND.to_owned(), members: vec![("/value".to_owned(), JsonType::Null)] }]);
    passed.ask("none");
    assert!(notices.count(&owner, &passed, at(0)).await?.is_empty(), "no problem is open");
    notices.mark_open(&owner, KIND, at(1)).await?;
    assert_eq!(notices.count(&owner, &passed, at(2)).await?, [KIND]);
    notices.mark_open(&owner, "none", at(3)).await?;
    let mut open = notices.count(&owner, &passed, at(4)).await?;
    open.sort_unstable();
    assert_eq!(open, ["none", KIND]);

    let types = |pointer: &str, types: &[(JsonType, u64)]| (pointer.to_owned(), types.iter().copied().collect());
    let expected = [
        types("/value", &[(JsonType::Number, 3), (JsonType::Null, 3)]),
        types("/a b+c%2Bé/*", &[(JsonType::String, 3)]),
    ];
    let expected = Profile { uploads: 6, last_passed_at: Some(at(4)), members: expected.into_iter().collect() };
    assert_eq!(notices.profile(&owner, KIND).await?, expected);
    assert_eq!(notices.profile(&owner, "none").await?, Profile::default(), "a requested kind is not counted");
    Ok(())
}
