//! The observer that counts, and hands everything on.

use std::sync::Arc;
use std::time::Duration;

use longbow_core::diff::Decision;
use longbow_core::failure::Failure;
use longbow_core::job::Report;
use longbow_core::object::{ObjectKey, ObjectMeta};
use longbow_core::port::{Counted, Observer, Side};

use super::Metrics;
use super::catalog::FleetCounter;
use super::counters::RouteCounters;

/// Counts for a route, or for what belongs to none.
pub(crate) struct MetricsWatch {
    metrics: Arc<Metrics>,
    route: Option<Arc<RouteCounters>>,
    inner: Arc<dyn Observer>,
}

impl MetricsWatch {
    /// For what all routes share.
    pub(crate) fn of_fleet(metrics: &Arc<Metrics>, inner: Arc<dyn Observer>) -> Self {
        Self { metrics: Arc::clone(metrics), route: None, inner }
    }

    /// For the objects of a route.
    pub(crate) fn of_route(metrics: &Arc<Metrics>, route: &str, inner: Arc<dyn Observer>) -> Self {
        Self { metrics: Arc::clone(metrics), route: Some(metrics.route(route)), inner }
    }

    fn add(&self, counter: FleetCounter, n: u64) {
        self.metrics.fleet.add(counter as usize, n);
    }
}

impl Observer for MetricsWatch {
    fn notice(&self, text: &str) {
        self.inner.notice(text);
    }

    fn listed(&self, side: Side, keys: u64) {
        self.inner.listed(side, keys);
    }

    fn listing_complete(&self, side: Side) {
        self.inner.listing_complete(side);
    }

    fn decided(&self, decision: Decision, source: &ObjectMeta, destination: Option<&ObjectMeta>) {
        self.inner.decided(decision, source, destination);
    }

    fn comparison_restarted(&self) {
        self.inner.comparison_restarted();
    }

    fn moved(&self, read: u64, sent: u64) {
        if let Some(route) = &self.route {
            route.moved(read, sent);
        }
        self.inner.moved(read, sent);
    }

    fn attempt_failed(&self, key: &ObjectKey, failure: &Failure, retry_in: Duration) {
        self.add(FleetCounter::JobsReturned, 1);
        self.inner.attempt_failed(key, failure, retry_in);
    }

    fn received(&self, age: Option<Duration>) {
        self.add(FleetCounter::JobsReceived, 1);
        if let Some(age) = age {
            self.metrics.lags.add(u64::try_from(age.as_millis()).unwrap_or(u64::MAX));
        }
        self.inner.received(age);
    }

    fn counted(&self, what: Counted, times: u64) {
        match what {
            Counted::Refused => self.add(FleetCounter::JobsRefused, times),
            Counted::HandedBack => self.add(FleetCounter::JobsReturned, times),
            Counted::StateFailed(_) => self.add(FleetCounter::StateFailures, times),
            Counted::QueueFailed(_) => self.add(FleetCounter::QueueFailures, times),
            Counted::Ignored(_) | Counted::Superseded | Counted::Slowed | Counted::UploadAborted => {}
        }
        self.inner.counted(what, times);
    }

    fn lag(&self, lag: Duration) {
        self.inner.lag(lag);
    }

    fn finished(&self, report: &Report) {
        if let Some(route) = &self.route {
            route.finished(report);
        }
        self.inner.finished(report);
    }
}
