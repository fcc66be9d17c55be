//! A state store under a plan.

use std::sync::Arc;

use async_trait::async_trait;
use futures_util::TryStreamExt as _;
use longbow_core::failure::BackendError;
use longbow_core::job::ObjectRecord;
use longbow_core::object::ObjectKey;
use longbow_core::port::{RecordStream, StateStore, Stored, SwapError, UploadId};
use longbow_core::transfer::PartProof;

use super::plan::Faults;

/// Any state store behind a [`Faults`] plan. Rules and the journal call it `state`.
#[derive(Clone)]
pub struct FaultyState {
    inner: Arc<dyn StateStore>,
    faults: Faults,
}

const NAME: &str = "state";

impl FaultyState {
    /// Puts `inner` under the plan.
    pub fn new(inner: Arc<dyn StateStore>, faults: &Faults) -> Arc<Self> {
        Arc::new(Self { inner, faults: faults.clone() })
    }
}

#[async_trait]
impl StateStore for FaultyState {
    async fn load(&self, subject: &ObjectKey) -> Result<Option<Stored>, BackendError> {
        let begun = self.faults.begin(NAME, "load", subject.as_str());
        self.faults.call(begun, self.inner.load(subject), |_| ()).await
    }

    async fn load_many(&self, subjects: Vec<ObjectKey>) -> Result<Vec<Option<Stored>>, BackendError> {
        let begun = self.faults.begin(NAME, "load_many", "");
        self.faults.call(begun, self.inner.load_many(subjects), |_| ()).await
    }

    /// The opening is a call, and so is each record.
    fn records_after(&self, after: Option<&ObjectKey>) -> Option<RecordStream> {
        let records = self.inner.records_after(after)?;
        let faults = self.faults.clone();
        let opened = async move {
            let begun = faults.begin(NAME, "records_after", "");
            faults.call(begun, std::future::ready(Ok::<_, BackendError>(())), |()| ()).await?;
            Ok::<_, BackendError>(records.and_then(move |record| {
                let faults = faults.clone();
                async move {
                    let begun = faults.begin(NAME, "record", record.0.as_str());
                    faults.call(begun, std::future::ready(Ok::<_, BackendError>(record)), |_| ()).await
                }
            }))
        };
        Some(Box::pin(futures_util::stream::once(opened).try_flatten()))
    }

    async fn swap(
        &self,
        subject: &ObjectKey,
        expected: Option<u64>,
        record: ObjectRecord,
    ) -> Result<u64, SwapError> {
        let begun = self.faults.begin(NAME, "swap", subject.as_str());
        self.faults.call(begun, self.inner.swap(subject, expected, record), |_| ()).await
    }

    async fn add_part(
        &self,
        subject: &ObjectKey,
        upload: &UploadId,
        proof: PartProof,
    ) -> Result<(), BackendError> {
        let begun = self.faults.begin(NAME, "add_part", subject.as_str());
        self.faults.call(begun, self.inner.add_part(subject, upload, proof), |()| ()).await
    }

    async fn parts(&self, subject: &ObjectKey, upload: &UploadId) -> Result<Vec<PartProof>, BackendError> {
        let begun = self.faults.begin(NAME, "parts", subject.as_str());
        self.faults.call(begun, self.inner.parts(subject, upload), |_| ()).await
    }

    async fn forget_parts(&self, subject: &ObjectKey, upload: &UploadId) -> Result<(), BackendError> {
        let begun = self.faults.begin(NAME, "forget_parts", subject.as_str());
        self.faults.call(begun, self.inner.forget_parts(subject, upload), |()| ()).await
    }
}
