//! Failing sources: the sources whose uploads were rejected for a problem, and whether they pass again.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::source::Source;
use crate::time::Timestamp;

/// The maximum number of sources of a problem. With more, those that pass again and those that failed longest ago are
/// left out.
pub const MAX_SOURCES: usize = 20;

/// The failing sources of a problem, at most [`MAX_SOURCES`].
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct FailingSources {
    /// The time at which an upload of any source was last rejected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    last_failed_at: Option<Timestamp>,
    sources: BTreeMap<Source, LastSeen>,
}

/// The last uploads of a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct LastSeen {
    failed_at: Timestamp,
    /// The time at which an upload first passed after that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    passed_at: Option<Timestamp>,
}

impl LastSeen {
    fn is_awaited(self) -> bool {
        self.passed_at.is_none()
    }
}

impl FailingSources {
    /// Records that an upload of a source was rejected.
    pub fn fail(&mut self, source: &Source, at: Timestamp) {
        self.last_failed_at = self.last_failed_at.max(Some(at));
        let seen = self.sources.entry(source.clone()).or_insert(LastSeen { failed_at: at, passed_at: None });
        seen.failed_at = seen.failed_at.max(at);
        seen.passed_at = seen.passed_at.filter(|passed_at| *passed_at > seen.failed_at);
        if self.sources.len() > MAX_SOURCES {
            let key = |(_, seen): &(&Source, &LastSeen)| (seen.is_awaited(), seen.failed_at);
            let least = self.sources.iter().min_by_key(key).map(|(source, _)| source.clone());
            least.map(|source| self.sources.remove(&source));
        }
    }

    /// Records that an upload of a source passed.
    pub fn pass(&mut self, source: &Source, at: Timestamp) {
        if self.awaits(source, at)
            && let Some(seen) = self.sources.get_mut(source)
        {
            seen.passed_at = Some(at);
        }
    }

    /// Returns whether an upload of this source that passes at `at` is the first one since its last rejection.
    #[must_use]
    pub fn awaits(&self, source: &Source, at: Timestamp) -> bool {
        self.sources.get(source).is_some_and(|seen| seen.is_awaited() && seen.failed_at < at)
    }

    /// Returns the sources of which no upload has passed since their last rejection.
    pub fn awaited(&self) -> impl Iterator<Item = &Source> {
        self.sources.iter().filter(|(_, seen)| seen.is_awaited()).map(|(source, _)| source)
    }

    /// Returns the time of the last rejection if uploads of every source have passed since; `None` otherwise, and if no
    /// source is known.
    #[must_use]
    pub fn all_passed_since(&self) -> Option<Timestamp> {
        let is_passed = !self.sources.is_empty() && self.awaited().next().is_none();
        self.last_failed_at.filter(|_| is_passed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_secs(second)
    }

    fn source(name: &str) -> Source {
        Source::of_file(&format!("{name}x"))
    }

    /// `F` (failed) or `P` (passed), the source, and the second.
    fn seen(steps: &[(char, &str, i64)]) -> FailingSources {
        let mut sources = FailingSources::default();
        for (step, name, second) in steps {
            match step {
                'F' => sources.fail(&source(name), at(*second)),
                _ => sources.pass(&source(name), at(*second)),
            }
        }
        sources
    }

    #[test]
    fn every_source_has_to_pass_after_its_last_failure() {
        type Row = (&'static str, &'static [(char, &'static str, i64)], Option<i64>);
        let rows: [Row; 9] = [
            ("no source", &[], None),
            ("failed", &[('F', "a", 1)], None),
            ("passed", &[('F', "a", 1), ('P', "a", 2)], Some(1)),
            ("another source passed", &[('F', "a", 1), ('P', "b", 2)], None),
            ("one of two passed", &[('F', "a", 1), ('F', "b", 2), ('P', "b", 3)], None),
            ("both passed", &[('F', "a", 1), ('F', "b", 2), ('P', "b", 3), ('P', "a", 4)], Some(2)),
            ("failed again", &[('F', "a", 1), ('P', "a", 2), ('F', "a", 3)], None),
            ("the pass was before the failure", &[('F', "a", 3), ('P', "a", 2)], None),
            ("an earlier failure arrives late", &[('F', "a", 1), ('P', "a", 5), ('F', "a", 3)], Some(3)),
        ];
        for (name, steps, expected) in rows {
            assert_eq!(seen(steps).all_passed_since(), expected.map(at), "{name}");
        }
    }

    #[test]
    fn the_sources_that_failed_last_are_kept() {
        let mut sources = seen(&[('F', "old", 0), ('F', "passed", 50), ('P', "passed", 60)]);
        for number in 0..MAX_SOURCES as i64 - 1 {
            sources.fail(&Source::of_file(&format!("{number}s{number}e")), at(10 + number));
        }
        assert!(sources.awaits(&source("old"), at(99)), "one that passes again is left out first");
        sources.fail(&source("new"), at(70));
        assert!(!sources.awaits(&source("old"), at(99)), "then the one that failed longest ago");
        assert_eq!(sources.awaited().count(), MAX_SOURCES);
    }
}
