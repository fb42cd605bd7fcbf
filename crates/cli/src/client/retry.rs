//! The retries of calls: which ones are safe, after which pause, and until when.
//!
//! Own code, because a decision takes the answer's `Retry-After`, the safety of the call and the time spent; crates for
//! backoff leave these to their callers, and none has full jitter with all three.

use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{HeaderMap, RETRY_AFTER};
use tokio::time::{Instant, sleep};

use super::error::ClientError;

/// The times of retries.
#[derive(Debug, Clone, Copy)]
pub struct RetryPolicy {
    /// The time for all attempts and pauses, in which the last attempt may begin.
    pub total: Duration,
    /// The longest pause after the first failure. Each further one doubles it.
    pub first: Duration,
    /// The longest pause.
    pub longest: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self { total: Duration::from_secs(60), first: Duration::from_secs(1), longest: Duration::from_secs(16) }
    }
}

/// Whether a call may be repeated after an attempt with an unknown outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Safety {
    /// A repeated call has no further effect.
    Repeatable,
    /// A repeated call could have its effect twice. It is repeated only if the attempt had none.
    Once,
}

/// The failure of one attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// No connection was made, so nothing was sent.
    NotSent,
    /// The connection broke before the answer.
    NoAnswer,
    /// The service answered with this status and perhaps a `Retry-After`.
    Answer(u16, Option<Duration>),
}

/// An attempt that failed.
#[derive(Debug)]
pub struct Failed {
    /// The error of the call, if the failure stands.
    pub error: ClientError,
    /// The failure; none if another attempt would not change it.
    pub failure: Option<Failure>,
}

impl From<ClientError> for Failed {
    fn from(error: ClientError) -> Self {
        Self { error, failure: None }
    }
}

impl Failed {
    /// Returns the failure of an attempt without an answer.
    #[must_use]
    pub fn without_answer(url: &str, error: reqwest::Error) -> Self {
        Self { failure: Some(Failure::without_answer(&error)), error: ClientError::unreachable(url, error) }
    }
}

/// Makes attempts at calls, and tells the user about each retry.
#[derive(Clone)]
pub struct Retrier {
    policy: RetryPolicy,
    tell: Arc<dyn Fn(&str) + Send + Sync>,
}

impl Default for Retrier {
    /// Returns the retrier of the commands: a minute for each call, lines on standard error.
    fn default() -> Self {
        Self::new(RetryPolicy::default(), |line| eprintln!("{line}"))
    }
}

impl std::fmt::Debug for Retrier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Retrier").field("policy", &self.policy).finish_non_exhaustive()
    }
}

impl Retrier {
    /// Makes a retrier. `tell` takes one line for each retry.
    #[must_use]
    pub fn new(policy: RetryPolicy, tell: impl Fn(&str) + Send + Sync + 'static) -> Self {
        Self { policy, tell: Arc::new(tell) }
    }

    /// Returns the retrier with another way to tell the user.
    #[must_use]
    pub fn telling(&self, tell: impl Fn(&str) + Send + Sync + 'static) -> Self {
        Self::new(self.policy, tell)
    }

    /// Returns the retries of one call.
    #[must_use]
    pub fn retries(&self, safety: Safety) -> Retries {
        Retries::new(self.policy, safety, fastrand::Rng::new())
    }

    /// Tells the user that an attempt failed, and waits.
    pub async fn wait(&self, failure: Failure, pause: Duration) {
        (self.tell)(&failure.line(pause));
        sleep(pause).await;
    }

    /// Begins the attempts at one call.
    #[must_use]
    pub fn begin(&self, safety: Safety) -> Attempts<'_> {
        Attempts { retrier: self, begun: Instant::now(), retries: self.retries(safety) }
    }
}

/// The attempts at one call.
#[derive(Debug)]
pub struct Attempts<'r> {
    retrier: &'r Retrier,
    begun: Instant,
    retries: Retries,
}

impl Attempts<'_> {
    /// Tells the user about a failure, and waits until the next attempt.
    ///
    /// # Errors
    /// Returns the error of the call if the failure stands.
    pub async fn after(&mut self, Failed { error, failure }: Failed) -> Result<(), ClientError> {
        let pause = failure.and_then(|failure| Some((failure, self.retries.pause(failure, self.begun.elapsed())?)));
        let Some((failure, pause)) = pause else { return Err(error) };
        self.retrier.wait(failure, pause).await;
        Ok(())
    }
}

impl Failure {
    /// Returns the failure of an attempt without an answer.
    #[must_use]
    pub fn without_answer(error: &reqwest::Error) -> Self {
        if error.is_connect() { Self::NotSent } else { Self::NoAnswer }
    }

    /// Returns the failure that an answer is; none if another attempt would not change it.
    #[must_use]
    pub fn of_answer(status: u16, headers: &HeaderMap) -> Option<Self> {
        let seconds = headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.trim().parse().ok());
        (status == 429 || status >= 500).then_some(Self::Answer(status, seconds.map(Duration::from_secs)))
    }

    /// Returns whether the attempt may have had its effect.
    #[must_use]
    pub fn is_outcome_unknown(self) -> bool {
        !matches!(self, Self::NotSent | Self::Answer(429, _))
    }

    /// Returns one line for the user.
    fn line(self, pause: Duration) -> String {
        let reason = match self {
            Self::NotSent => "the service cannot be reached".to_owned(),
            Self::NoAnswer => "the connection broke".to_owned(),
            Self::Answer(429, _) => "too many requests (429)".to_owned(),
            Self::Answer(status @ (502..=504), _) => format!("the service is busy ({status})"),
            Self::Answer(status, _) => format!("the service failed ({status})"),
        };
        format!("{reason}; trying again in {} s", pause.as_secs_f64().ceil())
    }
}

