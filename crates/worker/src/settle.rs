//! Settle: what an attempt came to is recorded, and becomes the answer to the queue and the report; giving them is `reply`'s.
//! The only place that decides about a failure or logs one.
//!
//! A patient worker does without a failing state store where the promises allow it (decision 0016): a verified copy is
//! settled by the destination itself; what is given up has to be recorded first, and waits.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use longbow_core::failure::{BackendError, Failure, FailureClass};
use longbow_core::job::{Disposition, Proof, RecordEvent, Report, ReportOutcome, Requests, decide};
use longbow_core::object::Checksums;
use longbow_core::port::Counted;

use crate::Shared;
use crate::claim::{AdvanceError, Claimed};
use crate::executor::Stopped;
use crate::plan::{Equal, look_at_source_now};
use crate::reply::{Answer, Conclusion};
use crate::verify::Verified;

/// Attempts at an object that end in a panic before it is given up: the same bytes mostly meet the same defect.
const DEFECTS: u32 = 3;

/// An attempt that ended well.
pub(crate) enum Finished {
    /// The bytes were copied and verified.
    Verified(Box<Verified>),
    /// The destination had them.
    Equal(Equal),
}

/// Records a good end.
pub(crate) async fn settle(
    shared: &Arc<Shared>,
    mut claimed: Claimed,
    finished: Finished,
    started: Duration,
) -> Result<Conclusion, BackendError> {
    shared.counts.denied_in_a_row.store(0, Ordering::Relaxed);
    let mut report = blank(shared, &claimed, started);
    let event = match finished {
        Finished::Verified(verified) => {
            let Verified { copied, proof } = *verified;
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
                requests: Requests { source: copied.read_by, destination: copied.written.request_id.clone() },
                ..report
            };
            RecordEvent::Verified { destination_etag: copied.written.etag, checksums, proof, found: false }
        }
        Finished::Equal(equal) if equal.proof == Proof::Recorded && claimed.is_told(shared) => {
            tracing::debug!(key = %claimed.job.source, "a duplicate of what is done and told");
            return Ok(Conclusion::quiet(Answer::Acknowledge));
        }
        Finished::Equal(equal) => {
            // What an earlier attempt of this very job had brought there was copied, not skipped; also when that attempt
            // had recorded it, and was killed before it could tell.
            let recorded = equal.proof == Proof::Recorded;
            let ours = claimed.is_second_look()
                && !claimed.job.inspect
                && (!recorded || claimed.was_copied_by_its_transfer());
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
            RecordEvent::Verified { destination_etag, checksums, proof, found: !ours }
        }
    };
    match claimed.advance(shared, event).await {
        Ok(()) => {}
        Err(AdvanceError::Superseded) => return Ok(leave(&claimed)),
        Err(AdvanceError::Backend(error)) if shared.patient => {
            // The destination itself is the proof: whoever gets this job again finds it done.
            tracing::warn!(key = %claimed.job.source, %error, "copied and verified, but not recorded");
            // Only the record would have told that a removal was carried out before the bytes came. A removal from now on
            // finds them.
            if claimed.follows_removals(shared)
                && !matches!(look_at_source_now(shared, &claimed.job.source).await, Ok(Some(_)))
            {
                // As patient as a final failure: each of these is a reception, and the queue counts them.
                return Ok(Conclusion::quiet(Answer::Later(shared.options.attempts.backoff.most)));
            }
        }
        Err(AdvanceError::Backend(error)) => return Err(error),
        Err(AdvanceError::Illegal(error)) => {
            let failure = Failure::new(FailureClass::Transient, error.to_string());
            return settle_failure(shared, claimed, Stopped::Failed(failure), started).await;
        }
    }
    if claimed.quiet && report.method.is_none() {
        shared.ports.observer.counted(Counted::Superseded, 1);
        return Ok(Conclusion::quiet(Answer::Acknowledge));
    }
    let written = claimed.happened.or(claimed.job.object.modified);
    if let Some(written) = written.filter(|_| report.method.is_some()) {
        let lag = u64::try_from(report.finished.0.saturating_sub(written.0)).unwrap_or(0);
        shared.ports.observer.lag(Duration::from_millis(lag));
    }
    Ok(Conclusion { answer: Answer::Acknowledge, report: Some(report) })
}

/// An upload of an earlier attempt that is no longer needed: aborted, so that it does not cost anything.
pub(crate) async fn forget_upload(shared: &Shared, claimed: &Claimed) -> Result<(), BackendError> {
    crate::copy::abort_unknown(shared, claimed).await;
    let Some(upload) = claimed.record().and_then(|r| r.upload()) else { return Ok(()) };
    if let Err(error) = shared.ports.destination.abort_upload(&claimed.job.destination, &upload.upload).await
    {
        tracing::warn!(key = %claimed.job.destination, %error, "an upload that is not needed any more could not be aborted");
        // Its parts stay remembered: by them the janitor knows whose it is.
        return Ok(());
    }
    shared.ports.state.forget_parts(&claimed.subject, &upload.upload).await
}

