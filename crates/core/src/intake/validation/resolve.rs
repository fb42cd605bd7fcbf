//! The choice of the schema that a record is checked against.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::collect::Located;
use super::message;
use crate::intake::failure::{Failure, FailureCode};
use crate::intake::json::{Document, TapeNode};
use crate::intake::schema::bundle;
use crate::intake::schema::bundle::nearest::did_you_mean;
use crate::intake::schema::{Catalog, Schema, SchemaId, SchemaRef};

/// The schema that a record is checked against.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct AppliedSchema {
    /// The schema that the record or its upload requests; none if the default applies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requested: Option<String>,
    /// The schema that is applied.
    pub applied: SchemaId,
}

/// Resolves the schema of a record: the one that it names, else the one that its upload requests, else the default. Returns it
/// with the request.
pub(super) fn schema<'c, 'a>(
    catalog: &'c Catalog,
    document: &'a Document<'_>,
    requested: Option<&'a SchemaRef>,
    default: &SchemaRef,
) -> Result<(&'c Schema, Option<Request<'a>>), Box<Located>> {
    let named = document.root().member("schema");
    let found = match (named, requested) {
        (Some(node), _) => {
            let text = node.text().unwrap_or_default();
            bundle::parse_id(text)
                .and_then(|(name, major, _)| catalog.find_version(name, major))
                .map(|schema| (schema, Some(Request::Record(text))))
        }
        (None, Some(requested)) => catalog.find(requested).map(|schema| (schema, Some(Request::Upload(requested)))),
        (None, None) => catalog.find(default).map(|schema| (schema, None)),
    };
    found.ok_or_else(|| Box::new(unknown(catalog, named, requested.unwrap_or(default))))
}

/// Returns the schema that is applied upon a request. `previous` is that of the previous record, and becomes that of this one.
pub(super) fn applied(
    schema: &Schema,
    request: Option<Request<'_>>,
    previous: &mut Option<Arc<AppliedSchema>>,
) -> Arc<AppliedSchema> {
    let is_same = |applied: &&Arc<AppliedSchema>| match (&applied.requested, &request) {
        (Some(requested), Some(request)) => applied.applied == schema.id && request.is(requested),
        (None, None) => applied.applied == schema.id,
        _ => false,
    };
    if let Some(applied) = previous.as_ref().filter(is_same) {
        return Arc::clone(applied);
    }
    let requested = request.map(|request| match request {
        Request::Record(text) => text.to_owned(),
        Request::Upload(requested) => requested.to_string(),
    });
    let applied = Arc::new(AppliedSchema { requested, applied: schema.id.clone() });
    *previous = Some(Arc::clone(&applied));
    applied
}

/// A request for a schema.
#[derive(Clone, Copy)]
pub(super) enum Request<'a> {
    Record(&'a str),
    Upload(&'a SchemaRef),
}

impl Request<'_> {
    /// Returns whether the request has this text.
    fn is(&self, requested: &str) -> bool {
        match self {
            Request::Record(text) => *text == requested,
            Request::Upload(schema) => {
                let SchemaId { name, major, minor } = schema.requested();
                bundle::parse_id(requested) == Some((&**name, *major, *minor))
            }
        }
    }
}

/// Returns the failure of a record without a schema, and the entry of the tape that it is about.
fn unknown(catalog: &Catalog, named: Option<TapeNode<'_>>, requested: &SchemaRef) -> Located {
    let Some(node) = named else {
        let message = format!("the upload asks for the schema `{requested}`, but {}", alternative(catalog, requested));
        return (Failure::new(FailureCode::UnknownSchema, "", message), Some(0));
    };
    let message = match node.text().map(SchemaRef::parse) {
        Some(Ok(requested)) => {
            format!("the record asks for the schema `{requested}`, but {}", alternative(catalog, &requested))
        }
        Some(Err(_)) => {
            "must be the name of a schema, of the form <name>/<major>.<minor>, such as reading/1.0".to_owned()
        }
        None => format!("must be the name of a schema, such as \"reading/1.0\", but is {}", message::kind_of(node)),
    };
    (Failure::new(FailureCode::UnknownSchema, "/schema", message), node.index())
}

/// Says what exists instead of an unknown schema.
fn alternative(catalog: &Catalog, requested: &SchemaRef) -> String {
    let SchemaId { name, major, .. } = requested.requested();
    let of_name: Vec<String> = catalog.ids().filter(|id| id.name == *name).map(ToString::to_string).collect();
    if of_name.is_empty() {
        let hint = did_you_mean(name, catalog.ids().map(|id| &*id.name));
        return format!("there is no schema of that name{hint}");
    }
    format!("there is no major version {major} of it; there is {}", of_name.join(", "))
}
