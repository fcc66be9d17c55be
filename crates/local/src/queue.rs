//! The queue of jobs on disk, with the meaning of Amazon SQS: at least once, hidden while held, counted.
//!
//! Beyond SQS it keeps one message a subject, the newest: a message that waits is replaced, and one that is in
//! flight has its successor stored beside it until it is settled. Messages that come back go before those that
//! were never received, in the order of their time; the others in the order of sending. Time is the clock's
//! `elapsed`, so that a jump of the calendar moves nothing; it ends with the process, and all leases and delays end
//! with it. A receipt is good until its visibility ends.
//!
//! The SQL is in `message`; here is who asks, who waits, and what is given back.

mod body;
mod message;
mod receipts;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use longbow_core::failure::BackendError;
use longbow_core::object::{ObjectKey, Timestamp};
use longbow_core::port::{Delivery, JobQueue, OutgoingJob, QueueDepth, Receipt, SendReport};
use tokio::time::Instant;

use crate::database::{Database, WeakLane};
use message::Moment;
use receipts::Held;
pub(crate) use receipts::Receipts;

/// The longest that one `receive` waits, whatever is asked for.
const LONGEST_WAIT: Duration = Duration::from_secs(3600);
/// The shortest sleep before looking again: the clock handed in may be another than the one that is slept by.
const SHORTEST_SLEEP: Duration = Duration::from_millis(1);

/// The queue in a state file. Clones are handles to the same one.
#[derive(Clone)]
pub struct SqliteQueue {
    database: Database,
}

/// A message that was put aside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// What the job was about.
    pub subject: ObjectKey,
    /// The wire form.
    pub body: String,
    /// Why it was put aside.
    pub reason: String,
    /// How often it was received.
    pub receive_count: u32,
    /// When it was put aside.
    pub buried: Timestamp,
}

/// What one look into the queue gave. If it never reaches its asker, who was cancelled meanwhile, dropping it puts
/// the messages back.
struct Taken {
    deliveries: Vec<Delivery>,
    held: Vec<Held>,
    /// Until the next hidden message shows, when there was nothing to take.
    next: Option<Duration>,
    writer: WeakLane,
}

impl Taken {
    fn accept(mut self) -> Vec<Delivery> {
        self.held.clear();
        std::mem::take(&mut self.deliveries)
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        let held = std::mem::take(&mut self.held);
        if !held.is_empty() {
            self.writer.tell(move |group| held.iter().try_for_each(|held| message::give_back(group, *held)));
        }
    }
}

impl SqliteQueue {
    pub(crate) fn new(database: Database) -> Self {
        Self { database }
    }

    /// Up to `most` dead letters whose subjects come after `after`, in byte order; fewer only at the end.
    pub async fn dead_letters(
        &self,
        after: Option<&ObjectKey>,
        most: usize,
    ) -> Result<Vec<DeadLetter>, BackendError> {
        let after = after.map(|key| key.as_str().to_owned()).unwrap_or_default();
        self.database.read(move |group| message::dead_letters(group, &after, most)).await
    }

    async fn take(&self, most: usize, visibility: Duration) -> Result<Taken, BackendError> {
        let (clock, receipts) = (Arc::clone(self.database.clock()), Arc::clone(self.database.receipts()));
        let writer = self.database.weak_writer();
        self.database
            .write(move |group| {
                let now = Moment::now(clock.as_ref());
                let mut taken = Taken { deliveries: Vec::new(), held: Vec::new(), next: None, writer };
                for seen in message::visible(group, now, most)? {
                    let held = receipts.hold(seen.id);
                    let receive_count = message::hold(group, &seen, held, now.plus(visibility))?;
                    let receipt = receipts.write(held);
                    taken.held.push(held);
                    taken.deliveries.push(Delivery {
                        receipt,
                        body: seen.body,
                        receive_count,
                        message_id: None,
                        sent: None,
                    });
                }
                if taken.held.is_empty() {
                    taken.next = message::next_visible(group)?.map(|next| next.since(now));
                }
                Ok(taken)
            })
            .await
    }
}

#[async_trait]
impl JobQueue for SqliteQueue {
    async fn send(&self, jobs: Vec<OutgoingJob>) -> Result<SendReport, BackendError> {
        let clock = Arc::clone(self.database.clock());
        self.database
            .write(move |group| {
                let now = Moment::now(clock.as_ref());
                jobs.iter().try_for_each(|job| message::send(group, now, job))
            })
            .await?;
        Ok(SendReport::default())
    }

    async fn receive(
        &self,
        max: usize,
        wait: Duration,
        visibility: Duration,
    ) -> Result<Vec<Delivery>, BackendError> {
        let end = Instant::now() + wait.min(LONGEST_WAIT);
        loop {
            // Listen before looking, so that nothing sent between the two is missed.
            let mut arrived = std::pin::pin!(self.database.arrived().notified());
            arrived.as_mut().enable();
            let taken = self.take(max, visibility).await?;
            let left = end.saturating_duration_since(Instant::now());
            if !taken.deliveries.is_empty() || left.is_zero() {
                return Ok(taken.accept());
            }
            let sleep = taken.next.map_or(left, |next| next.max(SHORTEST_SLEEP).min(left));
            // Either way: look again.
            let _ = tokio::time::timeout(sleep, arrived).await;
        }
    }

    async fn change_visibility(
        &self,
        receipts: &[Receipt],
        visibility: Duration,
    ) -> Result<Vec<Receipt>, BackendError> {
        let (clock, reader) = (Arc::clone(self.database.clock()), Arc::clone(self.database.receipts()));
        let receipts = receipts.to_vec();
        self.database
            .write(move |group| {
                let now = Moment::now(clock.as_ref());
                let until = now.plus(visibility);
                let mut stale = Vec::new();
                for receipt in receipts {
                    let changed = match reader.read(&receipt) {
                        Some(held) => message::change(group, held, now, until)?,
                        None => false,
                    };
                    if !changed {
                        stale.push(receipt);
                    }
                }
                Ok(stale)
            })
            .await
    }

    async fn acknowledge(&self, receipt: &Receipt) -> Result<(), BackendError> {
        let Some(held) = self.database.receipts().read(receipt) else { return Ok(()) };
        let clock = Arc::clone(self.database.clock());
        self.database
            .write(move |group| message::settle(group, held, Moment::now(clock.as_ref())).map(drop))
            .await
    }

    async fn dead_letter(&self, receipt: &Receipt, reason: &str) -> Result<(), BackendError> {
        let Some(held) = self.database.receipts().read(receipt) else { return Ok(()) };
        let clock = Arc::clone(self.database.clock());
        let reason = reason.to_owned();
        self.database
            .write(move |group| {
                let now = Moment::now(clock.as_ref());
                message::bury(group, held, now, &reason, clock.now())
            })
            .await
    }

    async fn depth(&self) -> Result<QueueDepth, BackendError> {
        let clock = Arc::clone(self.database.clock());
        self.database
            .write(move |group| {
                let hidden = message::hidden(group, Moment::now(clock.as_ref()))?;
                let count = |number: i64| u64::try_from(number).unwrap_or(0);
                Ok(QueueDepth {
                    visible: count(group.counts.jobs - hidden),
                    in_flight: count(hidden),
                    // A delivery handed back with a delay is hidden like one that is held, as in SQS.
                    delayed: 0,
                    dead: count(group.counts.dead),
                })
            })
            .await
    }
}
