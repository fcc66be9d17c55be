//! From pairs to jobs: decides about each, asks the records only where there is doubt, and counts.
//!
//! The decision itself is `core`'s; the walk over both sides is in `pairs`, the sending behind [`Outlet`].

use std::sync::Arc;

use async_trait::async_trait;
use longbow_core::diff::{Comparison, CopyReason, Decision, Pair, SkipReason, compare, needs_record};
use longbow_core::failure::{BackendError, StoreError, StoreErrorKind};
use longbow_core::job::{CopyJob, Observation, SourceVersion, TransferId};
use longbow_core::object::{ObjectKey, ObjectMeta, Prefix};
use longbow_core::port::{Observer, Side, StateStore, Stored};
use longbow_core::route::Route;
use tokio_util::sync::CancellationToken;

use crate::copied::CopiedRecords;
use crate::deletion::Extras;
use crate::failure::JobsenderError;
use crate::outlet::Outlet;
use crate::pairs::{PairEvent, PairSink};
use crate::patience;
use crate::summary::Decisions;

/// Pairs in doubt that are looked up together at most.
const LOOK_UP: usize = 256;

/// Makes jobs of pairs.
pub(crate) struct Decider<O> {
    pub(crate) comparison: Comparison,
    pub(crate) route: Route,
    pub(crate) source_prefix: Prefix,
    pub(crate) destination_prefix: Prefix,
    pub(crate) transfer: TransferId,
    pub(crate) state: Arc<dyn StateStore>,
    pub(crate) observer: Arc<dyn Observer>,
    pub(crate) stop: CancellationToken,
    /// `None` in a dry run.
    pub(crate) outlet: Option<O>,
    /// `None` when nobody asks for destination-only objects.
    pub(crate) extras: Option<Extras>,
    pub(crate) decisions: Decisions,
    pub(crate) doubtful: Vec<(ObjectMeta, ObjectMeta)>,
    /// Read along with the walk, where each pair needs its record; else records are looked up for pairs in doubt.
    pub(crate) copied: Option<CopiedRecords>,
    /// Pairs in doubt were left undecided because of the stop.
    pub(crate) undecided: bool,
    /// The last pair that came.
    pub(crate) seen: Option<(Side, ObjectKey)>,
    /// The last pair before which none is in doubt.
    pub(crate) upto: Option<(Side, ObjectKey)>,
}

impl<O: Outlet> Decider<O> {
    /// Decides what is left and sees all jobs arrive.
    pub(crate) async fn finish(&mut self) -> Result<(), JobsenderError> {
        self.look_up().await?;
        if let Some(extras) = &mut self.extras {
            extras.flush().await?;
        }
        self.tell().await?;
        match &mut self.outlet {
            Some(outlet) => outlet.finish().await,
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
        let Some(records) = self.records(&subjects).await? else {
            // They stay in doubt, so that nobody is told that all before them is decided.
            (self.doubtful, self.undecided) = (doubtful, true);
            return Ok(());
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
        self.upto = self.seen.clone();
        Ok(())
    }

    /// The records of subjects, in the order asked; `None` when stopped.
    async fn records(
        &mut self,
        subjects: &[ObjectKey],
    ) -> Result<Option<Vec<Option<Stored>>>, JobsenderError> {
        if let Some(copied) = &mut self.copied {
            return copied.of(subjects, &self.stop).await;
        }
        let state = &self.state;
        match patience::persist(&self.stop, || state.load_many(subjects.to_vec())).await {
            Ok(records) => Ok(Some(records)),
            Err(_) if self.stop.is_cancelled() => Ok(None),
            Err(error) => Err(JobsenderError::State(error)),
        }
    }

    /// Tells the outlet how far everything is decided.
    async fn tell(&mut self) -> Result<(), JobsenderError> {
        let (Some(outlet), Some((side, key))) = (&mut self.outlet, &self.upto) else { return Ok(()) };
        let prefix = match side {
            Side::Source => &self.source_prefix,
            Side::Destination => &self.destination_prefix,
        };
        match key.strip(prefix) {
            Some(name) => outlet.decided_upto(name).await,
            None => Ok(()),
        }
    }

    async fn decided(
        &mut self,
        decision: Decision,
        source: &ObjectMeta,
        destination: Option<&ObjectMeta>,
    ) -> Result<(), JobsenderError> {
        self.decisions.add(decision, source.size);
        self.observer.decided(decision, source, destination);
        let (Decision::Copy(reason), Some(_)) = (decision, &self.outlet) else { return Ok(()) };
        let job = self.job(reason, source, destination)?;
        let subject = self.subject(source);
        match &mut self.outlet {
            Some(outlet) => outlet.push(subject, job).await,
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
    ) -> Result<CopyJob, JobsenderError> {
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
        Ok(CopyJob {
            source: source.key.clone(),
            destination: target,
            object: SourceVersion {
                size: source.size,
                etag: source.etag.clone(),
                version: source.version.clone(),
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
        })
    }
}

#[async_trait]
impl<O: Outlet> PairSink for Decider<O> {
    async fn pairs(&mut self, batch: Vec<PairEvent>) -> Result<(), JobsenderError> {
        for event in batch {
            let seen = match &event {
                PairEvent::Both(source, _) | PairEvent::SourceOnly(source) => {
                    (Side::Source, source.key.clone())
                }
                PairEvent::DestinationOnly(object) => (Side::Destination, object.key.clone()),
            };
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
            if self.doubtful.is_empty() {
                self.upto = Some(seen.clone());
            }
            self.seen = Some(seen);
        }
        self.tell().await
    }

    async fn restart(&mut self) -> Result<(), JobsenderError> {
        self.decisions = Decisions::default();
        self.doubtful.clear();
        if let Some(copied) = &mut self.copied {
            copied.restart();
        }
        (self.seen, self.upto) = (None, None);
        if let Some(extras) = &mut self.extras {
            extras.begin().await?;
        }
        match &mut self.outlet {
            Some(outlet) => outlet.restart().await,
            None => Ok(()),
        }
    }

    async fn pause(&mut self) -> Result<(), JobsenderError> {
        self.look_up().await?;
        match &mut self.outlet {
            Some(outlet) => outlet.flush().await,
            None => Ok(()),
        }
    }

    fn excluded(&mut self, source: &ObjectMeta, destination: Option<&ObjectMeta>) {
        let decision = Decision::Skip(SkipReason::Excluded);
        self.decisions.add(decision, source.size);
        self.observer.decided(decision, source, destination);
        if let Some(outlet) = &mut self.outlet {
            outlet.ignored(&source.key);
        }
    }
}
