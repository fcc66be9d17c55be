//! Cutting jobs into the batches that a queue takes: at most so many entries, at most so many bytes.
//!
//! Pure: nothing is sent here. A job that alone is too large is named and never holds up the others.

use crate::object::ObjectKey;
use crate::port::{OutgoingJob, SendReport};

/// What one call to the queue may carry (SQS Developer Guide, "Amazon SQS message quotas").
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchLimits {
    /// Entries a call; at least 1.
    pub entries: usize,
    /// Bytes of one message.
    pub message_bytes: usize,
    /// Bytes of all messages of a call together.
    pub batch_bytes: usize,
}

impl Default for BatchLimits {
    /// Ten entries and 256 KiB: what every queue of SQS takes, and every emulator.
    fn default() -> Self {
        Self { entries: 10, message_bytes: 256 * 1024, batch_bytes: 256 * 1024 }
    }
}

impl BatchLimits {
    /// What SQS takes since August 2025: 1 MiB a message and a call, if the queue's `MaximumMessageSize` allows it.
    pub fn one_mebibyte() -> Self {
        Self { entries: 10, message_bytes: 1024 * 1024, batch_bytes: 1024 * 1024 }
    }
}

/// A job that no call can carry.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the job for {subject} has {bytes} bytes; the queue takes at most {limit} a message")]
pub struct UnsendableJob {
    /// The object.
    pub subject: ObjectKey,
    /// Bytes of its message.
    pub bytes: usize,
    /// What fits.
    pub limit: usize,
}

/// Collects jobs until a batch is full. The order is kept.
#[derive(Debug)]
pub struct Batcher {
    limits: BatchLimits,
    jobs: Vec<OutgoingJob>,
    bytes: usize,
}

impl Batcher {
    /// An empty one.
    pub fn new(limits: BatchLimits) -> Self {
        Self { limits, jobs: Vec::new(), bytes: 0 }
    }

    /// Takes a job. Gives the batch that is full now, if one is: it has at least one job, and the job just taken may
    /// or may not be in it.
    pub fn push(&mut self, job: OutgoingJob) -> Result<Option<Vec<OutgoingJob>>, UnsendableJob> {
        let bytes = job.body.len();
        let limit = self.limits.message_bytes.min(self.limits.batch_bytes);
        if bytes > limit {
            return Err(UnsendableJob { subject: job.subject, bytes, limit });
        }
        let overflows = self.bytes + bytes > self.limits.batch_bytes;
        let full = if overflows { self.finish() } else { None };
        self.jobs.push(job);
        self.bytes += bytes;
        // After an overflow there is one job, which with a limit of one entry would be full too: it goes next time.
        if full.is_none() && self.jobs.len() >= self.limits.entries.max(1) {
            return Ok(self.finish());
        }
        Ok(full)
    }

    /// Gives what is left, if anything is.
    pub fn finish(&mut self) -> Option<Vec<OutgoingJob>> {
        self.bytes = 0;
        let jobs = std::mem::take(&mut self.jobs);
        (!jobs.is_empty()).then_some(jobs)
    }
}

/// The jobs of a batch that the queue did not take, with its reasons: what is to be sent again, and nothing else.
/// An index outside the batch is ignored.
pub fn unsent(batch: Vec<OutgoingJob>, report: &SendReport) -> Vec<(OutgoingJob, String)> {
    let reason = |index: usize| {
        report.failed.iter().find(|(failed, _)| *failed == index).map(|(_, reason)| reason.clone())
    };
    batch.into_iter().enumerate().filter_map(|(index, job)| Some((job, reason(index)?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn job(name: usize, bytes: usize) -> OutgoingJob {
        OutgoingJob { subject: ObjectKey::from(name.to_string()), body: "x".repeat(bytes) }
    }

    fn cut(sizes: &[usize], limits: BatchLimits) -> (Vec<Vec<OutgoingJob>>, Vec<UnsendableJob>) {
        let mut batcher = Batcher::new(limits);
        let (mut batches, mut refused) = (Vec::new(), Vec::new());
        for (name, bytes) in sizes.iter().enumerate() {
            match batcher.push(job(name, *bytes)) {
                Ok(batch) => batches.extend(batch),
                Err(error) => refused.push(error),
            }
        }
        batches.extend(batcher.finish());
        (batches, refused)
    }

    /// LB-26: 25 jobs are three calls of 10, 10 and 5.
    #[test]
    fn lb_26_twenty_five_jobs_are_three_batches() {
        let (batches, _) = cut(&[100; 25], BatchLimits::default());
        assert_eq!(batches.iter().map(Vec::len).collect::<Vec<_>>(), [10, 10, 5]);
    }

    #[test]
    fn bytes_are_a_limit_too_and_a_job_that_is_too_large_is_named_alone() {
        let limits = BatchLimits { entries: 10, message_bytes: 100, batch_bytes: 100 };
        let (batches, refused) = cut(&[60, 40, 1, 101, 100, 99, 1, 1], limits);
        assert_eq!(batches.iter().map(Vec::len).collect::<Vec<_>>(), [2, 1, 1, 2, 1]);
        assert_eq!(refused, [UnsendableJob { subject: "3".into(), bytes: 101, limit: 100 }]);
        assert!(BatchLimits::one_mebibyte().batch_bytes > BatchLimits::default().batch_bytes);
    }

    /// LBB-23: Longbow never read `Failed`.
    #[test]
    fn lbb_23_only_failed_entries_are_sent_again() {
        let batch = vec![job(0, 1), job(1, 1), job(2, 1)];
        let report = SendReport { failed: vec![(2, "busy".into()), (7, "?".into())] };
        assert_eq!(unsent(batch.clone(), &report), [(job(2, 1), "busy".to_owned())]);
        assert_eq!(unsent(batch, &SendReport::default()), []);
    }

    proptest! {
        #[test]
        fn every_job_is_in_one_batch_or_named_and_the_order_stays(
            sizes in prop::collection::vec(0usize..150, 0..60),
            entries in 0usize..12,
        ) {
            let limits = BatchLimits { entries, message_bytes: 120, batch_bytes: 130 };
            let (batches, refused) = cut(&sizes, limits);
            for batch in &batches {
                prop_assert!(!batch.is_empty() && batch.len() <= entries.max(1));
                prop_assert!(batch.iter().map(|j| j.body.len()).sum::<usize>() <= 130);
            }
            let sent: Vec<_> = batches.into_iter().flatten().collect();
            let fits: Vec<_> =
                sizes.iter().enumerate().filter(|(_, s)| **s <= 120).map(|(n, s)| job(n, *s)).collect();
            prop_assert_eq!(sent.len() + refused.len(), sizes.len());
            prop_assert_eq!(sent, fits);
        }
    }
}
