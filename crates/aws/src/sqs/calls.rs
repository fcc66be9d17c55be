//! The calls of the SQS API that longbow makes, about one queue.
//!
//! Apart, so that the queue itself reads without builders. Translates and classifies; what an answer means for a
//! delivery is said where it is used.

use std::collections::HashMap;
use std::time::Duration;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::error::BuildError;
use aws_sdk_sqs::types::{
    ChangeMessageVisibilityBatchRequestEntry, DeleteMessageBatchRequestEntry, Message, MessageAttributeValue,
    MessageSystemAttributeName, QueueAttributeName as Name, SendMessageBatchRequestEntry,
};
use longbow_core::failure::BackendError;
use longbow_core::port::QueueDepth;

use super::batch::{self, Answer, Fate};
use super::holding::seconds;
use crate::cluster::{About, Fault, translate};

pub(super) const IF_MISSING: &str =
    "there is no such queue in this account and region: check --queue-url and the region, or make the queue";

/// One queue and the way to it.
#[derive(Clone)]
pub(super) struct Calls {
    pub(super) client: Client,
    url: String,
    thing: String,
}

/// Entries of batches have required fields, all of which are given.
fn entry<T>(built: Result<T, BuildError>) -> Result<T, BackendError> {
    built.map_err(|error| BackendError::fatal(error.to_string()))
}

impl Calls {
    pub(super) fn new(client: Client, url: &str) -> Self {
        Self { client, url: url.to_owned(), thing: format!("the queue {url}") }
    }

    pub(super) fn url(&self) -> &str {
        &self.url
    }

