//! The walk over all pairs: some examined at once, each finding counted and reported.

use std::sync::Arc;

use async_trait::async_trait;
use futures_util::StreamExt as _;
use futures_util::stream;
use longbow_core::job::Report;
use longbow_core::object::ObjectMeta;
use longbow_core::port::{Observer, Side};
use longbow_jobsender::{JobsenderError, PairEvent, PairSink};
use tokio_util::sync::CancellationToken;

use super::evidence::Examiner;
use super::finding::{Finding, Verdict};
use super::tally::Tally;

/// Examines what the comparison finds.
pub(super) struct Walk {
    pub(super) examiner: Examiner,
    pub(super) tally: Arc<Tally>,
    pub(super) at_once: usize,
    pub(super) stop: CancellationToken,
}

impl Walk {
    async fn examine(&self, event: PairEvent) -> Option<Finding> {
        if self.stop.is_cancelled() {
            return None;
        }
        match event {
            PairEvent::Both(source, destination) => tokio::select! {
                biased;
                () = self.stop.cancelled() => None,
                finding = self.examiner.examine(&source, &destination) => Some(finding),
            },
            PairEvent::SourceOnly(source) => {
                let reason = "only the source has it";
                Some(Finding::about(Some(&source), None, Verdict::Missing, reason))
            }
            PairEvent::DestinationOnly(destination) => {
                let reason = "only the destination has it";
                Some(Finding::about(None, Some(&destination), Verdict::Extra, reason))
            }
        }
    }
}

#[async_trait]
impl PairSink for Walk {
    async fn pairs(&mut self, batch: Vec<PairEvent>) -> Result<(), JobsenderError> {
        self.tally.begin(&batch);
        let walk = &*self;
        // In order, so that a report reads like a listing.
        let mut findings = stream::iter(batch).map(|event| walk.examine(event)).buffered(walk.at_once);
        while let Some(finding) = findings.next().await {
            if let Some(finding) = finding {
                walk.tally.take(&finding);
            }
        }
        Ok(())
    }

    async fn restart(&mut self) -> Result<(), JobsenderError> {
        self.tally.restart();
        Ok(())
    }

    fn excluded(&mut self, source: &ObjectMeta, _destination: Option<&ObjectMeta>) {
        self.tally.excluded(source.size);
    }
}

/// Hears how far the listings are.
pub(super) struct Listener {
    tally: Arc<Tally>,
}

impl Listener {
    pub(super) fn new(tally: Arc<Tally>) -> Self {
        Self { tally }
    }
}

impl Observer for Listener {
    fn notice(&self, text: &str) {
        self.tally.voice().notice(text);
    }

    fn listed(&self, side: Side, keys: u64) {
        self.tally.listed(side, keys);
    }

    fn listing_complete(&self, side: Side) {
        self.tally.listing_complete(side);
    }

    fn finished(&self, _report: &Report) {}
}
