//! Sending jobs to a queue that several workers share: in batches within the queue's limits, several calls side by
//! side, only refused entries again, and every job accounted for.
//!
//! A job is sent, or it is counted and named as one that could not be. One that cannot be sent never holds up the others;
//! a queue that refuses whole calls for good ends the run. Order is not kept: the queue has none. What is sent twice is
//! found done.

use std::collections::BTreeMap;
use std::sync::Arc;

use longbow_core::job::{BatchLimits, Batcher, unsent};
use longbow_core::object::ObjectKey;
use longbow_core::port::{JobQueue, OutgoingJob};
use tokio::task::{Id, JoinError, JoinSet};

use super::RunRecord;
use super::lease::Leave;
use crate::failure::JobsenderError;
use crate::patience;

/// Jobs that could not be sent which are named in a report.
const NAMED: usize = 100;

/// How jobs are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SendOptions {
    /// What a call to the queue may carry.
    pub limits: BatchLimits,
    /// Calls at once; at least 1.
    pub at_once: usize,
    /// How often a job is tried, the first time included; at least 1.
    pub tries: u32,
}

impl Default for SendOptions {
    /// Batches that every queue of SQS takes, eight calls at once, six tries.
    fn default() -> Self {
        Self { limits: BatchLimits::default(), at_once: 8, tries: patience::ATTEMPTS }
    }
}

/// What became of the jobs of a route. Each job is in exactly one of `sent`, `unsent`, `too_large` and `dropped`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SendCounts {
    /// The queue has taken them.
    pub sent: u64,
    /// The queue refused them as often as they were tried.
    pub unsent: u64,
    /// No call can carry them.
    pub too_large: u64,
    /// Made and not tried to the end, since the run was stopped or ended by an error.
    pub dropped: u64,
    /// Entries that were sent again, each time counted.
    pub again: u64,
    /// The first hundred that could not be sent.
    pub named: Vec<UnsentJob>,
}

impl SendCounts {
    /// How many jobs are not in the queue.
    pub fn missing(&self) -> u64 {
        self.unsent + self.too_large + self.dropped
    }
}

/// A job that could not be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnsentJob {
    /// What it is about.
    pub subject: ObjectKey,
    /// The queue's reason.
    pub reason: String,
}

/// How a call and its repetitions ended.
struct End {
    sent: Vec<OutgoingJob>,
    unsent: Vec<(OutgoingJob, String)>,
    dropped: u64,
    again: u64,
    /// The queue cannot be used at all.
    fatal: Option<JobsenderError>,
}

/// Gathers jobs and sends them.
pub(crate) struct Sender {
    queue: Arc<dyn JobQueue>,
    options: SendOptions,
    leave: Leave,
    record: Arc<dyn RunRecord>,
    batcher: Batcher,
    gathered: u64,
    calls: JoinSet<End>,
    /// Batches on their way: number and size, by task.
    on_way: BTreeMap<Id, (u64, u64)>,
    next: u64,
    counts: SendCounts,
    /// A job was not sent that a later run may send.
    left_behind: bool,
}

impl Sender {
    pub(crate) fn new(
        queue: Arc<dyn JobQueue>,
        options: SendOptions,
        leave: Leave,
        record: Arc<dyn RunRecord>,
    ) -> Self {
        let batcher = Batcher::new(options.limits);
        Self {
            queue,
            options,
            leave,
            record,
            batcher,
            gathered: 0,
            calls: JoinSet::new(),
            on_way: BTreeMap::new(),
            next: 0,
            counts: SendCounts::default(),
            left_behind: false,
        }
    }

    /// Takes a job; waits while as many calls are on their way as there may be.
    pub(crate) async fn push(&mut self, job: OutgoingJob) -> Result<(), JobsenderError> {
        let copy = (job.subject.clone(), job.body.len());
        match self.batcher.push(job) {
            Ok(full) => {
                self.gathered += 1;
                match full {
                    Some(batch) => self.send(batch).await,
                    None => Ok(()),
                }
            }
            Err(error) => {
                tracing::warn!(subject = %copy.0, bytes = copy.1, "a job is too large for the queue");
                self.counts.too_large += 1;
                let reason = error.to_string();
                self.record.unsent(&error.subject, &reason).map_err(JobsenderError::Sink)?;
                self.name(error.subject, reason);
                Ok(())
            }
        }
    }

    /// Sets off what was gathered, and takes note of what has arrived.
    pub(crate) async fn flush(&mut self) -> Result<(), JobsenderError> {
        while let Some(end) = self.calls.try_join_next_with_id() {
            self.account(end)?;
        }
        match self.batcher.finish() {
            Some(batch) => self.send(batch).await,
            None => Ok(()),
        }
    }

    /// Sees everything arrive that is on its way.
    pub(crate) async fn settle(&mut self) -> Result<(), JobsenderError> {
        let mut first = Ok(());
        while let Some(end) = self.calls.join_next_with_id().await {
            let end = self.account(end);
            first = first.and(end);
        }
        first
    }

    /// The run has ended before its end: what was gathered is not sent, what is on its way is seen to arrive.
    pub(crate) async fn abandon(&mut self) {
        self.forget();
        if let Err(error) = self.settle().await {
            tracing::debug!(%error, "after the run had failed");
        }
    }

