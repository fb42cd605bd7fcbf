//! Presigned requests: URLs with which a client sends or reads one object itself.

use std::collections::HashMap;
use std::time::{Duration, UNIX_EPOCH};

use aws_sdk_s3::presigning::PresigningConfig;
use eventpulse_core::time::Timestamp;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::{ObjectStore, target};
use crate::error::{Error, Kind};

/// The signed properties of a presigned PUT. S3 refuses a request with other properties.
#[derive(Debug, Clone)]
pub struct PutOptions<'a> {
    /// `Content-Type`.
    pub content_type: &'a str,
    /// `Content-Encoding`.
    pub content_encoding: Option<&'a str>,
    /// `Content-Length`, in bytes.
    pub size: u64,
    /// `x-amz-checksum-sha256`, base 64.
    pub sha256_base64: Option<&'a str>,
    /// The start of the URL's validity. It ends `expires_in` later, whenever the URL is signed.
    pub now: Timestamp,
    /// The validity of the URL.
    pub expires_in: Duration,
}

/// A presigned request.
#[derive(Debug, Clone)]
pub struct Presigned {
    /// The URL. A secret.
    pub url: String,
    /// The signed headers of the request except `host`, in lower case. S3 requires exactly these values.
    pub headers: Vec<(String, String)>,
}

impl ObjectStore {
    /// Signs a PUT with exactly these options and this metadata, whose names are without `x-amz-meta-`. S3 accepts it only
    /// while the object does not exist.
    ///
    /// # Errors
    /// Returns an error if there are no credentials, or AWS does not allow the validity.
    pub async fn presign_put(
        &self,
        (bucket, key): (&str, &str),
        options: &PutOptions<'_>,
        metadata: HashMap<String, String>,
    ) -> Result<Presigned, Error> {
        let failed = || Error::new("presigned PutObject", target(bucket, key), Kind::Other);
        let since_1970 = Duration::from_micros(u64::try_from(options.now.as_micros()).unwrap_or_default());
        let config = PresigningConfig::builder().start_time(UNIX_EPOCH + since_1970).expires_in(options.expires_in);
        let config = config.build().map_err(|error| failed().with_source(error))?;
        let size = i64::try_from(options.size).map_err(|error| failed().with_source(error))?;
        let put =
            self.client.put_object().bucket(bucket).key(key).content_length(size).content_type(options.content_type);
        let put = put.if_none_match("*").set_content_encoding(options.content_encoding.map(str::to_owned));
        let put = put.set_checksum_sha256(options.sha256_base64.map(str::to_owned)).set_metadata(Some(metadata));
        let request = put.presigned(config).await.map_err(|error| failed().with_source(error))?;
        Ok(Presigned { url: request.uri().to_owned(), headers: signed_headers(request.uri(), request.headers()) })
    }

    /// Signs a GET whose response a browser saves as `file_name`.
    ///
    /// # Errors
    /// Returns an error if there are no credentials, or AWS does not allow the validity.
    pub async fn presign_get(
        &self,
        bucket: &str,
        key: &str,
        file_name: &str,
        expires_in: Duration,
    ) -> Result<String, Error> {
        let failed = || Error::new("presigned GetObject", target(bucket, key), Kind::Other);
        let config = PresigningConfig::expires_in(expires_in).map_err(|error| failed().with_source(error))?;
        let get = self.client.get_object().bucket(bucket).key(key).response_content_disposition(attachment(file_name));
        let request = get.presigned(config).await.map_err(|error| failed().with_source(error))?;
        Ok(request.uri().to_owned())
    }
}

/// Returns the `Content-Disposition` of a download, after [RFC 6266](https://www.rfc-editor.org/rfc/rfc6266): an ASCII
/// name for old clients and the exact name for others.
fn attachment(file_name: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ' ');
    let plain: String = file_name.chars().map(|c| if is_plain(c) { c } else { '_' }).collect();
    format!("attachment; filename=\"{plain}\"; filename*=UTF-8''{}", utf8_percent_encode(file_name, NON_ALPHANUMERIC))
}

