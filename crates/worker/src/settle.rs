//! Settle: state first, then the queue, then the report. The only place that removes a delivery or logs a failure.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use longbow_core::failure::{BackendError, Failure, FailureClass};
use longbow_core::job::{Disposition, Proof, RecordEvent, Report, ReportOutcome, decide};
use longbow_core::object::Checksums;

use crate::Shared;
use crate::claim::{AdvanceError, Claimed};
use crate::executor::Stopped;
use crate::lease::Lease;
use crate::plan::Equal;
use crate::verify::Verified;

/// An attempt that ended well.
pub(crate) enum Finished {
    /// The bytes were copied and verified.
    Verified(Verified),
    /// The destination had them.
    Equal(Equal),
}

/// Records a good end and removes the delivery.
pub(crate) async fn settle(
    shared: &Arc<Shared>,
    mut claimed: Claimed,
    finished: Finished,
    started: Duration,
) -> Result<(), BackendError> {
    shared.counts.denied_in_a_row.store(0, Ordering::Relaxed);
    let mut report = blank(shared, &claimed, started);
    let event = match finished {
        Finished::Verified(Verified { copied, proof }) => {
            let checksums = if copied.computed.is_empty() { copied.published } else { copied.computed };
            report = Report {
                version: copied.version,
                destination_etag: copied.written.etag.clone(),
                checksums,
                method: Some(copied.method),
                parts: copied.parts,
                parts_reused: copied.parts_reused,
                bytes_read: copied.bytes_read,
                bytes_sent: copied.bytes_sent,
                outcome: ReportOutcome::Copied,
                proof: Some(proof),
                reason: "copied and verified".to_owned(),
                lost: copied.lost,
                ..report
            };
            RecordEvent::Verified { destination_etag: copied.written.etag, checksums, proof }
        }
        Finished::Equal(equal)
            if equal.proof == Proof::Recorded && claimed.was_settled_since(shared.began) =>
        {
            tracing::debug!(key = %claimed.job.source, "a duplicate of what this run has done");
            return shared.ports.queue.acknowledge(claimed.lease.receipt()).await;
        }
        Finished::Equal(equal) => {
            // What an earlier attempt of this very job had brought there was copied, not skipped.
            let ours = claimed.is_second_look() && !claimed.job.inspect && equal.proof != Proof::Recorded;
            report = Report {
                destination_etag: equal.destination_etag.clone(),
                checksums: equal.checksums,
                outcome: if ours { ReportOutcome::Copied } else { ReportOutcome::Skipped },
                proof: Some(equal.proof),
                reason: equal.reason.to_owned(),
                ..report
            };
            forget_upload(shared, &claimed).await?;
            let Equal { destination_etag, checksums, proof, .. } = equal;
            RecordEvent::Verified { destination_etag, checksums, proof }
        }
    };
    match claimed.advance(shared, event).await {
        Ok(()) => {}
        Err(AdvanceError::Superseded) => return leave(shared, &claimed).await,
        Err(AdvanceError::Backend(error)) => return Err(error),
        Err(AdvanceError::Illegal(error)) => {
            let failure = Failure::new(FailureClass::Transient, error.to_string());
            return settle_failure(shared, claimed, Stopped::Failed(failure), started).await;
        }
    }
    shared.ports.queue.acknowledge(claimed.lease.receipt()).await?;
    tracing::debug!(key = %claimed.job.source, outcome = ?report.outcome, proof = ?report.proof, "object settled");
    shared.counts.add(&report);
    shared.ports.observer.finished(&report);
    Ok(())
}

/// An upload of an earlier attempt that is no longer needed: aborted, so that it does not cost anything.
async fn forget_upload(shared: &Shared, claimed: &Claimed) -> Result<(), BackendError> {
    crate::copy::abort_unknown(shared, claimed).await;
    let Some(upload) = claimed.record().and_then(|r| r.upload()) else { return Ok(()) };
    if let Err(error) = shared.ports.destination.abort_upload(&claimed.job.destination, &upload.upload).await
    {
        tracing::warn!(key = %claimed.job.destination, %error, "an upload that is not needed any more could not be aborted");
    }
    shared.ports.state.forget_parts(&claimed.subject, &upload.upload).await
}

