//! What `--delete` would remove: destination-only objects, gathered in batches for whoever asks. Apart from the
//! decisions about source objects, since nothing may be removed before the whole comparison has ended well; this
//! file removes nothing.

use std::sync::Arc;

use async_trait::async_trait;
use longbow_core::failure::BackendError;
use longbow_core::object::ObjectMeta;

use crate::failure::JobsenderError;
use crate::summary::Tally;

const BATCH: usize = 500;

/// Keeps destination-only objects until the comparison has ended.
///
/// What it holds means "missing at the source" only when [`Jobsender::run`](crate::Jobsender::run) returned `Ok` with
/// `stopped` unset: else the source's listing was not read to its end.
#[async_trait]
pub trait ExtraSink: Send + Sync + 'static {
    /// The comparison begins, or begins again: what was kept so far is void.
    async fn begin(&self) -> Result<(), BackendError>;

    /// Keeps more, in the order of the walk.
    async fn add(&self, batch: Vec<ObjectMeta>) -> Result<(), BackendError>;
}

/// Counts destination-only objects and hands them on.
pub(crate) struct Extras {
    sink: Option<Arc<dyn ExtraSink>>,
    waiting: Vec<ObjectMeta>,
    pub(crate) found: Tally,
}

impl Extras {
    /// Without a sink they are only counted.
    pub(crate) fn new(sink: Option<Arc<dyn ExtraSink>>) -> Self {
        Self { sink, waiting: Vec::new(), found: Tally::default() }
    }

    pub(crate) async fn begin(&mut self) -> Result<(), JobsenderError> {
        self.waiting.clear();
        self.found = Tally::default();
        match &self.sink {
            Some(sink) => sink.begin().await.map_err(JobsenderError::Sink),
            None => Ok(()),
        }
    }

    pub(crate) async fn add(&mut self, object: ObjectMeta) -> Result<(), JobsenderError> {
        self.found.add(object.size);
        if self.sink.is_some() {
            self.waiting.push(object);
        }
        if self.waiting.len() < BATCH { Ok(()) } else { self.flush().await }
    }

    pub(crate) async fn flush(&mut self) -> Result<(), JobsenderError> {
        match &self.sink {
            Some(sink) if !self.waiting.is_empty() => {
                sink.add(std::mem::take(&mut self.waiting)).await.map_err(JobsenderError::Sink)
            }
            _ => Ok(()),
        }
    }
}
