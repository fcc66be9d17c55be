//! Notes of runs in memory.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use longbow_core::failure::BackendError;
use longbow_core::job::{TransferId, TransferRun};
use longbow_core::port::TransferLog;

/// Notes by transfer and route.
#[derive(Debug, Default)]
pub struct FakeTransferLog {
    runs: Mutex<BTreeMap<(String, String), TransferRun>>,
}

impl FakeTransferLog {
    /// Nothing is noted.
    pub fn new() -> Self {
        Self::default()
    }

    fn runs(&self) -> MutexGuard<'_, BTreeMap<(String, String), TransferRun>> {
        self.runs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl TransferLog for FakeTransferLog {
    async fn note(&self, run: &TransferRun) -> Result<(), BackendError> {
        tokio::task::yield_now().await;
        let name = (run.transfer.0.clone(), run.route.as_str().to_owned());
        self.runs().insert(name, run.clone());
        Ok(())
    }

    async fn get(&self, transfer: &TransferId) -> Result<Vec<TransferRun>, BackendError> {
        tokio::task::yield_now().await;
        Ok(self.runs().values().filter(|run| run.transfer == *transfer).cloned().collect())
    }

    async fn latest(&self, most: usize) -> Result<Vec<TransferRun>, BackendError> {
        tokio::task::yield_now().await;
        Ok(self.runs().values().rev().take(most).cloned().collect())
    }
}
