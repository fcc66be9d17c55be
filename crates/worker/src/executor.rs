//! One piece of work, from the claim to its conclusion: claim → plan → copy → verify → settle.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use longbow_core::failure::{BackendError, Failure, FailureClass};
use longbow_core::job::EventOrder;
use longbow_core::port::Delivery;
use tokio_util::sync::CancellationToken;

use crate::claim::{self, AdvanceError, Claimed, NoClaim};
use crate::lease::Lease;
use crate::node::{Node, Ways};
use crate::reply::{self, Conclusion};
use crate::settle::{self, Finished};
use crate::{Shared, copy, plan, removal, routed, verify};

/// How often one attempt may begin anew because source or destination changed under it.
const LOOKS: u32 = 4;

/// So many deliveries for each attempt that the policy allows, and the object is given up: ten for throttling, which is
/// not counted, and two for stops.
const DELIVERIES: u32 = 12;

/// What an attempt can end with, short of an outcome.
#[derive(Debug)]
pub(crate) enum Stopped {
    /// It failed.
    Failed(Failure),
    /// The source is not what the job says any more: look at both sides again.
    SourceChanged,
    /// The destination is not what was observed any more: look at both sides again.
    DestinationChanged,
    /// The destination says that something has the key, and when asked what, that nothing has.
    Contradicted(Failure),
    /// The source has no such object, or not the version that was asked for.
    SourceGone(String),
    /// A store lacks a feature, which is known now: look at both sides again and do without.
    Adapted(String),
    /// Another attempt has taken over, or the lease is lost: leave everything as it is.
    Superseded,
    /// This program failed: it panicked.
    Defect(String),
    /// Queue or state store failed.
    Backend(BackendError),
}

impl Stopped {
    pub(crate) fn failed(class: FailureClass, message: impl Into<String>) -> Self {
        Self::Failed(Failure::new(class, message))
    }
}

impl From<Failure> for Stopped {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

impl From<AdvanceError> for Stopped {
    fn from(error: AdvanceError) -> Self {
        match error {
            AdvanceError::Superseded => Self::Superseded,
            AdvanceError::Backend(error) => Self::Backend(error),
            AdvanceError::Illegal(error) => Self::failed(FailureClass::Permanent, error.to_string()),
        }
    }
}

/// Runs one delivery to its end. An error is one of queue or state store: the run cannot go on.
pub(crate) async fn run(node: &Arc<Node>, delivery: Delivery, lease: Lease) -> Result<(), BackendError> {
    let started = node.clock.elapsed();
    let shared = match &node.ways {
        Ways::One(shared) => shared,
        Ways::Table(table) => return routed::run(node, table, &delivery, &lease, started).await,
    };
    let claimed = match claim::own(shared, &delivery, lease.hold()).await {
        Ok(claimed) => claimed,
        Err(NoClaim::Backend(error)) => return Err(error),
        Err(NoClaim::Refused(reason)) => return reply::refuse(node, &lease, &reason).await,
    };
    let Conclusion { answer, report } = work(shared, claimed, lease.drain(), started).await?;
    reply::answer(node, &lease, &answer).await?;
    if let Some(report) = &report {
        reply::tell(node, shared, &delivery, report);
    }
    Ok(())
}

/// Copies what is claimed, unless it is there already, and settles it.
pub(crate) async fn work(
    shared: &Arc<Shared>,
    mut claimed: Claimed,
    drain: &CancellationToken,
    started: Duration,
) -> Result<Conclusion, BackendError> {
    let attempts = &shared.options.attempts;
    if claimed.receive_count > attempts.max_attempts.max(attempts.max_denied).saturating_mul(DELIVERIES) {
        let message = format!("delivered {} times without coming to an end", claimed.receive_count);
        // Whatever ends the attempts without a word (a panic, say) is not counted by the record.
        let failure = Failure::new(FailureClass::Permanent, message);
        return settle::settle_failure(shared, claimed, Stopped::Failed(failure), started).await;
    }
    let (mut looks, mut contradicted) = (0, false);
    let stopped = loop {
        match alive(attempt(shared, &mut claimed, looks > 0 || contradicted, drain)).await {
            Ok(finished) => return settle::settle(shared, claimed, finished, started).await,
            // Once: somebody who wrote it and removed it again. Twice: it is the store.
            Err(Stopped::Contradicted(failure)) if contradicted => break Stopped::Failed(failure),
            Err(Stopped::Contradicted(_)) => contradicted = true,
            Err(changed @ (Stopped::SourceChanged | Stopped::DestinationChanged | Stopped::Adapted(_))) => {
                looks += 1;
                if looks >= LOOKS {
                    break gave_up(changed);
                }
            }
            // The version that the job names may be gone while the key has a newer one.
            Err(Stopped::SourceGone(_)) if looks == 0 && claimed.job.object.version.is_some() => looks += 1,
            Err(stopped) => break stopped,
        }
    };
    // What is at the destination may be what this very attempt has brought there after the removal was carried out.
    if matches!(stopped, Stopped::SourceGone(_)) && claimed.follows_removals(shared) && claimed.has_seen_one()
    {
        return Box::pin(removal::follow(shared, claimed, EventOrder::Unknown, drain, started)).await;
    }
    settle::settle_failure(shared, claimed, stopped, started).await
}

/// Runs an attempt. A panic in it is a fault of this program at this object: the object is tried again, not often, since
/// that mends few defects, and put aside with the reason; the others go on.
pub(crate) async fn alive<T>(attempt: impl Future<Output = Result<T, Stopped>>) -> Result<T, Stopped> {
    // What an attempt has changed of its claim is whole after every statement, and looked at anew by the next.
    match AssertUnwindSafe(attempt).catch_unwind().await {
        Ok(end) => end,
        Err(panic) => {
            let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
            let text = text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default();
            let message = format!("a defect of longbow stopped the work on it: {text}");
            tracing::error!("{message}");
            Err(Stopped::Defect(message))
        }
    }
}

fn gave_up(changed: Stopped) -> Stopped {
    let what = match changed {
        Stopped::SourceChanged => "the source object",
        Stopped::DestinationChanged => "the destination object",
        Stopped::Adapted(message) => return Stopped::failed(FailureClass::Permanent, message),
        other => return other,
    };
    let message = format!("{what} was changed {LOOKS} times while it was being copied");
    Stopped::failed(FailureClass::Corrupt, message)
}

async fn attempt(
    shared: &Arc<Shared>,
    claimed: &mut Claimed,
    look_again: bool,
    drain: &CancellationToken,
) -> Result<Finished, Stopped> {
    let planned = match plan::plan(shared, claimed, look_again, drain).await? {
        plan::Step::Equal(equal) => return Ok(Finished::Equal(equal)),
        plan::Step::Copy(planned) => planned,
    };
    let copied = copy::copy(shared, claimed, *planned, drain).await?;
    Ok(Finished::Verified(Box::new(verify::verify(shared, claimed, copied).await?)))
}
