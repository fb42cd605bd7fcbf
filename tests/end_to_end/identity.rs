//! Identities: nobody becomes an owner by their own action, and a presigned URL grants nothing but its upload.

use std::sync::Arc;

use eventpulse_cli::BoxError;
use eventpulse_core::upload::object_metadata::ObjectMetadata;
use serde_json::{Value, json};

use crate::TestResult;
use crate::world::{World, document, reading};

/// Calls Cognito without AWS credentials, as anybody can. Returns the type of its error, if it refuses.
async fn refusal(world: &World, operation: &str, request: Value) -> Result<Option<String>, BoxError> {
    let post = world.http.post(&world.stack.endpoint).header("content-type", "application/x-amz-json-1.1");
    let post = post.header("x-amz-target", format!("AWSCognitoIdentityProviderService.{operation}"));
    let answer = post.body(request.to_string()).send().await?;
    if answer.status().is_success() {
        return Ok(None);
    }
    let body: Value = serde_json::from_slice(&answer.bytes().await?)?;
    Ok(body["__type"].as_str().map(|kind| kind.rsplit('#').next().unwrap_or_default().to_owned()))
}

pub async fn users_neither_sign_up_nor_change_their_owner_id(world: Arc<World>) -> TestResult {
    let client = world.output("UserPoolClientId");
    let (user, other) = (world.user(), world.user());
    let sign_up = json!({ "ClientId": client, "Username": "stranger@example.com", "Password": "Some-Password-1" });
    assert_eq!(refusal(&world, "SignUp", sign_up).await?.as_deref(), Some("NotAuthorizedException"));

    let token = world.client.tokens(user.owner.as_str()).await?["AccessToken"].clone();
    let change = async |name: &str, value: &str| {
        let attributes = json!([{ "Name": name, "Value": value }]);
        let request = json!({ "AccessToken": token, "UserAttributes": attributes });
        refusal(&world, "UpdateUserAttributes", request).await
    };
    assert_eq!(change("sub", other.owner.as_str()).await?.as_deref(), Some("InvalidParameterException"));
    assert_eq!(change("email_verified", "true").await?.as_deref(), Some("NotAuthorizedException"));
    // Accepted, but without effect until the new address is verified.
    assert_eq!(change("email", "new@example.com").await?, None);
    let tokens = world.client.tokens(user.owner.as_str()).await?;
    let headers = [("authorization", tokens["IdToken"].as_str().ok_or("no token")?)];
    let shown = world.send("GET", "/notifications", &headers, Vec::new()).await?.expect(200)?;
    assert_eq!(shown["email"], format!("{}@example.com", user.name));
    Ok(())
}

pub async fn presigned_put_accepts_its_signed_headers_only(world: Arc<World>) -> TestResult {
    let user = world.user();
    let sample = document("signed.json", reading("signed", 0, 1.0).to_string());
    let new = json!({ "file_name": "signed.json", "content_type": "application/json", "size": sample.bytes.len() });
    let answer = world.call(&user, "POST", "/uploads", new).await?.expect(201)?;
    let url = answer["url"].as_str().ok_or("no URL")?;
    let signed = url.split(['?', '&']).find_map(|part| part.strip_prefix("X-Amz-SignedHeaders=")).ok_or("unsigned")?;
    let signed: Vec<_> = signed.split("%3B").filter(|name| *name != "host").collect();
    let headers = answer["headers"].as_object().ok_or("no headers")?;
    assert_eq!(headers.keys().collect::<Vec<_>>(), signed, "the answer names exactly the signed headers");

    let put = async |more: &[(&str, &str)]| -> Result<u16, BoxError> {
        let mut put = world.http.put(url).body(sample.bytes.clone());
        for (name, value) in headers.iter().filter(|(name, _)| *name != "content-length") {
            put = put.header(name, value.as_str().unwrap_or_default());
        }
        put = more.iter().fold(put, |put, (name, value)| put.header(*name, *value));
        Ok(put.send().await?.status().as_u16())
    };
    assert_eq!(put(&[("x-amz-meta-owner", "somebody-else")]).await?, 403, "unsigned metadata");
    assert_eq!(put(&[("x-amz-tagging", "a=b")]).await?, 403, "unsigned tags");
    let mut forged = world.http.put(url).body(sample.bytes.clone());
    for (name, value) in headers.iter().filter(|(name, _)| *name != "content-length") {
        let value = value.as_str().filter(|_| name != "x-amz-meta-owner").unwrap_or("somebody-else");
        forged = forged.header(name, value);
    }
    assert_eq!(forged.send().await?.status().as_u16(), 403, "another owner than the signed one");
    assert_eq!(put(&[]).await?, 200);
    let id = answer["upload_id"].as_str().ok_or("no id")?;
    assert_eq!(world.outcome(&user, id).await?["state"], "accepted");
    let key = format!("uploads/{id}/signed.json");
    let stored = world.client.services.objects.head(world.process_bucket(), &key, None).await?.ok_or("no object")?;
    let stored = ObjectMetadata::from_map(&stored.metadata)?;
    assert_eq!((&stored.owner, stored.upload_id.as_deref()), (&user.owner, Some(id)));
    Ok(())
}
