//! Tries the rights that a fleet needs on its queues.
//!
//! Only its attributes can be read without a trace: what is received counts as received, and what is sent is there. Where
//! that is asked for, the message sent is S3's own trial message, which workers acknowledge and jobsenders pass over.

use std::collections::HashMap;
use std::time::Duration;

use aws_sdk_sqs::types::QueueAttributeName as Name;
use longbow_core::failure::{BackendError, BackendErrorKind};

use super::address::QueueAddress;
use super::calls::Calls;
use super::connect::{SqsOptions, dead_letter_arn, url_of};
use super::{SqsQueue, holding};
use crate::cluster::{ClusterSession, Fault, translate};
use crate::rights::{NotShown, Tried};

const URL: &str = "sqs:GetQueueUrl";
const ATTRIBUTES: &str = "sqs:GetQueueAttributes";
const SEND: &str = "sqs:SendMessage";
const RECEIVE: &str = "sqs:ReceiveMessage";
const VISIBILITY: &str = "sqs:ChangeMessageVisibility";
const DELETE: &str = "sqs:DeleteMessage";

/// What S3 sends when notifications are set up (S3 User Guide, "Event message structure").
const TRIAL: &str = r#"{"Service":"Amazon S3","Event":"s3:TestEvent","RequestId":"longbow-doctor"}"#;

const ASK: &str = "it cannot be tried without a trace: ask for it with --write";

/// How long a message is hidden that is tried on.
const HIDDEN: Duration = Duration::from_secs(30);

impl SqsQueue {
    /// Tries the rights on the queue and on the queue for its dead letters. `write`: also those that leave a trace.
    pub async fn try_rights(session: &ClusterSession, options: &SqsOptions, write: bool) -> Vec<Tried> {
        let mut tried = Vec::new();
        let unusable = |thing: &str, error| Tried::failed(ATTRIBUTES, format!("the queue {thing}"), error);
        let open = |text: &str| {
            let address = QueueAddress::parse(text)?;
            let client = session.sqs(address.region(), address.origin(), Duration::ZERO)?;
            Ok::<_, BackendError>((address, client))
        };
        let (address, client) = match open(&options.queue) {
            Ok(opened) => opened,
            Err(error) => return vec![unusable(&options.queue, error)],
        };
        let Some(main) = find(&client, &address, &options.queue, &mut tried).await else { return tried };
        let attributes = main.attributes(&[Name::RedrivePolicy]).await;
        let policy = attributes.as_ref().ok().and_then(|found| found.get(&Name::RedrivePolicy)).cloned();
        tried.push(told(ATTRIBUTES, &main, attributes.map(drop)));
        if write {
            with_a_trace(&main, &mut tried).await;
        } else {
            for action in [SEND, RECEIVE, VISIBILITY, DELETE] {
                tried.push(Tried::not_tried(action, &thing(&main), ASK));
            }
        }

        let named = options.dead_letters.clone();
        let Some(dead) = named.or_else(|| policy.as_deref().and_then(dead_letter_arn)) else {
            tried.push(unusable(
                main.url(),
                BackendError::new(
                    BackendErrorKind::Missing,
                    "no queue for dead letters is known: give it a redrive policy, or name one by \
                     --dead-letter-queue-url",
                ),
            ));
            return tried;
        };
        let (address, client) = match open(&dead) {
            Ok(opened) => opened,
            Err(error) => {
                tried.push(unusable(&dead, error));
                return tried;
            }
        };
        let Some(dead) = find(&client, &address, &dead, &mut tried).await else { return tried };
        let attributes = dead.attributes(&[Name::ApproximateNumberOfMessages]).await;
        tried.push(told(ATTRIBUTES, &dead, attributes.map(drop)));
        let why = "a letter there would raise alarms";
        tried.push(Tried::not_tried(SEND, &thing(&dead), why));
        tried
    }
}

fn thing(calls: &Calls) -> String {
    format!("the queue {}", calls.url())
}

fn told(action: &'static str, calls: &Calls, answer: Result<(), Fault>) -> Tried {
    Tried { action, thing: thing(calls), outcome: answer.map_err(NotShown::from) }
}

/// The queue's URL, which only a name has to be looked up for.
async fn find(
    client: &aws_sdk_sqs::Client,
    address: &QueueAddress,
    name: &str,
    tried: &mut Vec<Tried>,
) -> Option<Calls> {
    let looked_up = !matches!(address, QueueAddress::Url { .. });
    match url_of(client, address).await {
        Ok(url) => {
            let calls = Calls::new(client.clone(), &url);
            if looked_up {
                tried.push(told(URL, &calls, Ok(())));
            }
            Some(calls)
        }
        Err(fault) => {
            let outcome = Err(NotShown::from(fault));
            tried.push(Tried { action: URL, thing: format!("the queue {name}"), outcome });
            None
        }
    }
}

/// Sends the trial message and takes one message: if it is the trial, it is removed; anybody else's goes back at once, and
/// counts as received once more.
async fn with_a_trace(queue: &Calls, tried: &mut Vec<Tried>) {
    tried.push(told(SEND, queue, queue.send_one(TRIAL, HashMap::new()).await));
    let messages = match queue.try_receive(1, HIDDEN).await {
        Ok(messages) => {
            tried.push(told(RECEIVE, queue, Ok(())));
            messages
        }
        Err(fault) => {
            tried.push(told(RECEIVE, queue, Err(fault)));
            for action in [VISIBILITY, DELETE] {
                tried.push(Tried::not_tried(action, &thing(queue), "no message could be received"));
            }
            return;
        }
    };
    let Some((receipt, body)) = messages.into_iter().find_map(|m| Some((m.receipt_handle?, m.body?))) else {
        for action in [VISIBILITY, DELETE] {
            tried.push(Tried::not_tried(action, &thing(queue), "a worker took the trial message first"));
        }
        return;
    };
    let ours = body == TRIAL;
    let time = if ours { holding::seconds(HIDDEN) } else { 0 };
    let changed = queue.try_change(&receipt, time).await;
    tried.push(told(VISIBILITY, queue, changed));
    if ours {
        tried.push(told(DELETE, queue, queue.try_delete(&receipt).await));
    } else {
        tried.push(Tried::not_tried(DELETE, &thing(queue), "the message received is somebody else's"));
    }
}

impl Calls {
    async fn try_receive(
        &self,
        most: i32,
        hidden: Duration,
    ) -> Result<Vec<aws_sdk_sqs::types::Message>, Fault> {
        let request = self.client.receive_message().queue_url(self.url()).max_number_of_messages(most);
        let answer = request.visibility_timeout(holding::seconds(hidden)).wait_time_seconds(1).send().await;
        let answer = answer.map_err(|e| translate(&self.about("ReceiveMessage", RECEIVE), &e))?;
        Ok(answer.messages.unwrap_or_default())
    }

    async fn try_change(&self, receipt: &str, seconds: i32) -> Result<(), Fault> {
        let request = self.client.change_message_visibility().queue_url(self.url()).receipt_handle(receipt);
        let answer = request.visibility_timeout(seconds).send().await;
        answer.map(drop).map_err(|e| translate(&self.about("ChangeMessageVisibility", VISIBILITY), &e))
    }

    async fn try_delete(&self, receipt: &str) -> Result<(), Fault> {
        let request = self.client.delete_message().queue_url(self.url()).receipt_handle(receipt);
        let answer = request.send().await;
        answer.map(drop).map_err(|e| translate(&self.about("DeleteMessage", DELETE), &e))
    }
}
