//! The queue of jobs on Amazon SQS, behind core's port.
//!
//! Standard queues only. The adapter batches, makes again what failed and may pass, and tells which receipts are no
//! longer current; it does not decide what becomes of a job. How long a delivery can be extended has a ceiling:
//! [`MAX_VISIBILITY`]. What SQS leaves open: an old receipt of a message that was received again may still be taken for
//! a current one, depths are approximate, and a message may come twice.

mod address;
mod batch;
mod body;
mod calls;
mod connect;
mod dead;
mod holding;
mod rights;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_sqs::Client;
use longbow_core::failure::BackendError;
use longbow_core::port::{Delivery, JobQueue, OutgoingJob, QueueDepth, Receipt, SendReport};
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::cluster::Gather;
use batch::Fate;
use calls::Calls;
pub use connect::SqsOptions;
pub use dead::DeadLetter;
pub use holding::MAX_VISIBILITY;
use holding::{Holding, seconds};

/// The longest wait of one request (API reference, ReceiveMessage, `WaitTimeSeconds`).
const LONGEST_POLL: Duration = Duration::from_secs(20);

/// Deletions of this stretch of time go in one batch: ten times fewer requests where many small objects end.
const DELETE_RHYTHM: Duration = Duration::from_millis(20);

/// An SQS queue. Clones are handles to the same one.
#[derive(Clone)]
pub struct SqsQueue {
    inner: Arc<Inner>,
}

struct Inner {
    calls: Calls,
    /// For requests that wait: they may take longer to be answered.
    patient: Calls,
    /// Where dead letters go.
    dead: Option<Calls>,
    /// Most bytes of a message.
    most_bytes: usize,
    holding: Arc<Holding>,
    deletions: Gather<String, Result<(), BackendError>>,
}

impl std::fmt::Debug for SqsQueue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SqsQueue").field("url", &self.url()).finish_non_exhaustive()
    }
}

impl SqsQueue {
    fn new(client: Client, patient: Client, url: &str, dead: Option<&str>, most_bytes: usize) -> Self {
        let calls = Calls::new(client.clone(), url);
        let deleter = calls.clone();
        let deletions = Gather::new(DELETE_RHYTHM, 1000, move |receipts: Vec<String>| {
            let calls = deleter.clone();
            async move { calls.delete(&receipts).await }
        });
        let inner = Inner {
            patient: Calls::new(patient, url),
            dead: dead.map(|url| Calls::new(client, url)),
            calls,
            most_bytes,
            holding: Arc::default(),
            deletions,
        };
        Self { inner: Arc::new(inner) }
    }

    /// The queue's URL.
    pub fn url(&self) -> &str {
        self.inner.calls.url()
    }

    /// The URL of the queue that dead letters go to.
    pub fn dead_letter_url(&self) -> Option<&str> {
        self.inner.dead.as_ref().map(Calls::url)
    }

    async fn take(
        &self,
        max: usize,
        wait: Duration,
        visibility: Duration,
    ) -> Result<Vec<Delivery>, BackendError> {
        let inner = &self.inner;
        let end = Instant::now() + wait;
        let mut first = loop {
            let left = end.saturating_duration_since(Instant::now()).min(LONGEST_POLL);
            let asked = Instant::now();
            let calls = if left.is_zero() { &inner.calls } else { &inner.patient };
            let messages = calls.receive(max.min(batch::MOST_ENTRIES), left, visibility).await?;
            let found = inner.holding.take(messages, asked, visibility);
            if !found.is_empty() || asked + left >= end {
                break found;
            }
        };
        // More than one call only where there is more: calls that wait would hold up what has come.
        while first.len() < max && first.len() % batch::MOST_ENTRIES == 0 && !first.is_empty() {
            let calls = (max - first.len()).div_ceil(batch::MOST_ENTRIES);
            let asked = Instant::now();
            let left = max - first.len();
            let more = (0..calls).map(|call| {
                let most = (left - call * batch::MOST_ENTRIES).min(batch::MOST_ENTRIES);
                inner.calls.receive(most, Duration::ZERO, visibility)
            });
            let mut came = 0;
            for messages in futures_util::future::join_all(more).await {
                match messages {
                    Ok(messages) => {
                        came += messages.len();
                        first.extend(inner.holding.take(messages, asked, visibility));
                    }
                    // What has come is held: it must not be lost with this.
                    Err(error) => tracing::debug!(%error, "a further receive failed"),
                }
            }
            if came < left {
                break;
            }
        }
        Ok(first)
    }

    /// Gives back what nobody waits for any more.
    async fn give_back(&self, deliveries: Vec<Delivery>) {
        let receipts: Vec<Receipt> = deliveries.into_iter().map(|delivery| delivery.receipt).collect();
        if let Err(error) = self.change_visibility(&receipts, Duration::ZERO).await {
            tracing::debug!(%error, "deliveries that nobody waited for come back when their visibility ends");
        }
    }

