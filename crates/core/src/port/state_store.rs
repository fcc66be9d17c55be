//! What is remembered about objects between attempts and between runs.

use std::pin::Pin;

use async_trait::async_trait;
use futures_core::Stream;

use super::UploadId;
use crate::failure::BackendError;
use crate::job::ObjectRecord;
use crate::object::ObjectKey;
use crate::transfer::PartProof;

/// Records by subject, each replaced by compare-and-swap, and the proofs of uploaded parts.
#[async_trait]
pub trait StateStore: Send + Sync + 'static {
    /// The record of one object.
    async fn load(&self, subject: &ObjectKey) -> Result<Option<Stored>, BackendError>;

    /// The records of many objects, in the order asked.
    async fn load_many(&self, subjects: Vec<ObjectKey>) -> Result<Vec<Option<Stored>>, BackendError>;

    /// The records of all subjects after `after`, in byte order, read as they are taken and never held all at once. A page
    /// that cannot be read is an error and ends the stream: it is never the end. `None` where records are not kept in order.
    fn records_after(&self, after: Option<&ObjectKey>) -> Option<RecordStream> {
        let _ = after;
        None
    }

    /// Replaces the record if its version is still `expected` (`None`: if there is none). Gives the new version.
    async fn swap(
        &self,
        subject: &ObjectKey,
        expected: Option<u64>,
        record: ObjectRecord,
    ) -> Result<u64, SwapError>;

    /// Remembers that a part has arrived whole.
    async fn add_part(
        &self,
        subject: &ObjectKey,
        upload: &UploadId,
        proof: PartProof,
    ) -> Result<(), BackendError>;

    /// The parts of an upload that are remembered.
    async fn parts(&self, subject: &ObjectKey, upload: &UploadId) -> Result<Vec<PartProof>, BackendError>;

    /// Forgets the parts of an upload that is completed or aborted.
    async fn forget_parts(&self, subject: &ObjectKey, upload: &UploadId) -> Result<(), BackendError>;
}

/// Records with their subjects, in byte order of the subjects.
pub type RecordStream = Pin<Box<dyn Stream<Item = Result<(ObjectKey, Stored), BackendError>> + Send>>;

/// A record with its version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// Grows with every swap: the fencing token of a claim.
    pub version: u64,
    /// The record.
    pub record: ObjectRecord,
}

/// Why a swap did not happen.
#[derive(Debug, thiserror::Error)]
pub enum SwapError {
    /// Somebody was faster: this attempt is superseded.
    #[error("the record was changed by somebody else")]
    Conflict,
    /// The store failed.
    #[error(transparent)]
    Backend(#[from] BackendError),
}
