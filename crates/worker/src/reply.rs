//! Reply: the answer to the queue, and after it the report. The only place that removes a delivery or gives it back.

use std::time::Duration;

use longbow_core::failure::BackendError;
use longbow_core::job::Report;
use longbow_core::port::{Counted, Delivery};
use longbow_core::routes::RouteName;

use crate::Shared;
use crate::lease::Lease;
use crate::node::Node;
use crate::object_log::{ObjectOf, log_object};

/// What one piece of work came to.
pub(crate) struct Conclusion {
    pub(crate) answer: Answer,
    /// Told once the queue has been answered; `None` where there is nothing new to tell.
    pub(crate) report: Option<Report>,
}

/// What the queue is told about a delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Answer {
    /// Settled: remove it.
    Acknowledge,
    /// Given up for this reason: put it aside.
    DeadLetter(String),
    /// Not settled: make it visible after so long.
    Later(Duration),
}

impl Conclusion {
    pub(crate) fn quiet(answer: Answer) -> Self {
        Self { answer, report: None }
    }
}

impl Answer {
    /// The answer for a delivery of two pieces of work: it is removed only when both are settled, and put aside if one
    /// was given up.
    ///
    /// | one | other | together |
    /// |---|---|---|
    /// | later | anything | later, the sooner of two |
    /// | dead letter | settled | dead letter |
    /// | dead letter | dead letter | dead letter, both reasons |
    /// | acknowledge | acknowledge | acknowledge |
    pub(crate) fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Later(a), Self::Later(b)) => Self::Later(a.min(b)),
            (Self::Later(delay), _) | (_, Self::Later(delay)) => Self::Later(delay),
            (Self::DeadLetter(a), Self::DeadLetter(b)) => Self::DeadLetter(format!("{a}; {b}")),
            (Self::DeadLetter(reason), Self::Acknowledge) | (Self::Acknowledge, Self::DeadLetter(reason)) => {
                Self::DeadLetter(reason)
            }
            (Self::Acknowledge, Self::Acknowledge) => Self::Acknowledge,
        }
    }
}

/// Answers the queue. A patient worker goes on when the queue fails, or hangs until the delivery is its own no more: it comes
/// back by itself, and what was settled is found settled.
pub(crate) async fn answer(node: &Node, lease: &Lease, answer: &Answer) -> Result<(), BackendError> {
    let call = match answer {
        Answer::Acknowledge => "acknowledge",
        Answer::DeadLetter(_) => "dead_letter",
        Answer::Later(_) => "change_visibility",
    };
    let answered = if node.is_patient() {
        let asked = tokio::time::timeout(node.options.visibility, ask(node, lease, answer)).await;
        asked.unwrap_or_else(|_| Err(BackendError::transient("the queue does not answer")))
    } else {
        ask(node, lease, answer).await
    };
    match answered {
        Err(error) if node.is_patient() => {
            tracing::warn!(call, %error, "the queue was not told; the message will be delivered again");
            node.observer.counted(Counted::QueueFailed(call), 1);
            Ok(())
        }
        answered => answered,
    }
}

async fn ask(node: &Node, lease: &Lease, answer: &Answer) -> Result<(), BackendError> {
    let (queue, receipt) = (&node.queue, lease.receipt());
    match answer {
        Answer::Acknowledge => queue.acknowledge(receipt).await,
        Answer::DeadLetter(reason) => queue.dead_letter(receipt, reason).await,
        Answer::Later(delay) => {
            queue.change_visibility(std::slice::from_ref(receipt), *delay).await.map(drop)
        }
    }
}

/// A message that may be a job of a route to come is left to come again.
pub(crate) async fn not_yet(
    node: &Node,
    lease: &Lease,
    reason: &str,
    wait: Duration,
) -> Result<(), BackendError> {
    tracing::info!(reason, ?wait, "message left for later: the route may not be known here yet");
    answer(node, lease, &Answer::Later(wait)).await
}

/// A message that is no job of any route goes to the dead letters with its reason.
pub(crate) async fn refuse(node: &Node, lease: &Lease, reason: &str) -> Result<(), BackendError> {
    tracing::warn!(reason, "message refused");
    node.observer.counted(Counted::Refused, 1);
    node.observer.notice(&format!("a message was put aside: {reason}"));
    answer(node, lease, &Answer::DeadLetter(reason.to_owned())).await
}

/// Counts, logs and reports an object that has ended.
pub(crate) fn tell(node: &Node, shared: &Shared, delivery: &Delivery, report: &Report) {
    let of = ObjectOf {
        route: shared.name.as_ref().map(RouteName::as_str),
        message_id: delivery.message_id.as_deref(),
        deliveries: delivery.receive_count,
    };
    log_object(report, &of);
    node.counts.add(report);
    shared.ports.observer.finished(report);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delivery_is_removed_only_when_all_of_it_is_settled() {
        let later = |seconds| Answer::Later(Duration::from_secs(seconds));
        let dead = |reason: &str| Answer::DeadLetter(reason.to_owned());
        let rows = [
            (Answer::Acknowledge, Answer::Acknowledge, Answer::Acknowledge),
            (Answer::Acknowledge, dead("a"), dead("a")),
            (dead("a"), dead("b"), dead("a; b")),
            (later(5), Answer::Acknowledge, later(5)),
            (dead("a"), later(5), later(5)),
            (later(7), later(5), later(5)),
        ];
        for (one, other, together) in rows {
            assert_eq!(one.and(other), together);
        }
    }
}
