//! What the functions take from their environment: everything at once, and everything that is missing told at once.

use eventpulse_core::intake::schema::SchemaRef;

/// The names of the deployed resources. `template.yaml` sets them.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// `UPLOADS_TABLE`: histories of uploads, and claims of digests.
    pub uploads_table: String,
    /// `CHUNKS_TABLE`: what counts.
    pub chunks_table: String,
    /// `PROCESS_BUCKET`: where uploads arrive and accepted ones stay.
    pub process_bucket: String,
    /// `QUARANTINE_BUCKET`: where rejected ones go.
    pub quarantine_bucket: String,
    /// `NOTICES_TOPIC_ARN`: the SNS topic of the notices.
    pub notices_topic_arn: String,
    /// `NOTICES_TABLE`: groups of failures, what owners are still to be told, and their subscriptions.
    pub notices_table: String,
    /// `DEFAULT_SCHEMA`: for records that name none, of uploads that name none.
    pub default_schema: SchemaRef,
    /// `S3_PATH_STYLE`: `true` where buckets are not host names (the local stack).
    pub s3_path_style: bool,
}

/// What is wrong with the environment.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the environment lacks or misstates: {}", .0.join(", "))]
pub struct ConfigError(pub Vec<String>);

impl Config {
    /// Reads the process's environment.
    ///
    /// # Errors
    /// Every variable that is missing or malformed.
    #[allow(clippy::disallowed_methods)] // the one place that reads the environment
    pub fn from_env() -> Result<Self, ConfigError> {
        Self::from_lookup(|name| std::env::var(name).ok())
    }

    /// Reads variables wherever they are.
    ///
    /// # Errors
    /// Every variable that is missing or malformed.
    pub fn from_lookup(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let mut wrong = Vec::new();
        let mut need = |name: &str| {
            lookup(name).filter(|value| !value.is_empty()).unwrap_or_else(|| {
                wrong.push(name.to_owned());
                String::new()
            })
        };
        let (uploads_table, chunks_table) = (need("UPLOADS_TABLE"), need("CHUNKS_TABLE"));
        let (process_bucket, quarantine_bucket) = (need("PROCESS_BUCKET"), need("QUARANTINE_BUCKET"));
        let (notices_topic_arn, notices_table) = (need("NOTICES_TOPIC_ARN"), need("NOTICES_TABLE"));
        let schema = need("DEFAULT_SCHEMA");
        let default_schema = SchemaRef::parse(&schema);
        if default_schema.is_err() && !schema.is_empty() {
            wrong.push(format!("DEFAULT_SCHEMA ({schema:?} is not <name>/<major>.<minor>)"));
        }
        match default_schema {
            Ok(default_schema) if wrong.is_empty() => Ok(Self {
                uploads_table,
                chunks_table,
                process_bucket,
                quarantine_bucket,
                notices_topic_arn,
                notices_table,
                default_schema,
                s3_path_style: lookup("S3_PATH_STYLE").as_deref() == Some("true"),
            }),
            _ => Err(ConfigError(wrong)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_that_is_missing_is_told_at_once() {
        let error = Config::from_lookup(|name| (name == "CHUNKS_TABLE").then(|| "chunks".to_owned())).unwrap_err();
        let expected = [
            "UPLOADS_TABLE",
            "PROCESS_BUCKET",
            "QUARANTINE_BUCKET",
            "NOTICES_TOPIC_ARN",
            "NOTICES_TABLE",
            "DEFAULT_SCHEMA",
        ];
        assert_eq!(error.0, expected);
    }

    #[test]
    fn a_malformed_default_schema_is_told() {
        let error = Config::from_lookup(|name| Some(if name == "DEFAULT_SCHEMA" { "reading" } else { "x" }.to_owned()));
        assert!(error.unwrap_err().to_string().contains("is not <name>/<major>.<minor>"));
    }
}
