//! An observer that remembers what it was told.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use longbow_core::diff::Decision;
use longbow_core::failure::Failure;
use longbow_core::job::{Report, ReportOutcome};
use longbow_core::object::{ObjectKey, ObjectMeta};
use longbow_core::port::{Counted, Observer, Side};

/// Remembers notices, decisions, failed attempts and reports, and counts listed keys and moved bytes.
#[derive(Debug, Default)]
pub struct FakeObserver {
    seen: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    notices: Vec<String>,
    decisions: Vec<(ObjectKey, Decision)>,
    failed_attempts: Vec<(ObjectKey, Failure, Duration)>,
    reports: Vec<Report>,
    listed: [u64; 2],
    complete: [bool; 2],
    read: u64,
    sent: u64,
    counted: Vec<(Counted, u64)>,
    lags: Vec<Duration>,
}

fn index(side: Side) -> usize {
    match side {
        Side::Source => 0,
        Side::Destination => 1,
    }
}

impl FakeObserver {
    /// One that has seen nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// The notices, in order.
    pub fn notices(&self) -> Vec<String> {
        self.seen().notices.clone()
    }

    /// The comparison's decisions, in order.
    pub fn decisions(&self) -> Vec<(ObjectKey, Decision)> {
        self.seen().decisions.clone()
    }

    /// Attempts that failed and were to be followed by another, in order, with the wait.
    pub fn failed_attempts(&self) -> Vec<(ObjectKey, Failure, Duration)> {
        self.seen().failed_attempts.clone()
    }

    /// The reports of finished objects, in order.
    pub fn reports(&self) -> Vec<Report> {
        self.seen().reports.clone()
    }

    /// The last report about a source key.
    pub fn report(&self, key: &str) -> Option<Report> {
        self.seen().reports.iter().rev().find(|report| report.key.as_str() == key).cloned()
    }

    /// How many reports have this outcome.
    pub fn count(&self, outcome: ReportOutcome) -> usize {
        self.seen().reports.iter().filter(|report| report.outcome == outcome).count()
    }

    /// Keys listed on a side.
    pub fn listed(&self, side: Side) -> u64 {
        self.seen().listed[index(side)]
    }

    /// Whether the listing of a side was said to be complete.
    pub fn is_complete(&self, side: Side) -> bool {
        self.seen().complete[index(side)]
    }

    /// Bytes read from the source and sent to the destination.
    pub fn moved(&self) -> (u64, u64) {
        let seen = self.seen();
        (seen.read, seen.sent)
    }

    /// How often this was counted.
    pub fn counted(&self, what: Counted) -> u64 {
        self.seen().counted.iter().filter(|(one, _)| *one == what).map(|(_, times)| times).sum()
    }

    /// The lags that were told, in order.
    pub fn lags(&self) -> Vec<Duration> {
        self.seen().lags.clone()
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Observer for FakeObserver {
    fn notice(&self, text: &str) {
        self.seen().notices.push(text.to_owned());
    }

    fn listed(&self, side: Side, keys: u64) {
        self.seen().listed[index(side)] += keys;
    }

    fn listing_complete(&self, side: Side) {
        self.seen().complete[index(side)] = true;
    }

    fn decided(&self, decision: Decision, source: &ObjectMeta, _destination: Option<&ObjectMeta>) {
        self.seen().decisions.push((source.key.clone(), decision));
    }

    fn moved(&self, read: u64, sent: u64) {
        let mut seen = self.seen();
        seen.read += read;
        seen.sent += sent;
    }

    fn attempt_failed(&self, key: &ObjectKey, failure: &Failure, retry_in: Duration) {
        self.seen().failed_attempts.push((key.clone(), failure.clone(), retry_in));
    }

    fn counted(&self, what: Counted, times: u64) {
        self.seen().counted.push((what, times));
    }

    fn lag(&self, lag: Duration) {
        self.seen().lags.push(lag);
    }

    fn finished(&self, report: &Report) {
        self.seen().reports.push(report.clone());
    }
}
