//! What a run writes down as it goes: the jobs that were sent, those that could not be, the keys left out.
//!
//! Longbow wrote such lists beside its log file (LB-27). Here they are handed on one by one, so that memory does not grow,
//! and the caller writes them where it likes.

use longbow_core::failure::BackendError;
use longbow_core::object::ObjectKey;
use longbow_core::port::OutgoingJob;

/// Takes the lists of one route. Calls come one at a time and should return soon; an error ends the route's run.
pub trait RunRecord: Send + Sync + 'static {
    /// The queue has taken this job. One that was sent again after a comparison began anew comes again.
    fn sent(&self, job: &OutgoingJob) -> Result<(), BackendError> {
        let _ = job;
        Ok(())
    }

    /// This job could not be sent.
    fn unsent(&self, subject: &ObjectKey, reason: &str) -> Result<(), BackendError> {
        let _ = (subject, reason);
        Ok(())
    }

    /// The selection leaves out this source key.
    fn ignored(&self, key: &ObjectKey) -> Result<(), BackendError> {
        let _ = key;
        Ok(())
    }
}

/// Writes nothing down.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoRecord;

impl RunRecord for NoRecord {}
