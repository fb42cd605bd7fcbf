//! What to take out of a record: the annotation of a schema, compiled.

use super::bundle::{Annotation, Path, Step};
use crate::intake::json::TapeNode;
use crate::time::Timestamp;
use jsonschema::json::{Array, JsonNumber, Node};

/// A path of members.
type Members = Vec<Box<str>>;

/// The plan of one schema.
#[derive(Debug)]
pub(crate) struct Plan {
    /// The names of the measures; a [`Point`] tells them by their places.
    pub(crate) measures: Vec<Box<str>>,
    root: FailureScope,
}

/// The record, or each element of an array.
#[derive(Debug, Default)]
struct FailureScope {
    /// From an element of the outer scope to the array.
    array: Members,
    entity: Option<Members>,
    time: Option<Members>,
    /// Places in [`Plan::measures`], and the paths to the values.
    measures: Vec<(u32, Members)>,
    inner: Vec<FailureScope>,
}

/// A value to count.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Point<'a> {
    /// A string or a whole number.
    pub(crate) entity: TapeNode<'a>,
    /// Its place in [`Plan::measures`].
    pub(crate) measure: u32,
    pub(crate) time: Timestamp,
    /// Finite.
    pub(crate) value: f64,
}

/// What a schema lets through and the plan cannot use. The node is the value, or the object that lacks the member of that name.
#[derive(Debug, Clone, Copy)]
pub(crate) enum ExtractionError<'p, 'a> {
    Entity(TapeNode<'a>, Option<&'p str>),
    Time(TapeNode<'a>, Option<&'p str>),
    Measure(TapeNode<'a>),
    NotAnArray(TapeNode<'a>),
}

/// Takes what [`Plan::walk`] finds.
pub(crate) trait Sink<'a> {
    fn point(&mut self, point: Point<'a>);
    fn flaw(&mut self, flaw: ExtractionError<'_, 'a>);
}

impl Plan {
    pub(crate) fn new(annotation: &Annotation) -> Self {
        let mut plan = Plan { measures: Vec::new(), root: FailureScope::default() };
        let (scope, path) = plan.root.place(&annotation.entity);
        scope.entity = Some(path);
        let (scope, path) = plan.root.place(&annotation.time);
        scope.time = Some(path);
        for (name, path) in &annotation.measures {
            let measure = plan.measures.len() as u32;
            plan.measures.push(name.as_str().into());
            let (scope, path) = plan.root.place(path);
            scope.measures.push((measure, path));
        }
        plan
    }

    /// Tells `sink` every point of a record, and every reason why one is none.
    pub(crate) fn walk<'a>(&self, root: TapeNode<'a>, sink: &mut impl Sink<'a>) {
        self.root.walk(root, None, None, sink);
    }
}

impl FailureScope {
    /// The scope that a path leads to, and the rest of the path.
    fn place(&mut self, path: &Path) -> (&mut FailureScope, Members) {
        let mut scope = self;
        let mut members = Members::new();
        for step in &path.steps {
            match step {
                Step::Member(name) => members.push(name.as_str().into()),
                Step::Each => {
                    let array = std::mem::take(&mut members);
                    let at = scope.inner.iter().position(|inner| inner.array == array).unwrap_or_else(|| {
                        scope.inner.push(FailureScope { array, ..FailureScope::default() });
                        scope.inner.len() - 1
                    });
                    scope = &mut scope.inner[at];
                }
            }
        }
        (scope, members)
    }

    fn walk<'a>(
        &self,
        node: TapeNode<'a>,
        mut entity: Option<TapeNode<'a>>,
        mut time: Option<Timestamp>,
        sink: &mut impl Sink<'a>,
    ) {
        if let Some(path) = &self.entity {
            entity = match descend(node, path) {
                Ok(found) if is_entity(found) => Some(found),
                Ok(found) => {
                    sink.flaw(ExtractionError::Entity(found, None));
                    None
                }
                Err((object, name)) => {
                    sink.flaw(ExtractionError::Entity(object, Some(name)));
                    None
                }
            };
        }
        if let Some(path) = &self.time {
            time = match descend(node, path) {
                Ok(found) => {
                    let read = found.text().and_then(Timestamp::parse);
                    if read.is_none() {
                        sink.flaw(ExtractionError::Time(found, None));
                    }
                    read
                }
                Err((object, name)) => {
                    sink.flaw(ExtractionError::Time(object, Some(name)));
                    None
                }
            };
        }
        for (measure, path) in &self.measures {
            let Ok(found) = descend(node, path) else { continue };
            match found.number() {
                Some(number) => {
                    if let (Some(entity), Some(time)) = (entity, time) {
                        sink.point(Point { entity, measure: *measure, time, value: number.to_f64() });
                    }
                }
                None if found.is_null() => {}
                None => sink.flaw(ExtractionError::Measure(found)),
            }
        }
        for inner in &self.inner {
            let Ok(found) = descend(node, &inner.array) else { continue };
            match found.array() {
                Some(array) => {
                    for element in array.elements() {
                        inner.walk(element, entity, time, sink);
                    }
                }
                None if found.is_null() => {}
                None => sink.flaw(ExtractionError::NotAnArray(found)),
            }
        }
    }
}

/// The value at the end of a path, or the value that lacks the next member.
#[inline]
fn descend<'p, 'a>(node: TapeNode<'a>, path: &'p [Box<str>]) -> Result<TapeNode<'a>, (TapeNode<'a>, &'p str)> {
    let mut node = node;
    for name in path {
        node = node.member(name).ok_or((node, &**name))?;
    }
    Ok(node)
}

/// The longest name of an entity. A chunk's item has to hold it, and an upload may have thousands of them.
pub(crate) const MAX_ENTITY_BYTES: usize = 1_024;

fn is_entity(node: TapeNode<'_>) -> bool {
    match node.text() {
        Some(text) => (1..=MAX_ENTITY_BYTES).contains(&text.len()),
        None => node.number().is_some_and(|number| whole(number).is_some()),
    }
}

/// The number as the integer that names an entity.
fn whole(number: impl JsonNumber) -> Option<i128> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    let integer = number.as_i64().map(i128::from).or(number.as_u64().map(i128::from));
    integer.or_else(|| {
        number.as_f64().filter(|number| number.fract() == 0.0 && number.abs() <= EXACT).map(|number| number as i128)
    })
}

/// The name of an entity, if it is no string: an integer in decimal.
pub(crate) fn decimal(node: TapeNode<'_>) -> Option<i128> {
    whole(node.number()?)
}
