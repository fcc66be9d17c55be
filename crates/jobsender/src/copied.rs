//! The records of what was copied, read in order beside a walk that goes in the same order.
//!
//! A comparison by version needs the record of every object that both sides have. Read in order they cost a fraction of
//! what looking each up would, and memory holds one. A page of them that cannot be read is asked for again, and then is an
//! error: it is never "not copied". What a record means is `core`'s to say.

use std::future::poll_fn;
use std::sync::Arc;

use longbow_core::failure::BackendError;
use longbow_core::object::ObjectKey;
use longbow_core::port::{RecordStream, StateStore, Stored};
use tokio_util::sync::CancellationToken;

use crate::failure::JobsenderError;
use crate::patience;

/// The records from some name on.
pub(crate) struct CopiedRecords {
    state: Arc<dyn StateStore>,
    /// The subject that came last, or the one to begin after.
    last: Option<ObjectKey>,
    stream: Option<RecordStream>,
    head: Option<(ObjectKey, Stored)>,
    ended: bool,
}

impl CopiedRecords {
    /// The records after a name, or all.
    pub(crate) fn new(state: Arc<dyn StateStore>, after: Option<&str>) -> Self {
        Self { state, last: after.map(ObjectKey::from), stream: None, head: None, ended: false }
    }

    /// Begins again with the first record.
    pub(crate) fn restart(&mut self) {
        *self = Self::new(self.state.clone(), None);
    }

    /// The records of subjects that come in byte order, after all that were asked for before; `None` when stopped.
    pub(crate) async fn of(
        &mut self,
        subjects: &[ObjectKey],
        stop: &CancellationToken,
    ) -> Result<Option<Vec<Option<Stored>>>, JobsenderError> {
        let mut found = Vec::with_capacity(subjects.len());
        for subject in subjects {
            while !self.ended && self.head.as_ref().is_none_or(|(at, _)| at.as_str() < subject.as_str()) {
                if !self.advance(stop).await? {
                    return Ok(None);
                }
            }
            found.push(self.head.take_if(|(at, _)| at == subject).map(|(_, stored)| stored));
        }
        Ok(Some(found))
    }

    /// Takes the next record; `false` when stopped.
    async fn advance(&mut self, stop: &CancellationToken) -> Result<bool, JobsenderError> {
        let mut retry = 0;
        loop {
            let Some(stream) = &mut self.stream else {
                self.stream = Some(self.state.records_after(self.last.as_ref()).ok_or_else(unordered)?);
                continue;
            };
            let item = tokio::select! {
                biased;
                () = stop.cancelled() => return Ok(false),
                item = poll_fn(|cx| stream.as_mut().poll_next(cx)) => item,
            };
            match item {
                None => {
                    (self.ended, self.head) = (true, None);
                    return Ok(true);
                }
                Some(Ok((subject, stored))) => {
                    if self.last.as_ref().is_some_and(|last| last.as_str() >= subject.as_str()) {
                        let last = self.last.take().unwrap_or_else(|| ObjectKey::from(""));
                        let text = format!("the records are not in order: {subject} came after {last}");
                        return Err(JobsenderError::State(BackendError::fatal(text)));
                    }
                    self.last = Some(subject.clone());
                    self.head = Some((subject, stored));
                    return Ok(true);
                }
                Some(Err(error)) => {
                    // A stream that has failed is at no known place: another one goes on after the last record.
                    self.stream = None;
                    if !error.transient || retry + 1 >= patience::ATTEMPTS {
                        return Err(JobsenderError::State(error));
                    }
                    tracing::debug!(%error, retry, "records are asked for again");
                    if !patience::wait(patience::delay(retry, false), stop).await {
                        return Ok(false);
                    }
                    retry += 1;
                }
            }
        }
    }
}

fn unordered() -> JobsenderError {
    let text = "the state store does not give its records in order, and without that nothing can be compared by \
                version; compare in another way";
    JobsenderError::State(BackendError::fatal(text))
}
