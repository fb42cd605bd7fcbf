//! Retries of conflicting writes: read again, decide again, append again.
//!
//! Every append is conditional on the history that was read. A workflow that meets a conflict starts over from the
//! stored state, so its decision never rests on stale data. This module owns the number of attempts and the pauses
//! between them; the caller owns the reading, deciding and writing.

use std::time::Duration;

use crate::error::{Error, Kind};

/// The result of one attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Attempt<T> {
    /// The write succeeded, or nothing was left to write.
    Done(T),
    /// Another process changed the same state, or is working on it.
    Conflict,
}

/// The number of attempts and the pause between two of them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ConflictRetry {
    /// The number of attempts, the first one included.
    pub(crate) attempts: u32,
    /// The pause before each attempt but the first.
    pub(crate) pause: Duration,
}

impl ConflictRetry {
    /// For the delivery of an object: 20 s in all, longer than the five seconds after which idle work is taken over.
    pub(crate) const DELIVERY: Self = Self { attempts: 40, pause: Duration::from_millis(500) };
    /// For a message: 8 s in all, longer than the five seconds after which idle work is taken over.
    pub(crate) const MESSAGE: Self = Self { attempts: 16, pause: Duration::from_millis(500) };
    /// For an owner's command: the owner waits for the answer, and only a concurrent append conflicts.
    pub(crate) const COMMAND: Self = Self { attempts: 8, pause: Duration::ZERO };

    /// Begins a series of attempts.
    ///
    /// ```ignore
    /// let mut attempts = ConflictRetry::DELIVERY.attempts();
    /// while attempts.next().await {
    ///     if let Attempt::Done(value) = read_decide_append().await? {
    ///         return Ok(value);
    ///     }
    /// }
    /// Err(attempts.exhausted("process", &target))
    /// ```
    pub(crate) fn attempts(self) -> Attempts {
        Attempts { retry: self, made: 0 }
    }
}

/// A series of attempts.
#[derive(Debug)]
pub(crate) struct Attempts {
    retry: ConflictRetry,
    made: u32,
}

impl Attempts {
    /// Begins the next attempt: the first one at once, each further one after the pause. Returns `false` if no attempt is
    /// left.
    pub(crate) async fn next(&mut self) -> bool {
        if self.made == self.retry.attempts {
            return false;
        }
        if self.made > 0 {
            tracing::info!(attempt = self.made, "another process changed the upload or works on it; reading it again");
            tokio::time::sleep(self.retry.pause).await;
        }
        self.made += 1;
        true
    }

    /// Returns the error after the last attempt, of the kind [`Kind::Contended`].
    pub(crate) fn exhausted(&self, op: &'static str, target: &str) -> Error {
        Error::new(op, target, Kind::Contended)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RETRY: ConflictRetry = ConflictRetry { attempts: 3, pause: Duration::ZERO };

    /// Makes attempts with these results. Returns the result of all, and the number of attempts made.
    async fn run(results: &[Result<Attempt<u8>, Kind>]) -> (Result<u8, Kind>, usize) {
        let mut attempts = RETRY.attempts();
        let mut made = 0;
        while attempts.next().await {
            made += 1;
            match results[made - 1].clone() {
                Ok(Attempt::Done(value)) => return (Ok(value), made),
                Ok(Attempt::Conflict) => {}
                Err(kind) => return (Err(kind), made),
            }
        }
        (Err(attempts.exhausted("append", "u1").kind), made)
    }

    #[tokio::test]
    async fn an_attempt_is_repeated_after_a_conflict_only() {
        let conflict = || Ok(Attempt::Conflict);
        for (name, results, expected, made) in [
            ("done at once", vec![Ok(Attempt::Done(1))], Ok(1), 1),
            ("done after a conflict", vec![conflict(), Ok(Attempt::Done(2))], Ok(2), 2),
            ("done at the last attempt", vec![conflict(), conflict(), Ok(Attempt::Done(3))], Ok(3), 3),
            ("conflicts to the end", vec![conflict(), conflict(), conflict()], Err(Kind::Contended), 3),
            ("error at once", vec![Err(Kind::Denied)], Err(Kind::Denied), 1),
            ("error after a conflict", vec![conflict(), Err(Kind::Corrupt)], Err(Kind::Corrupt), 2),
        ] {
            assert_eq!(run(&results).await, (expected, made), "{name}");
        }
    }
}
