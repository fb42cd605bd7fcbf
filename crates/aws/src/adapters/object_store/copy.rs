//! Copies within S3.

use aws_sdk_s3::operation::upload_part_copy::builders::UploadPartCopyFluentBuilder;
use aws_sdk_s3::types::{MetadataDirective, TaggingDirective};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use tokio::task::JoinSet;

use super::{NO_VERSION, ObjectStore, Parts, Properties, is_absent, target};
use crate::error::{Error, Kind};

/// The maximum size of an object that one call copies, in bytes. Larger copies may exceed the timeout of a call.
/// [CopyObject](https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html) accepts at most 5 GiB.
const MAX_COPY_BYTES: u64 = 512 << 20;
/// The size of a part of a larger copy in bytes. S3 allows 10,000 parts.
const PART_BYTES: u64 = 256 << 20;
/// The maximum number of parts that are copied concurrently.
const PARTS_AT_A_TIME: usize = 8;
/// The characters that `x-amz-copy-source` escapes: all but the unreserved ones of RFC 3986 and the slash.
const COPY_SOURCE: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/');

/// The index of a copied part and its entity tag. `Err(None)`: the source does not exist any more.
type Copied = (usize, Result<Option<String>, Option<Error>>);

impl ObjectStore {
    /// Copies one version of any size within S3, with its own properties or with others. Returns `false` if it does not exist
    /// any more.
    ///
    /// # Errors
    /// Returns an [AWS failure](crate::error).
    pub async fn copy(
        &self,
        from: (&str, &str, &str),
        size: u64,
        to: (&str, &str),
        others: Option<Properties<'_>>,
    ) -> Result<bool, Error> {
        if size <= MAX_COPY_BYTES {
            return self.copy_at_once(from, to, others).await;
        }
        if let Some(others) = others {
            return self.copy_in_parts(from, size, to, others).await;
        }
        let version_id = Some(from.2).filter(|version_id| *version_id != NO_VERSION);
        let Some(head) = self.head(from.0, from.1, version_id).await? else { return Ok(false) };
        self.copy_in_parts(from, size, to, head.properties(&head.metadata)).await
    }

    async fn copy_at_once(
        &self,
        from: (&str, &str, &str),
        to: (&str, &str),
        others: Option<Properties<'_>>,
    ) -> Result<bool, Error> {
        let mut copy = self.client.copy_object().copy_source(copy_source(from)).bucket(to.0).key(to.1);
        if let Some(properties) = others {
            copy = copy.metadata_directive(MetadataDirective::Replace).content_type(properties.content_type);
            copy = copy.set_content_encoding(properties.content_encoding.map(str::to_owned));
            copy = copy.set_metadata(properties.sdk_metadata());
        }
        // Without tags: copying them needs further permissions.
        match copy.tagging_directive(TaggingDirective::Replace).send().await {
            Ok(_) => Ok(true),
            Err(error) if is_absent(&error) => Ok(false),
            Err(error) => Err(Error::sdk("CopyObject", target(from.0, from.1), error)),
        }
    }

    async fn copy_in_parts(
        &self,
        from: (&str, &str, &str),
        size: u64,
        to: (&str, &str),
        properties: Properties<'_>,
    ) -> Result<bool, Error> {
        let mut parts = Parts::begin(self, to, properties).await?;
        let copy = self.client.upload_part_copy().bucket(to.0).key(to.1).upload_id(&parts.upload_id);
        match copy_parts(copy.copy_source(copy_source(from)), size, &target(from.0, from.1)).await {
            Ok(e_tags) => {
                for e_tag in e_tags {
                    parts.add(e_tag);
                }
                parts.complete().await.map(|()| true)
            }
            Err(Some(error)) => Err(parts.abort(error).await),
            Err(None) => {
                parts.abort(Error::new("UploadPartCopy", target(from.0, from.1), Kind::Missing)).await;
                Ok(false)
            }
        }
    }
}

/// Copies the parts, several at a time. Returns their entity tags in order.
async fn copy_parts(
    copy: UploadPartCopyFluentBuilder,
    size: u64,
    source: &str,
) -> Result<Vec<Option<String>>, Option<Error>> {
    let failed = || Error::new("UploadPartCopy", source, Kind::Other);
    let count = usize::try_from(size.div_ceil(PART_BYTES)).map_err(|error| failed().with_source(error))?;
    let mut e_tags = vec![None; count];
    let mut copying: JoinSet<Copied> = JoinSet::new();
    let mut starts = (0..count).zip((0..size).step_by(PART_BYTES as usize));
    loop {
        while copying.len() < PARTS_AT_A_TIME
            && let Some((index, start)) = starts.next()
        {
            let end = size.min(start + PART_BYTES);
            let number = i32::try_from(index + 1).map_err(|error| failed().with_source(error))?;
            let copy = copy.clone().part_number(number).copy_source_range(format!("bytes={start}-{}", end - 1));
            copying.spawn(copy_part(index, copy, source.to_owned()));
        }
        let Some(copied) = copying.join_next().await else { return Ok(e_tags) };
        let (index, e_tag) = copied.map_err(|error| failed().with_source(error))?;
        if let Some(slot) = e_tags.get_mut(index) {
            *slot = e_tag?;
        }
    }
}

async fn copy_part(index: usize, copy: UploadPartCopyFluentBuilder, source: String) -> Copied {
    let copied = match copy.send().await {
        Ok(part) => Ok(part.copy_part_result.and_then(|result| result.e_tag)),
        Err(error) if is_absent(&error) => Err(None),
        Err(error) => Err(Some(Error::sdk("UploadPartCopy", source, error))),
    };
    (index, copied)
}

/// Returns the `x-amz-copy-source` of an object version.
fn copy_source((bucket, key, version_id): (&str, &str, &str)) -> String {
    let mut source = format!("{bucket}/{}", utf8_percent_encode(key, COPY_SOURCE));
    if version_id != NO_VERSION {
        source.push_str(&format!("?versionId={}", utf8_percent_encode(version_id, NON_ALPHANUMERIC)));
    }
    source
}
