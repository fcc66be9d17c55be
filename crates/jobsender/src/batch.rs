//! Sending jobs: in batches, a few at once, what the queue refused again, and no more than the queue should hold.
//!
//! Sending a job twice is harmless (the queue keeps one a subject, and a worker that finds the copy made says so),
//! so an unclear answer is always answered by sending again.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use longbow_core::job::{CopyJob, encode};
use longbow_core::object::ObjectKey;
use longbow_core::port::{JobQueue, OutgoingJob};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::failure::JobsenderError;
use crate::outlet::Outlet;
use crate::patience;

/// Calls of the queue at once: enough to hide the way to a remote one.
const AT_ONCE: usize = 4;
/// How often a full queue is looked at.
const POLL: Duration = Duration::from_millis(500);

/// Gathers jobs and sends them.
pub(crate) struct Dispatcher {
    queue: Arc<dyn JobQueue>,
    batch: usize,
    max_waiting: u64,
    stop: CancellationToken,
    waiting: Vec<OutgoingJob>,
    sends: JoinSet<Result<Sent, JobsenderError>>,
    /// Jobs that may be sent before the queue's depth is asked for again.
    room: u64,
    sent: u64,
    dropped: bool,
}

/// How a send ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Sent {
    /// Jobs in the queue.
    count: u64,
    /// Whether the stop kept the rest from being sent.
    dropped: bool,
}

impl Dispatcher {
    /// Batches of `batch` jobs; `max_waiting` visible messages in the queue (0: any number).
    pub(crate) fn new(
        queue: Arc<dyn JobQueue>,
        batch: usize,
        max_waiting: u64,
        stop: CancellationToken,
    ) -> Self {
        Self {
            queue,
            // Never more at once than the queue should hold.
            batch: usize::try_from(max_waiting)
                .map_or(batch, |most| match most {
                    0 => batch,
                    _ => batch.min(most),
                })
                .max(1),
            max_waiting,
            stop,
            waiting: Vec::new(),
            sends: JoinSet::new(),
            room: 0,
            sent: 0,
            dropped: false,
        }
    }

    /// Jobs that the queue has taken.
    pub(crate) fn sent(&self) -> u64 {
        self.sent
    }

    /// Whether jobs were left unsent because of the stop.
    pub(crate) fn dropped(&self) -> bool {
        self.dropped
    }

    async fn settle(&mut self) -> Result<(), JobsenderError> {
        while !self.sends.is_empty() {
            self.one_end().await?;
        }
        Ok(())
    }

    async fn one_end(&mut self) -> Result<(), JobsenderError> {
        match self.sends.join_next().await {
            Some(end) => self.account(end),
            None => Ok(()),
        }
    }

    fn account(
        &mut self,
        end: Result<Result<Sent, JobsenderError>, tokio::task::JoinError>,
    ) -> Result<(), JobsenderError> {
        let Sent { count, dropped } = end.unwrap_or_else(|error| {
            Err(JobsenderError::Unsent {
                count: self.batch,
                reason: format!("the sending task died: {error}"),
            })
        })?;
        self.sent += count;
        self.dropped |= dropped;
        Ok(())
    }

    /// Waits until the queue has room, or the stop comes. A batch may overshoot: the bound is no exact one.
    async fn find_room(&mut self, count: u64) -> Result<(), JobsenderError> {
        if self.max_waiting == 0 {
            return Ok(());
        }
        while self.room < count {
            // What is on its way is not in the depth yet.
            self.settle().await?;
            let queue = &self.queue;
            let depth = match patience::persist(&self.stop, || queue.depth()).await {
                Ok(depth) => depth,
                Err(_) if self.stop.is_cancelled() => return Ok(()),
                Err(error) => return Err(JobsenderError::Queue(error)),
            };
            if depth.visible <= self.max_waiting {
                self.room = (self.max_waiting - depth.visible).max(count);
            } else if !patience::wait(POLL, &self.stop).await {
                return Ok(());
            }
        }
        self.room -= count;
        Ok(())
    }
}

#[async_trait]
impl Outlet for Dispatcher {
    /// Waits when enough is on its way, or when the queue is full.
    async fn push(&mut self, subject: ObjectKey, job: CopyJob) -> Result<(), JobsenderError> {
        self.waiting.push(OutgoingJob { subject, body: encode(&job) });
        if self.waiting.len() < self.batch { Ok(()) } else { self.flush().await }
    }

    async fn flush(&mut self) -> Result<(), JobsenderError> {
        while let Some(end) = self.sends.try_join_next() {
            self.account(end)?;
        }
        if self.waiting.is_empty() {
            return Ok(());
        }
        let jobs = std::mem::take(&mut self.waiting);
        self.find_room(jobs.len() as u64).await?;
        if self.stop.is_cancelled() {
            self.dropped = true;
            return Ok(());
        }
        while self.sends.len() >= AT_ONCE {
            self.one_end().await?;
        }
        self.sends.spawn(send(self.queue.clone(), jobs, self.stop.clone()));
        Ok(())
    }

    async fn finish(&mut self) -> Result<(), JobsenderError> {
        self.flush().await?;
        self.settle().await
    }

    async fn restart(&mut self) -> Result<(), JobsenderError> {
        self.waiting.clear();
        self.settle().await?;
        self.sent = 0;
        Ok(())
    }
}

/// Sends all of `jobs`, as often as it takes and is worth it.
async fn send(
    queue: Arc<dyn JobQueue>,
    mut jobs: Vec<OutgoingJob>,
    stop: CancellationToken,
) -> Result<Sent, JobsenderError> {
    let mut sent = Sent { count: 0, dropped: false };
    let mut fruitless = 0;
    loop {
        let before = jobs.len();
        let error = match queue.send(jobs.clone()).await {
            Ok(report) => {
                let mut failed = report.failed;
                failed.retain(|(index, _)| *index < before);
                failed.sort();
                failed.dedup_by_key(|(index, _)| *index);
                sent.count += (before - failed.len()) as u64;
                let Some((_, reason)) = failed.first().cloned() else { return Ok(sent) };
                let mut index = 0;
                jobs.retain(|_| {
                    index += 1;
                    failed.binary_search_by_key(&(index - 1), |(i, _)| *i).is_ok()
                });
                JobsenderError::Unsent { count: jobs.len(), reason }
            }
            Err(error) if !error.transient => return Err(JobsenderError::Queue(error)),
            Err(error) => JobsenderError::Queue(error),
        };
        fruitless = if jobs.len() < before { 1 } else { fruitless + 1 };
        if fruitless >= patience::ATTEMPTS {
            return Err(error);
        }
        tracing::debug!(%error, left = jobs.len(), "jobs are sent again");
        if !patience::wait(patience::delay(fruitless - 1, false), &stop).await {
            return Ok(Sent { dropped: true, ..sent });
        }
    }
}
