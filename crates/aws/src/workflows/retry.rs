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

    /// Runs `attempt` until it is done. `op` and `target` name the work in the error.
    ///
    /// # Errors
    /// The first error of `attempt`, at once; [`Kind::Contended`] after the last attempt conflicted.
    pub(crate) async fn run<T>(
        self,
        op: &'static str,
        target: &str,
        mut attempt: impl AsyncFnMut() -> Result<Attempt<T>, Error>,
    ) -> Result<T, Error> {
        for number in 1..=self.attempts {
            match attempt().await? {
                Attempt::Done(value) => return Ok(value),
                Attempt::Conflict => tracing::info!(op, target, attempt = number, "conflicting write; reading again"),
            }
            if number < self.attempts {
                tokio::time::sleep(self.pause).await;
            }
        }
        Err(Error::new(op, target, Kind::Contended))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RETRY: ConflictRetry = ConflictRetry { attempts: 3, pause: Duration::ZERO };

    /// Runs attempts with these results. Returns the result of all, and the number of attempts made.
    async fn run(results: Vec<Result<Attempt<u8>, Kind>>) -> (Result<u8, Kind>, usize) {
        let mut results = results.into_iter();
        let mut attempts = 0;
        let result = RETRY.run("append", "u1", async || {
            attempts += 1;
            let result = results.next().expect("an attempt too many");
            result.map_err(|kind| Error::new("append", "u1", kind))
        });
        let result = result.await.map_err(|error| error.kind);
        (result, attempts)
    }

    #[tokio::test]
    async fn an_attempt_is_repeated_after_a_conflict_only() {
        let conflict = || Ok(Attempt::Conflict);
        for (name, results, expected, attempts) in [
            ("done at once", vec![Ok(Attempt::Done(1))], Ok(1), 1),
            ("done after a conflict", vec![conflict(), Ok(Attempt::Done(2))], Ok(2), 2),
            ("done at the last attempt", vec![conflict(), conflict(), Ok(Attempt::Done(3))], Ok(3), 3),
            ("conflicts to the end", vec![conflict(), conflict(), conflict()], Err(Kind::Contended), 3),
            ("error at once", vec![Err(Kind::Denied)], Err(Kind::Denied), 1),
            ("error after a conflict", vec![conflict(), Err(Kind::Contended)], Err(Kind::Contended), 2),
        ] {
            assert_eq!(run(results).await, (expected, attempts), "{name}");
        }
    }
}
