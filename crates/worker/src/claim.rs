//! Claim: from a delivery to a job that is ours, with all that is remembered about its object.

use longbow_core::failure::BackendError;
use longbow_core::job::{
    CopyJob, EventOrder, MessageError, ObjectRecord, Observation, RecordEvent, Sequencer, TransitionError,
    UploadRecord, decode, next, transfer_of,
};
use longbow_core::object::{ObjectKey, Timestamp};
use longbow_core::port::{Delivery, SwapError};

use crate::lease::Hold;
use crate::{RecordPolicy, Shared};

/// A job that this attempt works on. The version of its record fences out older attempts: every later change of the
/// record is a compare-and-swap on it.
pub(crate) struct Claimed {
    /// The job; its source version and observation are renewed when an attempt looks again.
    pub(crate) job: CopyJob,
    /// The job's name in queue and state: the source key without the route's prefix.
    pub(crate) subject: ObjectKey,
    /// The lease on the delivery.
    pub(crate) lease: Hold,
    /// Receptions so far.
    pub(crate) receive_count: u32,
    /// The place among the events about the source key, where an event made the job.
    pub(crate) sequencer: Option<Sequencer>,
    /// When the event happened.
    pub(crate) happened: Option<Timestamp>,
    /// An event asks for it: a source object that is gone by now needs nothing done.
    pub(crate) of_event: bool,
    /// What is equal already was settled by somebody else, who has told of it.
    pub(crate) quiet: bool,
    record: Option<ObjectRecord>,
    version: Option<u64>,
    /// The state store failed: what it holds is not known, so that nothing can be concluded from a conflict with it.
    blind: bool,
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

/// Reads one of longbow's own jobs for the only route, and loads its record.
pub(crate) async fn own(shared: &Shared, delivery: &Delivery, lease: Hold) -> Result<Claimed, NoClaim> {
    let job = decode(&delivery.body)?;
    let route = &shared.ports.route;
    // A message never chooses where data comes from or goes: the route does.
    if route.map(&job.source).as_ref() != Some(&job.destination) {
        return Err(NoClaim::Refused(format!(
            "the job copies {} to {}, which the route {} → {} does not allow",
            job.source, job.destination, route.source, route.destination
        )));
    }
    load(shared, job, delivery.receive_count, lease).await.map_err(NoClaim::Backend)
}

/// Loads the record of a job that the route is known to allow.
pub(crate) async fn load(
    shared: &Shared,
    job: CopyJob,
    receive_count: u32,
    lease: Hold,
) -> Result<Claimed, BackendError> {
    let name = job.source.strip(&shared.ports.route.source_prefix()).unwrap_or(job.source.as_str());
    let subject = ObjectKey::from(name);
    let (stored, blind) = match shared.ports.state.load(&subject).await {
        Ok(stored) => (stored, false),
        // The conditional write protects what is there; see decision 0016.
        Err(_) if shared.patient => (None, true),
        Err(error) => return Err(error),
    };
    let (version, record) = stored.map_or((None, None), |s| (Some(s.version), Some(s.record)));
    Ok(Claimed {
        job,
        subject,
        lease,
        receive_count,
        sequencer: None,
        happened: None,
        of_event: false,
        quiet: false,
        record,
        version,
        blind,
    })
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
            .filter(|r| r.source.is(&self.job.object) || r.source == self.job.object)
            .filter(|r| {
                use longbow_core::job::RecordState::{Copying, Waiting};
                matches!(r.state, Copying { .. } | Waiting { .. })
            })
            .map_or(0, |r| r.attempts)
    }

    /// An upload that an earlier attempt began or was about to begin.
    pub(crate) fn unfinished_upload(&self) -> Option<&UploadRecord> {
        self.record.as_ref().and_then(|r| r.upload().or(r.intended_upload()))
    }

    /// Whether a removal at the source is to be carried on for this job's object.
    pub(crate) fn follows_removals(&self, shared: &Shared) -> bool {
        self.of_event && shared.propagates
    }