/// Decides what becomes of an attempt that did not end well.
pub(crate) async fn settle_failure(
    shared: &Arc<Shared>,
    mut claimed: Claimed,
    stopped: Stopped,
    started: Duration,
) -> Result<(), BackendError> {
    let failure = match stopped {
        Stopped::Failed(failure) | Stopped::Contradicted(failure) => failure,
        Stopped::Superseded => return leave(shared, &claimed).await,
        Stopped::Backend(error) => return Err(error),
        // The executor turns these into a failure when they come too often.
        Stopped::SourceChanged | Stopped::DestinationChanged | Stopped::Adapted(_) => Failure::new(
            FailureClass::Corrupt,
            "source or destination changed while the object was being copied",
        ),
    };
    let before = claimed.failed_before();
    let mut disposition =
        decide(failure.class, before, claimed.receive_count, &shared.options.attempts, chance());
    if failure.class == FailureClass::Denied {
        let refusals = shared.counts.denied_in_a_row.fetch_add(1, Ordering::Relaxed) + 1;
        if shared.options.denied_in_a_row.is_some_and(|limit| u64::from(limit.get()) == refusals) {
            let key = &claimed.job.source;
            shared
                .ports
                .observer
                .notice(&format!("{refusals} refusals in a row; the last is {key}: {failure}"));
        }
    }
    // Several keys may fail to be written for one reason that no retry mends; a lost lease is not ours to settle.
    if claimed.lease.is_lost() {
        disposition = Disposition::RetryAfter { delay: Duration::ZERO, counted: false, keep_upload: true };
    }
    let receipt = claimed.lease.receipt().clone();
    match disposition {
        Disposition::RetryAfter { delay, counted, keep_upload } => {
            if !keep_upload {
                drop_upload(shared, &claimed).await?;
            }
            tracing::debug!(key = %claimed.job.source, class = %failure.class, %failure, ?delay, "attempt failed");
            if failure.class != FailureClass::Interrupted {
                shared.ports.observer.attempt_failed(&claimed.job.source, &failure, delay);
            }
            let event = RecordEvent::AttemptFailed {
                class: failure.class,
                reason: failure.message,
                counted,
                keep_upload,
            };
            // An interruption with nothing to remember leaves no trace.
            if counted || claimed.record().is_some() {
                match claimed.advance(shared, event).await {
                    Ok(()) | Err(AdvanceError::Illegal(_)) => {}
                    Err(AdvanceError::Superseded) => return leave(shared, &claimed).await,
                    Err(AdvanceError::Backend(error)) => return Err(error),
                }
            }
            shared.ports.queue.change_visibility(&[receipt], delay).await?;
            Ok(())
        }
        Disposition::Acknowledge | Disposition::LeaveForRedrive => {
            drop_upload(shared, &claimed).await?;
            let mut report = blank(shared, &claimed, started);
            report.outcome = ReportOutcome::Failed;
            report.reason.clone_from(&failure.message);
            report.failure = Some(failure.class);
            let reason = failure.message.clone();
            let event = RecordEvent::GaveUp { class: failure.class, reason: failure.message.clone() };
            match claimed.advance(shared, event).await {
                Ok(()) | Err(AdvanceError::Illegal(_)) => {}
                Err(AdvanceError::Superseded) => return leave(shared, &claimed).await,
                Err(AdvanceError::Backend(error)) => return Err(error),
            }
            if disposition == Disposition::Acknowledge {
                shared.ports.queue.acknowledge(&receipt).await?;
            } else {
                shared.ports.queue.dead_letter(&receipt, &reason).await?;
            }
            tracing::info!(key = %claimed.job.source, class = %failure.class, reason, "object given up");
            shared.counts.add(&report);
            shared.ports.observer.finished(&report);
            Ok(())
        }
    }
}

/// A message that is no job of this route goes to the dead letters with its reason.
pub(crate) async fn refuse(shared: &Arc<Shared>, lease: &Lease, reason: &str) -> Result<(), BackendError> {
    tracing::warn!(reason, "message refused");
    shared.ports.observer.notice(&format!("a message was put aside: {reason}"));
    shared.ports.queue.dead_letter(lease.receipt(), reason).await
}

/// Leaves the delivery to whoever holds it now.
async fn leave(shared: &Arc<Shared>, claimed: &Claimed) -> Result<(), BackendError> {
    tracing::info!(key = %claimed.job.source, "left to another attempt");
    shared.ports.queue.change_visibility(&[claimed.lease.receipt().clone()], Duration::from_secs(1)).await?;
    Ok(())
}

/// Aborts the upload whose parts cannot be used again.
async fn drop_upload(shared: &Shared, claimed: &Claimed) -> Result<(), BackendError> {
    forget_upload(shared, claimed).await
}

fn blank(shared: &Shared, claimed: &Claimed, started: Duration) -> Report {
    let clock = &shared.ports.clock;
    let object = &claimed.job.object;
    Report {
        key: claimed.job.source.clone(),
        destination_key: claimed.job.destination.clone(),
        version: object.version.clone(),
        size: object.size,
        source_etag: object.etag.clone(),
        destination_etag: None,
        checksums: Checksums::default(),
        method: None,
        parts: 0,
        parts_reused: 0,
        bytes_read: 0,
        bytes_sent: 0,
        attempts: claimed.failed_before() + 1,
        finished: clock.now(),
        milliseconds: u64::try_from(clock.elapsed().saturating_sub(started).as_millis()).unwrap_or(u64::MAX),
        outcome: ReportOutcome::Failed,
        proof: None,
        reason: String::new(),
        failure: None,
        lost: Vec::new(),
    }
}

/// A number in 0..1 to spread retries: from the hasher's random keys, which differ in every call.
fn chance() -> f64 {
    use std::hash::{BuildHasher as _, Hasher as _};
    let bits = std::collections::hash_map::RandomState::new().build_hasher().finish();
    f64::from(u32::try_from(bits >> 32).unwrap_or(0)) / f64::from(u32::MAX)
}
