//! Quotas: admission of an owner's requests, and charges for uploads.
//!
//! Quotas fail open: when the table of counters does not answer within a second, the request is admitted and a line is
//! logged. Quotas protect owners from each other; their loss must not stop all of them.

use std::collections::HashMap;
use std::future::Future;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use eventpulse_core::id::OwnerId;
use eventpulse_core::time::Timestamp;
use eventpulse_core::usage::{
    Admission, Charge, DayUsage, Exceeded, Limits, QuotaUsage, RequestAllowance, RequestWindow,
};

use crate::adapters::usage_store::UsageStore;
use crate::error::{Error, Kind};

/// The time within which the table of counters answers.
const PATIENCE: Duration = Duration::from_secs(1);
/// The number of owners whose allowances a process holds. Then those of earlier windows are dropped.
const MAX_ALLOWANCES: usize = 10_000;

/// The quotas of a deployment.
#[derive(Debug)]
pub struct Quotas {
    store: UsageStore,
    limits: Limits,
    patience: Duration,
    allowances: Mutex<HashMap<OwnerId, RequestAllowance>>,
}

impl Quotas {
    /// Creates the quotas of a deployment.
    #[must_use]
    pub fn new(store: UsageStore, limits: Limits) -> Self {
        Self { store, limits, patience: PATIENCE, allowances: Mutex::default() }
    }

    /// Changes the time within which the table answers, for tests on a slow machine.
    #[must_use]
    pub fn with_patience(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// Returns the limits.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Decides on a request of an owner. Calls DynamoDB only when the requests of this process use up a slice of the
    /// owner's budget.
    pub async fn admit(&self, owner: &OwnerId, now: Timestamp) -> Option<Exceeded> {
        let rate = self.limits.requests_per_second?;
        let window = match self.allow(owner, |allowance| allowance.admit(rate, now), now) {
            Admission::Admitted => return None,
            Admission::Refused(exceeded) => return Some(exceeded),
            Admission::NeedsSlice(window) => window,
        };
        let is_granted = match in_time("take a slice", self.patience, self.store.take_slice(owner, window)).await {
            Ok(is_granted) => is_granted,
            Err(error) => {
                warn(&error);
                true
            }
        };
        let lease_and_admit = |allowance: &mut RequestAllowance| {
            allowance.lease(window, is_granted);
            allowance.admit(rate, now)
        };
        match self.allow(owner, lease_and_admit, now) {
            Admission::Refused(exceeded) => Some(exceeded),
            Admission::Admitted | Admission::NeedsSlice(_) => None, // parallel requests used the slice meanwhile
        }
    }

    /// Charges an owner, unless that exceeds a quota. Returns the counters, with the charge; `None` if they are not
    /// known.
    ///
    /// # Errors
    /// Returns the refusal, if a quota is exceeded. Then nothing is charged.
    pub async fn charge(&self, owner: &OwnerId, charge: &Charge, now: Timestamp) -> Result<Option<DayUsage>, Exceeded> {
        let usage = match in_time("charge", self.patience, self.store.add(owner, charge, now)).await {
            Ok(usage) => usage,
            Err(error) => {
                warn(&error);
                return Ok(None);
            }
        };
        match usage.exceeded(charge, &self.limits, now) {
            None => Ok(Some(usage)),
            Some(exceeded) => {
                self.take_back(owner, charge, now).await;
                Err(exceeded)
            }
        }
    }

    /// Takes back a charge whose request came to nothing.
    pub async fn take_back(&self, owner: &OwnerId, charge: &Charge, now: Timestamp) {
        if charge.counters(now).is_empty() {
            return;
        }
        if let Err(error) = in_time("take back a charge", self.patience, self.store.take_back(owner, charge, now)).await
        {
            warn(&error);
        }
    }

    /// Returns the counters of an owner's day; `None` if they are not known.
    pub async fn day(&self, owner: &OwnerId, now: Timestamp) -> Option<DayUsage> {
        in_time("read", self.patience, self.store.day(owner, now)).await.inspect_err(warn).ok()
    }

    /// Returns the use of all quotas. The requests are those of which slices are taken.
    ///
    /// # Errors
    /// Returns an [AWS failure](crate::error).
    pub async fn usage(&self, owner: &OwnerId, now: Timestamp) -> Result<[QuotaUsage; 4], Error> {
        let requests = async {
            let Some(rate) = self.limits.requests_per_second else {
                return Ok(QuotaUsage { limit: None, ..RequestWindow::at(now, 0).usage(0) });
            };
            let window = RequestWindow::at(now, rate);
            self.store.taken(owner, window).await.map(|taken| window.usage(taken))
        };
        let (requests, day) = tokio::join!(requests, self.store.day(owner, now));
        let [open_uploads, bytes, rejected_records] = day?.quotas(&self.limits, now);
        Ok([requests?, open_uploads, bytes, rejected_records])
    }

    fn allow<T>(&self, owner: &OwnerId, decide: impl FnOnce(&mut RequestAllowance) -> T, now: Timestamp) -> T {
        let mut allowances = self.allowances.lock().unwrap_or_else(PoisonError::into_inner);
        if allowances.len() >= MAX_ALLOWANCES {
            allowances.retain(|_, allowance| !allowance.is_past(now));
        }
        decide(allowances.entry(owner.clone()).or_default())
    }
}

/// Counts what an owner sent, or what was rejected of it. A failure loses the count and nothing else.
pub(crate) async fn count(store: &UsageStore, owner: &OwnerId, charge: &Charge, now: Timestamp) {
    if charge.counters(now).is_empty() {
        return;
    }
    if let Err(error) = in_time("count", PATIENCE, store.add(owner, charge, now)).await {
        warn(&error);
    }
}

async fn in_time<T>(
    op: &'static str,
    patience: Duration,
    call: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    match tokio::time::timeout(patience, call).await {
        Ok(result) => result,
        Err(_) => Err(Error::new(op, "the usage table", Kind::Unreachable)),
    }
}

fn warn(error: &Error) {
    tracing::warn!(error = error.chain(), "the quotas of an owner are not counted");
}