    /// Whether the last look found an object at the destination.
    pub(crate) fn has_seen_one(&self) -> bool {
        matches!(self.job.observed, Observation::Present(_))
    }

    /// Whether the record names an upload that holds another version of the source than this attempt's.
    pub(crate) fn names_upload_of_another(&self) -> bool {
        let of_another =
            |record: &&ObjectRecord| !record.source.is(&self.job.object) && record.source != self.job.object;
        self.unfinished_upload().is_some() && self.record.as_ref().is_some_and(|r| of_another(&r))
    }

    /// Whether the record says that the object was removed: what comes without a place among the events may be older.
    pub(crate) fn was_removed(&self) -> bool {
        self.record.as_ref().is_some_and(|r| r.state == longbow_core::job::RecordState::Removed)
    }

    /// Whether an earlier attempt may have left something at the destination.
    pub(crate) fn is_second_look(&self) -> bool {
        self.receive_count > 1 || self.blind || self.unfinished_upload().is_some() || self.was_copied()
    }

    /// Whether the record says that this very source was copied.
    fn was_copied(&self) -> bool {
        use longbow_core::job::RecordState::Copied;
        self.record
            .as_ref()
            .is_some_and(|r| matches!(r.state, Copied { .. }) && r.source.is(&self.job.object))
    }

    /// Whether the record says that this very source was copied, not found, by the transfer that the job belongs to.
    pub(crate) fn was_copied_by_its_transfer(&self) -> bool {
        let record = self.record.as_ref().filter(|_| self.was_copied() && !self.of_event);
        record.is_some_and(|record| !record.found && record.transfer.as_ref() == Some(&self.job.transfer))
    }

    /// Whether the job is a duplicate of what was done and told already. In a fleet any worker may have done it, for the
    /// same transfer: another one has to be told of it, and counts it as its own. On one machine, and of events, this
    /// run itself has.
    pub(crate) fn is_told(&self, shared: &Shared) -> bool {
        let record = self.record.as_ref().filter(|_| self.was_copied());
        record.is_some_and(|record| {
            if shared.patient && !self.of_event {
                record.transfer.as_ref() == Some(&self.job.transfer)
            } else {
                record.updated >= shared.began
            }
        })
    }

    /// How the event that asks for this stands to the last one that was settled.
    pub(crate) fn order(&self) -> EventOrder {
        let last = self.record.as_ref().map(|r| r.sequencer.as_ref());
        EventOrder::of(self.sequencer.as_ref(), last)
    }

    /// Writes what has happened into the record. `Superseded`: another attempt has taken over.
    pub(crate) async fn advance(&mut self, shared: &Shared, event: RecordEvent) -> Result<(), AdvanceError> {
        let now = shared.ports.clock.now();
        let begins = matches!(event, RecordEvent::UploadBegan(_));
        let settles = !begins && !matches!(event, RecordEvent::AttemptFailed { .. });
        let mut record = next(self.record.as_ref(), &self.job.object, event, now)?;
        record.transfer = Some(transfer_of(self.record.as_ref(), &self.job.transfer, self.of_event));
        // What an event finds done was done for whom the record counts it.
        if self.of_event && self.was_copied() {
            record.found &= self.record.as_ref().is_some_and(|before| before.found);
        }
        if settles && self.sequencer > record.sequencer {
            record.sequencer.clone_from(&self.sequencer);
        }
        if begins && shared.options.record == RecordPolicy::FinishOnly {
            self.record = Some(record);
            return Ok(());
        }
        match shared.ports.state.swap(&self.subject, self.version, record.clone()).await {
            Ok(version) => {
                self.version = Some(version);
                self.record = Some(record);
                Ok(())
            }
            Err(SwapError::Conflict) if self.blind => Err(AdvanceError::Backend(BackendError::transient(
                "the state store failed before, and holds a record that this attempt has not seen",
            ))),
            Err(SwapError::Conflict) => Err(AdvanceError::Superseded),
            Err(SwapError::Backend(_)) if begins && shared.patient => {
                // Perhaps it was written all the same.
                self.blind = true;
                self.record = Some(record);
                Ok(())
            }
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
