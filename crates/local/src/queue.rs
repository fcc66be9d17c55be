//! The queue of jobs on disk, with the meaning of Amazon SQS: at least once, hidden while held, counted.
//!
//! Beyond SQS it keeps one message a subject, the newest: a message that waits is replaced, and one that is in
//! flight has its successor stored beside it until it is settled. Messages that come back go before those that
//! were never received, in the order of their time; the others in the order of sending. Time is the clock's
//! `elapsed`, so that a jump of the calendar moves nothing; it ends with the process, and all leases and delays end
//! with it.
//!
//! A receipt is good until its visibility ends. The SQL of single messages is in `message`.

mod message;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use longbow_core::failure::BackendError;
use longbow_core::object::{ObjectKey, Timestamp};
use longbow_core::port::{Delivery, JobQueue, OutgoingJob, QueueDepth, Receipt, SendReport};
use tokio::time::Instant;

use crate::database::{Database, WeakLane};
use message::{Held, Now};

/// The longest that one `receive` waits, whatever is asked for.
const LONGEST_WAIT: Duration = Duration::from_secs(3600);

/// The queue in a state file.
#[derive(Clone)]
pub struct SqliteQueue {
    database: Database,
    /// Numbers the receptions of this run.
    leases: Arc<AtomicI64>,
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

/// What one look into the queue gave. What never reaches the asker, because it was cancelled meanwhile, goes back.
struct Taken {
    deliveries: Vec<Delivery>,
    held: Vec<Held>,
    /// Until the next hidden message shows, when there was nothing to take.
    next: Option<Duration>,
    back: WeakLane,
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
            self.back.tell(move |group| held.iter().try_for_each(|held| message::give_back(group, *held)));
        }
    }
}

impl SqliteQueue {
    pub(crate) fn new(database: Database) -> Self {
        let leases = database.leases();
        Self { database, leases }
    }

    fn now(&self) -> Now {
        Now::of(self.database.clock().as_ref())
    }

    fn receipt(&self, held: Held) -> Receipt {
        Receipt(format!("{}-{}-{}", self.database.run(), held.id, held.lease))
    }

    /// What a receipt holds; `None` for one of an earlier run, or of no run.
    fn held(&self, receipt: &Receipt) -> Option<Held> {
        let mut numbers = receipt.0.split('-').map(|number| number.parse().ok());
        let mut number = || numbers.next().flatten();
        let (run, id, lease): (i64, i64, i64) = (number()?, number()?, number()?);
        (run == self.database.run()).then_some(Held { id, lease })
    }

    async fn take(&self, max: usize, visibility: Duration) -> Result<Taken, BackendError> {
        let queue = self.clone_without_handle();
        let back = self.database.weak_writer();
        let (clock, run) = (Arc::clone(self.database.clock()), self.database.run());
        self.database
            .write(move |group| {
                let now = Now::of(clock.as_ref());
                let mut taken = Taken { deliveries: Vec::new(), held: Vec::new(), next: None, back };
                for seen in message::visible(group, now, max)? {
                    let lease = queue.fetch_add(1, Ordering::Relaxed);
                    let held = Held { id: seen.id, lease };
                    let receive_count = message::hold(group, &seen, held, now.plus(visibility))?;
                    taken.held.push(held);
                    taken.deliveries.push(Delivery {
                        receipt: Receipt(format!("{run}-{}-{lease}", seen.id)),
                        body: seen.body,
                        receive_count,
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
