//! The rules by which records were judged, as a history keeps them: with these, an inspection of the same bytes years later
//! reaches the same verdicts.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::intake::schema::{Catalog, SchemaId, SchemaRef};

/// The rules that were applied to the records of an object.
///
/// ```
/// use eventpulse_core::intake::rules::AppliedRules;
/// use eventpulse_core::intake::schema::{Catalog, SchemaRef};
/// use eventpulse_core::intake::validation::Validator;
///
/// let catalog = Catalog::bundled().unwrap();
/// let mut validator = Validator::new(&catalog, None, SchemaRef::parse("reading/1.0").unwrap());
/// validator.check(br#"{"device_id": "12345", "timestamp": "2025-02-28T12:00:00Z", "value": 22.5}"#);
/// let rules: AppliedRules = validator.rules();
/// assert_eq!(rules.schemas.keys().map(ToString::to_string).collect::<Vec<_>>(), ["reading/1.0"]);
/// assert!(rules.catalog(&catalog).is_ok());
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AppliedRules {
    /// The schema of records for which neither they nor their upload named one, as the deployment requested it.
    pub default_schema: SchemaRef,
    /// The schemas that records were checked against, and those that these refer to, with the SHA-256 of their files in
    /// lower-case hexadecimal.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub schemas: BTreeMap<SchemaId, String>,
    /// The number of further schemas, for which the history had no room.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub omitted: u64,
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// The reason why records cannot be judged by recorded rules.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UnknownRules {
    /// There is no such schema.
    #[error("there is no schema {schema}: add schemas/{schema}.json with the SHA-256 {sha256}")]
    Missing {
        /// The schema.
        schema: SchemaId,
        /// The SHA-256 of its file.
        sha256: String,
    },
    /// The file of a schema has changed.
    #[error("schemas/{schema}.json has changed: the records were checked against the file with the SHA-256 {sha256}")]
    Changed {
        /// The schema.
        schema: SchemaId,
        /// The SHA-256 of the file at that time.
        sha256: String,
    },
    /// The history does not list all schemas.
    #[error("the history leaves out {omitted} of the schemas")]
    Omitted {
        /// The number of schemas that it leaves out.
        omitted: u64,
    },
}

