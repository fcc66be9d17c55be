//! Claim: from a delivery to a job that is ours, with all that is remembered about its object.

use longbow_core::failure::BackendError;
use longbow_core::job::{CopyJob, MessageError, ObjectRecord, RecordEvent, TransitionError, decode, next};
use longbow_core::object::{ObjectKey, Timestamp};
use longbow_core::port::{Delivery, SwapError};

use crate::Shared;
use crate::lease::Lease;

/// A job that this attempt works on. The version of its record fences out older attempts: every later change of the
/// record is a compare-and-swap on it.
pub(crate) struct Claimed {
    /// The job; its source version and observation are renewed when an attempt looks again.
    pub(crate) job: CopyJob,
    /// The job's name in queue and state: the source key without the route's prefix.
    pub(crate) subject: ObjectKey,
    /// The lease on the delivery.
    pub(crate) lease: Lease,
    /// Receptions so far.
    pub(crate) receive_count: u32,
    record: Option<ObjectRecord>,
    version: Option<u64>,
}

/// Why there is nothing to work on.
pub(crate) enum NoClaim {
    /// The message is no job, or lies outside the route.
    Refused(String),
    /// The state store failed.
    Backend(BackendError),
}

impl From<MessageError> for NoClaim {
    fn from(error: MessageError) -> Self {
        Self::Refused(error.to_string())
    }
}

/// Reads the message and loads the record.
pub(crate) async fn claim(
    shared: &Shared,
    delivery: &Delivery,
    lease: Lease,
) -> Result<Claimed, (Lease, NoClaim)> {
    match load(shared, delivery).await {
        Ok((job, subject, stored)) => {
            let (version, record) = stored.map_or((None, None), |s| (Some(s.version), Some(s.record)));
            Ok(Claimed { job, subject, lease, receive_count: delivery.receive_count, record, version })
        }
        Err(no_claim) => Err((lease, no_claim)),
    }
}

type Loaded = (CopyJob, ObjectKey, Option<longbow_core::port::Stored>);

async fn load(shared: &Shared, delivery: &Delivery) -> Result<Loaded, NoClaim> {
    let job = decode(&delivery.body)?;
    let route = &shared.ports.route;
    // A message never chooses where data comes from or goes: the route does.
    if route.map(&job.source).as_ref() != Some(&job.destination) {
        return Err(NoClaim::Refused(format!(
            "the job copies {} to {}, which the route {} → {} does not allow",
            job.source, job.destination, route.source, route.destination
        )));
    }
    let name = job.source.strip(&route.source_prefix()).unwrap_or(job.source.as_str());
    let subject = ObjectKey::from(name);
    let stored = shared.ports.state.load(&subject).await.map_err(NoClaim::Backend)?;
    Ok((job, subject, stored))
}

impl Claimed {
    /// What is remembered.
    pub(crate) fn record(&self) -> Option<&ObjectRecord> {
        self.record.as_ref()
    }

    /// Counted attempts before this one.
    pub(crate) fn failed_before(&self) -> u32 {
        self.record
            .as_ref()
            .filter(|r| r.source.is(&self.job.object))
            .filter(|r| {
                use longbow_core::job::RecordState::{Copying, Waiting};
                matches!(r.state, Copying { .. } | Waiting { .. })
            })
            .map_or(0, |r| r.attempts)
    }

    /// Whether an earlier attempt may have left something at the destination.
    pub(crate) fn is_second_look(&self) -> bool {
        self.receive_count > 1
            || self.record.as_ref().is_some_and(|r| r.upload().or(r.intended_upload()).is_some())
            || self.was_copied()
    }

    /// Whether the record says that this very source was copied.
    fn was_copied(&self) -> bool {
        use longbow_core::job::RecordState::Copied;
        self.record
            .as_ref()
            .is_some_and(|r| matches!(r.state, Copied { .. }) && r.source.is(&self.job.object))
    }

    /// Whether this run itself has settled this very source: the job is a duplicate, told of already.
    pub(crate) fn was_settled_since(&self, began: Timestamp) -> bool {
        self.was_copied() && self.record.as_ref().is_some_and(|r| r.updated >= began)
    }

    /// Writes what has happened into the record. `Conflict`: another attempt has taken over.
    pub(crate) async fn advance(&mut self, shared: &Shared, event: RecordEvent) -> Result<(), AdvanceError> {
        let now = shared.ports.clock.now();
        let record = next(self.record.as_ref(), &self.job.object, event, now)?;
        match shared.ports.state.swap(&self.subject, self.version, record.clone()).await {
            Ok(version) => {
                self.version = Some(version);
                self.record = Some(record);
                Ok(())
            }
            Err(SwapError::Conflict) => Err(AdvanceError::Superseded),
            Err(SwapError::Backend(error)) => Err(AdvanceError::Backend(error)),
        }
    }
}

/// Why a record did not advance.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AdvanceError {
    /// Another attempt has taken over.
    #[error("another attempt has taken the object over")]
    Superseded,
    /// The state store failed.
    #[error(transparent)]
    Backend(BackendError),
    /// A defect of this program.
    #[error(transparent)]
    Illegal(#[from] TransitionError),
}
