//! Copies within S3.

use aws_sdk_s3::operation::upload_part_copy::builders::UploadPartCopyFluentBuilder;
use aws_sdk_s3::types::TaggingDirective;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use tokio::task::JoinSet;

use super::{NO_VERSION, ObjectStore, Parts, is_absent, target};
use crate::error::{Error, Kind};

/// What is copied in one call, so that it answers in time.
/// [CopyObject](https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html) takes at most 5 GiB.
const MAX_COPY_BYTES: u64 = 512 << 20;
/// A part of a larger copy. There may be 10,000.
const PART_BYTES: u64 = 256 << 20;
/// How many parts are copied at the same time.
const PARTS_AT_A_TIME: usize = 8;
/// What stays as it is in `x-amz-copy-source`: RFC 3986's unreserved characters, and the slash.
const COPY_SOURCE: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/');

/// The entity tag of a copied part, and its place. No error: the source is not there any more.
type Copied = (usize, Result<Option<String>, Option<Error>>);

impl ObjectStore {
    /// Copies one version within S3, whatever its size, with its content type and encoding. `Ok(false)`: it is not there
    /// any more.
    ///
    /// # Errors
    /// Returns an [AWS failure](crate::error).
    pub async fn copy(&self, from: (&str, &str, &str), size: u64, to: (&str, &str)) -> Result<bool, Error> {
        if size > MAX_COPY_BYTES {
            return self.copy_in_parts(from, size, to).await;
        }
        // Without its tags: to copy them takes permissions that nothing else here needs.
        let copy = self.client.copy_object().copy_source(copy_source(from)).bucket(to.0).key(to.1);
        match copy.tagging_directive(TaggingDirective::Replace).send().await {
            Ok(_) => Ok(true),
            Err(error) if is_absent(&error) => Ok(false),
            Err(error) => Err(Error::sdk("CopyObject", target(from.0, from.1), error)),
        }
    }

    async fn copy_in_parts(&self, from: (&str, &str, &str), size: u64, to: (&str, &str)) -> Result<bool, Error> {
        let version_id = Some(from.2).filter(|version_id| *version_id != NO_VERSION);
        let Some(head) = self.head(from.0, from.1, version_id).await? else { return Ok(false) };
        let content_type = head.content_type.as_deref().unwrap_or("application/octet-stream");
        let mut parts = Parts::begin(self, to, content_type, head.content_encoding).await?;
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

/// Copies the parts, some at a time. Returns their entity tags, in their order.
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
            && let Some((place, start)) = starts.next()
        {
            let end = size.min(start + PART_BYTES);
            let number = i32::try_from(place + 1).map_err(|error| failed().with_source(error))?;
            let copy = copy.clone().part_number(number).copy_source_range(format!("bytes={start}-{}", end - 1));
            copying.spawn(copy_part(place, copy, source.to_owned()));
        }
        let Some(copied) = copying.join_next().await else { return Ok(e_tags) };
        let (place, e_tag) = copied.map_err(|error| failed().with_source(error))?;
        if let Some(slot) = e_tags.get_mut(place) {
            *slot = e_tag?;
        }
    }
}

async fn copy_part(place: usize, copy: UploadPartCopyFluentBuilder, source: String) -> Copied {
    let copied = match copy.send().await {
        Ok(part) => Ok(part.copy_part_result.and_then(|result| result.e_tag)),
        Err(error) if is_absent(&error) => Err(None),
        Err(error) => Err(Some(Error::sdk("UploadPartCopy", source, error))),
    };
    (place, copied)
}

/// An object version as `x-amz-copy-source` names it.
fn copy_source((bucket, key, version_id): (&str, &str, &str)) -> String {
    let mut source = format!("{bucket}/{}", utf8_percent_encode(key, COPY_SOURCE));
    if version_id != NO_VERSION {
        source.push_str(&format!("?versionId={}", utf8_percent_encode(version_id, NON_ALPHANUMERIC)));
    }
    source
}
