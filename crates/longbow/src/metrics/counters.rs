//! Counters that many tasks add to, without a lock and without an allocation.

use std::sync::atomic::{AtomicU64, Ordering};

use longbow_core::failure::FailureClass;
use longbow_core::job::{Report, ReportOutcome};

use super::catalog::{CAUSES, RouteCounter};

/// So many numbers that only grow.
pub(super) struct Counters<const N: usize>([AtomicU64; N]);

impl<const N: usize> Default for Counters<N> {
    fn default() -> Self {
        Self(std::array::from_fn(|_| AtomicU64::new(0)))
    }
}

impl<const N: usize> Counters<N> {
    pub(super) fn add(&self, which: usize, n: u64) {
        self.0[which].fetch_add(n, Ordering::Relaxed);
    }

    pub(super) fn read(&self) -> [u64; N] {
        std::array::from_fn(|at| self.0[at].load(Ordering::Relaxed))
    }
}

/// What is counted of one route.
#[derive(Default)]
pub(super) struct RouteCounters {
    counters: Counters<{ RouteCounter::ALL.len() }>,
    causes: Counters<{ CAUSES.len() }>,
}

/// The same, at a moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct RouteFigures {
    pub(super) counters: [u64; RouteCounter::ALL.len()],
    pub(super) causes: [u64; CAUSES.len()],
}

impl RouteCounters {
    pub(super) fn moved(&self, read: u64, sent: u64) {
        self.counters.add(RouteCounter::BytesDownloaded as usize, read);
        self.counters.add(RouteCounter::BytesUploaded as usize, sent);
    }

    pub(super) fn finished(&self, report: &Report) {
        let add = |counter: RouteCounter, n| self.counters.add(counter as usize, n);
        match report.outcome {
            ReportOutcome::Copied => {
                add(RouteCounter::ObjectsCopied, 1);
                add(RouteCounter::BytesCompleted, report.size);
            }
            ReportOutcome::Skipped => add(RouteCounter::ObjectsSkipped, 1),
            ReportOutcome::Deleted => return add(RouteCounter::ObjectsRemoved, 1),
            ReportOutcome::Failed => {
                add(RouteCounter::ObjectsFailed, 1);
                self.causes.add(cause(report.failure.unwrap_or(FailureClass::Permanent)), 1);
            }
        }
        add(RouteCounter::BytesSettled, report.size);
    }

    pub(super) fn read(&self) -> RouteFigures {
        RouteFigures { counters: self.counters.read(), causes: self.causes.read() }
    }
}

/// The place of a class among [`CAUSES`].
fn cause(class: FailureClass) -> usize {
    match class {
        // Nothing is given up because somebody stops.
        FailureClass::Transient | FailureClass::Interrupted => 0,
        FailureClass::Throttled => 1,
        FailureClass::Corrupt => 2,
        FailureClass::Denied => 3,
        FailureClass::Permanent => 4,
    }
}

/// So many of the latest lags are kept: CloudWatch takes a hundred values of a metric in one line.
pub(super) const LAGS: usize = 100;

/// The ages of jobs when they were taken.
pub(super) struct Lags {
    count: AtomicU64,
    milliseconds: AtomicU64,
    latest: [AtomicU64; LAGS],
}

/// The same, at a moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LagFigures {
    pub(super) count: u64,
    pub(super) milliseconds: u64,
    /// In the ring's order: number `n` is at `n % LAGS`.
    pub(super) latest: [u64; LAGS],
}

impl Default for Lags {
    fn default() -> Self {
        Self {
            count: AtomicU64::new(0),
            milliseconds: AtomicU64::new(0),
            latest: std::array::from_fn(|_| AtomicU64::new(0)),
        }
    }
}

impl Lags {
    pub(super) fn add(&self, milliseconds: u64) {
        let number = self.count.fetch_add(1, Ordering::Relaxed);
        self.latest[usize::try_from(number % LAGS as u64).unwrap_or(0)]
            .store(milliseconds, Ordering::Relaxed);
        self.milliseconds.fetch_add(milliseconds, Ordering::Relaxed);
    }

    pub(super) fn read(&self) -> LagFigures {
        LagFigures {
            count: self.count.load(Ordering::Relaxed),
            milliseconds: self.milliseconds.load(Ordering::Relaxed),
            latest: std::array::from_fn(|at| self.latest[at].load(Ordering::Relaxed)),
        }
    }
}
