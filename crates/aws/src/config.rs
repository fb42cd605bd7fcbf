//! The configuration that functions read from their environment. `template.yaml` sets the variables.

use std::time::Duration;

use eventpulse_core::intake::schema::SchemaRef;

use crate::environment::{ConfigError, Environment};

/// The names of the deployed resources.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// `UPLOADS_TABLE`: the histories of uploads, and the claims of digests.
    pub uploads_table: String,
    /// `CHUNKS_TABLE`: the chunks of accepted points.
    pub chunks_table: String,
    /// `PROCESS_BUCKET`: new and accepted uploads.
    pub process_bucket: String,
    /// `QUARANTINE_BUCKET`: rejected uploads and their reports.
    pub quarantine_bucket: String,
    /// `QUARANTINE_RETENTION_DAYS`: the retention of rejected uploads and records in days.
    pub quarantine_retention_days: u32,
    /// `NOTICES_TOPIC_ARN`: the SNS topic of the notices.
    pub notices_topic_arn: String,
    /// `NOTICES_TABLE`: problems, pending notices and subscriptions.
    pub notices_table: String,
    /// `USAGE_TABLE`: the counters of owners' quotas.
    pub usage_table: String,
    /// `DEFAULT_SCHEMA`: the schema of records without one, in uploads without one.
    pub default_schema: SchemaRef,
    /// `S3_PATH_STYLE`: `true` if buckets are not host names, as on the local stack.
    pub s3_path_style: bool,
}

impl Config {
    /// Returns the retention of rejected uploads and records.
    #[must_use]
    pub fn quarantine_retention(&self) -> Duration {
        Duration::from_secs(u64::from(self.quarantine_retention_days) * 86_400)
    }

    /// Reads the process's environment.
    ///
    /// # Errors
    /// Returns a [`ConfigError`] with every variable that is missing or malformed.
    pub fn from_env() -> Result<Self, ConfigError> {
        Self::read(Environment::of_process())
    }

    /// Reads an environment.
    ///
    /// # Errors
    /// Returns a [`ConfigError`] with every variable that is missing or malformed.
    pub fn read(mut environment: Environment<'_>) -> Result<Self, ConfigError> {
        let uploads_table = environment.required("UPLOADS_TABLE");
        let chunks_table = environment.required("CHUNKS_TABLE");
        let process_bucket = environment.required("PROCESS_BUCKET");
        let quarantine_bucket = environment.required("QUARANTINE_BUCKET");
        let quarantine_retention_days = environment.number("QUARANTINE_RETENTION_DAYS", 1..=36_500);
        let notices_topic_arn = environment.required("NOTICES_TOPIC_ARN");
        let notices_table = environment.required("NOTICES_TABLE");
        let usage_table = environment.required("USAGE_TABLE");
        let s3_path_style = environment.optional("S3_PATH_STYLE").as_deref() == Some("true");
        let schema = |text: &str| SchemaRef::parse(text).ok();
        let default_schema = environment.parsed("DEFAULT_SCHEMA", "<name>/<major>.<minor>", schema);
        environment.finish(default_schema.map(|default_schema| Self {
            uploads_table,
            chunks_table,
            process_bucket,
            quarantine_bucket,
            quarantine_retention_days,
            notices_topic_arn,
            notices_table,
            usage_table,
            default_schema,
            s3_path_style,
        }))
    }
}

/// The names of the resources behind device keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeysConfig {
    /// `KEYS_TABLE`: the keys.
    pub keys_table: String,
    /// `STANDARD_PLAN_ID`: the API Gateway usage plan of `UsagePlan::Standard`.
    pub standard_plan_id: String,
    /// `FAST_PLAN_ID`: the API Gateway usage plan of `UsagePlan::Fast`.
    pub fast_plan_id: String,
}

impl KeysConfig {
    /// Reads an environment.
    ///
    /// # Errors
    /// Returns a [`ConfigError`] with every variable that is missing.
    pub fn read(mut environment: Environment<'_>) -> Result<Self, ConfigError> {
        let config = Self {
            keys_table: environment.required("KEYS_TABLE"),
            standard_plan_id: environment.required("STANDARD_PLAN_ID"),
            fast_plan_id: environment.required("FAST_PLAN_ID"),
        };
        environment.finish(Some(config))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_error_names_all_missing_variables() {
        let environment = Environment::new(|name| (name == "CHUNKS_TABLE").then(|| "chunks".to_owned()));
        let expected = [
            "UPLOADS_TABLE",
            "PROCESS_BUCKET",
            "QUARANTINE_BUCKET",
            "QUARANTINE_RETENTION_DAYS",
            "NOTICES_TOPIC_ARN",
            "NOTICES_TABLE",
            "USAGE_TABLE",
            "DEFAULT_SCHEMA",
        ];
        assert_eq!(Config::read(environment).unwrap_err().0, expected);
    }

    #[test]
    fn a_malformed_default_schema_is_an_error() {
        let lookup = |name: &str| {
            let value = match name {
                "DEFAULT_SCHEMA" => "reading",
                "QUARANTINE_RETENTION_DAYS" => "90",
                _ => "x",
            };
            Some(value.to_owned())
        };
        let error = Config::read(Environment::new(lookup)).unwrap_err();
        assert_eq!(error.0, ["DEFAULT_SCHEMA (expected <name>/<major>.<minor>)"]);
    }
}
