//! From pairs to jobs: decides about each, asks the records only where there is doubt, and counts.
//!
//! The decision itself is `core`'s; the walk over both sides is in `pairs`, the sending in `batch`.

use std::sync::Arc;

use async_trait::async_trait;
use longbow_core::diff::{Comparison, CopyReason, Decision, Pair, SkipReason, compare, needs_record};
use longbow_core::failure::{BackendError, StoreError, StoreErrorKind};
use longbow_core::job::{CopyJob, Observation, SourceVersion, TransferId, encode};
use longbow_core::object::{ObjectKey, ObjectMeta, Prefix};
use longbow_core::port::{Observer, OutgoingJob, Side, StateStore};
use longbow_core::route::Route;
use tokio_util::sync::CancellationToken;

use crate::batch::Dispatcher;
use crate::deletion::Extras;
use crate::failure::JobsenderError;
use crate::pairs::{PairEvent, PairSink};
use crate::patience;
use crate::summary::Decisions;

/// Pairs in doubt that are looked up together at most.
const LOOK_UP: usize = 256;

/// Makes jobs of pairs.
pub(crate) struct Decider {
    pub(crate) comparison: Comparison,
    pub(crate) route: Route,
    pub(crate) source_prefix: Prefix,
    pub(crate) transfer: TransferId,
    pub(crate) state: Arc<dyn StateStore>,
    pub(crate) observer: Arc<dyn Observer>,
    pub(crate) stop: CancellationToken,
    /// `None` in a dry run.
    pub(crate) dispatcher: Option<Dispatcher>,
    /// `None` when nobody asks for destination-only objects.
    pub(crate) extras: Option<Extras>,
    pub(crate) decisions: Decisions,
    pub(crate) doubtful: Vec<(ObjectMeta, ObjectMeta)>,
    /// Pairs in doubt were left undecided because of the stop.
    pub(crate) undecided: bool,
}

impl Decider {
    /// Decides what is left and sees all jobs arrive.
    pub(crate) async fn finish(&mut self) -> Result<(), JobsenderError> {
        self.look_up().await?;
        if let Some(extras) = &mut self.extras {
            extras.flush().await?;
        }
        match &mut self.dispatcher {
            Some(dispatcher) => dispatcher.finish().await,
            None => Ok(()),
        }
    }

    async fn both(&mut self, source: ObjectMeta, destination: ObjectMeta) -> Result<(), JobsenderError> {
        let pair = Pair { source: &source, destination: &destination, record: None };
        let decision = compare(self.comparison, pair);
        if matches!(decision, Decision::Copy(_)) && needs_record(self.comparison, &source, &destination) {
            self.doubtful.push((source, destination));
            return if self.doubtful.len() < LOOK_UP { Ok(()) } else { self.look_up().await };
        }
        self.decided(decision, &source, Some(&destination)).await
    }

    /// Decides the pairs in doubt with one look-up for all of them.
    async fn look_up(&mut self) -> Result<(), JobsenderError> {
        if self.doubtful.is_empty() {
            return Ok(());
        }
        if self.stop.is_cancelled() {
            self.undecided = true;
            return Ok(());
        }
        let doubtful = std::mem::take(&mut self.doubtful);
        let subjects: Vec<ObjectKey> = doubtful.iter().map(|(source, _)| self.subject(source)).collect();
        let state = &self.state;
        let records = match patience::persist(&self.stop, || state.load_many(subjects.clone())).await {
            Ok(records) => records,
            Err(_) if self.stop.is_cancelled() => {
                self.undecided = true;
                return Ok(());
            }
            Err(error) => return Err(JobsenderError::State(error)),
        };
        if records.len() != doubtful.len() {
            let text = format!("{} records were asked for and {} came", doubtful.len(), records.len());
            return Err(JobsenderError::State(BackendError::fatal(text)));
        }
        for ((source, destination), stored) in doubtful.iter().zip(&records) {
            let record = stored.as_ref().map(|s| &s.record);
            let decision = compare(self.comparison, Pair { source, destination, record });
            self.decided(decision, source, Some(destination)).await?;
        }
        Ok(())
    }

    async fn decided(
        &mut self,
        decision: Decision,
        source: &ObjectMeta,
        destination: Option<&ObjectMeta>,
    ) -> Result<(), JobsenderError> {
        self.decisions.add(decision, source.size);
        self.observer.decided(decision, source, destination);
        let (Decision::Copy(reason), Some(_)) = (decision, &self.dispatcher) else { return Ok(()) };
        let job = self.job(reason, source, destination)?;
        match &mut self.dispatcher {
            Some(dispatcher) => dispatcher.push(job).await,
            None => Ok(()),
        }
    }

    /// The name under the source prefix: what jobs and records are about.
    fn subject(&self, source: &ObjectMeta) -> ObjectKey {
        ObjectKey::new(source.key.strip(&self.source_prefix).unwrap_or(source.key.as_str()))
    }

    fn job(
        &self,
        reason: CopyReason,
        source: &ObjectMeta,
        destination: Option<&ObjectMeta>,
    ) -> Result<OutgoingJob, JobsenderError> {
        let target = self.route.map(&source.key).ok_or_else(|| JobsenderError::Listing {
            side: Side::Source,
            name: self.route.source.to_string(),
            page: 0,
            attempts: 1,
            source: StoreError::new(
                StoreErrorKind::Permanent,
                format!("{} does not lie under the source's prefix", source.key),
            ),
        })?;
        let job = CopyJob {
            source: source.key.clone(),
            destination: target,
            object: SourceVersion {
                size: source.size,
                etag: source.etag.clone(),
                version: None,
                modified: source.modified,
            },
            // Seen before the source is read: the write is conditional on it. An object without a tag was seen,
            // but a condition cannot name it.
            observed: match destination.map(|d| &d.etag) {
                None => Observation::Absent,
                Some(Some(etag)) => Observation::Present(etag.clone()),
                Some(None) => Observation::Unknown,
            },
            inspect: reason == CopyReason::Inspect,
            transfer: self.transfer.clone(),
        };
        Ok(OutgoingJob { subject: self.subject(source), body: encode(&job) })
    }
}

#[async_trait]
impl PairSink for Decider {
    async fn pairs(&mut self, batch: Vec<PairEvent>) -> Result<(), JobsenderError> {
        for event in batch {
            match event {
                PairEvent::Both(source, destination) => self.both(source, destination).await?,
                PairEvent::SourceOnly(source) => {
                    self.decided(Decision::Copy(CopyReason::Missing), &source, None).await?;
                }
                PairEvent::DestinationOnly(object) => {
                    if let Some(extras) = &mut self.extras {
                        extras.add(object).await?;
                    }
                }
            }
        }
        Ok(())
    }

    async fn restart(&mut self) -> Result<(), JobsenderError> {
        self.decisions = Decisions::default();
        self.doubtful.clear();
        if let Some(extras) = &mut self.extras {
            extras.begin().await?;
        }
        match &mut self.dispatcher {
            Some(dispatcher) => dispatcher.restart().await,
            None => Ok(()),
        }
    }

    async fn pause(&mut self) -> Result<(), JobsenderError> {
        self.look_up().await?;
        match &mut self.dispatcher {
            Some(dispatcher) => dispatcher.flush().await,
            None => Ok(()),
        }
    }

    fn excluded(&mut self, source: &ObjectMeta, destination: Option<&ObjectMeta>) {
        let decision = Decision::Skip(SkipReason::Excluded);
        self.decisions.add(decision, source.size);
        self.observer.decided(decision, source, destination);
    }
}
