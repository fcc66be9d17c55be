//! The jobs of one route on their way to the queue: named by the route, written with its stamp, sent, and recorded.

use std::sync::Arc;

use async_trait::async_trait;
use longbow_core::failure::BackendError;
use longbow_core::job::{CopyJob, RouteStamp, encode_for};
use longbow_core::object::{Location, ObjectKey};
use longbow_core::port::OutgoingJob;
use longbow_core::routes::RouteName;

use super::RunRecord;
use super::checkpoint::Recorder;
use super::route::{Ends, Shared};
use super::sender::{SendCounts, Sender};
use crate::failure::JobsenderError;
use crate::outlet::Outlet;

/// Sends a route's jobs.
pub(crate) struct RouteOutlet {
    route: RouteName,
    stamp: RouteStamp,
    sender: Sender,
    recorder: Option<Recorder>,
    record: Arc<dyn RunRecord>,
    /// The first fault of the record, where it could not be told at once.
    fault: Option<BackendError>,
    dry_run: bool,
}

impl RouteOutlet {
    pub(crate) fn new(shared: &Shared, task: &Ends, recorder: Option<Recorder>) -> Self {
        let place = |location: &Location| match location {
            Location::S3 { bucket, .. } => bucket.clone(),
            Location::Folder(path) => path.display().to_string(),
        };
        let Shared { queue, options, leave, .. } = shared;
        Self {
            route: task.route.name.clone(),
            stamp: RouteStamp {
                name: task.route.name.clone(),
                from: place(&task.route.route.source),
                to: place(&task.route.route.destination),
            },
            sender: Sender::new(queue.clone(), options.send, leave.clone(), task.record.clone()),
            recorder,
            record: task.record.clone(),
            fault: None,
            dry_run: options.dry_run,
        }
    }

    /// Whether a job was made that is not in the queue and could be.
    pub(crate) fn left_behind(&self) -> bool {
        self.sender.left_behind()
    }

    /// The comparison has ended and every job is in the queue.
    pub(crate) async fn complete(&mut self) {
        if let Some(recorder) = &mut self.recorder {
            recorder.complete().await;
        }
    }

    /// Sees what is on its way arrive, and says what became of all jobs.
    pub(crate) async fn close(mut self, failed: bool) -> SendCounts {
        if failed {
            self.sender.abandon().await;
        }
        self.sender.counts().clone()
    }

    fn check(&mut self) -> Result<(), JobsenderError> {
        self.fault.take().map_or(Ok(()), |error| Err(JobsenderError::Sink(error)))
    }
}

#[async_trait]
impl Outlet for RouteOutlet {
    async fn push(&mut self, subject: ObjectKey, job: CopyJob) -> Result<(), JobsenderError> {
        self.check()?;
        if self.dry_run {
            return Ok(());
        }
        // Routes that share a queue may have names in common.
        let subject = ObjectKey::new(format!("{}/{}", self.route, subject.as_str()));
        self.sender.push(OutgoingJob { subject, body: encode_for(&self.stamp, &job) }).await
    }

    async fn flush(&mut self) -> Result<(), JobsenderError> {
        self.check()?;
        self.sender.flush().await
    }

    async fn finish(&mut self) -> Result<(), JobsenderError> {
        self.flush().await?;
        self.sender.settle().await
    }

    async fn restart(&mut self) -> Result<(), JobsenderError> {
        if let Some(recorder) = &mut self.recorder {
            recorder.void().await;
        }
        self.sender.restart().await
    }

    async fn decided_upto(&mut self, name: &str) -> Result<(), JobsenderError> {
        if let Some(recorder) = &mut self.recorder {
            recorder.decided_upto(name, &self.sender).await;
        }
        Ok(())
    }

    fn ignored(&mut self, key: &ObjectKey) {
        if self.fault.is_none() {
            self.fault = self.record.ignored(key).err();
        }
    }
}
