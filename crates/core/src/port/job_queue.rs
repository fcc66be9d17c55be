//! The queue of jobs, with the meaning of Amazon SQS standard queues: at least once, in any order, a delivery
//! hidden for a time that its holder can extend.

use std::time::Duration;

use async_trait::async_trait;

use crate::failure::BackendError;
use crate::object::{ObjectKey, Timestamp};

/// A queue of messages.
#[async_trait]
pub trait JobQueue: Send + Sync + 'static {
    /// Sends messages. Entries that failed are named in the report; the others are in the queue.
    async fn send(&self, jobs: Vec<OutgoingJob>) -> Result<SendReport, BackendError>;

    /// Takes up to `max` messages, waiting at most `wait` for the first. They are hidden for `visibility`.
    async fn receive(
        &self,
        max: usize,
        wait: Duration,
        visibility: Duration,
    ) -> Result<Vec<Delivery>, BackendError>;

    /// Hides the deliveries for `visibility` from now; zero makes them visible at once. A receipt that is no
    /// longer current changes nothing and is returned.
    async fn change_visibility(
        &self,
        receipts: &[Receipt],
        visibility: Duration,
    ) -> Result<Vec<Receipt>, BackendError>;

    /// Removes the delivery. A receipt that is no longer current removes nothing.
    async fn acknowledge(&self, receipt: &Receipt) -> Result<(), BackendError>;

    /// Removes many deliveries, in as few requests as the queue allows.
    async fn acknowledge_many(&self, receipts: &[Receipt]) -> Result<(), BackendError> {
        for receipt in receipts {
            self.acknowledge(receipt).await?;
        }
        Ok(())
    }

    /// Puts the delivery aside for a person to look at, with the reason.
    async fn dead_letter(&self, receipt: &Receipt, reason: &str) -> Result<(), BackendError>;

    /// How much waits.
    async fn depth(&self) -> Result<QueueDepth, BackendError>;
}

/// A message to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutgoingJob {
    /// What the job is about. A queue that can tell keeps one waiting message a subject, the newest.
    pub subject: ObjectKey,
    /// The wire form.
    pub body: String,
}

/// Which entries were not sent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SendReport {
    /// Index into what was sent, and why.
    pub failed: Vec<(usize, String)>,
}

/// One reception of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// Proof of holding it.
    pub receipt: Receipt,
    /// The wire form.
    pub body: String,
    /// Receptions so far, this one included.
    pub receive_count: u32,
    /// The queue's own name of the message, the same at every reception.
    pub message_id: Option<Box<str>>,
    /// When the message was sent, if the queue says.
    pub sent: Option<Timestamp>,
}

/// Proof of holding a delivery, until its visibility ends.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Receipt(pub String);

/// How much is in a queue.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct QueueDepth {
    /// Can be received now.
    pub visible: u64,
    /// Held by somebody.
    pub in_flight: u64,
    /// Comes back later.
    pub delayed: u64,
    /// Put aside.
    pub dead: u64,
}

impl QueueDepth {
    /// Whether nothing is left to do.
    pub fn is_idle(&self) -> bool {
        self.visible == 0 && self.in_flight == 0 && self.delayed == 0
    }
}
