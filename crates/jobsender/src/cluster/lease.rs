//! The leave to send: held while the run's lock is, and revoked by a stop.
//!
//! The lock is extended while the run goes on. A lock that somebody else has taken, or that could not be extended in
//! time, revokes the leave: then nothing more is sent, and the run ends as a stopped one does.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use longbow_core::failure::BackendError;
use longbow_core::port::{Clock, LockError, RunLease, RunLock};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::patience;

/// The lock that a run takes.
#[derive(Clone)]
pub struct LockPlan {
    /// Where locks are.
    pub lock: Arc<dyn RunLock>,
    /// The lock's name: one a queue.
    pub name: String,
    /// Who takes it, as others are told.
    pub holder: String,
    /// How long it is held without being extended. It is extended after each third of that.
    pub time: Duration,
}

/// The leave to go on. Clones are the same leave.
#[derive(Clone)]
pub(crate) struct Leave {
    stop: CancellationToken,
    held: Option<Arc<Held>>,
}

struct Held {
    clock: Arc<dyn Clock>,
    /// On the clock's monotonic reading.
    until_ms: AtomicU64,
    lost: AtomicBool,
}

impl Held {
    fn extend(&self, asked_at: Duration, time: Duration) {
        // Counted from before the call: the store may have counted from any moment of it.
        let until = u64::try_from((asked_at + time).as_millis()).unwrap_or(u64::MAX);
        self.until_ms.store(until, Ordering::SeqCst);
    }

    fn has_ended(&self) -> bool {
        self.clock.elapsed() >= Duration::from_millis(self.until_ms.load(Ordering::SeqCst))
    }
}

impl Leave {
    /// A leave without a lock.
    pub(crate) fn until(stop: CancellationToken) -> Self {
        Self { stop, held: None }
    }

    /// Whether nothing more may be sent.
    pub(crate) fn is_revoked(&self) -> bool {
        if self.stop.is_cancelled() {
            return true;
        }
        let ended = self.held.as_ref().is_some_and(|held| held.has_ended());
        if ended {
            self.lose("it could not be extended in time");
        }
        ended
    }

    /// Ends with the leave.
    pub(crate) fn stop(&self) -> &CancellationToken {
        &self.stop
    }

    /// Whether the lock was lost.
    pub(crate) fn is_lost(&self) -> bool {
        self.held.as_ref().is_some_and(|held| held.lost.load(Ordering::SeqCst))
    }

    fn lose(&self, why: &str) {
        if let Some(held) = &self.held
            && !held.lost.swap(true, Ordering::SeqCst)
        {
            tracing::error!(why, "the jobsender's lock is lost; nothing more is sent");
        }
        self.stop.cancel();
    }
}

/// A lock that is kept.
pub(crate) struct Keeper {
    plan: LockPlan,
    lease: RunLease,
    leave: Leave,
    task: AbortOnDropHandle<()>,
}

impl Keeper {
    /// Takes the lock and begins to extend it. `stop` must be a token of its own: a lost lock cancels it.
    pub(crate) async fn start(
        plan: LockPlan,
        clock: Arc<dyn Clock>,
        stop: CancellationToken,
    ) -> Result<Self, LockError> {
        let asked_at = clock.elapsed();
        let lease = plan.lock.acquire(&plan.name, &plan.holder, plan.time).await?;
        let held = Held { clock: clock.clone(), until_ms: AtomicU64::new(0), lost: AtomicBool::new(false) };
        held.extend(asked_at, plan.time);
        let leave = Leave { stop, held: Some(Arc::new(held)) };
        let task = tokio::spawn(extend(plan.clone(), lease.clone(), leave.clone()));
        Ok(Self { plan, lease, leave, task: AbortOnDropHandle::new(task) })
    }

    pub(crate) fn leave(&self) -> Leave {
        self.leave.clone()
    }

    /// Gives the lock up, so that the next run need not wait for its end.
    pub(crate) async fn release(self) -> Result<(), BackendError> {
        drop(self.task);
        self.plan.lock.release(&self.lease).await
    }
}

async fn extend(plan: LockPlan, lease: RunLease, leave: Leave) {
    let Some(held) = leave.held.clone() else { return };
    loop {
        if !patience::wait(plan.time / 3, &leave.stop).await || leave.is_revoked() {
            return;
        }
        let asked_at = held.clock.elapsed();
        match plan.lock.renew(&lease, plan.time).await {
            Ok(()) => held.extend(asked_at, plan.time),
            Err(LockError::Held { holder, .. }) => {
                leave.lose(&format!("{holder} has taken it"));
                return;
            }
            // Tried again until it ends.
            Err(LockError::Backend(error)) => {
                tracing::warn!(%error, "the jobsender's lock could not be extended");
            }
        }
    }
}

#[cfg(test)]
mod tests;
