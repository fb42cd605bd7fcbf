//! Decides whether a key may call the API. A denied key gets a policy with `Deny` (403). If the lookup fails, the
//! function returns an error.

use aws_lambda_events::apigw::ApiGatewayCustomAuthorizerRequestTypeRequest as Event;
use eventpulse_aws::adapters::key_store::CredentialLookup;
use eventpulse_aws::{Error, clock};
use eventpulse_core::device::key::{ApiKey, Credential, CredentialStatus};
use eventpulse_core::time::Timestamp;
use lambda_runtime::{Diagnostic, LambdaEvent};
use serde::Serialize;
use tracing::Instrument as _;

/// The header with the key.
const HEADER: &str = "x-api-key";

/// The [output of a Lambda
/// authorizer](https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-lambda-authorizer-output.html).
/// (The type of `aws_lambda_events` writes `null` for the members that a denial omits.)
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Answer {
    principal_id: String,
    policy_document: Policy,
    #[serde(skip_serializing_if = "Option::is_none")]
    context: Option<Context>,
    #[serde(skip_serializing_if = "Option::is_none")]
    usage_identifier_key: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Policy {
    version: &'static str,
    statement: [Statement; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Statement {
    action: &'static str,
    effect: &'static str,
    resource: String,
}

/// The values of `$context.authorizer.…` in the integration.
#[derive(Serialize)]
struct Context {
    owner: String,
    key_id: String,
}

/// The key of a request, after its lookup.
enum Presented {
    /// The request has no key, a malformed one, or several.
    Malformed,
    /// No such key was issued.
    Unknown,
    /// The key was issued. It may be revoked or replaced, or its owner offboarded.
    Known { credential: Credential, is_owner_offboarded: bool },
}

/// The decision on a key.
#[derive(Debug, PartialEq)]
enum Decision {
    Allowed(Credential),
    Denied { reason: &'static str, credential: Option<Credential> },
}

/// Decides on the key of a request and logs the decision. Neither the answer nor the log contains a part of the key.
pub async fn handle(keys: &CredentialLookup, event: LambdaEvent<Event>) -> Result<Answer, Diagnostic> {
    let api_request_id = event.payload.request_context.request_id.as_deref();
    let span = tracing::info_span!("authorize", request_id = event.context.request_id, api_request_id);
    decide(keys, &event.payload).instrument(span).await
}

async fn decide(keys: &CredentialLookup, event: &Event) -> Result<Answer, Diagnostic> {
    let failed = |error_type: String, error_message: String| {
        tracing::error!(error = error_message, "cannot decide on the key");
        Diagnostic { error_type, error_message }
    };
    let arn = event.method_arn.as_deref().and_then(resource);
    let arn = arn.ok_or_else(|| failed("Event".to_owned(), "the event has no method ARN".to_owned()))?;
    let presented = match sent(event) {
        Some(key) => {
            let presented = look_up(keys, &key).await;
            presented.map_err(|error| failed(format!("{:?}", error.kind), error.chain()))?
        }
        None => Presented::Malformed,
    };
    let decision = judge(presented, clock());
    match &decision {
        Decision::Allowed(of) => tracing::info!(key_id = %of.key_id, owner = %of.owner, "the key is allowed"),
        Decision::Denied { reason, credential: Some(of) } => {
            tracing::info!(key_id = %of.key_id, owner = %of.owner, reason, "the key is denied");
        }
        Decision::Denied { reason, credential: None } => tracing::info!(reason, "the key is denied"),
    }
    Ok(answer(decision, arn))
}

/// Looks up a key and its owner.
async fn look_up(keys: &CredentialLookup, key: &ApiKey) -> Result<Presented, Error> {
    let Some(credential) = keys.look_up(&key.digest()).await? else { return Ok(Presented::Unknown) };
    let is_owner_offboarded = keys.is_offboarded(&credential.owner).await?;
    Ok(Presented::Known { credential, is_owner_offboarded })
}

/// Returns the key of the request. `None` if it is missing, malformed or not the only one.
fn sent(event: &Event) -> Option<ApiKey> {
    // `headers` has only the last of several values, and the gateway may cache the answer under another one.
    let all = if event.multi_value_headers.contains_key(HEADER) { &event.multi_value_headers } else { &event.headers };
    let mut values = all.get_all(HEADER).iter();
    let (value, None) = (values.next()?, values.next()) else { return None };
    ApiKey::parse(value.to_str().ok()?).ok()
}

/// Decides on the key of a request.
fn judge(presented: Presented, now: Timestamp) -> Decision {
    let denied = |reason, credential| Decision::Denied { reason, credential };
    match presented {
        Presented::Malformed => denied("malformed", None),
        Presented::Unknown => denied("unknown", None),
        Presented::Known { credential, is_owner_offboarded: true } => denied("offboarded", Some(credential)),
        Presented::Known { credential, is_owner_offboarded: false } => match credential.status(now) {
            CredentialStatus::Good => Decision::Allowed(credential),
            CredentialStatus::Revoked => denied("revoked", Some(credential)),
            CredentialStatus::Replaced => denied("replaced", Some(credential)),
        },
    }
}

/// Returns the ARN of the only method that a key may call. The gateway caches the policy for the key, so the ARN must
/// not depend on the request. `None` unless the method ARN has the form
///
/// `arn:aws:execute-api:<region>:<account>:<api>/<stage>/<method>/<path>`
fn resource(method_arn: &str) -> Option<String> {
    let mut parts = method_arn.split('/');
    let (api, stage) = (parts.next()?, parts.next()?);
    let is_api = api.starts_with("arn:") && api.contains(":execute-api:") && !stage.is_empty();
    is_api.then(|| format!("{api}/{stage}/POST/data"))
}

fn answer(decision: Decision, resource: String) -> Answer {
    let policy_document = |effect| Policy {
        version: "2012-10-17",
        statement: [Statement { action: "execute-api:Invoke", effect, resource }],
    };
    match decision {
        Decision::Allowed(known) => Answer {
            principal_id: known.key_id.to_string(),
            policy_document: policy_document("Allow"),
            usage_identifier_key: Some(known.usage_key.reveal().to_owned()),
            context: Some(Context { owner: known.owner.into(), key_id: known.key_id.to_string() }),
        },
        Decision::Denied { .. } => Answer {
            principal_id: "nobody".to_owned(),
            policy_document: policy_document("Deny"),
            context: None,
            usage_identifier_key: None,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use eventpulse_core::device::key::{KeyId, KeyState, UsageKey};
    use serde_json::{Value, json};

    const ARN: &str = "arn:aws:execute-api:eu-central-1:123456789012:a1b2c3/v1/POST/data";

    fn event(headers: &[(&str, &str)]) -> Event {
        let one: serde_json::Map<String, Value> =
            headers.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
        let mut all = serde_json::Map::new();
        for (name, value) in headers {
            let values = all.entry(name.to_lowercase()).or_insert_with(|| json!([]));
            values.as_array_mut().unwrap().push(json!(value));
        }
        let event = json!({
            "type": "REQUEST", "methodArn": ARN, "resource": "/data", "path": "/data", "httpMethod": "POST",
            "headers": one, "multiValueHeaders": all, "queryStringParameters": {},
            "multiValueQueryStringParameters": {}, "pathParameters": {}, "stageVariables": {},
            "requestContext": { "accountId": "123456789012", "apiId": "a1b2c3", "httpMethod": "POST", "stage": "v1",
                "resourcePath": "/data", "requestId": "r", "identity": { "sourceIp": "192.0.2.1" } },
        });
        serde_json::from_value(event).unwrap()
    }

    fn known(credential: Credential) -> Presented {
        Presented::Known { credential, is_owner_offboarded: false }
    }

    fn credential(state: KeyState, valid_until: Option<i64>) -> Credential {
        Credential {
            owner: "u1".parse().unwrap(),
            key_id: KeyId::new(Timestamp::from_micros(0), [0; 10]),
            state,
            valid_until: valid_until.map(Timestamp::from_micros),
            usage_key: UsageKey::new([1; 20]),
        }
    }

    #[test]
    fn key_is_read_from_one_header_of_any_case() {
        let (key, other) = (ApiKey::new([7; 32]), ApiKey::new([8; 32]));
        let (key, other) = (key.reveal(), other.reveal());
        for (name, headers, is_read) in [
            ("lower case", vec![("x-api-key", key)], true),
            ("mixed case", vec![("X-API-Key", key)], true),
            ("among others", vec![("accept", "*/*"), ("X-Api-Key", key)], true),
            ("none", vec![("accept", "*/*")], false),
            ("empty", vec![("x-api-key", "")], false),
            ("no key", vec![("x-api-key", "hello é +%2B")], false),
            ("one too long", vec![("x-api-key", &format!("{key}A"))], false),
            ("two", vec![("x-api-key", other), ("X-API-KEY", key)], false),
        ] {
            let sent = sent(&event(&headers));
            assert_eq!(sent.as_ref().map(ApiKey::reveal), is_read.then_some(key), "{name}");
        }
        let mut single = event(&[("X-API-Key", key)]);
        single.multi_value_headers.clear();
        assert!(sent(&single).is_some(), "a request without multi-value headers");
    }

    #[test]
    fn valid_keys_may_call_one_method_for_their_owner() {
        let decision = judge(known(credential(KeyState::Active, None)), Timestamp::from_micros(10));
        assert_eq!(
            serde_json::to_value(answer(decision, resource(ARN).unwrap())).unwrap(),
            json!({
                "principalId": "key_00000000000000000000000000",
                "policyDocument": { "Version": "2012-10-17", "Statement": [
                    { "Action": "execute-api:Invoke", "Effect": "Allow", "Resource": ARN } ] },
                "context": { "owner": "u1", "key_id": "key_00000000000000000000000000" },
                "usageIdentifierKey": "01".repeat(20),
            })
        );
    }

    #[test]
    fn other_keys_are_denied_without_details() {
        for (name, presented) in [
            ("malformed", Presented::Malformed),
            ("unknown", Presented::Unknown),
            ("revoked", known(credential(KeyState::Revoked, None))),
            ("revoked", known(credential(KeyState::Revoked, Some(99)))),
            ("replaced", known(credential(KeyState::Active, Some(10)))),
            (
                "offboarded",
                Presented::Known { credential: credential(KeyState::Active, None), is_owner_offboarded: true },
            ),
        ] {
            let decision = judge(presented, Timestamp::from_micros(10));
            assert!(matches!(&decision, Decision::Denied { reason, .. } if *reason == name), "{name}: {decision:?}");
            let answer = serde_json::to_value(answer(decision, resource(ARN).unwrap())).unwrap();
            assert_eq!(
                answer,
                json!({
                    "principalId": "nobody",
                    "policyDocument": { "Version": "2012-10-17", "Statement": [
                        { "Action": "execute-api:Invoke", "Effect": "Deny", "Resource": ARN } ] },
                }),
                "{name}"
            );
        }
        let replaced = judge(known(credential(KeyState::Active, Some(11))), Timestamp::from_micros(10));
        assert!(matches!(replaced, Decision::Allowed(_)), "a replaced secret is valid until its end");
    }

    #[test]
    fn policy_has_the_same_method_for_any_request() {
        for arn in [ARN, &ARN.replace("POST/data", "GET/other/path"), &ARN.replace("POST/data", "POST/")] {
            assert_eq!(resource(arn).as_deref(), Some(ARN), "{arn}");
        }
        for arn in ["", "arn:aws:execute-api:eu-central-1:1:a1b2c3", "arn:aws:s3:::bucket/v1/POST", "a/b/c"] {
            assert_eq!(resource(arn), None, "{arn}");
        }
    }
}
