//! The node: what all tasks of a worker share, and the ways that a delivery can go.
//!
//! One budget of requests and memory, one heartbeat and one count for all routes; stores, options, state and what was
//! learnt about the stores for each route ([`Shared`]). Only the node answers the queue.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use longbow_core::heartbeat::Heartbeat;
use longbow_core::job::{Report, ReportOutcome};
use longbow_core::object::Timestamp;
use longbow_core::port::{Clock, JobQueue, MultipartStore, Observer};
use longbow_core::routes::{RouteName, RouteTable};

use crate::gauges::QueueHealth;
use crate::lease::Leases;
use crate::pace::{Pace, PacedStore, Paces};
use crate::poller::End;
use crate::quirks::Quirks;
use crate::{DigestService, PermitOptions, Permits, WorkerOptions, WorkerPorts, WorkerSummary};

/// What all tasks of a worker share, whatever the route.
pub(crate) struct Node {
    pub(crate) queue: Arc<dyn JobQueue>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) observer: Arc<dyn Observer>,
    pub(crate) options: WorkerOptions,
    pub(crate) leases: Leases,
    pub(crate) permits: Permits,
    pub(crate) paces: Arc<Paces>,
    pub(crate) queue_health: QueueHealth,
    pub(crate) counts: Arc<Counts>,
    pub(crate) ways: Ways,
}

/// Where deliveries go.
pub(crate) enum Ways {
    /// A queue of longbow's own jobs for one route, on this machine. Queue and state are a file: if they fail, the run ends.
    One(Arc<Shared>),
    /// A queue that may hold any message, for several routes. Queue and state are services: if they fail, that passes.
    Table(Table),
}

/// The configured routes and what each works with.
pub(crate) struct Table {
    pub(crate) routes: RouteTable,
    pub(crate) by_name: HashMap<RouteName, Arc<Shared>>,
}

/// What all tasks of one route share.
pub(crate) struct Shared {
    pub(crate) ports: WorkerPorts,
    pub(crate) options: WorkerOptions,
    pub(crate) permits: Permits,
    pub(crate) paces: Arc<Paces>,
    /// The destination's pace, which writes wait for themselves.
    pub(crate) write_pace: Arc<Pace>,
    pub(crate) digests: DigestService,
    pub(crate) quirks: Quirks,
    pub(crate) counts: Arc<Counts>,
    /// Whether a failing state store is done without.
    pub(crate) patient: bool,
    /// Whether removals at the source are carried on.
    pub(crate) propagates: bool,
    /// When the worker was made.
    pub(crate) began: Timestamp,
    /// The route's name, where routes have names.
    pub(crate) name: Option<RouteName>,
}

/// What the routes of one node have in common.
#[derive(Clone)]
pub(crate) struct Budget {
    permits: Permits,
    paces: Arc<Paces>,
    digests: DigestService,
    counts: Arc<Counts>,
}

impl Budget {
    pub(crate) fn new(options: &WorkerOptions) -> Self {
        let permits = Permits::new(PermitOptions {
            max_requests: options.max_requests.max(1),
            memory_bytes: options.memory_bytes,
            ..PermitOptions::default()
        });
        let digests = DigestService::new(options.digests.clone());
        let paces = Arc::new(Paces::new(&options.chance));
        Self { permits, paces, digests, counts: Arc::default() }
    }
}

impl Shared {
    pub(crate) fn new(
        budget: &Budget,
        mut ports: WorkerPorts,
        options: WorkerOptions,
        patient: bool,
        propagates: bool,
        name: Option<RouteName>,
    ) -> Arc<Self> {
        let Budget { permits, paces, digests, counts } = budget.clone();
        let quirks = Quirks::new(&ports);
        let at_pace = |store: &Arc<dyn MultipartStore>, name: &str| {
            let pace = paces.of(name, &permits, &ports.observer);
            let paced: Arc<dyn MultipartStore> =
                Arc::new(PacedStore::new(Arc::clone(store), Arc::clone(&pace)));
            (paced, pace)
        };
        let (source, _) = at_pace(&ports.source, &quirks.source.name);
        let (destination, write_pace) = at_pace(&ports.destination, &quirks.destination.name);
        (ports.source, ports.destination) = (source, destination);
        Arc::new(Self {
            permits,
            paces,
            write_pace,
            digests,
            counts,
            quirks,
            began: ports.clock.now(),
            ports,
            options,
            patient,
            propagates,
            name,
        })
    }
}

impl Node {
    pub(crate) fn new(
        queue: Arc<dyn JobQueue>,
        clock: Arc<dyn Clock>,
        observer: Arc<dyn Observer>,
        options: WorkerOptions,
        budget: &Budget,
        ways: Ways,
    ) -> Self {
        let heartbeat = Heartbeat { visibility: options.visibility };
        let leases = Leases::new(Arc::clone(&queue), Arc::clone(&clock), heartbeat, options.longest_hold);
        let Budget { permits, paces, counts, .. } = budget.clone();
        let queue_health = QueueHealth::default();
        Self { queue, clock, observer, options, leases, permits, paces, queue_health, counts, ways }
    }

    /// Whether a failing queue or state store is waited for.
    pub(crate) fn is_patient(&self) -> bool {
        matches!(self.ways, Ways::Table(_))
    }
}

/// Running totals.
#[derive(Default)]
pub(crate) struct Counts {
    copied: AtomicU64,
    skipped: AtomicU64,
    deleted: AtomicU64,
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
            ReportOutcome::Deleted => {
                add(&self.deleted, 1);
            }
            ReportOutcome::Failed => {
                add(&self.failed, 1);
            }
        }
        add(&self.bytes_sent, report.bytes_sent);
        add(&self.parts_reused, report.parts_reused.into());
    }
    pub(crate) fn summary(&self, end: End) -> WorkerSummary {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        WorkerSummary {
            copied: get(&self.copied),
            skipped: get(&self.skipped),
            deleted: get(&self.deleted),
            failed: get(&self.failed),
            bytes_copied: get(&self.bytes_copied),
            bytes_sent: get(&self.bytes_sent),
            parts_reused: get(&self.parts_reused),
            stopped: end == End::Stopped,
            refused: end == End::Refused,
        }
    }
}
