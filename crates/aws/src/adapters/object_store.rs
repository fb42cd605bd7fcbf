//! S3: the process bucket and the quarantine bucket.

mod copy;
pub mod presign;
#[cfg(test)]
mod tests;

use std::collections::HashMap;

use aws_config::SdkConfig;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::{Builder, RequestChecksumCalculation, ResponseChecksumValidation};
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::operation::put_object::builders::PutObjectFluentBuilder;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{ChecksumType, CompletedMultipartUpload, CompletedPart};
use eventpulse_core::intake::digest::Sha256Digest;

use crate::error::{Error, Kind};

/// The size of a part of a streamed object in bytes. S3 requires at least 5 MiB.
const WRITE_PART_BYTES: usize = 8 << 20;
/// The version id of an object in a bucket without versioning.
pub const NO_VERSION: &str = "null";

/// A store of objects in S3.
#[derive(Debug, Clone)]
pub struct ObjectStore {
    client: Client,
}

/// The properties of an object that is written.
#[derive(Debug, Clone, Copy)]
pub struct Properties<'a> {
    /// The `Content-Type`.
    pub content_type: &'a str,
    /// The `Content-Encoding`.
    pub content_encoding: Option<&'a str>,
    /// The metadata: the headers `x-amz-meta-…`, without that prefix.
    pub metadata: &'a HashMap<String, String>,
}

impl<'a> Properties<'a> {
    /// Returns the properties of an object that is not compressed.
    #[must_use]
    pub fn plain(content_type: &'a str, metadata: &'a HashMap<String, String>) -> Self {
        Self { content_type, content_encoding: None, metadata }
    }

    /// Returns the metadata as the SDK takes it.
    fn sdk_metadata(&self) -> Option<HashMap<String, String>> {
        Some(self.metadata.clone()).filter(|metadata| !metadata.is_empty())
    }
}

/// An open object.
#[derive(Debug)]
pub struct Object {
    /// The version id; `null` in a bucket without versioning.
    pub version_id: String,
    /// The size in bytes.
    pub size: u64,
    /// The `Content-Type`.
    pub content_type: Option<String>,
    /// The `Content-Encoding`.
    pub content_encoding: Option<String>,
    /// The SHA-256 of the bytes, if S3 computed or verified it when it received them.
    pub sha256: Option<Sha256Digest>,
    /// The bytes.
    pub body: ByteStream,
}

/// The metadata of an object.
#[derive(Debug, Clone)]
pub struct Head {
    /// The version id; `null` in a bucket without versioning.
    pub version_id: String,
    /// The size in bytes.
    pub size: u64,
    /// The `Content-Type`.
    pub content_type: Option<String>,
    /// The `Content-Encoding`.
    pub content_encoding: Option<String>,
    /// The metadata: the headers `x-amz-meta-…`, without that prefix.
    pub metadata: HashMap<String, String>,
}

impl Head {
    /// Returns the properties of the object, with this metadata.
    #[must_use]
    pub fn properties<'a>(&'a self, metadata: &'a HashMap<String, String>) -> Properties<'a> {
        Properties {
            content_type: self.content_type.as_deref().unwrap_or("application/octet-stream"),
            content_encoding: self.content_encoding.as_deref(),
            metadata,
        }
    }
}

impl ObjectStore {
    /// Creates a store over an SDK client.
    #[must_use]
    pub fn new(client: Client) -> Self {
        Self { client }
    }

    /// Creates a store over an SDK configuration. `path_style`: whether the bucket is in the path of a URL rather than in
    /// its host name.
    #[must_use]
    pub fn from_sdk(sdk: &SdkConfig, path_style: bool) -> Self {
        let config = Builder::from(sdk)
            .force_path_style(path_style)
            // Only requested checksums: a presigned PUT must not sign the checksum of an empty body.
            .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
            // A validated body is hashed: see `get`.
            .response_checksum_validation(ResponseChecksumValidation::WhenRequired)
            .build();
        Self::new(Client::from_conf(config))
    }

    /// Opens an object or one version of it. Returns `None` if it does not exist.
    ///
    /// S3 returns the checksum that it stores if `x-amz-checksum-mode` asks for it
    /// ([GetObject](https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html)). The header is set here rather than
    /// by the SDK's `checksum_mode`, with which the SDK hashes the body to compare it. That would cost as much as
    /// computing the digest; TLS protects the bytes on their way.
    ///
    /// # Errors
    /// Returns an [AWS failure](crate::error).
    pub async fn get(&self, bucket: &str, key: &str, version_id: Option<&str>) -> Result<Option<Object>, Error> {
        let request = self.client.get_object().bucket(bucket).key(key).set_version_id(version_id.map(str::to_owned));
        let request = request.customize().mutate_request(|request| {
            request.headers_mut().insert("x-amz-checksum-mode", "ENABLED");
        });
        match request.send().await {
            Ok(object) => Ok(Some(Object {
                version_id: object.version_id.clone().unwrap_or_else(|| NO_VERSION.to_owned()),
                size: object.content_length.and_then(|size| u64::try_from(size).ok()).unwrap_or(0),
                sha256: Sha256Digest::of_full_object(
                    object.checksum_sha256.as_deref(),
                    object.checksum_type.as_ref().map(ChecksumType::as_str),
                ),
                content_type: object.content_type,
                content_encoding: object.content_encoding,
                body: object.body,
            })),
            Err(error) if is_absent(&error) => Ok(None),
            Err(error) => Err(Error::sdk("GetObject", target(bucket, key), error)),
        }
    }

