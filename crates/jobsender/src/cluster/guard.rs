//! The look at the queue before a run: whether the last batch is still unfinished (LB-22).
//!
//! The decisions are `core`'s; here the counts are asked for and, where few messages wait, the messages themselves. S3's
//! trial messages are acknowledged; all others go back at once. The counts are approximate: the lock keeps two
//! jobsenders apart, not this.

use std::time::Duration;

use longbow_core::failure::BackendError;
use longbow_core::job::{Message, Start, WhenBusy, after_look, decode_message, may_start};
use longbow_core::port::{JobQueue, Receipt};
use tokio_util::sync::CancellationToken;

use crate::patience;

/// Each look counts as a reception, and a queue puts aside what was received too often: so one message a call, until the
/// first job answers.
const CALL: usize = 1;
/// Calls of a look at most. More messages than these give were not to be looked at.
const CALLS: usize = 12;
/// Long enough for a call to ask all servers of the queue (SQS Developer Guide, "Short and long polling").
const WAIT: Duration = Duration::from_secs(1);
/// They come back by themselves then, should this process die in between.
const HIDDEN: Duration = Duration::from_secs(30);

/// Whether a run may start; never [`Start::Look`].
pub(crate) async fn look(
    queue: &dyn JobQueue,
    when_busy: WhenBusy,
    stop: &CancellationToken,
) -> Result<Start, BackendError> {
    if when_busy == WhenBusy::Append {
        return Ok(Start::Go);
    }
    let depth = patience::persist(stop, || queue.depth()).await?;
    let start = may_start(&depth, when_busy);
    if start != Start::Look {
        return Ok(start);
    }
    let mut jobs: Vec<Receipt> = Vec::new();
    let mut messages = Vec::new();
    let mut unknown = 0;
    let mut failed = None;
    for _ in 0..CALLS {
        let deliveries = match patience::persist(stop, || queue.receive(CALL, WAIT, HIDDEN)).await {
            Ok(deliveries) => deliveries,
            Err(error) => {
                failed = Some(error);
                break;
            }
        };
        if deliveries.is_empty() {
            break;
        }
        for delivery in deliveries {
            match decode_message(&delivery.body) {
                Ok(Message::Test) => {
                    patience::persist(stop, || queue.acknowledge(&delivery.receipt)).await?;
                    messages.push(Message::Test);
                }
                Ok(message) => {
                    jobs.push(delivery.receipt);
                    messages.push(message);
                }
                // What a worker will put aside is not finished either.
                Err(_) => {
                    jobs.push(delivery.receipt);
                    unknown += 1;
                }
            }
        }
        // One job is answer enough.
        if !jobs.is_empty() {
            break;
        }
    }
    if !jobs.is_empty() {
        patience::persist(stop, || queue.change_visibility(&jobs, Duration::ZERO)).await?;
    }
    if let Some(error) = failed {
        return Err(error);
    }
    if unknown > 0 {
        return Ok(Start::Refuse(format!(
            "the queue holds {unknown} messages that are no jobs that longbow knows; let a worker put them aside, or \
             append"
        )));
    }
    let found = messages.len() as u64;
    let start = after_look(&messages);
    if start == Start::Go && found < depth.visible {
        // What was counted and is not to be seen: somebody has just taken it, or the count was old.
        let depth = patience::persist(stop, || queue.depth()).await?;
        return Ok(match may_start(&depth, when_busy) {
            Start::Refuse(why) => Start::Refuse(why),
            Start::Go | Start::Look => Start::Go,
        });
    }
    Ok(start)
}

#[cfg(test)]
mod tests;
