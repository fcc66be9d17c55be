//! Takes deliveries while there is room, and ends when there is nothing left to take.
//!
//! A patient worker waits for a queue that fails, and goes slowly while everything is refused: a wrong policy or an expired
//! key must neither burn the backlog nor hammer the stores.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use longbow_core::backoff::Backoff;
use longbow_core::failure::BackendError;
use longbow_core::port::{Counted, Delivery, QueueDepth};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::drain::Drain;
use crate::executor;
use crate::gauges::QueueState;
use crate::node::Node;

/// Most deliveries of one call. An adapter whose service gives fewer makes several.
const BATCH: usize = 64;

/// Between calls to a queue that fails.
const QUEUE_BACKOFF: Backoff = Backoff { first: Duration::from_secs(1), most: Duration::from_secs(60) };

/// How much longer than it was asked to wait a queue may take to answer when the worker is to stop.
const SILENCE: Duration = Duration::from_secs(5);

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

type Tasks = JoinSet<Result<(), BackendError>>;

/// Runs until the queue is idle and `no_more` is set or the options ask for that, or until the drain begins.
pub(crate) async fn run(
    node: &Arc<Node>,
    no_more: CancellationToken,
    wish: &Drain,
) -> Result<End, BackendError> {
    let drain = wish.token().child_token();
    node.paces.stop_with(drain.clone());
    let heartbeat_end = CancellationToken::new();
    // In a set, so that it ends with this future, however that ends.
    let mut heartbeat = JoinSet::new();
    heartbeat.spawn({
        let (node, end) = (Arc::clone(node), heartbeat_end.clone());
        async move { node.leases.keep(end).await }
    });
    let mut tasks = JoinSet::new();
    let polled = Poller::new(node, &no_more, &drain).poll(&mut tasks).await;
    if polled.is_err() {
        drain.cancel();
    }
    if let Some(why) = wish.reason() {
        tracing::info!(%why, in_work = tasks.len(), within = ?wish.within(), "draining");
    }
    let failed = finish(node, &mut tasks, wish.within()).await;
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

/// Waits for what runs, for so long; then hands the rest back as it is.
async fn finish(node: &Node, tasks: &mut Tasks, within: Option<Duration>) -> Option<BackendError> {
    let mut failed = None;
    let over = async {
        match within {
            Some(within) => tokio::time::sleep(within).await,
            None => std::future::pending().await,
        }
    };
    tokio::pin!(over);
    loop {
        tokio::select! {
            biased;
            joined = tasks.join_next() => match joined {
                Some(joined) => note(joined, &mut failed),
                None => return failed,
            },
            () = &mut over => break,
        }
    }
    // As if the process had been killed here, which loses nothing; but the others need not wait for the leases to end.
    let receipts = node.leases.receipts();
    tasks.abort_all();
    while tasks.join_next().await.is_some() {}
    tracing::warn!(unfinished = receipts.len(), "the time to drain is over: unfinished jobs are handed back");
    node.observer.counted(Counted::HandedBack, receipts.len() as u64);
    if let Err(error) = node.queue.change_visibility(&receipts, Duration::ZERO).await {
        tracing::warn!(%error, "unfinished jobs could not be handed back; they come back when their visibility ends");
    }
    failed
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

/// The loop with what it remembers from round to round.
struct Poller<'a> {
    node: &'a Arc<Node>,
    no_more: &'a CancellationToken,
    drain: &'a CancellationToken,
    room: Arc<Semaphore>,
    /// The queue has answered once.
    heard: bool,
    /// Calls to the queue that failed in a row.
    failures: u32,
    /// Looks in a row that found nothing to do.
    idle: u32,
    /// Everything is refused.
    slow: bool,
}

impl<'a> Poller<'a> {
    fn new(node: &'a Arc<Node>, no_more: &'a CancellationToken, drain: &'a CancellationToken) -> Self {
        let room = Arc::new(Semaphore::new(node.options.max_objects.max(1)));
        Self { node, no_more, drain, room, heard: false, failures: 0, idle: 0, slow: false }
    }

    async fn poll(mut self, tasks: &mut Tasks) -> Result<End, BackendError> {
        let mut failed = None;
        loop {
            while let Some(joined) = tasks.try_join_next() {
                note(joined, &mut failed);
            }
            if let Some(error) = failed.take() {
                return Err(error);
            }
            if self.drain.is_cancelled() {
                return Ok(End::Stopped);
            }
            if self.refused() {
                let Some(pause) = self.node.options.slow_when_denied else {
                    self.drain.cancel();
                    return Ok(End::Refused);
                };
                self.pause(pause).await;
            }
            let Some(permits) = self.permits().await else { return Ok(End::Stopped) };
            let since = self.node.leases.now();
            let Some(received) = self.receive(permits.len()).await? else { continue };
            if self.drain.is_cancelled() {
                self.hand_back(received).await?;
                return Ok(End::Stopped);
            }
            if received.is_empty() {
                drop(permits);
                while let Some(joined) = tasks.try_join_next() {
                    note(joined, &mut failed);
                }
                if failed.is_none() && self.is_done(tasks).await? {
                    return Ok(End::Done);
                }
                continue;
            }
            self.idle = 0;
            self.tell(&received);
            for (delivery, permit) in received.into_iter().zip(permits) {
                let node = Arc::clone(self.node);
                let drain = self.drain.clone();
                tasks.spawn(async move {
                    let lease = node.leases.hold(&delivery.receipt, since, drain);
                    let result = executor::run(&node, delivery, lease).await;
                    drop(permit);
                    result
                });
            }
        }
    }
    /// First the permit, then the delivery: nothing is taken that would only wait here. `None`: the drain has begun.
    async fn permits(&self) -> Option<Vec<OwnedSemaphorePermit>> {
        let first = tokio::select! {
            biased;
            () = self.drain.cancelled() => return None,
            permit = Arc::clone(&self.room).acquire_owned() => permit.ok(),
        };
        let mut permits: Vec<_> = first.into_iter().collect();
        let most = if self.slow { 1 } else { BATCH };
        while permits.len() < most
            && let Ok(permit) = Arc::clone(&self.room).try_acquire_owned()
        {
            permits.push(permit);
        }
        Some(permits)
    }

    /// Asks the queue. `None`: it failed, and was waited for; or the drain has begun.
    async fn receive(&mut self, most: usize) -> Result<Option<Vec<Delivery>>, BackendError> {
        let options = &self.node.options;
        let wait = if self.no_more.is_cancelled() { Duration::from_millis(50) } else { options.receive_wait };
        let received = self.node.queue.receive(most, wait, options.visibility);
        let received = if self.node.is_patient() {
            // A poll that was left open would take the very jobs that are handed back, and hide them; but a queue that
            // does not answer at all is not waited for.
            let silence = async {
                self.drain.cancelled().await;
                tokio::time::sleep(wait + SILENCE).await;
            };
            tokio::select! {
                biased;
                received = received => received,
                () = silence => return Ok(None),
            }
        } else {
            // Never dropped half-way: deliveries that nobody sees would stay hidden until their visibility ends.
            received.await
        };
        match received {
            Ok(received) => {
                if std::mem::take(&mut self.failures) > 0 {
                    tracing::info!("the queue answers again");
                }
                self.heard = true;
                self.node.queue_health.note(QueueState::Answers);
                Ok(Some(received))
            }
            Err(error) if self.node.is_patient() && (self.heard || error.transient) => {
                self.node.queue_health.note(QueueState::Fails);
                self.node.observer.counted(Counted::QueueFailed("receive"), 1);
                if self.failures == 0 {
                    tracing::error!(%error, "the queue fails; asking again, more and more slowly");
                    self.node.observer.notice(&format!("the queue fails and is waited for: {error}"));
                }
                self.pause(self.before_asking_again(&error)).await;
                self.failures += 1;
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// One refusal may be a key that is just being exchanged; two in a row are nothing that seconds mend.
    fn before_asking_again(&self, error: &BackendError) -> Duration {
        let slow = self.node.options.slow_when_denied.filter(|_| error.is_refusal() && self.failures > 0);
        slow.unwrap_or_else(|| QUEUE_BACKOFF.delay(self.failures, 1.0))
    }

    /// Tells that jobs were taken, and how old they are.
    fn tell(&self, received: &[Delivery]) {
        let now = self.node.clock.now().0;
        for delivery in received {
            let age = delivery.sent.map(|sent| u64::try_from(now.saturating_sub(sent.0)).unwrap_or(0));
            self.node.observer.received(age.map(Duration::from_millis));
        }
    }

    async fn hand_back(&self, received: Vec<Delivery>) -> Result<(), BackendError> {
        let receipts: Vec<_> = received.into_iter().map(|d| d.receipt).collect();
        match self.node.queue.change_visibility(&receipts, Duration::ZERO).await {
            Err(error) if !self.node.is_patient() => Err(error),
            _ => Ok(()),
        }
    }

    /// Whether an empty answer means the end.
    async fn is_done(&mut self, tasks: &Tasks) -> Result<bool, BackendError> {
        let looks = self.node.options.exit_when_empty.map(|looks| looks.get());
        if !self.no_more.is_cancelled() && looks.is_none() || !tasks.is_empty() {
            self.idle = 0;
            return Ok(false);
        }
        let depth = match self.node.queue.depth().await {
            Ok(depth) => depth,
            Err(error) if self.node.is_patient() => {
                tracing::warn!(%error, "the queue did not say how much is in it");
                QueueDepth { visible: 1, ..QueueDepth::default() }
            }
            Err(error) => return Err(error),
        };
        if !depth.is_idle() {
            self.idle = 0;
            return Ok(false);
        }
        self.idle += 1;
        Ok(self.no_more.is_cancelled() || looks.is_some_and(|looks| self.idle >= looks))
    }

    async fn pause(&self, time: Duration) {
        tokio::select! {
            biased;
            () = self.drain.cancelled() => {}
            () = tokio::time::sleep(time) => {}
        }
    }

    /// Whether too many objects in a row were refused.
    fn refused(&mut self) -> bool {
        let Some(limit) = self.node.options.denied_in_a_row else { return false };
        let slow = self.node.counts.denied_in_a_row.load(Ordering::Relaxed) >= u64::from(limit.get());
        if self.slow && !slow {
            self.node.observer.notice("an object was not refused: going at full speed again");
        }
        self.slow = slow;
        slow
    }
}
