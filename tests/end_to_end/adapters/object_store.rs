//! The contract of the object store.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use eventpulse_aws::adapters::object_store::Properties;

use super::unique_id;
use crate::TestResult;
use crate::world::World;

static NO_METADATA: LazyLock<HashMap<String, String>> = LazyLock::new(HashMap::new);

/// Properties without metadata.
fn plain(content_type: &'static str) -> Properties<'static> {
    Properties::plain(content_type, &NO_METADATA)
}

/// A key that triggers no function, with every character that needs an escape.
fn key(name: &str) -> String {
    format!("contract/{}/{name} a+b%2Bé", unique_id())
}

pub async fn missing_objects_are_none(world: Arc<World>) -> TestResult {
    let (objects, bucket) = (&world.client.services.objects, world.process_bucket());
    let key = key("missing");
    assert!(objects.get(bucket, &key, None).await?.is_none());
    assert!(objects.head(bucket, &key, None).await?.is_none());
    assert!(!objects.copy((bucket, &key, "null"), 1, (bucket, &key), None).await?, "nothing to copy");
    Ok(())
}

pub async fn put_object_is_read_by_version(world: Arc<World>) -> TestResult {
    let (objects, bucket) = (&world.client.services.objects, world.process_bucket());
    let key = key("versions");
    let first = objects.put((bucket, &key), plain("application/json"), b"1".to_vec()).await?;
    let second = objects
        .put((bucket, &key), Properties { content_encoding: Some("gzip"), ..plain("application/json") }, b"22".to_vec())
        .await?;
    assert_ne!(first, second);
    for (version, bytes) in [(None, "22"), (Some(first.as_str()), "1"), (Some(second.as_str()), "22")] {
        let read = world.object(bucket, &key, version).await?;
        assert_eq!(read.as_deref(), Some(bytes.as_bytes()), "{version:?}");
    }
    let head = objects.head(bucket, &key, None).await?.ok_or("no head")?;
    assert_eq!((head.version_id.as_str(), head.size), (second.as_str(), 2));
    assert_eq!(head.content_type.as_deref(), Some("application/json"));
    assert_eq!(head.content_encoding.as_deref(), Some("gzip"));
    Ok(())
}

pub async fn put_new_keeps_an_existing_object(world: Arc<World>) -> TestResult {
    let (objects, bucket) = (&world.client.services.objects, world.process_bucket());
    let key = key("new");
    let first = objects.put_new((bucket, &key), plain("application/json"), b"1".to_vec()).await?;
    let second = objects.put_new((bucket, &key), plain("application/json"), b"2".to_vec()).await?;
    assert_eq!(first, second, "the existing version is returned");
    assert_eq!(world.object(bucket, &key, None).await?.as_deref(), Some(b"1".as_slice()));
    Ok(())
}

pub async fn deleted_version_is_gone_and_can_be_deleted_again(world: Arc<World>) -> TestResult {
    let (objects, bucket) = (&world.client.services.objects, world.process_bucket());
    let key = key("deleted");
    let first = objects.put((bucket, &key), plain("application/json"), b"1".to_vec()).await?;
    let second = objects.put((bucket, &key), plain("application/json"), b"2".to_vec()).await?;
    objects.delete_version(bucket, &key, &second).await?;
    objects.delete_version(bucket, &key, &second).await?;
    assert_eq!(world.object(bucket, &key, None).await?.as_deref(), Some(b"1".as_slice()));
    objects.hide(bucket, &key).await?;
    assert_eq!(world.object(bucket, &key, None).await?, None, "behind a delete marker");
    assert_eq!(world.object(bucket, &key, Some(&first)).await?.as_deref(), Some(b"1".as_slice()));
    Ok(())
}

pub async fn metadata_is_kept_by_copies_and_replaced_on_demand(world: Arc<World>) -> TestResult {
    let (objects, bucket) = (&world.client.services.objects, world.process_bucket());
    let metadata = |owner: &str| HashMap::from([("owner".to_owned(), owner.to_owned())]);
    let (written, replaced) = (metadata("a%23b+c"), metadata("u2"));
    let [put, put_new, in_parts, copy, other] = ["put", "put-new", "parts", "copy", "other"].map(key);
    let properties = Properties { content_encoding: Some("gzip"), ..Properties::plain("text/csv", &written) };
    let version = objects.put((bucket, &put), properties, b"a,b".to_vec()).await?;
    objects.put_new((bucket, &put_new), properties, b"a,b".to_vec()).await?;
    let mut writer = objects.writer(bucket, &in_parts, properties);
    writer.write(&vec![0; 9 << 20]).await?;
    writer.finish().await?;
    assert!(objects.copy((bucket, &put, &version), 3, (bucket, &copy), None).await?);
    let other_properties = Properties { metadata: &replaced, ..properties };
    assert!(objects.copy((bucket, &put, &version), 3, (bucket, &other), Some(other_properties)).await?);
    for (key, metadata) in
        [(&put, &written), (&put_new, &written), (&in_parts, &written), (&copy, &written), (&other, &replaced)]
    {
        let head = objects.head(bucket, key, None).await?.ok_or("no object")?;
        assert_eq!(&head.metadata, metadata, "{key}");
        let types = (head.content_type.as_deref(), head.content_encoding.as_deref());
        assert_eq!(types, (Some("text/csv"), Some("gzip")), "{key}");
    }
    Ok(())
}

pub async fn copy_keeps_bytes_and_types(world: Arc<World>) -> TestResult {
    let (objects, bucket) = (&world.client.services.objects, world.process_bucket());
    let (from, to) = (key("from"), key("to"));
    let version = objects.put((bucket, &from), plain("text/csv"), b"a,b".to_vec()).await?;
    objects.put((bucket, &from), plain("text/csv"), b"later".to_vec()).await?;
    assert!(objects.copy((bucket, &from, &version), 3, (bucket, &to), None).await?);
    let copy = objects.head(bucket, &to, None).await?.ok_or("no copy")?;
    assert_eq!((copy.size, copy.content_type.as_deref()), (3, Some("text/csv")));
    Ok(())
}

pub async fn writer_joins_small_and_large_parts(world: Arc<World>) -> TestResult {
    let (objects, bucket) = (&world.client.services.objects, world.process_bucket());
    for (name, sizes) in [("empty", vec![]), ("small", vec![3, 4]), ("parts", vec![5 << 20, 5 << 20, 1])] {
        let key = key(name);
        let mut writer = objects.writer(bucket, &key, plain("application/x-ndjson"));
        let mut expected = Vec::new();
        for (number, size) in (0_u8..).zip(sizes) {
            let bytes = vec![number; size];
            writer.write(&bytes).await?;
            expected.extend(bytes);
        }
        writer.finish().await?;
        assert!(world.object(bucket, &key, None).await? == Some(expected), "{name}");
    }
    Ok(())
}
