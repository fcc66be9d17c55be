//! The queue of a process.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use longbow_core::failure::BackendError;
use longbow_core::port::{Delivery, JobQueue, OutgoingJob, QueueDepth, Receipt, SendReport};

use crate::fault::Fault;
use crate::journal::{Call, Detail, Key, Place, What};
use crate::life::{Begun, Life};
use crate::world::{World, digest};

pub(crate) struct SimQueue(pub(crate) Arc<Life>);

impl SimQueue {
    async fn begin(&self, call: Call) -> Begun {
        self.0.begin(Place::Queue, call, Key::NONE, Detail::None).await
    }

    /// Delivers some message that somebody holds once more.
    fn redeliver(&self, begun: &Begun) {
        if !begun.meets(Fault::Redelivered) {
            return;
        }
        let world = &self.0.world;
        let last = world.queue.last_number();
        let first = world.dice(|dice| dice.below(last.max(1)));
        for step in 0..last {
            if world.queue.redeliver_one((first + step) % last + 1) {
                self.0.struck(Fault::Redelivered);
                return;
            }
        }
    }
}

/// Number and reception of the message that a receipt is for.
fn numbers(receipt: &Receipt) -> (u64, u32) {
    let (number, count) = receipt.0.split_once('/').unwrap_or(("0", "0"));
    (number.parse().unwrap_or(0), count.parse().unwrap_or(0))
}

impl World {
    /// Writes down messages that were just sent: the last so many.
    pub(crate) fn was_sent(&self, who: crate::journal::Who, bodies: &[String]) {
        let first = self.queue.last_number() + 1 - bodies.len() as u64;
        for (number, body) in (first..).zip(bodies) {
            let about = self.about(body);
            self.inner().sent.insert(number, (about, digest(body.as_bytes()).0));
            self.note(who, What::Sent(number, about));
        }
    }
}

#[async_trait]
impl JobQueue for SimQueue {
    async fn send(&self, jobs: Vec<OutgoingJob>) -> Result<SendReport, BackendError> {
        let begun = self.begin(Call::Send).await;
        let mut refused = Vec::new();
        let mut taken = jobs;
        if begun.meets(Fault::PartialBatch) {
            self.0.struck(Fault::PartialBatch);
            let mut index = 0;
            taken.retain(|_| {
                let goes = self.0.world.dice(|dice| dice.percent(50));
                if !goes {
                    refused.push((index, "InternalError".to_owned()));
                }
                index += 1;
                goes
            });
        }
        let life = Arc::clone(&self.0);
        let effect = async move {
            let bodies: Vec<String> = taken.iter().map(|job| job.body.clone()).collect();
            let mut report = life.world.queue.send(taken).await?;
            life.world.was_sent(life.who, &bodies);
            report.failed.extend(refused);
            Ok(report)
        };
        self.0.call(&begun, effect).await
    }

    async fn receive(
        &self,
        max: usize,
        wait: Duration,
        visibility: Duration,
    ) -> Result<Vec<Delivery>, BackendError> {
        let begun = self.begin(Call::Receive).await;
        self.redeliver(&begun);
        let life = Arc::clone(&self.0);
        let effect = async move {
            // SQS gives at most ten.
            let deliveries = life.world.queue.receive(max.min(10), wait, visibility).await?;
            let until = life.world.now() + u64::try_from(visibility.as_millis()).unwrap_or(0);
            for delivery in &deliveries {
                let (number, count) = numbers(&delivery.receipt);
                let about = life.world.inner().sent.get(&number).map(|(about, _)| *about);
                let about = about.unwrap_or_else(|| life.world.about(&delivery.body));
                life.note(What::Received(number, count, about, until));
            }
            Ok(deliveries)
        };
        self.0.call(&begun, effect).await
    }

    async fn change_visibility(
        &self,
        receipts: &[Receipt],
        visibility: Duration,
    ) -> Result<Vec<Receipt>, BackendError> {
        let begun = self.begin(Call::Extend).await;
        let (life, receipts) = (Arc::clone(&self.0), receipts.to_vec());
        let effect = async move {
            let stale = life.world.queue.change_visibility(&receipts, visibility).await?;
            let until = life.world.now() + u64::try_from(visibility.as_millis()).unwrap_or(0);
            for receipt in &receipts {
                let (number, count) = numbers(receipt);
                life.note(What::Extended(number, count, until, !stale.contains(receipt)));
            }
            Ok(stale)
        };
        self.0.call(&begun, effect).await
    }

    async fn acknowledge(&self, receipt: &Receipt) -> Result<(), BackendError> {
        let begun = self.begin(Call::Acknowledge).await;
        self.redeliver(&begun);
        let (life, receipt) = (Arc::clone(&self.0), receipt.clone());
        let effect = async move {
            let (number, count) = numbers(&receipt);
            let removed = life.world.queue.acknowledge_now(&receipt);
            life.note(What::Acknowledged(number, count, removed));
            Ok(())
        };
        self.0.call(&begun, effect).await
    }

    async fn dead_letter(&self, receipt: &Receipt, reason: &str) -> Result<(), BackendError> {
        let begun = self.begin(Call::DeadLetter).await;
        self.redeliver(&begun);
        let (life, receipt, reason) = (Arc::clone(&self.0), receipt.clone(), reason.to_owned());
        let effect = async move {
            let (number, count) = numbers(&receipt);
            let body = life.world.queue.put_aside_now(&receipt, &reason);
            let sent = life.world.inner().sent.get(&number).map(|(_, body)| *body);
            let same = body.as_ref().map(|body| digest(body.as_bytes()).0) == sent;
            life.note(What::PutAside(number, count, body.is_some(), same));
            Ok(())
        };
        self.0.call(&begun, effect).await
    }

    async fn depth(&self) -> Result<QueueDepth, BackendError> {
        let begun = self.begin(Call::Depth).await;
        let queue = Arc::clone(&self.0.world.queue);
        self.0.call(&begun, async move { queue.depth().await }).await
    }
}
