//! From what a user calls a queue to a queue that is known to exist, with the one for its dead letters.

use std::time::Duration;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::QueueAttributeName;
use longbow_core::failure::BackendError;
use tokio::time::Instant;

use super::address::QueueAddress;
use super::calls::{Calls, IF_MISSING};
use super::{LONGEST_POLL, SqsQueue, batch};
use crate::cluster::{About, ClusterSession, Fault, FaultKind, translate};

/// Which queue.
#[derive(Debug, Clone, Default)]
pub struct SqsOptions {
    /// Its URL, ARN or name.
    pub queue: String,
    /// The queue for dead letters: URL, ARN or name. By default the one that the queue's redrive policy names.
    pub dead_letters: Option<String>,
    /// How long to wait for a queue that does not exist yet, or may not be used yet.
    pub patience: Duration,
}

/// Between two looks for a queue that is not there yet.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

impl SqsQueue {
    /// Finds the queue, its limits and its dead-letter queue. Refuses FIFO queues. Must be called on the runtime that
    /// the queue is used on.
    pub async fn connect(session: &ClusterSession, options: &SqsOptions) -> Result<Self, BackendError> {
        let address = QueueAddress::parse(&options.queue)?;
        let dead = options.dead_letters.as_deref().map(QueueAddress::parse).transpose()?;
        let client = session.sqs(address.region(), address.origin(), Duration::ZERO)?;
        let patient = session.sqs(address.region(), address.origin(), LONGEST_POLL)?;
        let end = Instant::now() + options.patience;
        loop {
            let fault = match find(&client, &address, dead.as_ref()).await {
                Ok(Found { url, dead, most_bytes }) => {
                    return Ok(Self::new(client, patient, &url, dead.as_deref(), most_bytes));
                }
                Err(fault) => fault,
            };
            // Rights and names both come some time after what they are for.
            let may_come =
                matches!(fault.kind, FaultKind::Missing | FaultKind::Denied) || fault.kind.may_pass();
            if !may_come || Instant::now() >= end {
                return Err(fault.into());
            }
            tracing::warn!(reason = fault.message, "waiting for the queue");
            tokio::time::sleep(LOOK_AGAIN.min(end.saturating_duration_since(Instant::now()))).await;
        }
    }
}

struct Found {
    url: String,
    dead: Option<String>,
    most_bytes: usize,
}

async fn find(client: &Client, address: &QueueAddress, dead: Option<&QueueAddress>) -> Result<Found, Fault> {
    let url = url_of(client, address).await?;
    let names = [QueueAttributeName::RedrivePolicy, QueueAttributeName::MaximumMessageSize];
    let attributes = Calls::new(client.clone(), &url).attributes(&names).await?;
    let most_bytes = attributes.get(&QueueAttributeName::MaximumMessageSize).and_then(|n| n.parse().ok());
    let policy = attributes.get(&QueueAttributeName::RedrivePolicy).map(String::as_str);
    let by_policy = policy.and_then(dead_letter_arn).and_then(|arn| QueueAddress::parse(&arn).ok());
    let dead = match dead.or(by_policy.as_ref()) {
        Some(dead) => Some(url_of(client, dead).await?),
        None => None,
    };
    if dead.as_deref() == Some(url.as_str()) {
        let message = format!("{url} cannot be its own dead-letter queue: what is put aside would come back");
        return Err(Fault { kind: FaultKind::Permanent, code: String::new(), message });
    }
    Ok(Found { url, dead, most_bytes: most_bytes.unwrap_or(batch::MOST_BYTES) })
}

/// The ARN that a redrive policy names (JSON; SQS writes `deadLetterTargetArn` and `maxReceiveCount`).
pub(super) fn dead_letter_arn(policy: &str) -> Option<String> {
    let policy: serde_json::Value = serde_json::from_str(policy).ok()?;
    policy.get("deadLetterTargetArn")?.as_str().map(str::to_owned)
}

pub(super) async fn url_of(client: &Client, address: &QueueAddress) -> Result<String, Fault> {
    let (name, account) = match address {
        QueueAddress::Url { url, .. } => return Ok(url.clone()),
        QueueAddress::Name { name, account, .. } => (name, account),
    };
    let request = client.get_queue_url().queue_name(name).set_queue_owner_aws_account_id(account.clone());
    let thing = format!("the queue {name}");
    let about =
        About { call: "GetQueueUrl", thing: &thing, right: "sqs:GetQueueUrl", if_missing: IF_MISSING };
    let answer = request.send().await.map_err(|error| translate(&about, &error))?;
    answer.queue_url.ok_or_else(|| Fault {
        kind: FaultKind::Transient,
        code: String::new(),
        message: format!("GetQueueUrl of {thing}: the answer has no URL"),
    })
}
