//! Removal: makes the destination follow a source object that an event says is gone.
//!
//! The event is a reason to look, not an order: the destination is looked at first, then the source, and what was seen
//! at the destination is removed on the condition that it is still there. So an object that was written to both meanwhile
//! stays, and a removal that comes late removes nothing newer. In a versioned bucket this is an ordinary delete, which
//! leaves a marker.

use std::sync::Arc;
use std::time::Duration;

use longbow_core::failure::{BackendError, FailureClass, Feature, StoreErrorKind};
use longbow_core::job::{
    CopyJob, EventOrder, Observation, RecordEvent, RemovalDecision, Report, ReportOutcome, SourceVersion,
    TransferId, decide_removal,
};
use longbow_core::object::{ETag, ObjectHead};
use longbow_core::port::Counted;
use longbow_core::routes::RoutedRemoval;
use tokio_util::sync::CancellationToken;

use crate::claim::{AdvanceError, Claimed};
use crate::copy::write_when;
use crate::executor::{self, Stopped};
use crate::node::Shared;
use crate::plan::{look_at_destination, look_at_source_now};
use crate::reply::{Answer, Conclusion};
use crate::settle;

/// How often one attempt looks anew because the destination changed under it.
const LOOKS: u32 = 4;

/// How it went.
enum Followed {
    /// The destination's object was removed.
    Removed(ObjectHead),
    /// Neither side has the key.
    Nothing,
    /// The source has the key.
    Copy(ObjectHead),
    /// Something later was settled.
    Superseded,
}

/// The job of a removal: the keys, and nothing about an object.
pub(crate) fn job(work: &RoutedRemoval) -> CopyJob {
    CopyJob {
        source: work.source.clone(),
        destination: work.destination.clone(),
        object: SourceVersion { size: 0, etag: None, version: None, modified: None },
        observed: Observation::Unknown,
        inspect: false,
        transfer: TransferId(format!("events:{}", work.route)),
    }
}

/// Looks at both sides and makes the destination what the source is.
pub(crate) async fn follow(
    shared: &Arc<Shared>,
    mut claimed: Claimed,
    order: EventOrder,
    drain: &CancellationToken,
    started: Duration,
) -> Result<Conclusion, BackendError> {
    let mut looks = 0;
    let followed = loop {
        match executor::alive(attempt(shared, &claimed, order, drain)).await {
            Err(Stopped::DestinationChanged) if looks + 1 < LOOKS => looks += 1,
            followed => break followed,
        }
    };
    let report = match followed {
        Ok(Followed::Superseded) => {
            shared.ports.observer.counted(Counted::Superseded, 1);
            return Ok(Conclusion::quiet(Answer::Acknowledge));
        }
        Ok(Followed::Copy(head)) => {
            let version = head.version.filter(|_| claimed.job.object.version.is_some());
            claimed.job.object =
                SourceVersion { size: head.size, etag: head.etag, version, modified: head.modified };
            // Looked at once more by the plan, which compares: mostly it is there already.
            claimed.job.observed = Observation::Unknown;
            claimed.quiet = claimed.of_event;
            return executor::work(shared, claimed, drain, started).await;
        }
        Ok(Followed::Removed(head)) => {
            let report = Report {
                size: head.size,
                destination_etag: head.etag,
                outcome: ReportOutcome::Deleted,
                reason: "removed, as it was at the source".to_owned(),
                ..settle::blank(shared, &claimed, started)
            };
            Some(report)
        }
        Ok(Followed::Nothing) => None,
        Err(stopped) => return settle::settle_failure(shared, claimed, stopped, started).await,
    };
    settle::forget_upload(shared, &claimed).await?;
    match claimed.advance(shared, RecordEvent::Removed).await {
        Ok(()) => Ok(Conclusion { answer: Answer::Acknowledge, report }),
        Err(AdvanceError::Superseded) => Ok(Conclusion::quiet(Answer::Later(Duration::from_secs(1)))),
        // Only the record keeps an older event from bringing the object back: it has to be written.
        Err(AdvanceError::Backend(_)) if shared.patient => {
            Ok(Conclusion::quiet(Answer::Later(shared.options.attempts.backoff.most)))
        }
        Err(AdvanceError::Backend(error)) => Err(error),
        Err(AdvanceError::Illegal(error)) => {
            let stopped = Stopped::failed(FailureClass::Transient, error.to_string());
            settle::settle_failure(shared, claimed, stopped, started).await
        }
    }
}

async fn attempt(
    shared: &Arc<Shared>,
    claimed: &Claimed,
    order: EventOrder,
    drain: &CancellationToken,
) -> Result<Followed, Stopped> {
    if order == EventOrder::Older {
        return Ok(Followed::Superseded);
    }
    if drain.is_cancelled() {
        return Err(Stopped::failed(FailureClass::Interrupted, "stopped before it began"));
    }
    let at_destination = look_at_destination(shared, &claimed.job.destination).await?;
    let at_source = look_at_source_now(shared, &claimed.job.source).await?;
    match decide_removal(order, at_source.is_some(), at_destination.is_some()) {
        RemovalDecision::Superseded => Ok(Followed::Superseded),
        RemovalDecision::CopyInstead => at_source.map(Followed::Copy).ok_or(Stopped::DestinationChanged),
        RemovalDecision::Nothing => Ok(Followed::Nothing),
        // An old copy event came here, and the route keeps what was removed.
        RemovalDecision::Remove if !shared.propagates => Ok(Followed::Superseded),
        RemovalDecision::Remove => {
            let found = at_destination.ok_or(Stopped::DestinationChanged)?;
            remove(shared, claimed, found.etag.as_ref()).await?;
            Ok(Followed::Removed(found))
        }
    }
}

async fn remove(shared: &Shared, claimed: &Claimed, seen: Option<&ETag>) -> Result<(), Stopped> {
    let _slot = shared.permits.slot().await;
    let (store, key) = (&shared.ports.destination, &claimed.job.destination);
    // Without conditions the look was the best that can be done; that was said once.
    let condition = seen.filter(|_| shared.quirks.has(Feature::ConditionalWrites));
    let held = || async { if claimed.lease.is_lost() { Err(Stopped::Superseded) } else { Ok(()) } };
    match write_when(shared, held, || store.delete(key, condition)).await? {
        Ok(()) => Ok(()),
        Err(error) if error.kind == StoreErrorKind::NotFound => Ok(()),
        Err(error) if error.kind == StoreErrorKind::PreconditionFailed => Err(Stopped::DestinationChanged),
        Err(error) if matches!(error.kind, StoreErrorKind::Unsupported(_)) && condition.is_some() => {
            shared.quirks.lacks(Feature::ConditionalWrites);
            Err(Stopped::DestinationChanged)
        }
        Err(error) => Err(Stopped::Failed(error.into())),
    }
}
