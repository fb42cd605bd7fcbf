//! Signed calls of AWS services.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_config::SdkConfig;
use aws_credential_types::provider::ProvideCredentials as _;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use aws_smithy_runtime_api::client::identity::Identity;
use reqwest::StatusCode;

use crate::client::error::ClientError;
use crate::client::http::{CALL, http_client};

/// AWS, with the credentials, the region and the endpoint of this machine's environment or AWS profile.
pub struct Aws {
    sdk: SdkConfig,
    http: reqwest::Client,
    identity: Identity,
    region: String,
}

/// The answer of a service.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) body: Vec<u8>,
}

impl Aws {
    /// Loads the credentials.
    ///
    /// # Errors
    /// Fails if this machine has no credentials or no region.
    pub async fn from_env() -> Result<Self, ClientError> {
        let http = http_client()?;
        Self::new(eventpulse_aws::sdk_config().await, http).await
    }

    async fn new(sdk: SdkConfig, http: reqwest::Client) -> Result<Self, ClientError> {
        let region = sdk.region().ok_or_else(|| {
            ClientError::Other("no AWS region: set AWS_REGION, or choose a profile with AWS_PROFILE".to_owned())
        })?;
        let region = region.as_ref().to_owned();
        let provider = sdk.credentials_provider().ok_or_else(no_credentials)?;
        let credentials = provider.provide_credentials().await.map_err(|_| no_credentials())?;
        Ok(Self { http, identity: credentials.into(), region, sdk })
    }

    /// Returns the configuration for SDK clients.
    #[must_use]
    pub fn sdk(&self) -> &SdkConfig {
        &self.sdk
    }

    /// Posts to a service. `service` is its name in host names and in signatures.
    pub(super) async fn call(
        &self,
        service: &str,
        headers: &[(&str, &str)],
        body: Vec<u8>,
    ) -> Result<Answer, ClientError> {
        let url = self.url(service);
        let signature = self.signature(service, &url, headers, &body, now())?;
        let mut request = self.http.post(&url).timeout(CALL);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        for (name, value) in &signature {
            request = request.header(name, value);
        }
        let unreachable = |error| ClientError::unreachable(&url, error);
        let answer = request.body(body).send().await.map_err(unreachable)?;
        let status = answer.status();
        Ok(Answer { status, body: answer.bytes().await.map_err(unreachable)?.to_vec() })
    }

    fn url(&self, service: &str) -> String {
        if let Some(endpoint) = self.sdk.endpoint_url() {
            return format!("{}/", endpoint.trim_end_matches('/'));
        }
        let suffix = if self.region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
        format!("https://{service}.{}.{suffix}/", self.region)
    }

    /// Returns the headers that sign a request
    /// ([Signature Version 4](https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv.html)).
    fn signature(
        &self,
        service: &str,
        url: &str,
        headers: &[(&str, &str)],
        body: &[u8],
        now: SystemTime,
    ) -> Result<Vec<(String, String)>, ClientError> {
        let unsigned = |_| ClientError::Other(format!("the call of {service} cannot be signed"));
        let parameters = v4::SigningParams::builder()
            .identity(&self.identity)
            .region(&self.region)
            .name(service)
            .time(now)
            .settings(SigningSettings::default())
            .build()
            .map_err(|error| unsigned(error.to_string()))?
            .into();
        let request = SignableRequest::new("POST", url, headers.iter().copied(), SignableBody::Bytes(body));
        let request = request.map_err(|error| unsigned(error.to_string()))?;
        let (instructions, _) = sign(request, &parameters).map_err(|error| unsigned(error.to_string()))?.into_parts();
        Ok(instructions.headers().map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
    }
}

fn no_credentials() -> ClientError {
    ClientError::Other(
        "no AWS credentials: sign in to AWS as an operator, or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
            .to_owned(),
    )
}

fn now() -> SystemTime {
    UNIX_EPOCH + Duration::from_micros(eventpulse_aws::clock().as_micros().unsigned_abs())
}

#[cfg(test)]
mod tests {
    use aws_config::{BehaviorVersion, Region};
    use aws_credential_types::Credentials;
    use aws_credential_types::provider::SharedCredentialsProvider;

    use super::*;

    async fn aws(region: &str, endpoint: Option<&str>) -> Aws {
        let credentials = Credentials::new("AKIDEXAMPLE", "secret", None, None, "test");
        let mut sdk = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(region.to_owned()))
            .credentials_provider(SharedCredentialsProvider::new(credentials));
        sdk.set_endpoint_url(endpoint.map(str::to_owned));
        Aws::new(sdk.build(), http_client().unwrap()).await.unwrap()
    }

    #[tokio::test]
    async fn services_have_regional_urls_or_the_endpoint() {
        for (region, endpoint, expected) in [
            ("eu-central-1", None, "https://cognito-idp.eu-central-1.amazonaws.com/"),
            ("cn-north-1", None, "https://cognito-idp.cn-north-1.amazonaws.com.cn/"),
            ("eu-central-1", Some("http://127.0.0.1:4566"), "http://127.0.0.1:4566/"),
        ] {
            assert_eq!(aws(region, endpoint).await.url("cognito-idp"), expected, "{region}");
        }
    }

    #[tokio::test]
    async fn a_call_is_signed_with_its_headers_and_body() {
        let aws = aws("eu-central-1", None).await;
        let headers = [("content-type", "application/x-amz-json-1.1"), ("x-amz-target", "Service.Operation")];
        let at = UNIX_EPOCH + Duration::from_secs(1_740_744_000);
        let signature = |body: &[u8]| {
            let signed = aws.signature("cognito-idp", &aws.url("cognito-idp"), &headers, body, at).unwrap();
            signed.into_iter().find(|(name, _)| name == "authorization").unwrap().1
        };
        let authorization = signature(b"{}");
        let scope = "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20250228/eu-central-1/cognito-idp/aws4_request";
        assert!(authorization.starts_with(scope), "{authorization}");
        assert!(authorization.contains("content-type;host;x-amz-date;x-amz-target"), "{authorization}");
        assert_ne!(authorization, signature(b"{ }"));
    }
}
