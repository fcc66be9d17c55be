//! Metrics: what a worker or a jobsender counts, and the forms in which it is told.
//!
//! ```text
//! Observer ─▶ MetricsWatch ─▶ counters ─┐
//! Gauges (of the worker) ───────────────┼─▶ Snapshot ─▶ emf (CloudWatch, standard output)
//! log lines (log_lines) ────────────────┘           └─▶ prometheus ─▶ server (loopback)
//! ```
//!
//! The names are a promise: `catalog` has them, `docs/METRICS.md` explains them, and a test compares both. Counting an object
//! costs some additions to atomics.

mod batch;
mod catalog;
mod counters;
mod emf;
mod emitter;
mod health;
pub(crate) mod log_lines;
mod prometheus;
mod server;
mod snapshot;
mod watch;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use longbow_worker::{Gauges, WorkerReading};

pub(crate) use batch::of_run;
use catalog::FleetCounter;
use counters::{Counters, Lags, RouteCounters};
pub(crate) use emf::Emf;
pub(crate) use emitter::Emitter;
pub(crate) use health::Health;
pub(crate) use server::MetricsServer;
use snapshot::Snapshot;
pub(crate) use watch::MetricsWatch;

/// All that a worker counts, as long as the process lives.
pub(crate) struct Metrics {
    routes: Mutex<BTreeMap<String, Arc<RouteCounters>>>,
    fleet: Counters<{ FleetCounter::ALL.len() }>,
    lags: Lags,
    /// The worker that is at work now.
    gauges: Mutex<Option<Gauges>>,
    /// Throttles of workers that this process had before.
    throttles_before: AtomicU64,
}

impl Metrics {
    /// Nothing is counted yet.
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            routes: Mutex::default(),
            fleet: Counters::default(),
            lags: Lags::default(),
            gauges: Mutex::default(),
            throttles_before: AtomicU64::new(0),
        })
    }

    /// The counters of a route: the same for the same name.
    fn route(&self, name: &str) -> Arc<RouteCounters> {
        Arc::clone(lock(&self.routes).entry(name.to_owned()).or_default())
    }

    /// A worker begins; its gauges are read from now on.
    pub(crate) fn attach(&self, gauges: Gauges) {
        *lock(&self.gauges) = Some(gauges);
    }

    /// The worker ends; call it before it is dropped. What it had counted itself is kept.
    pub(crate) fn detach(&self) {
        let last = lock(&self.gauges).take().and_then(|gauges| gauges.read());
        self.throttles_before.fetch_add(last.map_or(0, |last| last.throttles), Ordering::Relaxed);
    }

    /// The worker as it is now.
    pub(crate) fn reading(&self) -> Option<WorkerReading> {
        lock(&self.gauges).as_ref().and_then(Gauges::read)
    }

    /// Everything as it is now.
    pub(crate) fn snapshot(&self) -> Snapshot {
        let reading = self.reading();
        let mut fleet = self.fleet.read();
        let before = self.throttles_before.load(Ordering::Relaxed);
        fleet[FleetCounter::Throttles as usize] = before + reading.map_or(0, |r| r.throttles);
        let (warnings, errors) = log_lines::counted();
        fleet[FleetCounter::Warnings as usize] = warnings;
        fleet[FleetCounter::Errors as usize] = errors;
        let routes: Vec<_> =
            lock(&self.routes).iter().map(|(name, route)| (name.clone(), Arc::clone(route))).collect();
        Snapshot::new(
            routes.iter().map(|(name, route)| (name.clone(), route.read())),
            fleet,
            self.lags.read(),
            reading,
        )
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // The maps are whole after every statement.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
