//! The worker: takes jobs from a queue and copies, verifies and settles their objects.
//!
//! The trip of one object goes one way: poller (a permit, then a delivery) → executor (lease held throughout):
//! claim → plan → copy → verify → settle (state first, then the queue). Stages are types consumed by value, so
//! that nothing can be verified that was not copied, or settled that was not verified. The crate reaches the
//! outside world through the ports of `longbow-core` only.

mod claim;
mod copy;
mod digest;
mod executor;
mod inspect;
mod lease;
mod permits;
mod plan;
mod poller;
mod quirks;
mod settle;
mod verify;

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use longbow_core::failure::BackendError;
use longbow_core::heartbeat::Heartbeat;
use longbow_core::job::{AttemptsPolicy, Report, ReportOutcome, TransferId};
use longbow_core::object::Timestamp;
use longbow_core::port::{Clock, JobQueue, MultipartStore, Observer, StateStore};
use longbow_core::route::Route;
use longbow_core::transfer::{DEFAULT_PART_SIZE, MethodPolicy};
use tokio_util::sync::CancellationToken;

pub use digest::{DigestOptions, DigestService, DigestStream, Wanted};
pub use permits::{PermitOptions, Permits};

use lease::Leases;
use quirks::Quirks;

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

/// How a worker works. Every default is meant to be fast; none has to be set.
#[derive(Debug, Clone)]
pub struct WorkerOptions {
    /// How often and how patiently an object is tried.
    pub attempts: AttemptsPolicy,
    /// Bytes of a part where nothing asks for another size.
    pub part_size: u64,
    /// Objects of at most this many bytes are written whole.
    pub whole_up_to: u64,
    /// For how long a delivery is hidden from others; extended while it is worked on.
    pub visibility: Duration,
    /// How long one call to the queue waits for a delivery; also how late a stop can be noticed when idle.
    pub receive_wait: Duration,
    /// Objects in work at once.
    pub max_objects: usize,
    /// Most requests in flight; what is really used adapts below it.
    pub max_requests: usize,
    /// Bytes that may be held in memory for bodies.
    pub memory_bytes: u64,
    /// How digests are computed.
    pub digests: DigestOptions,
    /// Which way bytes may go.
    pub method: MethodPolicy,
    /// Whether tags are copied.
    pub tags: bool,
    /// After so many refused objects in a row, with no success between, the worker stops by itself: a wrong policy
    /// must not burn the backlog. `None`: never.
    pub denied_in_a_row: Option<NonZeroU32>,
    /// The run that reports belong to.
    pub transfer: TransferId,
}

impl Default for WorkerOptions {
    fn default() -> Self {
        Self {
            attempts: AttemptsPolicy::default(),
            part_size: DEFAULT_PART_SIZE,
            whole_up_to: 64 << 20,
            visibility: Duration::from_secs(120),
            receive_wait: Duration::from_millis(250),
            max_objects: 256,
            max_requests: 256,
            memory_bytes: 48 << 20,
            digests: DigestOptions::default(),
            method: MethodPolicy::Auto,
            tags: true,
            denied_in_a_row: NonZeroU32::new(20),
            transfer: TransferId(String::new()),
        }
    }
}

/// What a run of the worker did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct WorkerSummary {
    /// Objects copied and verified.
    pub copied: u64,
    /// Objects found equal at a closer look.
    pub skipped: u64,
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

/// Copies what a queue asks for.
pub struct Worker {
    shared: Arc<Shared>,
}

/// What all tasks of a worker share.
pub(crate) struct Shared {
    pub(crate) ports: WorkerPorts,
    pub(crate) options: WorkerOptions,
    pub(crate) permits: Permits,
    pub(crate) digests: DigestService,
    pub(crate) quirks: Quirks,
    pub(crate) leases: Leases,
    pub(crate) counts: Counts,
    /// When the worker was made.
    pub(crate) began: Timestamp,
}

/// Running totals.
#[derive(Default)]
pub(crate) struct Counts {
    copied: AtomicU64,
    skipped: AtomicU64,
    failed: AtomicU64,
    bytes_copied: AtomicU64,
    bytes_sent: AtomicU64,
    parts_reused: AtomicU64,
    pub(crate) denied_in_a_row: AtomicU64,
}

impl Counts {
    pub(crate) fn add(&self, report: &Report) {
        let add = |counter: &AtomicU64, n: u64| counter.fetch_add(n, Ordering::Relaxed);
        match report.outcome {
            ReportOutcome::Copied => {
                add(&self.copied, 1);
                add(&self.bytes_copied, report.size);
            }
            ReportOutcome::Skipped => {
                add(&self.skipped, 1);
            }
            ReportOutcome::Deleted => {}
            ReportOutcome::Failed => {
                add(&self.failed, 1);
            }
        }
        add(&self.bytes_sent, report.bytes_sent);
        add(&self.parts_reused, report.parts_reused.into());
    }
}

impl Worker {
    /// A worker over these ports. Nothing runs before [`Worker::run`].
    pub fn new(ports: WorkerPorts, options: WorkerOptions) -> Self {
        let heartbeat = Heartbeat { visibility: options.visibility };
        let permits = Permits::new(PermitOptions {
            max_requests: options.max_requests.max(1),
            memory_bytes: options.memory_bytes,
            ..PermitOptions::default()
        });
        let leases = Leases::new(Arc::clone(&ports.queue), Arc::clone(&ports.clock), heartbeat);
        let shared = Shared {
            permits,
            digests: DigestService::new(options.digests.clone()),
            quirks: Quirks::new(&ports),
            leases,
            counts: Counts::default(),
            began: ports.clock.now(),
            ports,
            options,
        };
        Self { shared: Arc::new(shared) }
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
        let outcome = poller::run(&self.shared, no_more, &stop).await?;
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let counts = &self.shared.counts;
        Ok(WorkerSummary {
            copied: get(&counts.copied),
            skipped: get(&counts.skipped),
            failed: get(&counts.failed),
            bytes_copied: get(&counts.bytes_copied),
            bytes_sent: get(&counts.bytes_sent),
            parts_reused: get(&counts.parts_reused),
            stopped: outcome == poller::End::Stopped,
            refused: outcome == poller::End::Refused,
        })
    }
}
