//! Retries of conflicting writes: read again, decide again, append again.
//!
//! Every append is conditional on the history that was read. A workflow that meets a conflict starts over from the
//! stored state, so its decision never rests on stale data. This module owns the number of tries and the pauses
//! between them; the caller owns the reading, deciding and writing.

use std::time::Duration;

use crate::error::{Error, Kind};

/// The result of one try.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Try<T> {
    /// The write succeeded, or nothing was left to write.
    Done(T),
    /// Another process changed the same state, or is working on it.
    Conflict,
}

/// The number of tries and the pause between two of them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ConflictRetry {
    /// The number of tries, the first one included.
    pub(crate) tries: u32,
    /// The pause before each try but the first.
    pub(crate) pause: Duration,
}

impl ConflictRetry {
    /// For the delivery of an object: 20 s in all, longer than the five seconds after which idle work is taken over.
    pub(crate) const DELIVERY: Self = Self { tries: 40, pause: Duration::from_millis(500) };
    /// For a message: 8 s in all, longer than the five seconds after which idle work is taken over.
    pub(crate) const MESSAGE: Self = Self { tries: 16, pause: Duration::from_millis(500) };
    /// For an owner's command: the owner waits for the answer, and only a concurrent append conflicts.
    pub(crate) const COMMAND: Self = Self { tries: 8, pause: Duration::ZERO };

    /// Begins a series of tries.
    ///
    /// ```ignore
    /// let mut tries = ConflictRetry::DELIVERY.tries();
    /// while tries.next().await {
    ///     if let Try::Done(value) = read_decide_append().await? {
    ///         return Ok(value);
    ///     }
    /// }
    /// Err(tries.exhausted("process", &target))
    /// ```
    pub(crate) fn tries(self) -> Tries {
        Tries { retry: self, made: 0 }
    }
}

/// A series of tries.
#[derive(Debug)]
pub(crate) struct Tries {
    retry: ConflictRetry,
    made: u32,
}

impl Tries {
    /// Begins the next try: the first one at once, each further one after the pause. Returns `false` if no try is
    /// left.
    pub(crate) async fn next(&mut self) -> bool {
        if self.made == self.retry.tries {
            return false;
        }
        if self.made > 0 {
            tracing::info!(attempt = self.made, "another process changed the upload or works on it; reading it again");
            tokio::time::sleep(self.retry.pause).await;
        }
        self.made += 1;
        true
    }

    /// Returns the error after the last try, of the kind [`Kind::Contended`].
    pub(crate) fn exhausted(&self, op: &'static str, target: &str) -> Error {
        Error::new(op, target, Kind::Contended)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RETRY: ConflictRetry = ConflictRetry { tries: 3, pause: Duration::ZERO };

    /// Makes tries with these results. Returns the result of all, and the number of tries made.
    async fn run(results: &[Result<Try<u8>, Kind>]) -> (Result<u8, Kind>, usize) {
        let mut tries = RETRY.tries();
        let mut made = 0;
        while tries.next().await {
            made += 1;
            match results[made - 1].clone() {
                Ok(Try::Done(value)) => return (Ok(value), made),
                Ok(Try::Conflict) => {}
                Err(kind) => return (Err(kind), made),
            }
        }
        (Err(tries.exhausted("append", "u1").kind), made)
    }

    #[tokio::test]
    async fn a_try_is_repeated_after_a_conflict_only() {
        let conflict = || Ok(Try::Conflict);
        for (name, results, expected, made) in [
            ("done at once", vec![Ok(Try::Done(1))], Ok(1), 1),
            ("done after a conflict", vec![conflict(), Ok(Try::Done(2))], Ok(2), 2),
            ("done at the last try", vec![conflict(), conflict(), Ok(Try::Done(3))], Ok(3), 3),
            ("conflicts to the end", vec![conflict(), conflict(), conflict()], Err(Kind::Contended), 3),
            ("error at once", vec![Err(Kind::Denied)], Err(Kind::Denied), 1),
            ("error after a conflict", vec![conflict(), Err(Kind::Corrupt)], Err(Kind::Corrupt), 2),
        ] {
            assert_eq!(run(&results).await, (expected, made), "{name}");
        }
    }
}
