//! The contract of the key store.

use std::sync::Arc;

use eventpulse_aws::adapters::key_store::{CredentialLookup, KeyStore, KeyWrite};
use eventpulse_cli::BoxError;
use eventpulse_core::device::key::{ApiKey, CredentialStatus, UsagePlan};
use eventpulse_core::device::key_commands::{self, Key, KeyChange, KeyRandom};
use eventpulse_core::id::OwnerId;

use super::{at, unique_owner};
use crate::TestResult;
use crate::world::World;

fn stores(world: &World) -> (KeyStore, CredentialLookup) {
    let table = world.output("KeysTableName").to_owned();
    let lookup = CredentialLookup::new(world.dynamodb.clone(), table.clone());
    (KeyStore::new(world.dynamodb.clone(), table), lookup)
}

/// Creates a key from random bytes, so that its secret is unique.
fn created(owner: &OwnerId, seconds: i64) -> Result<(KeyChange, ApiKey), BoxError> {
    let mut random = KeyRandom { id: [0; 10], secret: [0; 32], usage: [0; 20] };
    getrandom::fill(&mut random.id)?;
    getrandom::fill(&mut random.secret)?;
    getrandom::fill(&mut random.usage)?;
    let draft = key_commands::create(owner, Some("north é"), UsagePlan::Standard, 0, at(seconds), &random)?;
    Ok(draft.complete("gateway-key".to_owned()))
}

pub async fn written_key_is_read_by_its_owner_only(world: Arc<World>) -> TestResult {
    let (keys, credentials) = stores(&world);
    let owner = unique_owner();
    let (change, secret) = created(&owner, 0)?;
    let id = &change.key.key_id;
    assert_eq!(keys.get(&owner, id).await?, None);
    assert_eq!(credentials.look_up(&secret.digest()).await?, None);
    assert_eq!(keys.write(&change).await?, KeyWrite::Done);
    assert_eq!(keys.get(&owner, id).await?.as_ref(), Some(&change.key));
    assert_eq!(keys.get(&unique_owner(), id).await?, None);
    let credential = credentials.look_up(&secret.digest()).await?.ok_or("no credential")?;
    assert_eq!((&credential.owner, &credential.key_id), (&owner, id));
    assert_eq!(credential.status(at(1)), CredentialStatus::Good);
    Ok(())
}

pub async fn write_of_a_stale_key_is_a_conflict(world: Arc<World>) -> TestResult {
    let (keys, credentials) = stores(&world);
    let (change, first) = created(&unique_owner(), 0)?;
    assert_eq!(keys.write(&change).await?, KeyWrite::Done);
    assert_eq!(keys.write(&change).await?, KeyWrite::Conflict, "it exists");
    let (_, second) = created(&unique_owner(), 0)?;
    let rotation = key_commands::rotate(change.key.clone(), &second, at(10), std::time::Duration::from_secs(60))?;
    let revocation = key_commands::revoke(change.key, at(11)).ok_or("the key is active")?;
    assert_eq!(keys.write(&revocation).await?, KeyWrite::Done);
    assert_eq!(keys.write(&rotation).await?, KeyWrite::Conflict, "it was revoked meanwhile");
    assert_eq!(credentials.look_up(&second.digest()).await?, None, "nothing is written");
    let credential = credentials.look_up(&first.digest()).await?.ok_or("no credential")?;
    assert_eq!(credential.status(at(12)), CredentialStatus::Revoked);
    Ok(())
}

pub async fn lists_are_paged_to_the_end_newest_first(world: Arc<World>) -> TestResult {
    let (keys, _) = stores(&world);
    let owner = unique_owner();
    let mut expected = Vec::new();
    for seconds in 0..5 {
        let (change, _) = created(&owner, seconds)?;
        keys.write(&change).await?;
        expected.insert(0, change.key);
    }
    let revocation = key_commands::revoke(expected[0].clone(), at(10)).ok_or("the key is active")?;
    keys.write(&revocation).await?;
    expected[0] = revocation.key;
    for limit in [1, 2, 5, 100] {
        let (mut found, mut after): (Vec<Key>, Option<String>) = (Vec::new(), None);
        loop {
            let page = keys.list(&owner, limit, after.as_deref()).await?;
            assert!(page.items.len() <= limit, "{limit}");
            found.extend(page.items);
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        assert_eq!(found, expected, "{limit}");
    }
    assert_eq!(keys.count_active(&owner).await?, 4);
    Ok(())
}
