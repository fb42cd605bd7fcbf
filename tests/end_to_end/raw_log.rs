//! The raw log of messages: one object per owner and batch.

use std::collections::BTreeSet;
use std::sync::Arc;

use eventpulse_cli::dev::client::User;
use eventpulse_core::upload::object_metadata::ObjectMetadata;

use crate::TestResult;
use crate::messages::{Sent, deliver, kept_body, message, outcome};
use crate::world::{World, reading};

pub async fn a_batch_has_one_raw_log_object_per_owner_under_the_owners_prefix(world: Arc<World>) -> TestResult {
    let users = [world.user(), world.user()];
    let sent_by = |user: &User, at: u32| message(user, &format!("own-log-{at}"), &reading("own-log", at, 1.0));
    let sent: Vec<Sent> = users.iter().cycle().zip(0..6).map(|(user, at)| sent_by(user, at)).collect();
    let batch: Vec<&Sent> = sent.iter().collect();
    assert_eq!(deliver(&world, &batch).await?, Vec::<usize>::new());
    for (owner_index, user) in users.iter().enumerate() {
        let mut objects = BTreeSet::new();
        for (line, sent) in (1..).zip(batch.iter().skip(owner_index).step_by(2)) {
            let upload = outcome(&world, sent).await?;
            kept_body(&world, &upload).await?;
            let object = upload.object().ok_or("no object")?.clone();
            assert_eq!(object.line, Some(line));
            objects.insert((object.bucket, object.key));
        }
        let [(bucket, key)] = &objects.into_iter().collect::<Vec<_>>()[..] else {
            return Err("the messages of an owner are in several objects".into());
        };
        assert!(key.starts_with(&format!("messages/{}/log/", user.owner)), "{key}");
        let stored = world.client.services.objects.head(bucket, key, None).await?.ok_or("no object")?;
        assert_eq!(ObjectMetadata::from_map(&stored.metadata)?, ObjectMetadata::of_owner(&user.owner));
    }
    Ok(())
}
