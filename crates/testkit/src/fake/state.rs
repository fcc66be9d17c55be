//! A state store in memory.

use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use longbow_core::failure::BackendError;
use longbow_core::job::ObjectRecord;
use longbow_core::object::ObjectKey;
use longbow_core::port::{RecordStream, StateStore, Stored, SwapError, UploadId};
use longbow_core::transfer::PartProof;

/// Records and part proofs in memory, each record replaced by compare-and-swap.
#[derive(Debug, Default)]
pub struct FakeState {
    tables: Mutex<Tables>,
}

#[derive(Debug, Default)]
struct Tables {
    records: BTreeMap<ObjectKey, Stored>,
    parts: HashMap<(ObjectKey, UploadId), BTreeMap<u32, PartProof>>,
    history: Vec<(ObjectKey, ObjectRecord)>,
}

impl FakeState {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    /// All records, by subject.
    pub fn records(&self) -> BTreeMap<ObjectKey, ObjectRecord> {
        self.tables().records.iter().map(|(key, stored)| (key.clone(), stored.record.clone())).collect()
    }

    /// The record of one subject.
    pub fn record(&self, subject: &str) -> Option<ObjectRecord> {
        self.tables().records.get(subject).map(|stored| stored.record.clone())
    }

    /// Every record ever written, in order.
    pub fn history(&self) -> Vec<(ObjectKey, ObjectRecord)> {
        self.tables().history.clone()
    }

    /// How many part proofs are kept, of all uploads.
    pub fn part_count(&self) -> usize {
        self.tables().parts.values().map(BTreeMap::len).sum()
    }

    /// Loses everything, as when somebody removes the file or the table.
    pub fn wipe(&self) {
        *self.tables() = Tables::default();
    }

    fn tables(&self) -> MutexGuard<'_, Tables> {
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl StateStore for FakeState {
    async fn load(&self, subject: &ObjectKey) -> Result<Option<Stored>, BackendError> {
        tokio::task::yield_now().await;
        Ok(self.tables().records.get(subject).cloned())
    }

    async fn load_many(&self, subjects: Vec<ObjectKey>) -> Result<Vec<Option<Stored>>, BackendError> {
        tokio::task::yield_now().await;
        let tables = self.tables();
        Ok(subjects.iter().map(|subject| tables.records.get(subject).cloned()).collect())
    }

    fn records_after(&self, after: Option<&ObjectKey>) -> Option<RecordStream> {
        let tables = self.tables();
        let from = after.map_or(Bound::Unbounded, |after| Bound::Excluded(after.clone()));
        let found: Vec<_> =
            tables.records.range((from, Bound::Unbounded)).map(|(k, s)| (k.clone(), s.clone())).collect();
        Some(Box::pin(futures_util::stream::iter(found.into_iter().map(Ok))))
    }

    async fn swap(
        &self,
        subject: &ObjectKey,
        expected: Option<u64>,
        record: ObjectRecord,
    ) -> Result<u64, SwapError> {
        tokio::task::yield_now().await;
        let mut tables = self.tables();
        let current = tables.records.get(subject).map(|stored| stored.version);
        if current != expected {
            return Err(SwapError::Conflict);
        }
        let version = current.unwrap_or(0) + 1;
        tables.history.push((subject.clone(), record.clone()));
        tables.records.insert(subject.clone(), Stored { version, record });
        Ok(version)
    }

    async fn add_part(
        &self,
        subject: &ObjectKey,
        upload: &UploadId,
        proof: PartProof,
    ) -> Result<(), BackendError> {
        tokio::task::yield_now().await;
        let mut tables = self.tables();
        let parts = tables.parts.entry((subject.clone(), upload.clone())).or_default();
        parts.insert(proof.number, proof);
        Ok(())
    }

    async fn parts(&self, subject: &ObjectKey, upload: &UploadId) -> Result<Vec<PartProof>, BackendError> {
        tokio::task::yield_now().await;
        let tables = self.tables();
        let parts = tables.parts.get(&(subject.clone(), upload.clone()));
        Ok(parts.map(|parts| parts.values().cloned().collect()).unwrap_or_default())
    }

    async fn forget_parts(&self, subject: &ObjectKey, upload: &UploadId) -> Result<(), BackendError> {
        tokio::task::yield_now().await;
        self.tables().parts.remove(&(subject.clone(), upload.clone()));
        Ok(())
    }
}
