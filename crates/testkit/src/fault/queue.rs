//! A queue under a plan.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use longbow_core::failure::BackendError;
use longbow_core::port::{Delivery, JobQueue, OutgoingJob, QueueDepth, Receipt, SendReport};

use super::plan::Faults;

/// Any queue behind a [`Faults`] plan. Rules and the journal call it `queue`.
#[derive(Clone)]
pub struct FaultyQueue {
    inner: Arc<dyn JobQueue>,
    faults: Faults,
}

const NAME: &str = "queue";

impl FaultyQueue {
    /// Puts `inner` under the plan.
    pub fn new(inner: Arc<dyn JobQueue>, faults: &Faults) -> Arc<Self> {
        Arc::new(Self { inner, faults: faults.clone() })
    }
}

#[async_trait]
impl JobQueue for FaultyQueue {
    async fn send(&self, jobs: Vec<OutgoingJob>) -> Result<SendReport, BackendError> {
        let begun = self.faults.begin(NAME, "send", "");
        self.faults.call(begun, self.inner.send(jobs), |_| ()).await
    }

    async fn receive(
        &self,
        max: usize,
        wait: Duration,
        visibility: Duration,
    ) -> Result<Vec<Delivery>, BackendError> {
        let begun = self.faults.begin(NAME, "receive", "");
        self.faults.call(begun, self.inner.receive(max, wait, visibility), |_| ()).await
    }

    async fn change_visibility(
        &self,
        receipts: &[Receipt],
        visibility: Duration,
    ) -> Result<Vec<Receipt>, BackendError> {
        let subject = receipts.first().map_or("", |receipt| &receipt.0);
        let begun = self.faults.begin(NAME, "change_visibility", subject);
        self.faults.call(begun, self.inner.change_visibility(receipts, visibility), |_| ()).await
    }

    async fn acknowledge(&self, receipt: &Receipt) -> Result<(), BackendError> {
        let begun = self.faults.begin(NAME, "acknowledge", &receipt.0);
        self.faults.call(begun, self.inner.acknowledge(receipt), |()| ()).await
    }

    async fn dead_letter(&self, receipt: &Receipt, reason: &str) -> Result<(), BackendError> {
        let begun = self.faults.begin(NAME, "dead_letter", &receipt.0);
        self.faults.call(begun, self.inner.dead_letter(receipt, reason), |()| ()).await
    }

    async fn depth(&self) -> Result<QueueDepth, BackendError> {
        let begun = self.faults.begin(NAME, "depth", "");
        self.faults.call(begun, self.inner.depth(), |_| ()).await
    }
}
