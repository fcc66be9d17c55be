//! Gauges: what a worker looks like at a moment, for metrics and for whoever asks whether it is well.
//!
//! Apart from what is counted as it happens, which the observer hears: these are read when somebody wants to know. Nothing is
//! judged here.

use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Weak};

use crate::node::Node;

/// What the queue did when it was asked for jobs the last time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QueueState {
    /// It was not asked yet, or has not answered yet.
    NotAsked,
    /// It answered.
    Answers,
    /// It failed, and is asked again.
    Fails,
}

/// A worker at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WorkerReading {
    /// Requests in flight.
    pub permits_in_use: usize,
    /// Requests that may be in flight.
    pub permits_limit: usize,
    /// Deliveries in hand.
    pub objects_in_work: usize,
    /// Bytes of the memory budget that are in use.
    pub memory_in_use: u64,
    /// Refusals for too many requests, since the worker was made.
    pub throttles: u64,
    /// How the queue was the last time.
    pub queue: QueueState,
}

/// Reads a worker, as long as there is one. Cheap to clone.
#[derive(Clone)]
pub struct Gauges {
    node: Weak<Node>,
}

impl Gauges {
    pub(crate) fn of(node: &Arc<Node>) -> Self {
        Self { node: Arc::downgrade(node) }
    }

    /// The worker as it is now; `None` when it is gone.
    pub fn read(&self) -> Option<WorkerReading> {
        let node = self.node.upgrade()?;
        let permits = node.permits.snapshot();
        Some(WorkerReading {
            permits_in_use: permits.in_use,
            permits_limit: permits.limit,
            objects_in_work: node.leases.count(),
            memory_in_use: permits.memory_used,
            throttles: permits.throttles,
            queue: node.queue_health.state(),
        })
    }
}

/// How the queue was when it was asked last.
#[derive(Default)]
pub(crate) struct QueueHealth(AtomicU8);

impl QueueHealth {
    pub(crate) fn note(&self, state: QueueState) {
        self.0.store(state as u8, Ordering::Relaxed);
    }

    fn state(&self) -> QueueState {
        match self.0.load(Ordering::Relaxed) {
            n if n == QueueState::Answers as u8 => QueueState::Answers,
            n if n == QueueState::Fails as u8 => QueueState::Fails,
            _ => QueueState::NotAsked,
        }
    }
}
