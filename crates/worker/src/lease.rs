//! Leases: deliveries stay ours for as long as we work on them.
//!
//! One task extends all leases of the worker in batches; it takes no permit and waits for no transfer, so that
//! load cannot starve it. A call that hangs is given up in time to notice which leases are lost meanwhile. A lease that was
//! held for very long is told to end, since SQS would end it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use longbow_core::heartbeat::{Beat, Heartbeat};
use longbow_core::port::{Clock, JobQueue, Receipt};
use tokio_util::sync::CancellationToken;

struct Held {
    received: Duration,
    hold: Hold,
    /// Tells the work to end, where there is a longest time.
    expiry: Option<CancellationToken>,
}

/// All leases of a worker.
pub(crate) struct Leases {
    queue: Arc<dyn JobQueue>,
    clock: Arc<dyn Clock>,
    heartbeat: Heartbeat,
    longest: Option<Duration>,
    held: Arc<Mutex<BTreeMap<Receipt, Held>>>,
}

/// One delivery that is ours. Dropping it ends the extensions and gives nothing back by itself.
pub(crate) struct Lease {
    receipt: Receipt,
    hold: Hold,
    drain: CancellationToken,
    held: Arc<Mutex<BTreeMap<Receipt, Held>>>,
}

/// Whether a lease still holds, for those who work under it.
///
/// Asks the clock each time: a process that stood still goes on somewhere, and perhaps with a write, before its heartbeat
/// has looked at anything.
#[derive(Clone)]
pub(crate) struct Hold {
    lost: Arc<AtomicBool>,
    /// When it was extended last, in nanoseconds of the clock.
    extended: Arc<AtomicU64>,
    clock: Arc<dyn Clock>,
    heartbeat: Heartbeat,
}

impl Leases {
    pub(crate) fn new(
        queue: Arc<dyn JobQueue>,
        clock: Arc<dyn Clock>,
        heartbeat: Heartbeat,
        longest: Option<Duration>,
    ) -> Self {
        Self { queue, clock, heartbeat, longest, held: Arc::default() }
    }

    /// The time to measure a lease from: read it before the call that begins the lease.
    pub(crate) fn now(&self) -> Duration {
        self.clock.elapsed()
    }

    /// Begins to hold a delivery that was received at `since`. Work under it ends when `drain` is cancelled.
    pub(crate) fn hold(&self, receipt: &Receipt, since: Duration, drain: CancellationToken) -> Lease {
        let hold = Hold {
            lost: Arc::default(),
            extended: Arc::new(AtomicU64::new(nanoseconds(since))),
            clock: Arc::clone(&self.clock),
            heartbeat: self.heartbeat,
        };
        let expiry = self.longest.map(|_| drain.child_token());
        let drain = expiry.clone().unwrap_or(drain);
        let held = Held { received: since, hold: hold.clone(), expiry };
        lock(&self.held).insert(receipt.clone(), held);
        Lease { receipt: receipt.clone(), hold, drain, held: Arc::clone(&self.held) }
    }

    /// All that is held now.
    pub(crate) fn receipts(&self) -> Vec<Receipt> {
        lock(&self.held).keys().cloned().collect()
    }

    /// How much is held now.
    pub(crate) fn count(&self) -> usize {
        lock(&self.held).len()
    }

    /// Extends leases until `end` is cancelled.
    pub(crate) async fn keep(&self, end: CancellationToken) {
        let rhythm = (self.heartbeat.visibility / 12).max(Duration::from_millis(50));
        loop {
            tokio::select! {
                biased;
                () = end.cancelled() => return,
                () = tokio::time::sleep(rhythm) => self.beat().await,
            }
        }
    }

    async fn beat(&self) {
        let now = self.clock.elapsed();
        let mut due = Vec::new();
        for (receipt, held) in lock(&self.held).iter() {
            if let (Some(longest), Some(expiry)) = (self.longest, &held.expiry)
                && now.saturating_sub(held.received) >= longest
            {
                expiry.cancel();
            }
            match held.hold.beat(now) {
                Beat::Wait(_) => {}
                Beat::Extend => due.push(receipt.clone()),
                Beat::Lost => held.hold.lose(),
            }
        }
        if due.is_empty() {
            return;
        }
        let asked = self.queue.change_visibility(&due, self.heartbeat.visibility);
        let Ok(answer) = tokio::time::timeout(self.heartbeat.visibility / 4, asked).await else {
            tracing::warn!(leases = due.len(), "the queue does not answer; leases could not be extended");
            return;
        };
        match answer {
            Ok(stale) => {
                let held = lock(&self.held);
                for receipt in due {
                    let Some(Held { hold, .. }) = held.get(&receipt) else { continue };
                    if stale.contains(&receipt) {
                        hold.lose();
                    } else {
                        hold.extended.store(nanoseconds(now), Ordering::Relaxed);
                    }
                }
            }
            Err(error) => tracing::warn!(%error, leases = due.len(), "leases could not be extended"),
        }
    }
}

impl Hold {
    /// Whether somebody else may hold the delivery by now: no write may start.
    pub(crate) fn is_lost(&self) -> bool {
        if self.beat(self.clock.elapsed()) == Beat::Lost {
            self.lose();
        }
        self.lost.load(Ordering::Relaxed)
    }

    fn beat(&self, now: Duration) -> Beat {
        self.heartbeat.beat(now.saturating_sub(Duration::from_nanos(self.extended.load(Ordering::Relaxed))))
    }

    /// For good, also if a call that hangs should extend it after all.
    fn lose(&self) {
        self.lost.store(true, Ordering::Relaxed);
    }
}

impl Lease {
    pub(crate) fn hold(&self) -> Hold {
        self.hold.clone()
    }

    /// Cancelled when the work under this lease is to end: the worker stops, or the lease has lasted too long.
    pub(crate) fn drain(&self) -> &CancellationToken {
        &self.drain
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

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    // The map is whole after every statement: a panic elsewhere does not spoil it.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
