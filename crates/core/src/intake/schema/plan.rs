//! The extraction plan: the `x-eventpulse` annotation of a schema, compiled.

use super::bundle::{Annotation, Path, Step};
use crate::intake::json::TapeNode;
use crate::time::Timestamp;
use jsonschema::json::{JsonNumber, Node};

/// A path of member names.
type MemberPath = Vec<Box<str>>;

/// The extraction plan of one schema.
#[derive(Debug)]
pub(crate) struct Plan {
    /// The names of the measures.
    pub(crate) measures: Vec<Box<str>>,
    root: PlanScope,
}

/// The record, or each element of an array.
#[derive(Debug, Default)]
struct PlanScope {
    /// The path from an element of the outer scope to the array.
    array: MemberPath,
    entity: Option<MemberPath>,
    time: Option<MemberPath>,
    /// Indexes in [`Plan::measures`], and the paths to the values.
    measures: Vec<(u32, MemberPath)>,
    inner: Vec<PlanScope>,
}

/// A point of a record.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PlannedPoint<'a> {
    /// The entity: a string or a whole number.
    pub(crate) entity: TapeNode<'a>,
    /// The index of the measure in [`Plan::measures`].
    pub(crate) measure: u32,
    pub(crate) time: Timestamp,
    /// The value, which is finite.
    pub(crate) value: f64,
}

/// A value that the schema accepts and the plan cannot use. The node is the value, or the object that lacks the named member.
#[derive(Debug, Clone, Copy)]
pub(crate) enum ExtractionError<'p, 'a> {
    Entity(TapeNode<'a>, Option<&'p str>),
    Time(TapeNode<'a>, Option<&'p str>),
    Measure(TapeNode<'a>),
    NotAnArray(TapeNode<'a>),
}

/// Receives the findings of [`Plan::walk`].
pub(crate) trait PlanVisitor<'a> {
    fn point(&mut self, point: PlannedPoint<'a>);
    fn error(&mut self, error: ExtractionError<'_, 'a>);
}

impl Plan {
    pub(crate) fn new(annotation: &Annotation) -> Self {
        let mut plan = Plan { measures: Vec::new(), root: PlanScope::default() };
        let (scope, path) = plan.root.scope_of(&annotation.entity);
        scope.entity = Some(path);
        let (scope, path) = plan.root.scope_of(&annotation.time);
        scope.time = Some(path);
        for (name, path) in &annotation.measures {
            let measure = plan.measures.len() as u32;
            plan.measures.push(name.as_str().into());
            let (scope, path) = plan.root.scope_of(path);
            scope.measures.push((measure, path));
        }
        plan
    }

    /// Visits every point of a record, and every value that prevents one.
    pub(crate) fn walk<'a>(&self, root: TapeNode<'a>, visitor: &mut impl PlanVisitor<'a>) {
        self.root.walk(root, None, None, visitor);
    }
}

impl PlanScope {
    /// Returns the scope that a path leads to, and the rest of the path.
    fn scope_of(&mut self, path: &Path) -> (&mut PlanScope, MemberPath) {
        let mut scope = self;
        let mut members = MemberPath::new();
        for step in &path.steps {
            match step {
                Step::Member(name) => members.push(name.as_str().into()),
                Step::Each => {
                    let array = std::mem::take(&mut members);
                    let at = scope.inner.iter().position(|inner| inner.array == array).unwrap_or_else(|| {
                        scope.inner.push(PlanScope { array, ..PlanScope::default() });
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
        visitor: &mut impl PlanVisitor<'a>,
    ) {
        if let Some(path) = &self.entity {
            entity = match descend(node, path) {
                Ok(found) if is_entity(found) => Some(found),
                Ok(found) => {
                    visitor.error(ExtractionError::Entity(found, None));
                    None
                }
                Err((object, name)) => {
                    visitor.error(ExtractionError::Entity(object, Some(name)));
                    None
                }
            };
        }
        if let Some(path) = &self.time {
            time = match descend(node, path) {
                Ok(found) => {
                    let read = found.text().and_then(Timestamp::parse);
                    if read.is_none() {
                        visitor.error(ExtractionError::Time(found, None));
                    }
                    read
                }
                Err((object, name)) => {
                    visitor.error(ExtractionError::Time(object, Some(name)));
                    None
                }
            };
        }
        for (measure, path) in &self.measures {
            let Ok(found) = descend(node, path) else { continue };
            match found.number() {
                Some(number) => {
                    if let (Some(entity), Some(time)) = (entity, time) {
                        visitor.point(PlannedPoint { entity, measure: *measure, time, value: number.to_f64() });
                    }
                }
                None if found.is_null() => {}
                None => visitor.error(ExtractionError::Measure(found)),
            }
        }
        for inner in &self.inner {
            let Ok(found) = descend(node, &inner.array) else { continue };
            match found.array() {
                Some(array) => {
                    for element in array.elements() {
                        inner.walk(element, entity, time, visitor);
                    }
                }
                None if found.is_null() => {}
                None => visitor.error(ExtractionError::NotAnArray(found)),
            }
        }
    }
}

/// Returns the value at the end of a path, or the value that lacks the next member.
#[inline]
fn descend<'p, 'a>(node: TapeNode<'a>, path: &'p [Box<str>]) -> Result<TapeNode<'a>, (TapeNode<'a>, &'p str)> {
    let mut node = node;
    for name in path {
        node = node.member(name).ok_or((node, &**name))?;
    }
    Ok(node)
}

/// The maximum length of an entity in bytes. The item of a chunk holds it, and an upload may have thousands of them.
pub(crate) const MAX_ENTITY_BYTES: usize = 1_024;

fn is_entity(node: TapeNode<'_>) -> bool {
    match node.text() {
        Some(text) => (1..=MAX_ENTITY_BYTES).contains(&text.len()),
        None => node.number().is_some_and(|number| whole(number).is_some()),
    }
}

/// Returns a number as the integer that names an entity.
fn whole(number: impl JsonNumber) -> Option<i128> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    let integer = number.as_i64().map(i128::from).or(number.as_u64().map(i128::from));
    integer.or_else(|| {
        number.as_f64().filter(|number| number.fract() == 0.0 && number.abs() <= EXACT).map(|number| number as i128)
    })
}

/// Returns the integer that names an entity.
pub(crate) fn decimal(node: TapeNode<'_>) -> Option<i128> {
    whole(node.number()?)
}
