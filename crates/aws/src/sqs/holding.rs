//! The deliveries that this process holds: when each was received, until when it is hidden, and what it says.
//!
//! SQS asks for more than a receipt: how long a delivery may still be extended depends on when it was received, and a
//! dead letter is a copy of the message. What is hidden no longer is forgotten.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use aws_sdk_sqs::types::{Message, MessageAttributeValue, MessageSystemAttributeName as Attribute};
use longbow_core::object::Timestamp;
use longbow_core::port::{Delivery, Receipt};
use tokio::time::Instant;

/// A delivery can be hidden for twelve hours from its reception, however often it is extended (API reference,
/// ChangeMessageVisibility). A holder hands it back before that, and takes it again.
pub const MAX_VISIBILITY: Duration = Duration::from_secs(43_200);

/// The service's clock started before ours: it had the request for some time.
const MARGIN: Duration = Duration::from_secs(5);

/// One message as it came.
#[derive(Debug, Clone)]
pub(super) struct Held {
    received: Instant,
    until: Instant,
    pub(super) body: String,
    pub(super) attributes: BTreeMap<String, MessageAttributeValue>,
    pub(super) receive_count: u32,
}

/// All of them, by receipt.
#[derive(Debug, Default)]
pub(super) struct Holding {
    held: Mutex<(HashMap<String, Held>, usize)>,
}

impl Holding {
    /// Remembers what was received by a request that began at `asked`. Messages without a receipt are no deliveries.
    pub(super) fn take(&self, messages: Vec<Message>, asked: Instant, visibility: Duration) -> Vec<Delivery> {
        let mut deliveries = Vec::with_capacity(messages.len());
        self.with(|all, look_again| {
            for message in messages {
                let Some(receipt) = message.receipt_handle else { continue };
                let attributes = message.attributes.unwrap_or_default();
                let count = attributes.get(&Attribute::ApproximateReceiveCount);
                let sent = attributes.get(&Attribute::SentTimestamp).and_then(|ms| ms.parse().ok());
                let held = Held {
                    received: asked,
                    until: asked + visibility,
                    body: message.body.unwrap_or_default(),
                    attributes: message.message_attributes.unwrap_or_default().into_iter().collect(),
                    receive_count: count.and_then(|n| n.parse().ok()).unwrap_or(1),
                };
                deliveries.push(Delivery {
                    receipt: Receipt(receipt.clone()),
                    body: held.body.clone(),
                    receive_count: held.receive_count,
                    message_id: message.message_id.map(String::into_boxed_str),
                    sent: sent.map(Timestamp),
                });
                all.insert(receipt, held);
            }
            if all.len() > *look_again {
                let now = Instant::now();
                all.retain(|_, held| held.until > now);
                *look_again = (all.len() * 2).max(1000);
            }
        });
        deliveries
    }

    /// For how long the delivery can be hidden from now, if `wanted`; `None` when its twelve hours are over. An
    /// unknown receipt is for the service to judge.
    pub(super) fn extension(&self, receipt: &str, wanted: Duration) -> Option<Duration> {
        let wanted = wanted.min(MAX_VISIBILITY);
        self.with(|all, _| {
            let Some(held) = all.get(receipt) else { return Some(wanted) };
            let left = MAX_VISIBILITY.saturating_sub(held.received.elapsed()).saturating_sub(MARGIN);
            (wanted.is_zero() || !left.is_zero()).then(|| wanted.min(left))
        })
    }

    /// Notes that a delivery is hidden for `visibility` from now on; for none, it is nobody's.
    pub(super) fn extended(&self, receipt: &str, visibility: Duration) {
        self.with(|all, _| {
            if visibility.is_zero() {
                all.remove(receipt);
            } else if let Some(held) = all.get_mut(receipt) {
                held.until = Instant::now() + visibility;
            }
        });
    }

    /// What a receipt stands for, if it is still hidden.
    pub(super) fn get(&self, receipt: &str) -> Option<Held> {
        self.with(|all, _| all.get(receipt).filter(|held| held.until > Instant::now()).cloned())
    }

    /// Forgets a delivery.
    pub(super) fn forget(&self, receipt: &str) {
        self.with(|all, _| all.remove(receipt));
    }

    fn with<R>(&self, act: impl FnOnce(&mut HashMap<String, Held>, &mut usize) -> R) -> R {
        // Whole after every statement: a panic elsewhere does not spoil it.
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let (all, look_again) = &mut *held;
        act(all, look_again)
    }
}

/// Whole seconds, as SQS counts, never less than asked and never above the ceiling.
pub(super) fn seconds(time: Duration) -> i32 {
    let time = time.min(MAX_VISIBILITY);
    let whole = time.as_secs() + u64::from(time.subsec_nanos() > 0);
    // At most 43,200.
    i32::try_from(whole).unwrap_or(43_200)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(receipt: &str) -> Message {
        Message::builder().receipt_handle(receipt).body("b").build()
    }

    #[tokio::test(start_paused = true)]
    async fn twelve_hours_are_all_that_a_delivery_has() {
        let holding = Holding::default();
        let hour = Duration::from_secs(3600);
        holding.take(vec![message("r")], Instant::now(), hour);
        assert_eq!(holding.extension("r", hour), Some(hour));
        assert_eq!(holding.extension("r", 20 * hour), Some(MAX_VISIBILITY - MARGIN));
        holding.extended("r", 12 * hour);
        tokio::time::advance(hour * 23 / 2).await;
        assert_eq!(holding.extension("r", hour), Some(hour / 2 - MARGIN));
        tokio::time::advance(hour / 2).await;
        assert_eq!(holding.extension("r", hour), None);
        assert_eq!(holding.extension("r", Duration::ZERO), Some(Duration::ZERO));
        assert_eq!(holding.extension("unknown", hour), Some(hour));
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_hidden_no_longer_is_forgotten() {
        let holding = Holding::default();
        let minute = Duration::from_secs(60);
        for n in 0..5000 {
            holding.take(vec![message(&n.to_string())], Instant::now(), minute);
            tokio::time::advance(Duration::from_secs(1)).await;
        }
        assert!(holding.get("4999").is_some() && holding.get("4930").is_none());
        let kept = holding.with(|all, _| all.len());
        assert!(kept <= 1001, "{kept} deliveries are remembered");
        holding.extended("4999", Duration::ZERO);
        assert!(holding.get("4999").is_none());
    }

    #[test]
    fn times_are_whole_seconds_within_the_ceiling() {
        for (milliseconds, expected) in [(0, 0), (1, 1), (1000, 1), (1001, 2), (90_000_000, 43_200)] {
            assert_eq!(seconds(Duration::from_millis(milliseconds)), expected);
        }
    }
}
