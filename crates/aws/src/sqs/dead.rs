//! Dead letters: put aside with their reason, looked at, sent again, thrown away.
//!
//! By receive, send and delete, since a queue's own redrive moves a message only after many receptions and without a
//! reason, and since the service's move task is missing from other servers and for queues of other accounts.

use std::collections::HashMap;
use std::time::Duration;

use aws_sdk_sqs::types::{Message, MessageAttributeValue, MessageSystemAttributeName};
use longbow_core::failure::BackendError;
use longbow_core::object::Timestamp;
use longbow_core::port::{JobQueue as _, Receipt};

use super::batch::MOST_ENTRIES;
use super::body::attribute;
use super::calls::Calls;
use super::{SqsQueue, batch};

/// The attributes that a dead letter gets; what it had stays.
const REASON: &str = "longbow.reason";
const RECEPTIONS: &str = "longbow.receptions";

/// Most attributes of a message (Amazon SQS Developer Guide, "Amazon SQS message quotas").
const MOST_ATTRIBUTES: usize = 10;

/// Long enough to send a copy and to delete the message.
const MOVING: Duration = Duration::from_secs(120);

/// A message that was put aside, and is hidden from others while it is looked at.
#[derive(Debug, Clone)]
pub struct DeadLetter {
    /// Proof of holding it.
    pub receipt: Receipt,
    /// The queue's name for it.
    pub id: String,
    /// The wire form.
    pub body: String,
    /// Why it was put aside; `None` if the queue's own redrive policy did.
    pub reason: Option<String>,
    /// How often it had been received when it was put aside.
    pub receptions: Option<u32>,
    /// When it was put aside; by the queue's own redrive, when it was first sent.
    pub sent: Option<Timestamp>,
    attributes: HashMap<String, MessageAttributeValue>,
}

/// The work of `JobQueue::dead_letter`.
pub(super) async fn put_aside(queue: &SqsQueue, receipt: &Receipt, reason: &str) -> Result<(), BackendError> {
    let inner = &queue.inner;
    let dead = dead_queue(queue)?;
    let Some(held) = inner.holding.get(&receipt.0) else {
        tracing::debug!("a delivery that is held no longer is not put aside");
        return Ok(());
    };
    // Somebody else's by now? And nobody else's until it is moved.
    if !queue.change_visibility(std::slice::from_ref(receipt), MOVING).await?.is_empty() {
        return Ok(());
    }
    let mut attributes: HashMap<_, _> = held.attributes.into_iter().collect();
    for (name, value) in [(REASON, attribute(reason)), (RECEPTIONS, held.receive_count.to_string())] {
        if attributes.len() < MOST_ATTRIBUTES || attributes.contains_key(name) {
            attributes.insert(name.to_owned(), text(&value)?);
        }
    }
    if weight(&held.body, &attributes) > inner.most_bytes {
        // No room for words beside such a body.
        attributes.retain(|name, _| !matches!(name.as_str(), REASON | RECEPTIONS));
    }
    dead.send_one(&held.body, attributes).await?;
    queue.delete(receipt).await
}

impl SqsQueue {
    /// Takes up to `most` dead letters to look at; they are hidden from others for `visibility`. None left, or none
    /// found at this moment: ask until [`depth`](longbow_core::port::JobQueue::depth) says so.
    pub async fn dead_letters(
        &self,
        most: usize,
        visibility: Duration,
    ) -> Result<Vec<DeadLetter>, BackendError> {
        let dead = dead_queue(self)?;
        let mut letters = Vec::new();
        while letters.len() < most {
            // Waiting asks all of the service's machines; not waiting, some of them.
            let ask = (most - letters.len()).min(MOST_ENTRIES);
            let messages = dead.receive(ask, Duration::from_secs(1), visibility).await?;
            if messages.is_empty() {
                break;
            }
            letters.extend(messages.into_iter().filter_map(letter));
        }
        Ok(letters)
    }

    /// Sends dead letters to the queue again, as they were before they were put aside, and removes them. Gives how
    /// many; a letter that could not be moved stays where it is.
    pub async fn redrive(&self, letters: &[DeadLetter]) -> Result<usize, BackendError> {
        let mut moved = 0;
        for letter in letters {
            let mut attributes = letter.attributes.clone();
            attributes.retain(|name, _| !matches!(name.as_str(), REASON | RECEPTIONS));
            self.inner.calls.send_one(&letter.body, attributes).await?;
            self.discard(std::slice::from_ref(letter)).await?;
            moved += 1;
        }
        Ok(moved)
    }

    /// Removes dead letters for good.
    pub async fn discard(&self, letters: &[DeadLetter]) -> Result<(), BackendError> {
        let receipts: Vec<String> = letters.iter().map(|letter| letter.receipt.0.clone()).collect();
        dead_queue(self)?.delete(&receipts).await.into_iter().collect()
    }

    /// Gives dead letters back that were only looked at.
    pub async fn put_back(&self, letters: &[DeadLetter]) -> Result<(), BackendError> {
        let receipts: Vec<(String, i32)> = letters.iter().map(|l| (l.receipt.0.clone(), 0)).collect();
        for fate in dead_queue(self)?.change_visibility(&receipts).await? {
            if let batch::Fate::Refused { message, .. } = fate {
                tracing::debug!(message, "a dead letter comes back when its visibility ends");
            }
        }
        Ok(())
    }

    /// Removes all dead letters for good, those that others look at among them. SQS does so once a minute at most.
    pub async fn purge_dead_letters(&self) -> Result<(), BackendError> {
        dead_queue(self)?.purge().await
    }
}

fn dead_queue(queue: &SqsQueue) -> Result<&Calls, BackendError> {
    queue.inner.dead.as_ref().ok_or_else(|| {
        BackendError::fatal(format!(
            "the queue {} has no dead-letter queue: give it a redrive policy, or name one with --dead-letter-queue",
            queue.url()
        ))
    })
}

fn text(value: &str) -> Result<MessageAttributeValue, BackendError> {
    let value = MessageAttributeValue::builder().data_type("String").string_value(value).build();
    value.map_err(|error| BackendError::fatal(error.to_string()))
}

/// The bytes that count against the limit: names, types and values of attributes too.
fn weight(body: &str, attributes: &HashMap<String, MessageAttributeValue>) -> usize {
    let attribute = |(name, value): (&String, &MessageAttributeValue)| {
        let text = value.string_value.as_ref().map_or(0, String::len);
        let bytes = value.binary_value.as_ref().map_or(0, |b| b.as_ref().len());
        name.len() + value.data_type.len() + text + bytes
    };
    body.len() + attributes.iter().map(attribute).sum::<usize>()
}

fn letter(message: Message) -> Option<DeadLetter> {
    let attributes = message.message_attributes.unwrap_or_default();
    let system = message.attributes.unwrap_or_default();
    let said = |name: &str| attributes.get(name).and_then(|value| value.string_value.clone());
    let sent = system.get(&MessageSystemAttributeName::SentTimestamp).and_then(|t| t.parse().ok());
    Some(DeadLetter {
        receipt: Receipt(message.receipt_handle?),
        id: message.message_id.unwrap_or_default(),
        body: message.body.unwrap_or_default(),
        reason: said(REASON),
        receptions: said(RECEPTIONS).and_then(|n| n.parse().ok()),
        sent: sent.map(Timestamp),
        attributes,
    })
}
