//! Takes deliveries while there is room, and ends when there is nothing left to take.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use longbow_core::failure::BackendError;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::{Shared, executor};

/// Most deliveries of one call.
const BATCH: usize = 64;

/// Why the poller ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// Nothing is left.
    Done,
    /// It was asked to stop.
    Stopped,
    /// Too many objects in a row were refused.
    Refused,
}

/// Runs until the queue is idle and `no_more` is set, or until `stop`.
pub(crate) async fn run(
    shared: &Arc<Shared>,
    no_more: CancellationToken,
    stop: &CancellationToken,
) -> Result<End, BackendError> {
    let drain = stop.child_token();
    let heartbeat_end = CancellationToken::new();
    // In a set, so that it ends with this future, however that ends.
    let mut heartbeat = JoinSet::new();
    heartbeat.spawn({
        let (shared, end) = (Arc::clone(shared), heartbeat_end.clone());
        async move { shared.leases.keep(end).await }
    });
    let mut tasks = JoinSet::new();
    let polled = poll(shared, &no_more, &drain, &mut tasks).await;
    if polled.is_err() {
        drain.cancel();
    }
    let mut failed = None;
    while let Some(joined) = tasks.join_next().await {
        note(joined, &mut failed);
    }
    heartbeat_end.cancel();
    if let Some(Err(error)) = heartbeat.join_next().await {
        tracing::error!(%error, "the heartbeat ended badly");
    }
    let end = polled?;
    match failed {
        Some(error) => Err(error),
        None => Ok(end),
    }
}

type Joined = Result<Result<(), BackendError>, tokio::task::JoinError>;

fn note(joined: Joined, failed: &mut Option<BackendError>) {
    match joined {
        Ok(Ok(())) => {}
        Ok(Err(error)) => *failed = Some(error),
        // The delivery comes back by itself when its visibility ends, and counts as received.
        Err(error) => {
            tracing::error!(%error, "the task of an object ended badly; the job will be delivered again")
        }
    }
}

async fn poll(
    shared: &Arc<Shared>,
    no_more: &CancellationToken,
    drain: &CancellationToken,
    tasks: &mut JoinSet<Result<(), BackendError>>,
) -> Result<End, BackendError> {
    let queue = &shared.ports.queue;
    let room = Arc::new(Semaphore::new(shared.options.max_objects.max(1)));
    let mut failed = None;
    loop {
        while let Some(joined) = tasks.try_join_next() {
            note(joined, &mut failed);
        }
        if let Some(error) = failed.take() {
            return Err(error);
        }
        if drain.is_cancelled() {
            return Ok(End::Stopped);
        }
        if refused(shared) {
            drain.cancel();
            return Ok(End::Refused);
        }
        // First the permit, then the delivery: nothing is taken that would only wait here.
        let first = tokio::select! {
            () = drain.cancelled() => return Ok(End::Stopped),
            permit = Arc::clone(&room).acquire_owned() => permit.ok(),
        };
        let mut permits: Vec<_> = first.into_iter().collect();
        while permits.len() < BATCH
            && let Ok(permit) = Arc::clone(&room).try_acquire_owned()
        {
            permits.push(permit);
        }
        let since = shared.leases.now();
        let wait =
            if no_more.is_cancelled() { Duration::from_millis(50) } else { shared.options.receive_wait };
        // Never dropped half-way: deliveries that nobody sees would stay hidden until their visibility ends.
        let received = queue.receive(permits.len(), wait, shared.options.visibility).await?;
        if drain.is_cancelled() {
            let receipts: Vec<_> = received.into_iter().map(|d| d.receipt).collect();
            queue.change_visibility(&receipts, Duration::ZERO).await?;
            return Ok(End::Stopped);
        }
        if received.is_empty() {
            drop(permits);
            if no_more.is_cancelled() && tasks.is_empty() && queue.depth().await?.is_idle() {
                return Ok(End::Done);
            }
            continue;
        }
        for (delivery, permit) in received.into_iter().zip(permits) {
            let (shared, drain) = (Arc::clone(shared), drain.clone());
            tasks.spawn(async move {
                let lease = shared.leases.hold(&delivery.receipt, since);
                let result = executor::run(&shared, delivery, lease, &drain).await;
                drop(permit);
                result
            });
        }
    }
}

fn refused(shared: &Shared) -> bool {
    let Some(limit) = shared.options.denied_in_a_row else { return false };
    shared.counts.denied_in_a_row.load(Ordering::Relaxed) >= u64::from(limit.get())
}
