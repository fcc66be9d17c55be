//! The worker: takes jobs from a queue and copies, verifies and settles their objects.
//!
//! The trip of one object goes one way: poller (a permit, then a delivery) → executor (lease held throughout):
//! claim → plan → copy → verify → settle (state first, then the queue). Stages are types consumed by value, so
//! that nothing can be verified that was not copied, or settled that was not verified. The crate reaches the
//! outside world through the ports of `longbow-core` only.

mod claim;
mod copy;
mod digest;
mod drain;
mod executor;
mod fleet;
mod gauges;
mod inspect;
mod janitor;
mod lease;
mod node;
mod object_log;
mod options;
mod pace;
mod patient_state;
mod permits;
mod plan;
mod poller;
mod quirks;
mod removal;
mod reply;
mod routed;
mod settle;
mod verify;

use std::sync::Arc;

use longbow_core::failure::BackendError;
use longbow_core::port::{Clock, JobQueue, MultipartStore, Observer, StateStore};
use longbow_core::route::Route;
use tokio_util::sync::CancellationToken;

pub use digest::{DigestOptions, DigestService, DigestStream, Wanted};
pub use drain::{Drain, Stopping};
pub use fleet::{FleetFault, FleetPorts, RouteOptions, RoutePorts};
pub use gauges::{Gauges, QueueState, WorkerReading};
pub use janitor::{LEAST_AGE, SweepError, SweepReport, sweep_uploads};
pub use object_log::{ObjectOf, log_object};
pub use options::{RecordPolicy, WorkerOptions};
pub use permits::{PermitOptions, Permits};

pub(crate) use node::Shared;
use node::{Budget, Node, Ways};

/// What a worker works with.
#[derive(Clone)]
pub struct WorkerPorts {
    /// Read from.
    pub source: Arc<dyn MultipartStore>,
    /// Written to.
    pub destination: Arc<dyn MultipartStore>,
    /// From where to where; jobs that lie outside are refused.
    pub route: Route,
    /// Where jobs come from.
    pub queue: Arc<dyn JobQueue>,
    /// What is remembered.
    pub state: Arc<dyn StateStore>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Who watches.
    pub observer: Arc<dyn Observer>,
}

/// What a run of the worker did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct WorkerSummary {
    /// Objects copied and verified.
    pub copied: u64,
    /// Objects found equal at a closer look.
    pub skipped: u64,
    /// Objects removed from the destination, since they were removed at the source.
    pub deleted: u64,
    /// Objects given up.
    pub failed: u64,
    /// Bytes of the copied objects.
    pub bytes_copied: u64,
    /// Bytes sent to the destination for them, without parts that were there already.
    pub bytes_sent: u64,
    /// Parts that an earlier attempt had left and that were used.
    pub parts_reused: u64,
    /// The worker was asked to stop before the queue was empty.
    pub stopped: bool,
    /// The worker stopped by itself: too many refusals in a row.
    pub refused: bool,
}

impl WorkerSummary {
    /// This run and a later one together.
    #[must_use]
    pub fn and(self, later: Self) -> Self {
        Self {
            copied: self.copied + later.copied,
            skipped: self.skipped + later.skipped,
            deleted: self.deleted + later.deleted,
            failed: self.failed + later.failed,
            bytes_copied: self.bytes_copied + later.bytes_copied,
            bytes_sent: self.bytes_sent + later.bytes_sent,
            parts_reused: self.parts_reused + later.parts_reused,
            stopped: later.stopped,
            refused: later.refused,
        }
    }
}

/// Copies what a queue asks for.
pub struct Worker {
    node: Arc<Node>,
}

impl Worker {
    /// A worker for one route over these ports. Nothing runs before [`Worker::run`].
    pub fn new(ports: WorkerPorts, options: WorkerOptions) -> Self {
        let budget = Budget::new(&options);
        let shared = Shared::new(&budget, ports.clone(), options.clone(), false, false, None);
        let WorkerPorts { queue, clock, observer, .. } = ports;
        Self { node: Arc::new(Node::new(queue, clock, observer, options, &budget, Ways::One(shared))) }
    }

    /// What the worker looks like from outside, at any moment. Keeps nothing of it alive.
    pub fn gauges(&self) -> Gauges {
        Gauges::of(&self.node)
    }

    /// Works until `stop` is cancelled (then drains: what runs is finished or handed back with its parts kept), or
    /// until `no_more` is cancelled and the queue is idle.
    ///
    /// # Errors
    /// When the queue or the state store fails for good; jobs in work are then handed back as they are.
    pub async fn run(
        &self,
        no_more: CancellationToken,
        stop: CancellationToken,
    ) -> Result<WorkerSummary, BackendError> {
        let end = poller::run(&self.node, no_more, &Drain::of(stop)).await?;
        Ok(self.node.counts.summary(end))
    }

    /// Works until `drain` begins, or until the queue is empty where [`WorkerOptions::exit_when_empty`] asks for that.
    /// What is unfinished when the time of the drain is over is handed back as it is: visible at once, not counted as an
    /// attempt, with its parts kept.
    ///
    /// # Errors
    /// When the queue cannot be reached at all in the beginning; when it fails later, it is waited for. A worker of one
    /// route on one machine: as [`Worker::run`].
    pub async fn serve(&self, drain: &Drain) -> Result<WorkerSummary, BackendError> {
        let end = tokio::select! {
            biased;
            end = poller::run(&self.node, CancellationToken::new(), drain) => end?,
            never = janitor::keep(&self.node, drain.token()) => match never {},
        };
        Ok(self.node.counts.summary(end))
    }
}