impl AppliedRules {
    /// Returns the catalog that judges as these rules did: it holds these schemas only, so a request resolves to the version
    /// that was applied, however many newer ones `known` has.
    ///
    /// # Errors
    /// Returns [`UnknownRules`] unless `known` has the same file of each schema.
    pub fn catalog(&self, known: &Catalog) -> Result<Catalog, UnknownRules> {
        if self.omitted > 0 {
            return Err(UnknownRules::Omitted { omitted: self.omitted });
        }
        for (schema, sha256) in &self.schemas {
            match known.digest(schema) {
                Some(found) if found == sha256 => {}
                Some(_) => return Err(UnknownRules::Changed { schema: schema.clone(), sha256: sha256.clone() }),
                None => return Err(UnknownRules::Missing { schema: schema.clone(), sha256: sha256.clone() }),
            }
        }
        Ok(known.only(|schema| self.schemas.contains_key(schema)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encoding::sha256;
    use crate::intake::validation::{Validator, Verdict};

    const COMMON: &str = r#"{"$defs": {"n": {"type": "number"}}, "properties": {"id": {"type": "string"}, "at": {"type": "string"},
        "n": {"type": "number"}}, "x-eventpulse": {"entity": "/id", "time": "/at", "measures": {"n": "/n"}}}"#;

    /// A schema that refers to `common/1.0` and accepts numbers from `minimum`.
    fn referring(minimum: i32) -> String {
        format!(
            r#"{{"properties": {{"id": {{"type": "string"}}, "at": {{"type": "string", "format": "date-time"}},
            "n": {{"allOf": [{{"$ref": "eventpulse:/common/1.0#/$defs/n"}}], "minimum": {minimum}}}}},
            "required": ["id", "at", "n"],
            "x-eventpulse": {{"entity": "/id", "time": "/at", "measures": {{"n": "/n"}}}}}}"#
        )
    }

    /// Paths and texts.
    type Files<'a> = &'a [(&'a str, &'a str)];

    fn catalog(files: Files<'_>) -> Catalog {
        Catalog::compile(files).unwrap()
    }

    fn id(text: &str) -> SchemaId {
        SchemaId::parse(text).unwrap()
    }

    fn is_accepted(catalog: &Catalog, record: &str) -> bool {
        let mut validator = Validator::new(catalog, None, SchemaRef::parse("a/1.0").unwrap());
        matches!(validator.check(record.as_bytes()), Verdict::Accepted { .. })
    }

    fn record(n: i32) -> String {
        format!(r#"{{"id": "d", "at": "2025-02-28T12:00:00Z", "n": {n}}}"#)
    }

    /// Returns the rules that were applied to these records.
    fn rules(catalog: &Catalog, records: &[&str]) -> AppliedRules {
        let mut validator = Validator::new(catalog, None, SchemaRef::parse("a/1.0").unwrap());
        for record in records {
            validator.check(record.as_bytes());
        }
        validator.rules()
    }

    #[test]
    fn rules_name_the_schemas_of_accepted_and_rejected_records_and_those_that_they_refer_to() {
        let (old, new) = (referring(0), referring(5));
        let catalog =
            catalog(&[("a/1.0.json", &old), ("a/1.1.json", &new), ("b/1.0.json", COMMON), ("common/1.0.json", COMMON)]);
        let of =
            |names: &[(&str, &str)]| names.iter().map(|(name, text)| (id(name), sha256(text.as_bytes()))).collect();
        let other = record(1).replace('{', r#"{"schema": "b/1.7", "#);
        let (a, common, b) = (("a/1.1", new.as_str()), ("common/1.0", COMMON), ("b/1.0", COMMON));
        let rows: [(&str, &[&str], BTreeMap<SchemaId, String>); 6] = [
            ("no record", &[], BTreeMap::new()),
            ("not JSON", &["{"], BTreeMap::new()),
            ("an unknown schema", &[r#"{"schema": "c/1.0"}"#], BTreeMap::new()),
            ("accepted", &[&record(7)], of(&[a, common])),
            ("rejected", &[&record(1)], of(&[a, common])),
            ("of two schemas", &[&record(7), &other, &record(1)], of(&[a, b, common])),
        ];
        for (name, records, schemas) in rows {
            let found = rules(&catalog, records);
            let default_schema = SchemaRef::parse("a/1.0").unwrap();
            assert_eq!(found, AppliedRules { default_schema, schemas, omitted: 0 }, "{name}");
            let json = serde_json::to_string(&found).unwrap();
            assert_eq!(serde_json::from_str::<AppliedRules>(&json).unwrap(), found, "{name}");
        }
    }

    #[test]
    fn recorded_rules_judge_as_before_after_a_newer_version() {
        let (old, new) = (referring(0), referring(5));
        let before = catalog(&[("a/1.0.json", &old), ("common/1.0.json", COMMON)]);
        let recorded = rules(&before, &[&record(1)]);
        let now = catalog(&[
            ("a/1.0.json", &old),
            ("a/1.1.json", &new),
            ("common/1.0.json", COMMON),
            ("common/1.1.json", COMMON),
        ]);
        assert!(is_accepted(&before, &record(1)) && !is_accepted(&now, &record(1)));
        assert!(is_accepted(&recorded.catalog(&now).unwrap(), &record(1)));
    }

    #[test]
    fn rules_whose_files_are_gone_or_changed_are_unknown() {
        let (old, new) = (referring(0), referring(5));
        let recorded = rules(&catalog(&[("a/1.0.json", &old), ("common/1.0.json", COMMON)]), &[&record(1)]);
        let other_common = COMMON.replace("number", "integer");
        let sha256_of = |text: &str| sha256(text.as_bytes());
        let (a, common) = (id("a/1.0"), id("common/1.0"));
        let rows: [(&str, Files<'_>, AppliedRules, UnknownRules); 4] = [
            (
                "gone",
                &[("b/1.0.json", COMMON), ("common/1.0.json", COMMON)],
                recorded.clone(),
                UnknownRules::Missing { schema: a.clone(), sha256: sha256_of(&old) },
            ),
            (
                "changed",
                &[("a/1.0.json", &new), ("common/1.0.json", COMMON)],
                recorded.clone(),
                UnknownRules::Changed { schema: a, sha256: sha256_of(&old) },
            ),
            (
                "changed in a file that it refers to",
                &[("a/1.0.json", &old), ("common/1.0.json", &other_common)],
                recorded.clone(),
                UnknownRules::Changed { schema: common, sha256: sha256_of(COMMON) },
            ),
            (
                "left out",
                &[("a/1.0.json", &old), ("common/1.0.json", COMMON)],
                AppliedRules { omitted: 2, ..recorded },
                UnknownRules::Omitted { omitted: 2 },
            ),
        ];
        for (name, files, rules, expected) in rows {
            assert_eq!(rules.catalog(&catalog(files)).map(|_| ()), Err(expected), "{name}");
        }
    }
}