/// Returns the headers that the signature in a presigned URL covers, except `host`. In a function, the SDK adds the
/// unsigned header `x-amzn-trace-id`, which is not for the sender and which the bucket's CORS rules do not allow.
fn signed_headers<'a>(url: &str, headers: impl Iterator<Item = (&'a str, &'a str)>) -> Vec<(String, String)> {
    let signed = url.split(['?', '&']).find_map(|parameter| parameter.strip_prefix("X-Amz-SignedHeaders="));
    let signed: Vec<_> = signed.unwrap_or_default().split("%3B").filter(|name| *name != "host").collect();
    let headers = headers.map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()));
    headers.filter(|(name, _)| signed.contains(&name.as_str())).collect()
}

#[cfg(test)]
mod tests {
    use aws_sdk_s3::Client;
    use aws_sdk_s3::config::interceptors::BeforeTransmitInterceptorContextMut;
    use aws_sdk_s3::config::{BehaviorVersion, Config, ConfigBag, Credentials, Intercept, Region, RuntimeComponents};
    use aws_sdk_s3::error::BoxError;

    use super::*;

    /// Adds the header that the SDK adds in a function.
    #[derive(Debug)]
    struct Tracing;

    impl Intercept for Tracing {
        fn name(&self) -> &'static str {
            "tracing"
        }

        fn modify_before_signing(
            &self,
            context: &mut BeforeTransmitInterceptorContextMut<'_>,
            _: &RuntimeComponents,
            _: &mut ConfigBag,
        ) -> Result<(), BoxError> {
            context.request_mut().headers_mut().insert("x-amzn-trace-id", "Root=1-2-3");
            Ok(())
        }
    }

    async fn presigned(content_encoding: Option<&str>, sha256_base64: Option<&str>) -> Presigned {
        let config =
            Config::builder().behavior_version(BehaviorVersion::latest()).region(Region::from_static("eu-central-1"));
        let config = config.credentials_provider(Credentials::new("key", "secret", None, None, "test"));
        let objects = ObjectStore::new(Client::from_conf(config.interceptor(Tracing).build()));
        let metadata = [("owner", "u1"), ("upload-id", "up_1")];
        let metadata = metadata.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        let options = PutOptions {
            content_type: "application/json",
            content_encoding,
            size: 2,
            sha256_base64,
            now: Timestamp::parse("2025-02-28T12:00:00.999Z").unwrap(),
            expires_in: Duration::from_secs(60),
        };
        objects.presign_put(("bucket", "key"), &options, metadata).await.unwrap()
    }

    #[tokio::test]
    async fn presigned_urls_are_valid_from_the_given_time() {
        let url = presigned(None, None).await.url;
        assert!(url.contains("X-Amz-Date=20250228T120000Z") && url.contains("X-Amz-Expires=60"), "{url}");
    }

    #[tokio::test]
    async fn a_presigned_put_names_exactly_its_signed_headers() {
        for (name, encoding, sha256, right) in [
            ("plain", None, None, "content-length content-type if-none-match x-amz-meta-owner x-amz-meta-upload-id"),
            (
                "compressed",
                Some("gzip"),
                None,
                "content-encoding content-length content-type if-none-match x-amz-meta-owner x-amz-meta-upload-id",
            ),
            (
                "with digest",
                None,
                Some("AA=="),
                "content-length content-type if-none-match x-amz-checksum-sha256 x-amz-meta-owner x-amz-meta-upload-id",
            ),
        ] {
            let put = presigned(encoding, sha256).await;
            let mut names: Vec<_> = put.headers.iter().map(|(name, _)| name.as_str()).collect();
            names.sort_unstable();
            assert_eq!(names.join(" "), right, "{name}");
            let signed = right.replace("if-none-match", "host if-none-match").replace(' ', "%3B");
            assert!(put.url.contains(&format!("X-Amz-SignedHeaders={signed}&")), "{name}: {}", put.url);
        }
    }
}