    pub(super) fn about<'a>(&'a self, call: &'a str, right: &'a str) -> About<'a> {
        About { call, thing: &self.thing, right, if_missing: IF_MISSING }
    }

    /// Sends bodies, each with a number of the caller's.
    pub(super) async fn send(&self, bodies: &[(usize, String)]) -> Result<Vec<Fate>, BackendError> {
        batch::run(
            bodies,
            |(_, body)| body.len(),
            |entries| {
                let this = self.clone();
                Box::pin(async move {
                    let outgoing = |(id, (_, body)): (String, (usize, String))| {
                        entry(SendMessageBatchRequestEntry::builder().id(id).message_body(body).build())
                    };
                    let entries = entries.into_iter().map(outgoing).collect::<Result<_, _>>()?;
                    let sent = this
                        .client
                        .send_message_batch()
                        .queue_url(&this.url)
                        .set_entries(Some(entries))
                        .send();
                    let sent = sent.await.map_err(|error| {
                        translate(&this.about("SendMessageBatch", "sqs:SendMessage"), &error)
                    })?;
                    Ok(Answer {
                        done: sent.successful.into_iter().map(|entry| entry.id).collect(),
                        refused: sent.failed,
                    })
                })
            },
        )
        .await
    }

    /// Hides deliveries for so many seconds each.
    pub(super) async fn change_visibility(
        &self,
        receipts: &[(String, i32)],
    ) -> Result<Vec<Fate>, BackendError> {
        batch::run(
            receipts,
            |(receipt, _)| receipt.len(),
            |entries| {
                let this = self.clone();
                Box::pin(async move {
                    let change = |(id, (receipt, time)): (String, (String, i32))| {
                        let entry_of = ChangeMessageVisibilityBatchRequestEntry::builder()
                            .id(id)
                            .receipt_handle(receipt);
                        entry(entry_of.visibility_timeout(time).build())
                    };
                    let entries = entries.into_iter().map(change).collect::<Result<_, _>>()?;
                    let request = this.client.change_message_visibility_batch().queue_url(&this.url);
                    let changed = request.set_entries(Some(entries)).send().await.map_err(|error| {
                        let about = this.about("ChangeMessageVisibilityBatch", "sqs:ChangeMessageVisibility");
                        translate(&about, &error)
                    })?;
                    Ok(Answer {
                        done: changed.successful.into_iter().map(|entry| entry.id).collect(),
                        refused: changed.failed,
                    })
                })
            },
        )
        .await
    }

    /// Removes deliveries. A receipt that is no longer current removes nothing, which is no failure.
    pub(super) async fn delete(&self, receipts: &[String]) -> Vec<Result<(), BackendError>> {
        let fates = batch::run(receipts, String::len, |entries| {
            let this = self.clone();
            Box::pin(async move {
                let delete = |(id, receipt): (String, String)| {
                    entry(DeleteMessageBatchRequestEntry::builder().id(id).receipt_handle(receipt).build())
                };
                let entries = entries.into_iter().map(delete).collect::<Result<_, _>>()?;
                let request = this.client.delete_message_batch().queue_url(&this.url);
                let deleted = request.set_entries(Some(entries)).send().await.map_err(|error| {
                    translate(&this.about("DeleteMessageBatch", "sqs:DeleteMessage"), &error)
                })?;
                Ok(Answer {
                    done: deleted.successful.into_iter().map(|entry| entry.id).collect(),
                    refused: deleted.failed,
                })
            })
        })
        .await;
        match fates {
            Ok(fates) => fates.into_iter().map(|fate| self.deleted(fate)).collect(),
            Err(error) => receipts.iter().map(|_| Err(BackendError::clone(&error))).collect(),
        }
    }

    fn deleted(&self, fate: Fate) -> Result<(), BackendError> {
        match fate {
            Fate::Done => Ok(()),
            Fate::Refused { code, .. } if is_stale(&code) => Ok(()),
            Fate::Refused { message, .. } => {
                Err(BackendError::transient(format!("DeleteMessageBatch of {}: {message}", self.thing)))
            }
        }
    }

    /// Takes up to ten messages.
    pub(super) async fn receive(
        &self,
        most: usize,
        wait: Duration,
        visibility: Duration,
    ) -> Result<Vec<Message>, BackendError> {
        let received = self
            .client
            .receive_message()
            .queue_url(&self.url)
            .max_number_of_messages(i32::try_from(most.clamp(1, batch::MOST_ENTRIES)).unwrap_or(1))
            .wait_time_seconds(seconds(wait))
            .visibility_timeout(seconds(visibility))
            .message_system_attribute_names(MessageSystemAttributeName::ApproximateReceiveCount)
            .message_system_attribute_names(MessageSystemAttributeName::SentTimestamp)
            .message_attribute_names("All")
            .send()
            .await;
        let received =
            received.map_err(|e| translate(&self.about("ReceiveMessage", "sqs:ReceiveMessage"), &e))?;
        Ok(received.messages.unwrap_or_default())
    }

    /// Sends one message with attributes.
    pub(super) async fn send_one(
        &self,
        body: &str,
        attributes: HashMap<String, MessageAttributeValue>,
    ) -> Result<(), Fault> {
        let request = self.client.send_message().queue_url(&self.url).message_body(body);
        let attributes = (!attributes.is_empty()).then_some(attributes);
        let sent = request.set_message_attributes(attributes).send().await;
        sent.map(drop).map_err(|e| translate(&self.about("SendMessage", "sqs:SendMessage"), &e))
    }

    /// The queue's attributes by name.
    pub(super) async fn attributes(&self, names: &[Name]) -> Result<HashMap<Name, String>, Fault> {
        let request = self.client.get_queue_attributes().queue_url(&self.url);
        let answer = request.set_attribute_names(Some(names.to_vec())).send().await;
        let answer =
            answer.map_err(|e| translate(&self.about("GetQueueAttributes", "sqs:GetQueueAttributes"), &e))?;
        Ok(answer.attributes.unwrap_or_default())
    }

    /// How much waits here; what is dead is another queue's.
    pub(super) async fn depth(&self) -> Result<QueueDepth, BackendError> {
        let names = [
            Name::ApproximateNumberOfMessages,
            Name::ApproximateNumberOfMessagesNotVisible,
            Name::ApproximateNumberOfMessagesDelayed,
        ];
        let found = self.attributes(&names).await?;
        let count = |name: &Name| {
            let text = found.get(name).map(String::as_str);
            // No count is not zero: an empty queue ends runs.
            text.and_then(|text| text.parse().ok())
                .ok_or_else(|| BackendError::transient(format!("{} does not say its {name}", self.thing)))
        };
        let [visible, in_flight, delayed] = &names;
        Ok(QueueDepth {
            visible: count(visible)?,
            in_flight: count(in_flight)?,
            delayed: count(delayed)?,
            dead: 0,
        })
    }

    pub(super) async fn purge(&self) -> Result<(), BackendError> {
        let purged = self.client.purge_queue().queue_url(&self.url).send().await;
        purged.map_err(|e| translate(&self.about("PurgeQueue", "sqs:PurgeQueue"), &e))?;
        Ok(())
    }
}

/// Whether a refusal of an entry says that its receipt is no longer current. `InvalidParameterValue` is what SQS says of
/// receipts whose message is not in flight, and of extensions beyond the twelve hours: no other value is ours.
pub(super) fn is_stale(code: &str) -> bool {
    matches!(
        code.strip_prefix("AWS.SimpleQueueService.").unwrap_or(code),
        "ReceiptHandleIsInvalid" | "MessageNotInflight" | "InvalidParameterValue" | "InvalidIdFormat"
    )
}
