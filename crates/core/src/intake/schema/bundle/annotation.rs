//! The annotation `x-eventpulse`: the paths to the entity, the time and the measures of a record.

use serde_json::{Map, Value};

use super::nearest::did_you_mean;
use super::source::{SchemaProblem, Source, child};

const KEYWORD: &str = "/x-eventpulse";
const EXAMPLE: &str = r#"{"entity": "/device_id", "time": "/timestamp", "measures": {"value": "/value"}}"#;

/// The annotation of a schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Annotation {
    pub(crate) entity: Path,
    pub(crate) time: Path,
    /// The measures by name, in ascending order.
    pub(crate) measures: Vec<(String, Path)>,
}

/// A JSON Pointer in which `*` stands for every element of an array.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Path {
    pub(crate) steps: Vec<Step>,
    /// The JSON Pointer to the path in the schema file.
    pub(crate) pointer: String,
}

/// A step of a [`Path`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    /// The member of that name.
    Member(String),
    /// Each element of an array.
    Each,
}

impl Path {
    /// Returns the steps up to the last `*`, inclusive.
    fn shared(&self) -> &[Step] {
        let stars = self.steps.iter().rposition(|step| *step == Step::Each).map_or(0, |at| at + 1);
        self.steps.get(..stars).unwrap_or_default()
    }
}

/// Parses the annotation of `source`; appends its problems to `problems`.
pub(super) fn read(source: &Source, problems: &mut Vec<SchemaProblem>) -> Option<Annotation> {
    let mut found = Vec::new();
    let annotation = parse(source.schema.get("x-eventpulse"), &mut found);
    let failed = !found.is_empty();
    problems.extend(found.into_iter().map(|(pointer, message)| SchemaProblem::new(&source.path, pointer, message)));
    if failed { None } else { annotation }
}

/// Pointers within the annotation, each with the error there.
type Problems = Vec<(String, String)>;

fn parse(value: Option<&Value>, found: &mut Problems) -> Option<Annotation> {
    let Some(value) = value else {
        found.push((String::new(), format!("has no `x-eventpulse` annotation, such as {EXAMPLE}")));
        return None;
    };
    let Value::Object(members) = value else {
        found.push((KEYWORD.into(), format!("must be an object such as {EXAMPLE}")));
        return None;
    };
    let known = ["entity", "time", "measures"];
    for name in members.keys().filter(|name| !known.contains(&name.as_str())) {
        found.push((
            child(KEYWORD, name),
            format!("`{name}` is not part of the annotation{}", did_you_mean(name, known)),
        ));
    }
    let entity = path(members, "entity", KEYWORD, found);
    let time = path(members, "time", KEYWORD, found);
    let at = child(KEYWORD, "measures");
    let measures = match members.get("measures") {
        Some(Value::Object(measures)) if !measures.is_empty() => {
            measures.keys().filter_map(|name| Some((name.clone(), path(measures, name, &at, found)?))).collect()
        }
        _ => {
            found.push((at.clone(), "must name at least one measure, such as {\"value\": \"/value\"}".into()));
            Vec::new()
        }
    };
    if measures.iter().any(|(name, _)| name.is_empty()) {
        found.push((at, "a measure needs a name".into()));
    }
    let annotation = Annotation { entity: entity?, time: time?, measures };
    for (name, measure) in &annotation.measures {
        for (what, path) in [("entity", &annotation.entity), ("time", &annotation.time)] {
            if !measure.steps.starts_with(path.shared()) {
                let message = format!(
                    "steps over an array that the {what} of measure `{name}` does not share: a `*` pairs elements of one array"
                );
                found.push((path.pointer.clone(), message));
            }
        }
    }
    Some(annotation)
}

fn path(members: &Map<String, Value>, name: &str, parent: &str, found: &mut Problems) -> Option<Path> {
    let pointer = child(parent, name);
    let problem = |message: &str| Some((pointer.clone(), message.to_owned()));
    let wrong = match members.get(name) {
        None => problem("is missing: it must be a path such as \"/timestamp\""),
        Some(Value::String(text)) if !text.starts_with('/') => problem("must begin with /, such as \"/timestamp\""),
        Some(Value::String(text)) => {
            let steps: Vec<Step> = text.split('/').skip(1).map(step).collect();
            match steps.last() {
                Some(Step::Member(_) | Step::Each) if is_pointer(text) => return Some(Path { steps, pointer }),
                _ => problem("is no JSON Pointer: write ~0 for ~ and ~1 for /"),
            }
        }
        Some(_) => problem("must be a string: a path such as \"/timestamp\""),
    };
    found.extend(wrong);
    None
}

fn step(token: &str) -> Step {
    match token {
        "*" => Step::Each,
        _ => Step::Member(token.replace("~1", "/").replace("~0", "~")),
    }
}

fn is_pointer(text: &str) -> bool {
    text.split('~').skip(1).all(|rest| rest.starts_with(['0', '1']))
}