    async fn delete(&self, receipt: &Receipt) -> Result<(), BackendError> {
        let deleted = self.inner.deletions.add(receipt.0.clone()).await;
        deleted
            .unwrap_or_else(|| Err(BackendError::transient("the process is ending: nothing is deleted")))?;
        self.inner.holding.forget(&receipt.0);
        Ok(())
    }
}

#[async_trait]
impl JobQueue for SqsQueue {
    async fn send(&self, jobs: Vec<OutgoingJob>) -> Result<SendReport, BackendError> {
        let mut failed = Vec::new();
        let mut entries = Vec::with_capacity(jobs.len());
        for (at, job) in jobs.iter().enumerate() {
            match body::sendable(&job.body, self.inner.most_bytes) {
                Ok(text) => entries.push((at, text.into_owned())),
                Err(why) => failed.push((at, why)),
            }
        }
        drop(jobs);
        let fates = self.inner.calls.send(&entries).await?;
        for ((at, _), fate) in entries.iter().zip(fates) {
            if let Fate::Refused { message, .. } = fate {
                failed.push((*at, message));
            }
        }
        failed.sort_unstable_by_key(|(at, _)| *at);
        Ok(SendReport { failed })
    }

    /// Several calls side by side where more than ten are asked for and the first call came back full. Waits in whole
    /// seconds, the next above. Dropping the future while it waits gives back what came.
    async fn receive(
        &self,
        max: usize,
        wait: Duration,
        visibility: Duration,
    ) -> Result<Vec<Delivery>, BackendError> {
        if max == 0 {
            return Ok(Vec::new());
        }
        let (asker, answer) = oneshot::channel();
        let queue = self.clone();
        // A task of its own: an answer under way when the asker is cancelled would be hidden from everybody.
        tokio::spawn(async move {
            let taken = queue.take(max, wait, visibility).await;
            if let Err(Ok(unwanted)) = asker.send(taken) {
                queue.give_back(unwanted).await;
            }
        });
        answer.await.unwrap_or_else(|_| Err(BackendError::transient("the process is ending")))
    }

    /// Never beyond [`MAX_VISIBILITY`] from the reception: an extension is cut there, and a receipt whose time is over
    /// is returned as no longer current.
    async fn change_visibility(
        &self,
        receipts: &[Receipt],
        visibility: Duration,
    ) -> Result<Vec<Receipt>, BackendError> {
        let holding = &self.inner.holding;
        let mut entries = Vec::with_capacity(receipts.len());
        let mut stale = Vec::new();
        for receipt in receipts {
            match holding.extension(&receipt.0, visibility) {
                Some(time) => entries.push((receipt.0.clone(), seconds_within(time))),
                None => stale.push(receipt.clone()),
            }
        }
        let fates = self.inner.calls.change_visibility(&entries).await?;
        let mut failure = None;
        for ((receipt, time), fate) in entries.into_iter().zip(fates) {
            match fate {
                Fate::Done => holding.extended(&receipt, Duration::from_secs(time.unsigned_abs().into())),
                Fate::Refused { may_pass: false, code, .. } if !code.is_empty() && calls::is_stale(&code) => {
                    stale.push(Receipt(receipt));
                }
                Fate::Refused { message, .. } => failure = Some(message),
            }
        }
        match failure {
            // Those that were extended are: asking for all of them again does no harm.
            Some(message) => Err(BackendError::transient(format!(
                "ChangeMessageVisibilityBatch of the queue {}: {message}",
                self.url()
            ))),
            None => Ok(stale),
        }
    }

    async fn acknowledge(&self, receipt: &Receipt) -> Result<(), BackendError> {
        self.delete(receipt).await
    }

    async fn acknowledge_many(&self, receipts: &[Receipt]) -> Result<(), BackendError> {
        let deletions = receipts.iter().map(|receipt| self.delete(receipt));
        futures_util::future::join_all(deletions).await.into_iter().collect()
    }

    /// Sends a copy to the dead-letter queue, byte for byte, with the reason as an attribute, and deletes the message.
    /// A crash between the two leaves two copies, never none.
    async fn dead_letter(&self, receipt: &Receipt, reason: &str) -> Result<(), BackendError> {
        dead::put_aside(self, receipt, reason).await
    }

    async fn depth(&self) -> Result<QueueDepth, BackendError> {
        let own = self.inner.calls.depth().await?;
        let dead = match &self.inner.dead {
            Some(dead) => dead.depth().await?,
            None => QueueDepth::default(),
        };
        Ok(QueueDepth { dead: dead.visible + dead.in_flight + dead.delayed, ..own })
    }
}

/// Cut, not rounded up, where rounding up would pass the ceiling.
fn seconds_within(time: Duration) -> i32 {
    if time > MAX_VISIBILITY - Duration::from_secs(10) {
        seconds(Duration::from_secs(time.as_secs()))
    } else {
        seconds(time)
    }
}
