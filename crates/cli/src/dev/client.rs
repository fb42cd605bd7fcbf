//! A client of a running local stack for the samples and the tests: signs in, uploads, waits for results.
//!
//! Uploads go through the REST API, as for any client. Results are read with the credentials of the operator.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_s3::config::Credentials;
use eventpulse_aws::Services;
use eventpulse_aws::adapters::object_store::presign::Presigned;
use eventpulse_aws::workflows::issue::Issued;
use eventpulse_core::id::{OwnerId, UploadId, upload_key};
use eventpulse_core::intake::schema::Catalog;
use eventpulse_core::time::Timestamp;
use eventpulse_core::upload::Upload;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::BoxError;
use crate::client::http::http_client;
use crate::dev::mailbox;
use crate::dev::samples::Sample;
use crate::operator::Outputs;
use crate::stack::{PASSWORD, Stack};

/// The time that an upload has to reach its outcome.
const UPLOAD_TIMEOUT: Duration = Duration::from_secs(180);

/// A user who is signed in.
#[derive(Debug, Clone)]
pub struct User {
    /// The part of the e-mail address before the `@`.
    pub name: String,
    /// The owner of the user's uploads: Cognito's `sub`.
    pub owner: OwnerId,
    /// The ID token.
    pub token: String,
}

/// A client of a running stack with the credentials of the operator.
pub struct Client {
    /// The URL of the REST API.
    pub api: String,
    /// The configuration of the AWS SDK.
    pub sdk: SdkConfig,
    /// S3, for the actions of operators and tests.
    pub s3: aws_sdk_s3::Client,
    /// The same adapters that the functions use.
    pub services: Services,
    http: reqwest::Client,
    /// The endpoint of Cognito and the client id of the user pool.
    sign_in: (String, String),
}

/// The answer of `POST /uploads`.
#[derive(Deserialize)]
struct Receipt {
    upload_id: UploadId,
    url: String,
    headers: BTreeMap<String, String>,
    expires_at: Timestamp,
}

impl Client {
    /// Creates a client of a running stack.
    ///
    /// # Errors
    /// Returns an error if the stack lacks an output.
    pub async fn new(stack: &Stack) -> Result<Self, BoxError> {
        let outputs: Outputs = stack.outputs.iter().collect();
        let credentials =
            Credentials::new(&stack.access_key_id, &stack.secret_access_key, None, None, "the local stack's operator");
        let sdk = aws_config::defaults(BehaviorVersion::latest())
            .endpoint_url(&stack.endpoint)
            .region(Region::new(stack.region.clone()))
            .credentials_provider(credentials)
            .http_client(eventpulse_aws::http_client())
            .load()
            .await;
        let catalog = Catalog::bundled().map_err(|error| error.to_string())?;
        let s3 = aws_sdk_s3::config::Builder::from(&sdk).force_path_style(true).build();
        Ok(Self {
            s3: aws_sdk_s3::Client::from_conf(s3),
            services: Services::new(outputs.config(true)?, &sdk, catalog),
            http: http_client()?,
            api: outputs.get("ApiUrl")?,
            sign_in: (stack.endpoint.clone(), outputs.get("UserPoolClientId")?),
            sdk,
        })
    }

    /// Creates users, unless they exist, and signs them in.
    ///
    /// # Errors
    /// Returns an error if the stack does not answer or refuses.
    pub async fn users(&self, stack: &Stack, names: &[String]) -> Result<Vec<User>, BoxError> {
        let mut users = Vec::new();
        for (name, owner) in stack.add_users(names).await? {
            let tokens = self.tokens(&mailbox::address(&name)).await?;
            let token = tokens["IdToken"].as_str().unwrap_or_default().to_owned();
            users.push(User { name, owner: owner.parse()?, token });
        }
        Ok(users)
    }

    /// Signs a user in, by e-mail address or `sub`. Returns the tokens by their names in Cognito.
    ///
    /// # Errors
    /// Returns an error if Cognito does not answer or refuses.
    pub async fn tokens(&self, username: &str) -> Result<Value, BoxError> {
        let (endpoint, client_id) = &self.sign_in;
        let parameters = json!({ "USERNAME": username, "PASSWORD": PASSWORD });
        let request = json!({ "AuthFlow": "USER_PASSWORD_AUTH", "ClientId": client_id, "AuthParameters": parameters });
        let post = self.http.post(endpoint).header("content-type", "application/x-amz-json-1.1");
        let post = post.header("x-amz-target", "AWSCognitoIdentityProviderService.InitiateAuth");
        let mut answer: Value = serde_json::from_slice(&post.body(request.to_string()).send().await?.bytes().await?)?;
        match answer["AuthenticationResult"].take() {
            Value::Null => Err(format!("{username} cannot sign in: {answer}").into()),
            tokens => Ok(tokens),
        }
    }

