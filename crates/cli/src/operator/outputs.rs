//! The outputs of a stack, which name its resources.

use std::collections::BTreeMap;

use aws_smithy_xml::decode::{Document, ScopedDecoder, XmlDecodeError, try_data};
use eventpulse_aws::Config;
use eventpulse_aws::config::KeysConfig;
use eventpulse_core::intake::schema::SchemaRef;

use super::signed::Aws;
use crate::client::error::ClientError;

/// The version of CloudFormation's interface.
const VERSION: &str = "2010-05-15";

/// The outputs of a deployed stack, by name.
#[derive(Debug, Clone, Default)]
pub struct Outputs(BTreeMap<String, String>);

impl Outputs {
    /// Reads the outputs of a stack
    /// ([DescribeStacks](https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_DescribeStacks.html)).
    ///
    /// # Errors
    /// Fails if AWS refuses, there is no such stack, or its outputs cannot be read.
    pub async fn of_stack(aws: &Aws, stack: &str) -> Result<Self, ClientError> {
        let form = [("Action", "DescribeStacks"), ("Version", VERSION), ("StackName", stack)];
        let body = form.map(|(name, value)| format!("{name}={}", form_encoded(value))).join("&");
        let headers = [("content-type", "application/x-www-form-urlencoded")];
        let answer = aws.call("cloudformation", &headers, body.into_bytes()).await?;
        let text = String::from_utf8_lossy(&answer.body);
        if !answer.status.is_success() {
            let message = find(&text, "Message").unwrap_or_default();
            let status = answer.status.as_u16();
            return Err(ClientError::Other(format!("reading the stack {stack} failed ({status}): {message}")));
        }
        let outputs = parse(&text)
            .map_err(|_| ClientError::Other(format!("the outputs of the stack {stack} cannot be read: try again")))?;
        Ok(Self(outputs))
    }

    /// Returns an output.
    ///
    /// # Errors
    /// Fails if the stack has no such output.
    pub fn get(&self, name: &str) -> Result<String, ClientError> {
        let missing = || {
            ClientError::Other(format!("the stack has no output {name}: is it a stack of EventPulse, and up to date?"))
        };
        self.0.get(name).cloned().ok_or_else(missing)
    }

    /// Returns the names of the resources behind device keys.
    ///
    /// # Errors
    /// Fails if the stack lacks an output.
    pub fn keys_config(&self) -> Result<KeysConfig, ClientError> {
        Ok(KeysConfig {
            keys_table: self.get("KeysTableName")?,
            standard_plan_id: self.get("StandardPlanId")?,
            fast_plan_id: self.get("FastPlanId")?,
        })
    }

    /// Returns the names of the deployed resources. Buckets are host names unless `s3_path_style`.
    ///
    /// # Errors
    /// Fails if the stack lacks an output, or one is malformed.
    pub fn config(&self, s3_path_style: bool) -> Result<Config, ClientError> {
        let malformed = |name: &str| ClientError::Other(format!("the output {name} of the stack is malformed"));
        let days = self.get("QuarantineRetentionDays")?;
        Ok(Config {
            uploads_table: self.get("UploadsTableName")?,
            chunks_table: self.get("ChunksTableName")?,
            process_bucket: self.get("ProcessBucketName")?,
            quarantine_bucket: self.get("QuarantineBucketName")?,
            quarantine_retention_days: days.parse().map_err(|_| malformed("QuarantineRetentionDays"))?,
            notices_topic_arn: self.get("NoticesTopicArn")?,
            notices_table: self.get("NoticesTableName")?,
            usage_table: self.get("UsageTableName")?,
            // No command of the operator reads records.
            default_schema: SchemaRef::parse("reading/1.0").map_err(|_| malformed("DefaultSchema"))?,
            s3_path_style,
        })
    }
}

impl<'a> FromIterator<(&'a String, &'a String)> for Outputs {
    fn from_iter<I: IntoIterator<Item = (&'a String, &'a String)>>(outputs: I) -> Self {
        Self(outputs.into_iter().map(|(name, value)| (name.clone(), value.clone())).collect())
    }
}

fn form_encoded(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}

/// Returns the outputs in an answer of `DescribeStacks`.
fn parse(xml: &str) -> Result<BTreeMap<String, String>, XmlDecodeError> {
    let mut outputs = BTreeMap::new();
    let mut document = Document::new(xml);
    let mut root = document.root_element()?;
    collect(&mut root, &mut outputs)?;
    Ok(outputs)
}

/// Collects the outputs below an element.
fn collect(element: &mut ScopedDecoder<'_, '_>, outputs: &mut BTreeMap<String, String>) -> Result<(), XmlDecodeError> {
    let (mut key, mut value) = (None, None);
    while let Some(mut child) = element.next_tag() {
        match child.start_el().local() {
            "OutputKey" => key = Some(try_data(&mut child)?.into_owned()),
            "OutputValue" => value = Some(try_data(&mut child)?.into_owned()),
            _ => collect(&mut child, outputs)?,
        }
    }
    if let (Some(key), Some(value)) = (key, value) {
        outputs.insert(key, value);
    }
    Ok(())
}

/// Returns the text of the first element of this name.
fn find(xml: &str, name: &str) -> Option<String> {
    let mut document = Document::new(xml);
    loop {
        let start = document.next_start_element()?;
        if start.local() == name {
            return try_data(&mut document.scoped_to(start)).ok().map(|text| text.into_owned());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outputs_are_read_from_the_answer_of_cloudformation() {
        let xml = r#"<?xml version="1.0"?>
<DescribeStacksResponse xmlns="http://cloudformation.amazonaws.com/doc/2010-05-15/"><DescribeStacksResult><Stacks><member>
  <StackName>eventpulse</StackName><Parameters><member><ParameterKey>OutputKeyLike</ParameterKey><ParameterValue>x</ParameterValue></member></Parameters>
  <Outputs>
    <member><OutputKey>KeysTableName</OutputKey><OutputValue>keys-1</OutputValue><Description>Table of &quot;keys&quot;</Description></member>
    <member><Description>First the text</Description><OutputValue>https://x/?a=1&amp;b=2</OutputValue><OutputKey>ApiUrl</OutputKey></member>
    <member><OutputKey>Empty</OutputKey><OutputValue></OutputValue></member>
  </Outputs></member></Stacks></DescribeStacksResult></DescribeStacksResponse>"#;
        let expected = [("ApiUrl", "https://x/?a=1&b=2"), ("Empty", ""), ("KeysTableName", "keys-1")];
        let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(parse(xml).unwrap(), BTreeMap::from(expected));
    }

    #[test]
    fn a_refusal_is_found_in_the_answer() {
        let xml = "<ErrorResponse><Error><Code>ValidationError</Code><Message>Stack with id x does not exist</Message>\
                   </Error></ErrorResponse>";
        assert_eq!(find(xml, "Message").as_deref(), Some("Stack with id x does not exist"));
        for other in ["", "not XML", "<a>", "<a><b/></a>"] {
            assert_eq!(find(other, "Message"), None, "{other}");
        }
    }

    #[test]
    fn a_missing_output_is_named() {
        let error = Outputs::default().keys_config().unwrap_err().to_string();
        assert!(error.contains("no output KeysTableName"), "{error}");
    }
}
