//! The check of the paths of an annotation: a path that its schema does not declare would find no data.

use serde_json::Value;

use super::annotation::{Annotation, Path, Step};
use super::keywords;
use super::nearest::did_you_mean;
use super::source::{SchemaProblem, Source};

/// A schema and its file.
type View<'a> = (&'a Source, &'a Value);

/// Checks that the schema declares every member that the annotation names, with a suitable type.
pub(super) fn check(source: &Source, annotation: &Annotation, sources: &[Source], problems: &mut Vec<SchemaProblem>) {
    let measures = annotation.measures.iter().map(|(_, path)| (path, ["number", "integer"].as_slice()));
    let paths = [(&annotation.entity, ["string", "integer"].as_slice()), (&annotation.time, ["string"].as_slice())];
    for (path, types) in paths.into_iter().chain(measures) {
        if let Err(message) = follow(source, path, types, sources) {
            problems.push(SchemaProblem::new(&source.path, path.pointer.clone(), message));
        }
    }
}

fn follow(source: &Source, path: &Path, types: &[&str], sources: &[Source]) -> Result<(), String> {
    let mut views = all_views((source, &source.schema), sources);
    for step in &path.steps {
        let next = match step {
            Step::Member(name) => members(&views, name),
            Step::Each => elements(&views),
        };
        match next {
            Err(message) if !is_open(&views) => return Err(message),
            Err(_) => return Ok(()),
            Ok(next) => views = next.into_iter().flat_map(|view| all_views(view, sources)).collect(),
        }
    }
    let mut typed = views.iter().filter_map(|(_, schema)| schema.get("type")).peekable();
    let fits = |declared: &Value| match declared {
        Value::Array(names) => names.iter().filter_map(Value::as_str).any(|name| types.contains(&name)),
        _ => declared.as_str().is_some_and(|name| types.contains(&name)),
    };
    match typed.peek().is_none() || typed.any(fits) {
        true => Ok(()),
        false => Err(format!("the schema does not let this be of type {}", types.join(" or "))),
    }
}

/// Returns the schema and those that apply to the same value.
fn all_views<'a>(view: View<'a>, sources: &'a [Source]) -> Vec<View<'a>> {
    let mut views: Vec<View<'a>> = vec![view];
    let mut at = 0;
    while let Some(&(source, schema)) = views.get(at) {
        at += 1;
        let reference = schema.get("$ref").and_then(Value::as_str);
        let target = reference.and_then(|reference| keywords::resolve(source, sources, reference).ok().flatten());
        let listed =
            ["allOf", "anyOf", "oneOf"].into_iter().filter_map(|keyword| schema.get(keyword)?.as_array()).flatten();
        let single = ["then", "else"].into_iter().filter_map(|keyword| schema.get(keyword));
        let dependent =
            schema.get("dependentSchemas").and_then(Value::as_object).into_iter().flat_map(|schemas| schemas.values());
        let more = listed.chain(single).chain(dependent).map(|schema| (source, schema)).chain(target);
        for view in more.collect::<Vec<_>>() {
            if !views.iter().any(|known| std::ptr::eq(known.1, view.1)) {
                views.push(view);
            }
        }
    }
    views
}

fn members<'a>(views: &[View<'a>], name: &str) -> Result<Vec<View<'a>>, String> {
    let declared =
        || views.iter().filter_map(|&(source, schema)| Some((source, schema.get("properties")?.as_object()?)));
    let found: Vec<View<'a>> =
        declared().filter_map(|(source, properties)| Some((source, properties.get(name)?))).collect();
    if !found.is_empty() {
        return Ok(found);
    }
    let hint = did_you_mean(name, declared().flat_map(|(_, properties)| properties.keys().map(String::as_str)));
    Err(format!("the schema declares no member `{name}` here{hint}"))
}

fn elements<'a>(views: &[View<'a>]) -> Result<Vec<View<'a>>, String> {
    let single = views.iter().filter_map(|&(source, schema)| Some((source, schema.get("items")?)));
    let listed = views.iter().filter_map(|&(source, schema)| Some((source, schema.get("prefixItems")?.as_array()?)));
    let found: Vec<View<'a>> =
        single.chain(listed.flat_map(|(source, schemas)| schemas.iter().map(move |schema| (source, schema)))).collect();
    if found.is_empty() { Err("the schema declares no `items` where the path has a `*`".into()) } else { Ok(found) }
}

/// Returns whether the schema allows members that it does not name.
fn is_open(views: &[View<'_>]) -> bool {
    let opening = ["patternProperties", "additionalProperties", "unevaluatedProperties", "$dynamicRef"];
    views.iter().any(|(_, schema)| {
        opening.iter().any(|keyword| schema.get(keyword).is_some_and(|value| *value != Value::Bool(false)))
    }) || views.iter().any(|(_, schema)| {
        schema
            .get("$ref")
            .and_then(Value::as_str)
            .is_some_and(|reference| !reference.contains("#/") && reference.contains('#'))
    })
}
