//! Profiles of accepted uploads, and the open marks in them.

use std::collections::BTreeSet;
use std::sync::Arc;

use eventpulse_aws::adapters::notice_store::profile::Passed;
use eventpulse_core::intake::shape::{JsonType, Shape};
use eventpulse_core::notification::occurrence::PassedKind;
use eventpulse_core::notification::profile::Profile;
use eventpulse_core::notification::source::Source;

use super::{KIND, new_store};
use crate::TestResult;
use crate::adapters::{at, unique_owner};
use crate::world::World;

pub async fn open_mark_is_refined_only_if_unchanged(world: Arc<World>) -> TestResult {
    let (notices, _) = new_store(&world).await?;
    let owner = unique_owner();
    notices.mark_open(&owner, KIND, at(0)).await?;
    let first = notices.open_mark(&owner, KIND).await?.ok_or("no mark")?;
    notices.mark_open(&owner, KIND, at(1)).await?;
    let second = notices.open_mark(&owner, KIND).await?.ok_or("no mark")?;
    assert_ne!(first, second);
    notices.mark_awaited(&owner, KIND, &first, BTreeSet::new(), at(2)).await?;
    assert_eq!(notices.open_mark(&owner, KIND).await?.as_ref(), Some(&second), "a later rejection changed it");
    assert_eq!(notices.open_mark(&owner, "reading/2").await?, None, "another kind of upload");
    let (awaited, other) = (Source::of_file("a b+c%2Bé.json"), Source::of_file("other.json"));
    assert!(second.awaits(&awaited) && second.awaits(&other), "a rejection stands for any source");

    notices.mark_awaited(&owner, KIND, &second, BTreeSet::from([awaited.clone()]), at(3)).await?;
    let third = notices.open_mark(&owner, KIND).await?.ok_or("no mark")?;
    assert!(third.awaits(&awaited) && !third.awaits(&other));
    for _ in 0..2 {
        notices.mark_awaited(&owner, KIND, &third, BTreeSet::new(), at(4)).await?;
        assert_eq!(notices.open_mark(&owner, KIND).await?, None);
    }
    Ok(())
}

pub async fn open_mark_with_many_sources_stands_for_any(world: Arc<World>) -> TestResult {
    let (notices, _) = new_store(&world).await?;
    let owner = unique_owner();
    notices.mark_open(&owner, KIND, at(0)).await?;
    let any = notices.open_mark(&owner, KIND).await?.ok_or("no mark")?;
    let many = (0..51).map(|number| Source::of_file(&format!("s{number}e.json"))).collect();
    notices.mark_awaited(&owner, KIND, &any, many, at(1)).await?;
    let mark = notices.open_mark(&owner, KIND).await?.ok_or("no mark")?;
    assert!(mark.awaits(&Source::of_file("other.json")));
    Ok(())
}

pub async fn passed_uploads_are_counted_in_their_profile(world: Arc<World>) -> TestResult {
    let (notices, _) = new_store(&world).await?;
    let owner = unique_owner();
    let members = vec![("/value".into(), JsonType::Number), ("/a b+c%2Bé/*".into(), JsonType::String)];
    let mut passed = Passed::default();
    let (one, two) = (Source::of_file("one.json"), Source::of_file("two.json"));
    passed.add(&[Shape { kind: KIND.into(), members }], "none", Some(&one));
    let members = vec![("/value".into(), JsonType::Null)];
    passed.add(&[Shape { kind: KIND.into(), members }], "none", Some(&two));
    let of_kind = |kind: &str, sources: &[&Source]| {
        let sources = sources.iter().copied().cloned().collect();
        PassedKind { kind_of_upload: kind.to_owned(), sources }
    };
    assert!(notices.count(&owner, &passed, at(0)).await?.is_empty(), "no problem is open");
    notices.mark_open(&owner, KIND, at(1)).await?;
    assert_eq!(notices.count(&owner, &passed, at(2)).await?, [of_kind(KIND, &[&one, &two])]);
    let mark = notices.open_mark(&owner, KIND).await?.ok_or("no mark")?;
    notices.mark_awaited(&owner, KIND, &mark, BTreeSet::from([two.clone()]), at(3)).await?;
    notices.mark_open(&owner, "none", at(3)).await?;
    let expected = [of_kind("none", &[&one, &two]), of_kind(KIND, &[&two])];
    assert_eq!(notices.count(&owner, &passed, at(4)).await?, expected);

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
