//! Leases: deliveries stay ours for as long as we work on them.
//!
//! One task extends all leases of the worker in batches; it takes no permit and waits for no transfer, so that
//! load cannot starve it.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use longbow_core::heartbeat::{Beat, Heartbeat};
use longbow_core::port::{Clock, JobQueue, Receipt};
use tokio_util::sync::CancellationToken;

struct Held {
    extended: Duration,
    lost: Arc<AtomicBool>,
}

/// All leases of a worker.
pub(crate) struct Leases {
    queue: Arc<dyn JobQueue>,
    clock: Arc<dyn Clock>,
    heartbeat: Heartbeat,
    held: Arc<Mutex<HashMap<Receipt, Held>>>,
}

/// One delivery that is ours. Dropping it ends the extensions and gives nothing back by itself.
pub(crate) struct Lease {
    receipt: Receipt,
    lost: Arc<AtomicBool>,
    held: Arc<Mutex<HashMap<Receipt, Held>>>,
}

impl Leases {
    pub(crate) fn new(queue: Arc<dyn JobQueue>, clock: Arc<dyn Clock>, heartbeat: Heartbeat) -> Self {
        Self { queue, clock, heartbeat, held: Arc::default() }
    }

    /// The time to measure a lease from: read it before the call that begins the lease.
    pub(crate) fn now(&self) -> Duration {
        self.clock.elapsed()
    }

    /// Begins to hold a delivery that was received at `since`.
    pub(crate) fn hold(&self, receipt: &Receipt, since: Duration) -> Lease {
        let lost = Arc::new(AtomicBool::new(false));
        let held = Held { extended: since, lost: Arc::clone(&lost) };
        lock(&self.held).insert(receipt.clone(), held);
        Lease { receipt: receipt.clone(), lost, held: Arc::clone(&self.held) }
    }

    /// Extends leases until `end` is cancelled.
    pub(crate) async fn keep(&self, end: CancellationToken) {
        let rhythm = (self.heartbeat.visibility / 12).max(Duration::from_millis(50));
        loop {
            tokio::select! {
                () = end.cancelled() => return,
                () = tokio::time::sleep(rhythm) => self.beat().await,
            }
        }
    }

    async fn beat(&self) {
        let now = self.clock.elapsed();
        let mut due = Vec::new();
        for (receipt, held) in lock(&self.held).iter() {
            match self.heartbeat.beat(now.saturating_sub(held.extended)) {
                Beat::Wait(_) => {}
                Beat::Extend => due.push(receipt.clone()),
                Beat::Lost => held.lost.store(true, Ordering::Relaxed),
            }
        }
        if due.is_empty() {
            return;
        }
        match self.queue.change_visibility(&due, self.heartbeat.visibility).await {
            Ok(stale) => {
                let mut held = lock(&self.held);
                for receipt in due {
                    let Some(entry) = held.get_mut(&receipt) else { continue };
                    if stale.contains(&receipt) {
                        entry.lost.store(true, Ordering::Relaxed);
                    } else {
                        entry.extended = now;
                    }
                }
            }
            Err(error) => tracing::warn!(%error, leases = due.len(), "leases could not be extended"),
        }
    }
}

impl Lease {
    /// Whether somebody else may hold the delivery by now: no write may start.
    pub(crate) fn is_lost(&self) -> bool {
        self.lost.load(Ordering::Relaxed)
    }

    pub(crate) fn receipt(&self) -> &Receipt {
        &self.receipt
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        lock(&self.held).remove(&self.receipt);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    // The map is whole after every statement: a panic elsewhere does not spoil it.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
