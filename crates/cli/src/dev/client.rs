//! What the sample run and the tests do with a running stack: sign in, issue, send, wait, ask.
//!
//! An upload is issued as any client does it, by the REST API. What became of it is read with the operator's credentials.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_s3::config::Credentials;
use eventpulse_aws::adapters::object_store::Presigned;
use eventpulse_aws::workflows::issue::Issued;
use eventpulse_aws::{Config, Services};
use eventpulse_core::id::{OwnerId, UploadId, upload_key};
use eventpulse_core::intake::schema::{Catalog, SchemaRef};
use eventpulse_core::time::Timestamp;
use eventpulse_core::upload::Upload;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::BoxError;
use crate::client::http::http_client;
use crate::dev::samples::Sample;
use crate::stack::{PASSWORD, Stack};

/// How long an upload may take to its outcome.
const PATIENCE: Duration = Duration::from_secs(180);

/// Somebody who has signed in.
#[derive(Debug, Clone)]
pub struct User {
    /// The user name.
    pub name: String,
    /// The owner of what this user uploads: Cognito's `sub`.
    pub owner: OwnerId,
    /// The ID token.
    pub token: String,
}

/// A running stack, with the operator's credentials.
pub struct Client {
    /// The REST API.
    pub api: String,
    /// The SDK's configuration.
    pub sdk: SdkConfig,
    /// S3, for what only operators and tests do.
    pub s3: aws_sdk_s3::Client,
    /// The same adapters that the functions use.
    pub services: Services,
    http: reqwest::Client,
    /// Of Cognito: where, and which client of the user pool.
    sign_in: (String, String),
}

/// What `POST /uploads` answers.
#[derive(Deserialize)]
struct Receipt {
    upload_id: UploadId,
    url: String,
    headers: BTreeMap<String, String>,
    expires_at: Timestamp,
}

impl Client {
    /// For a stack that runs.
    ///
    /// # Errors
    /// When the stack lacks an output.
    pub async fn new(stack: &Stack) -> Result<Self, BoxError> {
        let output = |name: &str| stack.outputs.get(name).cloned().ok_or(format!("the stack has no output {name}"));
        let config = Config {
            uploads_table: output("UploadsTableName")?,
            chunks_table: output("ChunksTableName")?,
            process_bucket: output("ProcessBucketName")?,
            quarantine_bucket: output("QuarantineBucketName")?,
            notices_topic_arn: output("NoticesTopicArn")?,
            notices_table: output("NoticesTableName")?,
            default_schema: SchemaRef::parse("reading/1.0")?,
            s3_path_style: true,
        };
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
            services: Services::new(config, &sdk, catalog),
            http: http_client()?,
            api: output("ApiUrl")?,
            sign_in: (stack.endpoint.clone(), output("UserPoolClientId")?),
            sdk,
        })
    }

    /// Makes users and signs them in.
    ///
    /// # Errors
    /// When the stack does not answer, or refuses.
    pub async fn users(&self, stack: &Stack, names: &[String]) -> Result<Vec<User>, BoxError> {
        let mut users = Vec::new();
        for (name, owner) in stack.add_users(names).await? {
            let tokens = self.tokens(&name).await?;
            let token = tokens["IdToken"].as_str().unwrap_or_default().to_owned();
            users.push(User { name, owner: owner.parse()?, token });
        }
        Ok(users)
    }

    /// Signs a user of the stack in. Returns the tokens, as Cognito names them.
    ///
    /// # Errors
    /// When Cognito does not answer, or refuses.
    pub async fn tokens(&self, name: &str) -> Result<Value, BoxError> {
        let (endpoint, client_id) = &self.sign_in;
        let parameters = json!({ "USERNAME": name, "PASSWORD": PASSWORD });
        let request = json!({ "AuthFlow": "USER_PASSWORD_AUTH", "ClientId": client_id, "AuthParameters": parameters });
        let post = self.http.post(endpoint).header("content-type", "application/x-amz-json-1.1");
        let post = post.header("x-amz-target", "AWSCognitoIdentityProviderService.InitiateAuth");
        let mut answer: Value = serde_json::from_slice(&post.body(request.to_string()).send().await?.bytes().await?)?;
        match answer["AuthenticationResult"].take() {
            Value::Null => Err(format!("{name} cannot sign in: {answer}").into()),
            tokens => Ok(tokens),
        }
    }

    /// Asks for a user's notices by e-mail. Returns where the subscription stands then.
    ///
    /// # Errors
    /// When the API does not answer, or refuses.
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

    /// Issues an upload for bytes of this user.
    ///
    /// # Errors
    /// When the API does not answer, or refuses.
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
    /// When the stack does not answer.
    pub async fn put(&self, issued: &Issued, bytes: Vec<u8>) -> Result<u16, BoxError> {
        let mut put = self.http.put(&issued.put.url);
        for (name, value) in &issued.put.headers {
            // The client counts the bytes itself, but says nothing of none.
            if name != "host" && (name != "content-length" || bytes.is_empty()) {
                put = put.header(name, value);
            }
        }
        Ok(put.body(bytes).send().await?.status().as_u16())
    }

    /// Uploads a sample as its expectation says. Returns the id of the upload.
    ///
    /// # Errors
    /// When the stack does not answer, or refuses.
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

    /// Copies a sample straight into the process bucket, as an operator would.
    ///
    /// # Errors
    /// When the stack does not answer, or refuses.
    pub async fn drop_in(&self, key: &str, sample: &Sample) -> Result<UploadId, BoxError> {
        let bucket = &self.services.config.process_bucket;
        let put = self.s3.put_object().bucket(bucket).key(key).content_type(sample.content_type());
        let put = put.set_content_encoding(sample.expected.content_encoding.clone());
        let version_id = put.body(sample.bytes.clone().into()).send().await?.version_id.unwrap_or_default();
        Ok(UploadId::of_object(bucket, key, &version_id))
    }

    /// Waits until nothing is owed for an upload.
    ///
    /// # Errors
    /// When that takes longer than three minutes.
    pub async fn settled(&self, id: &UploadId) -> Result<Upload, BoxError> {
        self.wait(id, |upload| upload.next().is_none()).await
    }

    /// Waits until an upload is as it should be.
    ///
    /// # Errors
    /// When that takes longer than three minutes.
    pub async fn wait(&self, id: &UploadId, ready: impl Fn(&Upload) -> bool) -> Result<Upload, BoxError> {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            let upload = self.services.uploads.load(id).await?;
            let state = upload.as_ref().map_or("unknown", |upload| upload.state().as_str());
            match upload {
                Some(upload) if ready(&upload) => return Ok(upload),
                _ if tokio::time::Instant::now() > deadline => {
                    return Err(format!("upload {id} is still {state} after {} s", PATIENCE.as_secs()).into());
                }
                _ => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
    }
}
