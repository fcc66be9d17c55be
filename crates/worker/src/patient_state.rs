//! A state store that may fail: what is written of parts helps a later attempt and is done without when it cannot be had.
//!
//! Records pass through with their faults, since whether an object can be settled without one is decided where it is
//! settled; the faults are counted and told once until the store answers again.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use longbow_core::failure::BackendError;
use longbow_core::job::ObjectRecord;
use longbow_core::object::ObjectKey;
use longbow_core::port::{Counted, Observer, StateStore, Stored, SwapError, UploadId};
use longbow_core::transfer::PartProof;

use crate::RecordPolicy;

/// The state of one route, with patience.
pub(crate) struct PatientState {
    inner: Arc<dyn StateStore>,
    observer: Arc<dyn Observer>,
    record: RecordPolicy,
    failing: AtomicBool,
}

impl PatientState {
    pub(crate) fn new(inner: Arc<dyn StateStore>, observer: Arc<dyn Observer>, record: RecordPolicy) -> Self {
        Self { inner, observer, record, failing: AtomicBool::new(false) }
    }

    fn noted<T>(&self, call: &'static str, result: Result<T, BackendError>) -> Result<T, BackendError> {
        match &result {
            Ok(_) => self.answers(),
            Err(error) => self.fails(call, error),
        }
        result
    }

    fn answers(&self) {
        if self.failing.load(Ordering::Relaxed) && self.failing.swap(false, Ordering::Relaxed) {
            tracing::info!("the state store answers again");
        }
    }

    fn fails(&self, call: &'static str, error: &BackendError) {
        self.observer.counted(Counted::StateFailed(call), 1);
        if !self.failing.swap(true, Ordering::Relaxed) {
            tracing::error!(call, %error, "the state store fails; copying goes on without it");
            self.observer.notice(&format!("the state store fails, copying goes on without it: {error}"));
        }
    }

    fn keeps_parts(&self) -> bool {
        self.record == RecordPolicy::Progress
    }
}

#[async_trait]
impl StateStore for PatientState {
    async fn load(&self, subject: &ObjectKey) -> Result<Option<Stored>, BackendError> {
        self.noted("load", self.inner.load(subject).await)
    }

    async fn load_many(&self, subjects: Vec<ObjectKey>) -> Result<Vec<Option<Stored>>, BackendError> {
        self.noted("load_many", self.inner.load_many(subjects).await)
    }

    async fn swap(
        &self,
        subject: &ObjectKey,
        expected: Option<u64>,
        record: ObjectRecord,
    ) -> Result<u64, SwapError> {
        let swapped = self.inner.swap(subject, expected, record).await;
        match &swapped {
            Ok(_) | Err(SwapError::Conflict) => self.answers(),
            Err(SwapError::Backend(error)) => self.fails("swap", error),
        }
        swapped
    }

    /// A part that is not remembered is sent again after a crash, and only then.
    async fn add_part(
        &self,
        subject: &ObjectKey,
        upload: &UploadId,
        proof: PartProof,
    ) -> Result<(), BackendError> {
        if self.keeps_parts() {
            let _ = self.noted("add_part", self.inner.add_part(subject, upload, proof).await);
        }
        Ok(())
    }

    /// Parts of which nothing is known are not trusted, so that none is the safe answer.
    async fn parts(&self, subject: &ObjectKey, upload: &UploadId) -> Result<Vec<PartProof>, BackendError> {
        if !self.keeps_parts() {
            return Ok(Vec::new());
        }
        Ok(self.noted("parts", self.inner.parts(subject, upload).await).unwrap_or_default())
    }

    /// What is not forgotten is never looked for again, and expires.
    async fn forget_parts(&self, subject: &ObjectKey, upload: &UploadId) -> Result<(), BackendError> {
        if self.keeps_parts() {
            let _ = self.noted("forget_parts", self.inner.forget_parts(subject, upload).await);
        }
        Ok(())
    }
}
