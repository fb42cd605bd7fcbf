//! The schema files, their check and their compilation.
//!
//! This module is compiled twice: into the crate, and into its build script, so that an invalid schema fails the build. It
//! depends on `serde_json` and `jsonschema` only.

mod annotation;
mod keywords;
mod lookup;
pub(crate) mod nearest;
mod references;
mod source;

use jsonschema::json::Json;
use jsonschema::{Draft, PatternOptions, Registry, Validator};
use serde_json::{Value, json};

pub(crate) use annotation::Annotation;
#[allow(unused_imports, reason = "the build script does not use them")]
pub(crate) use annotation::{Path, Step};
pub use source::SchemaProblem;
pub(crate) use source::Source;
#[allow(unused_imports, reason = "the build script does not use it")]
pub(crate) use source::parse_id;

/// The files of `schemas/`, parsed, in ascending order of name and version.
#[derive(Debug)]
pub(crate) struct Files {
    pub(crate) sources: Vec<Source>,
    /// The annotation of each source.
    pub(crate) annotations: Vec<Annotation>,
}

impl Files {
    /// Parses files, given as (path within `schemas/`, text), which are known to pass [`checked`](Self::checked).
    ///
    /// # Errors
    /// Returns every file that is not a schema with an annotation. Finds no other problems.
    pub(crate) fn parsed(files: &[(&str, &str)]) -> Result<Self, Vec<SchemaProblem>> {
        let (sources, mut problems) = parse(files);
        let annotations = sources.iter().filter_map(|source| annotation::read(source, &mut problems)).collect();
        if problems.is_empty() { Ok(Self { sources, annotations }) } else { Err(problems) }
    }

    /// Parses files as [`parsed`](Self::parsed) does, and checks them: their validators compile, and their annotations
    /// lead to values.
    ///
    /// # Errors
    /// Returns every problem of every file.
    pub(crate) fn checked<F: Json>(files: &[(&str, &str)]) -> Result<Self, Vec<SchemaProblem>> {
        let (sources, mut problems) = parse(files);
        let mut annotations = Vec::new();
        for source in &sources {
            let before = problems.len();
            keywords::check(source, &sources, &mut problems);
            if problems.len() == before {
                problems.extend(metaschema_problem(source));
            }
            annotations.extend(annotation::read(source, &mut problems));
        }
        if problems.is_empty() {
            for (source, annotation) in sources.iter().zip(&annotations) {
                lookup::check(source, annotation, &sources, &mut problems);
            }
        }
        let files = Self { sources, annotations };
        if problems.is_empty() {
            // The format decides about instances, of which there are none here.
            let problem = |index| files.validator::<F>(index, |_| true).err();
            problems.extend((0..files.sources.len()).filter_map(problem));
        }
        if problems.is_empty() { Ok(files) } else { Err(problems) }
    }

    /// Returns the files whose sources are `wanted`.
    #[allow(dead_code, reason = "the build script does not use it")]
    pub(crate) fn only(&self, wanted: impl Fn(&Source) -> bool) -> Self {
        let kept = || self.sources.iter().zip(&self.annotations).filter(|(source, _)| wanted(source));
        let (sources, annotations) = (kept().map(|(source, _)| source), kept().map(|(_, annotation)| annotation));
        Self { sources: sources.cloned().collect(), annotations: annotations.cloned().collect() }
    }

    /// Returns a source and every source that it refers to, directly or by others.
    #[allow(dead_code, reason = "the build script does not use it")]
    pub(crate) fn with_referenced(&self, index: usize) -> Vec<&Source> {
        self.sources.get(index).map_or_else(Vec::new, |source| references::with_referenced(source, &self.sources))
    }

    /// Compiles the schema of a source for instances in the representation `F`. `is_date_time` decides the format
    /// `date-time`. Takes about a millisecond, and several for the first schema of a process.
    ///
    /// # Errors
    /// Returns the first problem. None if the files passed [`checked`](Self::checked).
    pub(crate) fn validator<F: Json>(
        &self,
        index: usize,
        is_date_time: fn(&str) -> bool,
    ) -> Result<Validator<F>, SchemaProblem> {
        let whole = |message: String| SchemaProblem::new("", "", message);
        let source = self.sources.get(index).ok_or_else(|| whole(format!("there is no schema {index}")))?;
        let resources = self.sources.iter().map(|source| (source.id.as_str(), &source.schema));
        let registry = Registry::new()
            .draft(Draft::Draft202012)
            .extend(resources)
            .and_then(|builder| builder.prepare())
            .map_err(|error| whole(format!("the schemas do not fit together: {error}")))?;
        let built = jsonschema::options_for::<F>()
            .with_draft(Draft::Draft202012)
            .with_registry(&registry)
            .offline()
            .should_validate_formats(true)
            .should_ignore_unknown_formats(false)
            .with_pattern_options(patterns())
            .with_format("date-time", is_date_time)
            .build(&source.schema);
        built.map_err(|error| {
            let pointer = match error.instance_path().as_str() {
                "" => error.schema_path().as_str(),
                path => path,
            };
            SchemaProblem::new(&source.path, pointer, error.to_string())
        })
    }
}

/// Returns the files that parse, sorted, and the problems of the others.
fn parse(files: &[(&str, &str)]) -> (Vec<Source>, Vec<SchemaProblem>) {
    let mut problems = Vec::new();
    let mut sources = Vec::new();
    for &(path, text) in files {
        match source::read(path, text) {
            Ok(source) => sources.push(source),
            Err(problem) => problems.push(problem),
        }
    }
    if files.is_empty() {
        problems.push(SchemaProblem::new("", "", "there is no schema: add schemas/<name>/<major>.<minor>.json"));
    }
    sources.sort_by(|one, other| (&one.name, one.major, one.minor).cmp(&(&other.name, other.major, other.minor)));
    (sources, problems)
}

/// Returns the dialect of the keyword `pattern`: expressions that take linear time.
fn patterns() -> PatternOptions<jsonschema::Regex> {
    PatternOptions::regex()
}

/// Returns the validator of a schema that has no keyword but `pattern`; `None` for an invalid expression.
pub(crate) fn pattern_validator<F: Json>(schema: &Value) -> Option<Validator<F>> {
    jsonschema::options_for::<F>()
        .with_draft(Draft::Draft202012)
        .offline()
        .with_pattern_options(patterns())
        .build(schema)
        .ok()
}

/// Returns the validator of a single keyword about one value; `None` if `jsonschema` refuses it.
#[allow(dead_code, reason = "the build script does not use it")]
pub(crate) fn keyword_validator<F: Json>(keyword: &str, value: &Value) -> Option<Validator<F>> {
    jsonschema::options_for::<F>()
        .with_draft(Draft::Draft202012)
        .offline()
        .should_validate_formats(true)
        .with_pattern_options(patterns())
        .build(&json!({ keyword: value }))
        .ok()
}

fn metaschema_problem(source: &Source) -> Option<SchemaProblem> {
    let error = jsonschema::draft202012::meta::validate(&source.schema).err()?;
    Some(SchemaProblem::new(&source.path, error.instance_path().as_str(), error.to_string()))
}