    /// The comparison begins again: what was gathered will be made anew, and what was counted so far is void.
    pub(crate) async fn restart(&mut self) -> Result<(), JobsenderError> {
        drop(self.batcher.finish());
        self.gathered = 0;
        self.settle().await?;
        self.counts = SendCounts::default();
        self.left_behind = false;
        Ok(())
    }

    /// Drops what was gathered.
    fn forget(&mut self) {
        if let Some(batch) = self.batcher.finish() {
            self.drop_jobs(batch.len() as u64);
        }
        self.gathered = 0;
    }

    /// The number of the batch that the job pushed last goes with; `None` before the first.
    pub(crate) fn last_batch(&self) -> Option<u64> {
        if self.gathered > 0 { Some(self.next) } else { self.next.checked_sub(1) }
    }

    /// Whether every batch up to this number has arrived.
    pub(crate) fn has_arrived(&self, batch: Option<u64>) -> bool {
        let Some(batch) = batch else { return true };
        batch < self.next && self.on_way.values().all(|(number, _)| *number > batch)
    }

    /// Whether a job was left unsent that the next run should send.
    pub(crate) fn left_behind(&self) -> bool {
        self.left_behind
    }

    pub(crate) fn counts(&self) -> &SendCounts {
        &self.counts
    }

    async fn send(&mut self, batch: Vec<OutgoingJob>) -> Result<(), JobsenderError> {
        let count = batch.len() as u64;
        self.gathered -= count.min(self.gathered);
        while self.calls.len() >= self.options.at_once.max(1) {
            let Some(end) = self.calls.join_next_with_id().await else { break };
            if let Err(error) = self.account(end) {
                self.drop_jobs(count);
                return Err(error);
            }
        }
        let number = self.next;
        self.next += 1;
        if self.leave.is_revoked() {
            self.drop_jobs(count);
            return Ok(());
        }
        let call = send(self.queue.clone(), batch, self.options.tries.max(1), self.leave.clone());
        let task = self.calls.spawn(call);
        self.on_way.insert(task.id(), (number, count));
        Ok(())
    }

    fn account(&mut self, end: Result<(Id, End), JoinError>) -> Result<(), JobsenderError> {
        let end = match end {
            Ok((id, end)) => {
                self.on_way.remove(&id);
                end
            }
            Err(error) => {
                let (_, count) = self.on_way.remove(&error.id()).unwrap_or_default();
                self.drop_jobs(count);
                let reason = format!("the sending task died: {error}");
                return Err(JobsenderError::Unsent {
                    count: usize::try_from(count).unwrap_or(usize::MAX),
                    reason,
                });
            }
        };
        self.counts.sent += end.sent.len() as u64;
        self.counts.again += end.again;
        self.drop_jobs(end.dropped);
        // Every job is counted, whatever becomes of the lists.
        let mut written = Ok(());
        for job in &end.sent {
            written = written.and_then(|()| self.record.sent(job));
        }
        for (job, reason) in end.unsent {
            self.counts.unsent += 1;
            self.left_behind = true;
            written = written.and_then(|()| self.record.unsent(&job.subject, &reason));
            self.name(job.subject, reason);
        }
        match end.fatal {
            Some(error) => Err(error),
            None => written.map_err(JobsenderError::Sink),
        }
    }

    fn drop_jobs(&mut self, count: u64) {
        self.counts.dropped += count;
        self.left_behind |= count > 0;
    }

    fn name(&mut self, subject: ObjectKey, reason: String) {
        if self.counts.named.len() < NAMED {
            self.counts.named.push(UnsentJob { subject, reason });
        }
    }
}

/// Sends a batch, and of it again what was refused.
async fn send(queue: Arc<dyn JobQueue>, mut batch: Vec<OutgoingJob>, tries: u32, leave: Leave) -> End {
    let mut end = End { sent: Vec::new(), unsent: Vec::new(), dropped: 0, again: 0, fatal: None };
    for attempt in 1.. {
        // Asked before each call: a lock that is lost must stop what it was to protect.
        if leave.is_revoked() {
            end.dropped = batch.len() as u64;
            break;
        }
        let error = match queue.send(batch.clone()).await {
            Ok(report) => {
                let refused = unsent(batch.clone(), &report);
                let mut left = refused.iter().peekable();
                for job in batch {
                    match left.peek() {
                        Some((first, _)) if *first == job => drop(left.next()),
                        _ => end.sent.push(job),
                    }
                }
                if refused.is_empty() {
                    break;
                }
                if attempt >= tries {
                    end.unsent = refused;
                    break;
                }
                batch = refused.into_iter().map(|(job, _)| job).collect();
                None
            }
            Err(error) => Some(error),
        };
        if let Some(error) = error
            && (!error.transient || attempt >= tries)
        {
            // Whether the last call took effect is not known; to be sent once more is better than never.
            end.unsent = batch.into_iter().map(|job| (job, error.message.clone())).collect();
            end.fatal = Some(JobsenderError::Queue(error));
            break;
        }
        tracing::debug!(attempt, left = batch.len(), "jobs are sent again");
        if !patience::wait(patience::delay(attempt - 1, false), leave.stop()).await {
            end.dropped = batch.len() as u64;
            break;
        }
        end.again += batch.len() as u64;
    }
    end
}

#[cfg(test)]
mod tests;
