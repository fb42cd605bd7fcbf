//! The environment of the functions, as Lambda and `template.yaml` set it.

use crate::network::Endpoints;

/// The variables that are the same for every function. Each function reads some of them.
const FIXED: [(&str, &str); 33] = [
    ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
    ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "512"),
    ("AWS_LAMBDA_LOG_STREAM_NAME", "bench"),
    ("AWS_REGION", "eu-central-1"),
    ("AWS_ACCESS_KEY_ID", "bench"),
    ("AWS_SECRET_ACCESS_KEY", "bench"),
    ("UPLOADS_TABLE", "uploads"),
    ("CHUNKS_TABLE", "chunks"),
    ("KEYS_TABLE", "keys"),
    ("NOTICES_TABLE", "notices"),
    ("USAGE_TABLE", "usage"),
    ("PROCESS_BUCKET", "process"),
    ("QUARANTINE_BUCKET", "quarantine"),
    ("QUARANTINE_RETENTION_DAYS", "90"),
    ("NOTICES_TOPIC_ARN", "arn:aws:sns:eu-central-1:123456789012:notices"),
    ("DEFAULT_SCHEMA", "reading/1.0"),
    ("WAITING_QUEUE_URL", "https://sqs.eu-central-1.amazonaws.com/123456789012/waiting"),
    ("S3_PATH_STYLE", "true"),
    ("STANDARD_PLAN_ID", "standard"),
    ("FAST_PLAN_ID", "fast"),
    ("API_URL", "https://api.example/v1"),
    ("DEVICE_API_URL", "https://devices.example/v1"),
    ("CURSOR_KEY", "0123456789abcdef0123456789abcdef"),
    ("USER_POOL_ISSUER", ISSUER),
    ("USER_POOL_CLIENT_ID", CLIENT),
    ("COGNITO_ENDPOINT", "https://cognito-idp.eu-central-1.amazonaws.com"),
    ("KEY_CACHE_SECONDS", "300"),
    ("OWNER_REQUESTS_PER_SECOND", "20"),
    ("OWNER_OPEN_UPLOADS", "1000"),
    ("OWNER_BYTES_PER_DAY", "0"),
    ("OWNER_REJECTED_RECORDS_PER_HOUR", "0"),
    ("AWS_LAMBDA_HTTP_IGNORE_STAGE_IN_PATH", "true"),
    ("LOG_LEVEL", "warn"),
];

/// The issuer and the client of the tokens that the API accepts.
pub(crate) const ISSUER: &str = "https://cognito-idp.eu-central-1.amazonaws.com/bench";
pub(crate) const CLIENT: &str = "client";

/// Returns the environment of a function.
pub(crate) fn of(name: &str, endpoints: &Endpoints) -> Vec<(&'static str, String)> {
    let mut environment: Vec<_> = FIXED.iter().map(|&(name, value)| (name, value.to_owned())).collect();
    environment.extend([
        ("AWS_LAMBDA_FUNCTION_NAME", name.to_owned()),
        ("AWS_LAMBDA_LOG_GROUP_NAME", format!("/aws/lambda/{name}")),
        ("AWS_LAMBDA_RUNTIME_API", endpoints.runtime_api.clone()),
        ("AWS_ENDPOINT_URL", endpoints.aws.clone()),
        ("AWS_ENDPOINT_URL_S3", endpoints.s3.clone()),
        ("AWS_ENDPOINT_URL_DYNAMODB", endpoints.dynamodb.clone()),
        ("AWS_ENDPOINT_URL_SNS", endpoints.sns.clone()),
    ]);
    environment
}
