//! The runs of the jobsender, noted for those who look after a fleet.
//!
//! Apart from the records of objects: nothing that is copied depends on it, and a note that is lost is a figure that is
//! not known.

use async_trait::async_trait;

use crate::failure::BackendError;
use crate::job::{TransferId, TransferRun};

/// Notes runs, one note a transfer and route.
#[async_trait]
pub trait TransferLog: Send + Sync + 'static {
    /// Notes a run, in place of what was noted of the same transfer and route: at its beginning and at its end.
    async fn note(&self, run: &TransferRun) -> Result<(), BackendError>;

    /// What is noted of a transfer, by the names of its routes; none is no error.
    async fn get(&self, transfer: &TransferId) -> Result<Vec<TransferRun>, BackendError>;

    /// The `most` greatest transfers by their names, the greatest first: names begin with the time.
    async fn latest(&self, most: usize) -> Result<Vec<TransferRun>, BackendError>;
}