/// The retries of one call.
#[derive(Debug)]
pub struct Retries {
    policy: RetryPolicy,
    safety: Safety,
    random: fastrand::Rng,
    failures: u32,
}

impl Retries {
    /// Returns the retries of a call that was not attempted yet.
    #[must_use]
    pub fn new(policy: RetryPolicy, safety: Safety, random: fastrand::Rng) -> Self {
        Self { policy, safety, random, failures: 0 }
    }

    /// Returns the pause before the next attempt; `None` if the failure stands. `spent` is the time since the call began.
    ///
    /// The pause is random between zero and a bound that doubles
    /// ([full jitter](https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/)), so that clients that
    /// failed together do not return together. It comes after `Retry-After`, if there is one.
    pub fn pause(&mut self, failure: Failure, spent: Duration) -> Option<Duration> {
        if self.safety == Safety::Once && failure.is_outcome_unknown() {
            return None;
        }
        let doubled = self.policy.first.saturating_mul(1 << self.failures.min(16));
        self.failures += 1;
        let jitter = doubled.min(self.policy.longest).mul_f64(self.random.f64());
        let asked = match failure {
            Failure::Answer(_, asked) => asked.unwrap_or_default(),
            _ => Duration::ZERO,
        };
        let pause = asked.saturating_add(jitter);
        (spent.saturating_add(pause) <= self.policy.total).then_some(pause)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn retries(safety: Safety) -> Retries {
        Retries::new(RetryPolicy::default(), safety, fastrand::Rng::with_seed(7))
    }

    #[test]
    fn only_calls_without_a_possible_effect_are_repeated() {
        let asked = Some(2 * SECOND);
        let rows = [
            ("not sent", Failure::NotSent, true, true),
            ("no answer", Failure::NoAnswer, true, false),
            ("throttled", Failure::Answer(429, asked), true, true),
            ("bad gateway", Failure::Answer(502, None), true, false),
            ("unavailable", Failure::Answer(503, asked), true, false),
            ("an hour", Failure::Answer(429, Some(3600 * SECOND)), false, false),
        ];
        for (name, failure, repeatable, once) in rows {
            assert_eq!(retries(Safety::Repeatable).pause(failure, Duration::ZERO).is_some(), repeatable, "{name}");
            assert_eq!(retries(Safety::Once).pause(failure, Duration::ZERO).is_some(), once, "{name}");
        }
        let headers = |text: &'static str| HeaderMap::from_iter([(RETRY_AFTER, text.parse().unwrap())]);
        for (status, text, failure) in [
            (200, "1", None),
            (400, "1", None),
            (409, "1", None),
            (429, " 7 ", Some(Failure::Answer(429, Some(7 * SECOND)))),
            (500, "soon", Some(Failure::Answer(500, None))),
            (503, "0", Some(Failure::Answer(503, Some(Duration::ZERO)))),
        ] {
            assert_eq!(Failure::of_answer(status, &headers(text)), failure, "{status} {text}");
        }
    }

    #[test]
    fn pauses_grow_are_random_and_end_after_a_minute() {
        for seed in 0..100 {
            let mut retries = Retries::new(RetryPolicy::default(), Safety::Repeatable, fastrand::Rng::with_seed(seed));
            let (mut spent, mut pauses) = (Duration::ZERO, Vec::new());
            while let Some(pause) = retries.pause(Failure::NoAnswer, spent) {
                spent += pause;
                pauses.push(pause);
            }
            assert!(spent <= 60 * SECOND && pauses.len() >= 5, "{pauses:?}");
            for (pause, most) in pauses.iter().zip([1, 2, 4, 8, 16, 16, 16, 16, 16]) {
                assert!(*pause <= most * SECOND, "{pauses:?}");
            }
        }
        let first = |seed| {
            let random = fastrand::Rng::with_seed(seed);
            Retries::new(RetryPolicy::default(), Safety::Repeatable, random).pause(Failure::NoAnswer, Duration::ZERO)
        };
        assert_ne!(first(1), first(2));
        let asked = Failure::Answer(429, Some(5 * SECOND));
        assert!(retries(Safety::Once).pause(asked, Duration::ZERO).unwrap() >= 5 * SECOND);
        assert_eq!(retries(Safety::Once).pause(asked, 56 * SECOND), None, "the minute is over");
    }

    #[test]
    fn each_failure_has_one_line() {
        let pause = Duration::from_millis(2_300);
        for (failure, line) in [
            (Failure::NotSent, "the service cannot be reached; trying again in 3 s"),
            (Failure::NoAnswer, "the connection broke; trying again in 3 s"),
            (Failure::Answer(429, None), "too many requests (429); trying again in 3 s"),
            (Failure::Answer(503, None), "the service is busy (503); trying again in 3 s"),
            (Failure::Answer(500, None), "the service failed (500); trying again in 3 s"),
        ] {
            assert_eq!(failure.line(pause), line);
        }
    }
}