    /// Subscribes a user to notices by e-mail. Returns the state of the subscription.
    ///
    /// # Errors
    /// Returns an error if the API does not answer or refuses.
    pub async fn subscribe(&self, user: &User) -> Result<String, BoxError> {
        let put = self.http.put(format!("{}/notifications", self.api)).header("authorization", &user.token);
        let answer = put.header("content-type", "application/json").body("{}").send().await?;
        let (status, body) = (answer.status().as_u16(), answer.bytes().await?);
        if status != 200 {
            return Err(format!("PUT /notifications answers {status}: {}", String::from_utf8_lossy(&body)).into());
        }
        let subscription: Value = serde_json::from_slice(&body)?;
        Ok(subscription["state"].as_str().unwrap_or_default().to_owned())
    }

    /// Requests an upload of a sample for a user.
    ///
    /// # Errors
    /// Returns an error if the API does not answer or refuses.
    pub async fn issue(&self, user: &User, sample: &Sample) -> Result<Issued, BoxError> {
        let mut request = json!({
            "file_name": sample.name(),
            "content_type": sample.content_type(),
            "size": sample.bytes.len(),
        });
        let expected = &sample.expected;
        for (member, value) in [
            ("content_encoding", json!(expected.content_encoding)),
            ("schema", json!(expected.schema)),
            ("max_rejected", json!(expected.max_rejected)),
        ] {
            if !value.is_null() {
                request[member] = value;
            }
        }
        let post = self.http.post(format!("{}/uploads", self.api)).header("authorization", &user.token);
        let answer = post.header("content-type", "application/json").body(request.to_string()).send().await?;
        let (status, body) = (answer.status().as_u16(), answer.bytes().await?);
        if status != 201 {
            return Err(format!("POST /uploads answers {status}: {}", String::from_utf8_lossy(&body)).into());
        }
        let Receipt { upload_id, url, headers, expires_at } = serde_json::from_slice(&body)?;
        let put = Presigned { url, headers: headers.into_iter().collect() };
        Ok(Issued { key: upload_key(&upload_id, &sample.name()), upload_id, put, expires_at })
    }

    /// Sends bytes to a presigned URL. Returns the HTTP status.
    ///
    /// # Errors
    /// Returns an error if the stack does not answer.
    pub async fn put(&self, issued: &Issued, bytes: Vec<u8>) -> Result<u16, BoxError> {
        let mut put = self.http.put(&issued.put.url);
        for (name, value) in &issued.put.headers {
            // reqwest sets content-length itself, but not for an empty body.
            if name != "host" && (name != "content-length" || bytes.is_empty()) {
                put = put.header(name, value);
            }
        }
        Ok(put.body(bytes).send().await?.status().as_u16())
    }

    /// Uploads a sample as its expectation file says. Returns the id of the upload.
    ///
    /// # Errors
    /// Returns an error if the stack does not answer or refuses.
    pub async fn upload(&self, user: &User, sample: &Sample) -> Result<UploadId, BoxError> {
        if sample.expected.dropped {
            return self.drop_in(&format!("uploads/{}", sample.name()), sample).await;
        }
        let issued = self.issue(user, sample).await?;
        match self.put(&issued, sample.bytes.clone()).await? {
            200 => Ok(issued.upload_id),
            status => Err(format!("{}: the presigned URL answered {status}", sample.name()).into()),
        }
    }

    /// Copies a sample into the process bucket, as an operator does. Returns the id of the upload.
    ///
    /// # Errors
    /// Returns an error if the stack does not answer or refuses.
    pub async fn drop_in(&self, key: &str, sample: &Sample) -> Result<UploadId, BoxError> {
        let bucket = &self.services.config.process_bucket;
        let put = self.s3.put_object().bucket(bucket).key(key).content_type(sample.content_type());
        let put = put.set_content_encoding(sample.expected.content_encoding.clone());
        let version_id = put.body(sample.bytes.clone().into()).send().await?.version_id.unwrap_or_default();
        Ok(UploadId::of_object(bucket, key, &version_id))
    }

    /// Waits until an upload needs no further step.
    ///
    /// # Errors
    /// Returns an error if that takes longer than three minutes.
    pub async fn settled(&self, id: &UploadId) -> Result<Upload, BoxError> {
        self.wait(id, |upload| upload.next_step().is_none()).await
    }

    /// Waits until an upload meets a condition.
    ///
    /// # Errors
    /// Returns an error if that takes longer than three minutes.
    pub async fn wait(&self, id: &UploadId, ready: impl Fn(&Upload) -> bool) -> Result<Upload, BoxError> {
        let deadline = tokio::time::Instant::now() + UPLOAD_TIMEOUT;
        loop {
            let upload = self.services.uploads.load(id).await?;
            let state = upload.as_ref().map_or("unknown", |upload| upload.state().as_str());
            match upload {
                Some(upload) if ready(&upload) => return Ok(upload),
                _ if tokio::time::Instant::now() > deadline => {
                    return Err(format!("upload {id} is still {state} after {} s", UPLOAD_TIMEOUT.as_secs()).into());
                }
                _ => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
    }
}
