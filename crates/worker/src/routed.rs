//! Routed: from a message of a shared queue to the work that the configured routes allow, and one answer for all of it.
//!
//! Refusals go aside at once, save those of routes that this worker may not have read yet. Several pieces of work of one delivery are done one after the other, each to its own
//! conclusion; what an earlier delivery has settled is known by the records and not done again.

use std::sync::Arc;
use std::time::Duration;

use longbow_core::failure::{BackendError, FailureClass};
use longbow_core::job::{EventOrder, Message, RecordState, decode_message};
use longbow_core::port::{Counted, Delivery};
use longbow_core::routes::{IgnoreReason, Refusal, RouteName, RoutedCopy, RoutedRemoval, Work};

use crate::claim::{self, Claimed};
use crate::lease::Lease;
use crate::node::{Node, Shared, Table};
use crate::reply::{self, Answer, Conclusion};
use crate::{executor, removal};

/// How often a job for a route that is not known, or that goes elsewhere, is received before it is put aside …
const RECEPTIONS_OF_UNKNOWN_ROUTES: u32 = 10;
/// … and how long it is out of sight between them. Together more than any worker takes to read its routes anew.
const UNKNOWN_ROUTES_WAIT: Duration = Duration::from_secs(60);

/// Runs one delivery of a shared queue to its end.
pub(crate) async fn run(
    node: &Arc<Node>,
    table: &Table,
    delivery: &Delivery,
    lease: &Lease,
    started: Duration,
) -> Result<(), BackendError> {
    let message = match decode_message(&delivery.body) {
        Ok(message) => message,
        Err(error) => return reply::refuse(node, lease, &error.to_string()).await,
    };
    let of_event = matches!(message, Message::Events(_));
    let works = match table.routes.admit(message) {
        Ok(works) => works,
        // The jobsender may have read newer routes than this worker, which looks at them every few minutes.
        Err(refusal @ (Refusal::UnknownRoute(_) | Refusal::RouteMoved { .. }))
            if delivery.receive_count < RECEPTIONS_OF_UNKNOWN_ROUTES =>
        {
            return reply::not_yet(node, lease, &refusal.to_string(), UNKNOWN_ROUTES_WAIT).await;
        }
        Err(refusal) => return reply::refuse(node, lease, &refusal.to_string()).await,
    };
    let mut answer = Answer::Acknowledge;
    let mut reports = Vec::new();
    for work in works {
        let (shared, conclusion) = match work {
            Work::Ignore(reason) => {
                tracing::debug!(%reason, "nothing to do");
                node.observer.counted(Counted::Ignored(ignored(&reason)), 1);
                continue;
            }
            Work::Copy(copy) => {
                let Some(shared) = of(table, &copy.route) else { continue };
                (shared, copy_along(shared, *copy, of_event, delivery, lease, started).await?)
            }
            Work::Remove(removal) => {
                let Some(shared) = of(table, &removal.route) else { continue };
                (shared, remove_along(shared, removal, delivery, lease, started).await?)
            }
        };
        answer = answer.and(conclusion.answer);
        reports.extend(conclusion.report.map(|report| (shared, report)));
    }
    reply::answer(node, lease, &answer).await?;
    for (shared, report) in &reports {
        reply::tell(node, shared, delivery, report);
    }
    Ok(())
}

/// What a route of the table works with: it was made with the table, so that it is there.
fn of<'a>(table: &'a Table, name: &RouteName) -> Option<&'a Arc<Shared>> {
    let shared = table.by_name.get(name);
    debug_assert!(shared.is_some(), "the route {name} has no stores");
    shared
}

fn ignored(reason: &IgnoreReason) -> &'static str {
    match reason {
        IgnoreReason::Test => "test",
        IgnoreReason::NotAboutBytes(_) => "not-about-bytes",
        IgnoreReason::OutsidePrefixes(_) => "outside-prefixes",
        IgnoreReason::EventsOff(_) => "events-off",
        IgnoreReason::NotSelected(_) => "not-selected",
        IgnoreReason::RemovalsKept(_) => "removals-kept",
    }
}

async fn copy_along(
    shared: &Arc<Shared>,
    copy: RoutedCopy,
    of_event: bool,
    delivery: &Delivery,
    lease: &Lease,
    started: Duration,
) -> Result<Conclusion, BackendError> {
    let mut claimed = claim::load(shared, copy.job, delivery.receive_count, lease.hold()).await?;
    claimed.sequencer = copy.sequencer;
    claimed.happened = copy.happened;
    claimed.of_event = of_event;
    let order = claimed.order();
    if let Some(conclusion) = settled_before(shared, &claimed, order) {
        return Ok(conclusion);
    }
    match order {
        EventOrder::Older if delivery.receive_count == 1 => Ok(superseded(shared)),
        // An earlier delivery of it may have written something after the newer event had been settled.
        EventOrder::Older => {
            removal::follow(shared, claimed, EventOrder::Unknown, lease.drain(), started).await
        }
        // A job that a removal overtook: what it had written by then must not pass for found there.
        EventOrder::Unknown if claimed.was_removed() => {
            removal::follow(shared, claimed, order, lease.drain(), started).await
        }
        _ => executor::work(shared, claimed, lease.drain(), started).await,
    }
}

async fn remove_along(
    shared: &Arc<Shared>,
    work: RoutedRemoval,
    delivery: &Delivery,
    lease: &Lease,
    started: Duration,
) -> Result<Conclusion, BackendError> {
    let job = removal::job(&work);
    let mut claimed = claim::load(shared, job, delivery.receive_count, lease.hold()).await?;
    claimed.sequencer = work.sequencer;
    claimed.of_event = true;
    let order = claimed.order();
    if let Some(conclusion) = settled_before(shared, &claimed, order) {
        return Ok(conclusion);
    }
    removal::follow(shared, claimed, order, lease.drain(), started).await
}

fn superseded(shared: &Shared) -> Conclusion {
    shared.ports.observer.counted(Counted::Superseded, 1);
    Conclusion::quiet(Answer::Acknowledge)
}

/// The conclusion of this very event, if the record tells that it was reached before. One that was given up is tried
/// again only when its message was sent anew, out of the dead letters.
fn settled_before(shared: &Shared, claimed: &Claimed, order: EventOrder) -> Option<Conclusion> {
    if order != EventOrder::Same {
        return None;
    }
    match &claimed.record()?.state {
        RecordState::Copied { .. } | RecordState::Removed => Some(superseded(shared)),
        RecordState::Failed { .. } if claimed.receive_count == 1 => None,
        RecordState::Failed { class: FailureClass::Permanent, .. } => {
            Some(Conclusion::quiet(Answer::Acknowledge))
        }
        RecordState::Failed { reason, .. } => Some(Conclusion::quiet(Answer::DeadLetter(reason.clone()))),
        RecordState::Copying { .. } | RecordState::Waiting { .. } => None,
    }
}