    /// Loads the metadata of the current version of an object, or of another version. Returns `None` if it does not
    /// exist.
    ///
    /// # Errors
    /// Returns an [AWS failure](crate::error).
    pub async fn head(&self, bucket: &str, key: &str, version_id: Option<&str>) -> Result<Option<Head>, Error> {
        let request = self.client.head_object().bucket(bucket).key(key).set_version_id(version_id.map(str::to_owned));
        match request.send().await {
            Ok(head) => Ok(Some(Head {
                version_id: head.version_id.unwrap_or_else(|| NO_VERSION.to_owned()),
                size: head.content_length.and_then(|size| u64::try_from(size).ok()).unwrap_or(0),
                content_type: head.content_type,
                content_encoding: head.content_encoding,
                metadata: head.metadata.unwrap_or_default(),
            })),
            Err(error) if is_absent(&error) => Ok(None),
            Err(error) => Err(Error::sdk("HeadObject", target(bucket, key), error)),
        }
    }

    /// Creates a small object unless it exists. Returns the version id of the new or existing object.
    ///
    /// # Errors
    /// Returns an [AWS failure](crate::error).
    pub async fn put_new(
        &self,
        (bucket, key): (&str, &str),
        properties: Properties<'_>,
        body: Vec<u8>,
    ) -> Result<String, Error> {
        match self.put_request((bucket, key), properties).if_none_match("*").body(body.into()).send().await {
            Ok(put) => Ok(put.version_id.unwrap_or_else(|| NO_VERSION.to_owned())),
            Err(error) if error.code() == Some("PreconditionFailed") => {
                let there = self.head(bucket, key, None).await?;
                let gone = || Error::new("PutObject", target(bucket, key), Kind::Contended);
                there.map(|there| there.version_id).ok_or_else(gone)
            }
            Err(error) => Err(Error::sdk("PutObject", target(bucket, key), error)),
        }
    }

    /// Writes a small object. Returns its version id.
    ///
    /// # Errors
    /// Returns an [AWS failure](crate::error).
    pub async fn put(
        &self,
        (bucket, key): (&str, &str),
        properties: Properties<'_>,
        body: Vec<u8>,
    ) -> Result<String, Error> {
        let put = self.put_request((bucket, key), properties).body(body.into());
        let put = put.send().await.map_err(|error| Error::sdk("PutObject", target(bucket, key), error))?;
        Ok(put.version_id.unwrap_or_else(|| NO_VERSION.to_owned()))
    }

    /// Starts a PUT of an object without its bytes.
    fn put_request(&self, (bucket, key): (&str, &str), properties: Properties<'_>) -> PutObjectFluentBuilder {
        let put = self.client.put_object().bucket(bucket).key(key).content_type(properties.content_type);
        let put = put.set_content_encoding(properties.content_encoding.map(str::to_owned));
        put.set_metadata(properties.sdk_metadata())
    }

    /// Deletes one version of an object permanently. Succeeds if it does not exist.
    ///
    /// # Errors
    /// Returns an [AWS failure](crate::error).
    pub async fn delete_version(&self, bucket: &str, key: &str, version_id: &str) -> Result<(), Error> {
        let delete = self.client.delete_object().bucket(bucket).key(key).version_id(version_id);
        match delete.send().await {
            Ok(_) => Ok(()),
            Err(error) if is_absent(&error) => Ok(()),
            Err(error) => Err(Error::sdk("DeleteObject", target(bucket, key), error)),
        }
    }

    /// Begins a streamed object.
    #[must_use]
    pub fn writer<'a>(&'a self, bucket: &'a str, key: &'a str, properties: Properties<'a>) -> ObjectWriter<'a> {
        ObjectWriter { objects: self, bucket, key, properties, held: Vec::new(), parts: None }
    }

    /// Hides an object behind a delete marker. The bucket's lifecycle deletes its versions later.
    ///
    /// # Errors
    /// Returns an [AWS failure](crate::error).
    pub async fn hide(&self, bucket: &str, key: &str) -> Result<(), Error> {
        let delete = self.client.delete_object().bucket(bucket).key(key);
        delete.send().await.map_err(|error| Error::sdk("DeleteObject", target(bucket, key), error))?;
        Ok(())
    }
}

