//! Snapshot: all figures of a worker at one moment. What was added between two of them is a subtraction.

use std::collections::BTreeMap;

use longbow_worker::WorkerReading;

use super::catalog::{FleetCounter, Gauge, RouteCounter};
use super::counters::{LAGS, LagFigures, RouteFigures};

/// All figures.
#[derive(Debug, Clone)]
pub(crate) struct Snapshot {
    /// Each route's.
    pub(super) routes: BTreeMap<String, RouteFigures>,
    /// The sum of the routes'.
    pub(super) all: RouteFigures,
    pub(super) fleet: [u64; FleetCounter::ALL.len()],
    pub(super) lags: LagFigures,
    pub(super) gauges: [u64; Gauge::ALL.len()],
}

impl Snapshot {
    pub(super) fn new(
        routes: impl Iterator<Item = (String, RouteFigures)>,
        fleet: [u64; FleetCounter::ALL.len()],
        lags: LagFigures,
        reading: Option<WorkerReading>,
    ) -> Self {
        let routes: BTreeMap<String, RouteFigures> = routes.collect();
        let mut all = RouteFigures::default();
        for route in routes.values() {
            for (sum, n) in all.counters.iter_mut().zip(route.counters) {
                *sum += n;
            }
            for (sum, n) in all.causes.iter_mut().zip(route.causes) {
                *sum += n;
            }
        }
        let mut gauges = [0; Gauge::ALL.len()];
        let wide = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
        if let Some(reading) = reading {
            gauges[Gauge::PermitsInUse as usize] = wide(reading.permits_in_use);
            gauges[Gauge::PermitsLimit as usize] = wide(reading.permits_limit);
            gauges[Gauge::ObjectsInWork as usize] = wide(reading.objects_in_work);
            gauges[Gauge::MemoryInUse as usize] = reading.memory_in_use;
        }
        gauges[Gauge::WorkersAlive as usize] = 1;
        Self { routes, all, fleet, lags, gauges }
    }
}

impl RouteFigures {
    /// What was added since.
    pub(super) fn since(&self, before: &Self) -> Self {
        Self {
            counters: std::array::from_fn(|at| self.counters[at].saturating_sub(before.counters[at])),
            causes: std::array::from_fn(|at| self.causes[at].saturating_sub(before.causes[at])),
        }
    }

    /// Whether anything is counted.
    pub(super) fn is_zero(&self) -> bool {
        self.counters == [0; RouteCounter::ALL.len()]
    }
}

impl LagFigures {
    /// The latest ages since so many were counted, in seconds.
    pub(super) fn since(&self, count: u64) -> Vec<f64> {
        let new = self.count.saturating_sub(count).min(LAGS as u64);
        let at = |number: u64| usize::try_from(number % LAGS as u64).unwrap_or(0);
        (self.count - new..self.count).map(|number| self.latest[at(number)] as f64 / 1000.0).collect()
    }
}