/// Decides what becomes of an attempt that did not end well.
pub(crate) async fn settle_failure(
    shared: &Arc<Shared>,
    mut claimed: Claimed,
    stopped: Stopped,
    started: Duration,
) -> Result<Conclusion, BackendError> {
    let defect = matches!(stopped, Stopped::Defect(_));
    let failure = match stopped {
        Stopped::Failed(failure) | Stopped::Contradicted(failure) => failure,
        Stopped::Superseded => return Ok(leave(&claimed)),
        Stopped::Defect(message) => Failure::new(FailureClass::Transient, message),
        Stopped::Backend(error) if shared.patient => Failure::new(FailureClass::Transient, error.message),
        Stopped::Backend(error) => return Err(error),
        Stopped::SourceGone(reason) if claimed.of_event && claimed.unfinished_upload().is_none() => {
            shared.ports.observer.counted(Counted::Superseded, 1);
            let report =
                Report { outcome: ReportOutcome::Skipped, reason, ..blank(shared, &claimed, started) };
            return Ok(Conclusion { answer: Answer::Acknowledge, report: Some(report) });
        }
        Stopped::SourceGone(reason) => Failure::new(FailureClass::Permanent, reason),
        // The executor turns these into a failure when they come too often.
        Stopped::SourceChanged | Stopped::DestinationChanged | Stopped::Adapted(_) => Failure::new(
            FailureClass::Corrupt,
            "source or destination changed while the object was being copied",
        ),
    };
    let mut failure = failure;
    if failure.class == FailureClass::Throttled && shared.paces.is_stopping() {
        // The store may take its time, the worker cannot.
        failure.class = FailureClass::Interrupted;
    }
    let policy = &shared.options.attempts;
    let mut before = claimed.failed_before();
    if defect {
        before = before.saturating_add(policy.max_attempts.saturating_sub(DEFECTS));
    }
    let mut disposition =
        decide(failure.class, before, claimed.receive_count, policy, shared.options.chance.draw());
    if failure.class == FailureClass::Denied {
        note_refusal(shared, &claimed, &failure);
    }
    // Several keys may fail to be written for one reason that no retry mends; a lost lease is not ours to settle.
    if claimed.lease.is_lost() {
        disposition = Disposition::RetryAfter { delay: Duration::ZERO, counted: false, keep_upload: true };
    }
    match disposition {
        Disposition::RetryAfter { delay, counted, keep_upload } => {
            // The record keeps no upload of another version than the one that failed: what it lets go of has no owner left.
            if !keep_upload || claimed.names_upload_of_another() {
                forget_upload(shared, &claimed).await?;
            }
            tracing::debug!(key = %claimed.job.source, class = %failure.class, %failure, ?delay, "attempt failed");
            if failure.class == FailureClass::Interrupted {
                shared.ports.observer.counted(Counted::HandedBack, 1);
            } else {
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
                    Err(AdvanceError::Superseded) => return Ok(leave(&claimed)),
                    // Not counted then: the queue counts deliveries.
                    Err(AdvanceError::Backend(_)) if shared.patient => {}
                    Err(AdvanceError::Backend(error)) => return Err(error),
                }
            }
            Ok(Conclusion::quiet(Answer::Later(delay)))
        }
        Disposition::Acknowledge | Disposition::LeaveForRedrive => {
            forget_upload(shared, &claimed).await?;
            let mut report = blank(shared, &claimed, started);
            report.outcome = ReportOutcome::Failed;
            report.reason.clone_from(&failure.message);
            report.failure = Some(failure.class);
            let reason = failure.message.clone();
            let event = RecordEvent::GaveUp { class: failure.class, reason: failure.message.clone() };
            match claimed.advance(shared, event).await {
                Ok(()) | Err(AdvanceError::Illegal(_)) => {}
                Err(AdvanceError::Superseded) => return Ok(leave(&claimed)),
                // A final failure stands in the state store or is not final.
                Err(AdvanceError::Backend(_)) if shared.patient => {
                    return Ok(Conclusion::quiet(Answer::Later(shared.options.attempts.backoff.most)));
                }
                Err(AdvanceError::Backend(error)) => return Err(error),
            }
            tracing::info!(key = %claimed.job.source, class = %failure.class, reason, "object given up");
            let answer = if disposition == Disposition::Acknowledge {
                Answer::Acknowledge
            } else {
                Answer::DeadLetter(reason)
            };
            Ok(Conclusion { answer, report: Some(report) })
        }
    }
}

/// Counts refusals, and says so when they are too many in a row.
fn note_refusal(shared: &Shared, claimed: &Claimed, failure: &Failure) {
    let refusals = shared.counts.denied_in_a_row.fetch_add(1, Ordering::Relaxed) + 1;
    if shared.options.denied_in_a_row.is_some_and(|limit| u64::from(limit.get()) == refusals) {
        let key = &claimed.job.source;
        shared.ports.observer.notice(&format!("{refusals} refusals in a row; the last is {key}: {failure}"));
        if shared.options.slow_when_denied.is_some() {
            tracing::error!(%key, %failure, refusals, "everything is refused: going slowly until something succeeds");
            shared.ports.observer.counted(Counted::Slowed, 1);
        }
    }
}

/// Leaves the delivery to whoever holds it now.
fn leave(claimed: &Claimed) -> Conclusion {
    tracing::info!(key = %claimed.job.source, "left to another attempt");
    Conclusion::quiet(Answer::Later(Duration::from_secs(1)))
}

pub(crate) fn blank(shared: &Shared, claimed: &Claimed, started: Duration) -> Report {
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
        transfer: Some(&claimed.job.transfer).filter(|id| !id.0.is_empty()).cloned(),
        requests: Requests::default(),
    }
}