/// A writer of a streamed object. Holds at most one part in memory.
pub struct ObjectWriter<'a> {
    objects: &'a ObjectStore,
    bucket: &'a str,
    key: &'a str,
    properties: Properties<'a>,
    held: Vec<u8>,
    parts: Option<Parts<'a>>,
}

impl ObjectWriter<'_> {
    /// Appends bytes.
    ///
    /// # Errors
    /// Returns an [AWS failure](crate::error).
    pub async fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.held.extend_from_slice(bytes);
        if self.held.len() >= WRITE_PART_BYTES { self.send_part().await } else { Ok(()) }
    }

    /// Completes the object, which exists from now on.
    ///
    /// # Errors
    /// Returns an [AWS failure](crate::error).
    pub async fn finish(mut self) -> Result<(), Error> {
        if self.parts.is_none() {
            self.objects.put((self.bucket, self.key), self.properties, self.held).await?;
            return Ok(());
        }
        if !self.held.is_empty() {
            self.send_part().await?;
        }
        match self.parts {
            Some(parts) => parts.complete().await,
            None => Ok(()),
        }
    }

    async fn send_part(&mut self) -> Result<(), Error> {
        let mut parts = match self.parts.take() {
            Some(parts) => parts,
            None => Parts::begin(self.objects, (self.bucket, self.key), self.properties).await?,
        };
        let body = std::mem::take(&mut self.held);
        let upload = self.objects.client.upload_part().bucket(self.bucket).key(self.key).upload_id(&parts.upload_id);
        match upload.part_number(parts.next()).body(body.into()).send().await {
            Ok(part) => parts.add(part.e_tag),
            Err(error) => {
                return Err(parts.abort(Error::sdk("UploadPart", target(self.bucket, self.key), error)).await);
            }
        }
        self.parts = Some(parts);
        Ok(())
    }
}

/// A multipart upload in progress.
struct Parts<'a> {
    objects: &'a ObjectStore,
    bucket: String,
    key: String,
    upload_id: String,
    done: Vec<CompletedPart>,
}

impl<'a> Parts<'a> {
    async fn begin(
        objects: &'a ObjectStore,
        (bucket, key): (&str, &str),
        properties: Properties<'_>,
    ) -> Result<Self, Error> {
        let create = objects.client.create_multipart_upload().bucket(bucket).key(key);
        let create = create.content_type(properties.content_type).set_metadata(properties.sdk_metadata());
        let create = create.set_content_encoding(properties.content_encoding.map(str::to_owned));
        let created =
            create.send().await.map_err(|error| Error::sdk("CreateMultipartUpload", target(bucket, key), error))?;
        let upload_id =
            created.upload_id.ok_or_else(|| Error::new("CreateMultipartUpload", target(bucket, key), Kind::Corrupt))?;
        Ok(Self { objects, bucket: bucket.to_owned(), key: key.to_owned(), upload_id, done: Vec::new() })
    }

    fn next(&self) -> i32 {
        i32::try_from(self.done.len()).unwrap_or(i32::MAX - 1) + 1
    }

    fn add(&mut self, e_tag: Option<String>) {
        let number = self.next();
        self.done.push(CompletedPart::builder().part_number(number).set_e_tag(e_tag).build());
    }

    async fn complete(self) -> Result<(), Error> {
        let parts = CompletedMultipartUpload::builder().set_parts(Some(self.done)).build();
        let complete = self.objects.client.complete_multipart_upload().bucket(&self.bucket).key(&self.key);
        let sent = complete.upload_id(&self.upload_id).multipart_upload(parts).send().await;
        sent.map_err(|error| Error::sdk("CompleteMultipartUpload", target(&self.bucket, &self.key), error))?;
        Ok(())
    }

    /// Aborts the upload, which deletes its parts. If this fails too, the bucket's lifecycle deletes them. Returns
    /// `error`.
    async fn abort(self, error: Error) -> Error {
        let abort = self.objects.client.abort_multipart_upload().bucket(&self.bucket).key(&self.key);
        if let Err(error) = abort.upload_id(&self.upload_id).send().await {
            let error = Error::sdk("AbortMultipartUpload", target(&self.bucket, &self.key), error);
            tracing::warn!(
                error = error.chain(),
                "could not abort a multipart upload; the bucket's lifecycle deletes its parts"
            );
        }
        error
    }
}

fn target(bucket: &str, key: &str) -> String {
    format!("s3://{bucket}/{key}")
}

/// Returns whether the error of S3 means that the object or version does not exist, or that it is a delete marker.
fn is_absent<E: ProvideErrorMetadata, R>(error: &SdkError<E, R>) -> bool {
    let code = error.as_service_error().and_then(ProvideErrorMetadata::code);
    matches!(code, Some("NoSuchKey" | "NoSuchVersion" | "NotFound" | "MethodNotAllowed"))
}
