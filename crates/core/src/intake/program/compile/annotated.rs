//! The annotation of a schema, as a program needs it: the role of each value.

use super::super::rules::{MAX_MEASURES, Role, Scopes};
use crate::intake::schema::bundle::{Annotation, Path, Step};

/// The member of a record that names its schema.
const SCHEMA: &str = "schema";

/// An annotation whose points are in the record, or in the elements of one array.
pub(super) struct Annotated<'a> {
    annotation: &'a Annotation,
    /// The steps to the elements with points.
    elements: Option<&'a [Step]>,
}

impl<'a> Annotated<'a> {
    /// Returns `None` if there are points in several arrays, in arrays of arrays, or too many measures.
    pub(super) fn new(annotation: &'a Annotation) -> Option<Self> {
        let measures = annotation.measures.iter().map(|(_, path)| path);
        let paths = [&annotation.entity, &annotation.time].into_iter().chain(measures);
        let mut elements = None;
        for path in paths.filter(|path| path.steps.contains(&Step::Each)) {
            let of_path = elements_of(path)?;
            if elements.replace(of_path).is_some_and(|others| others != of_path) {
                return None;
            }
        }
        (annotation.measures.len() <= MAX_MEASURES).then_some(Self { annotation, elements })
    }

    pub(super) fn scopes(&self) -> Scopes {
        let in_element = |path: &Path| path.steps.contains(&Step::Each);
        Scopes {
            entity_in_element: in_element(&self.annotation.entity),
            time_in_element: in_element(&self.annotation.time),
        }
    }

    /// Returns the role of the value at the end of these steps; `None` if it has several.
    pub(super) fn role(&self, steps: &[Step]) -> Option<Role> {
        let Annotation { entity, time, measures } = self.annotation;
        let is_schema = matches!(steps, [Step::Member(name)] if name == SCHEMA);
        let of_measures = measures.iter().enumerate().filter(|(_, (_, path))| path.steps == steps);
        let mut roles = of_measures.map(|(index, _)| Role::Measure(index as u8)).collect::<Vec<_>>();
        roles.extend((entity.steps == steps).then_some(Role::Entity));
        roles.extend((time.steps == steps).then_some(Role::Time));
        roles.extend(is_schema.then_some(Role::Schema));
        match *roles {
            [] => Some(Role::None),
            [role] => Some(role),
            _ => None,
        }
    }

    /// Returns whether the array at the end of these steps has elements with points.
    pub(super) fn has_points(&self, steps: &[Step]) -> bool {
        self.elements.and_then(<[Step]>::split_last).is_some_and(|(_, array)| array == steps)
    }

    /// Returns whether the schema has a value for each role, of which `roles` are those that it has.
    pub(super) fn is_complete(&self, mut roles: Vec<Role>) -> bool {
        roles.retain(|role| *role != Role::Schema);
        let count = roles.len();
        let is_single = |role: &Role| roles.iter().filter(|other| *other == role).count() == 1;
        count == self.annotation.measures.len() + 2 && roles.iter().all(is_single)
    }
}

/// Returns the steps up to the only `*`.
fn elements_of(path: &Path) -> Option<&[Step]> {
    let mut stars = path.steps.iter().enumerate().filter(|(_, step)| **step == Step::Each);
    let (Some((at, _)), None) = (stars.next(), stars.next()) else { return None };
    path.steps.get(..=at)
}
