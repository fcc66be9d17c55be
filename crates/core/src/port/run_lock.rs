//! A lock that keeps two runs of one thing apart, such as two jobsenders of one queue.
//!
//! It is held for a time and extended while the run goes on, so that a killed run frees it by doing nothing. Apart from
//! the records of objects, which are fenced one by one: this saves work and duplicates, it is not what keeps data right.

use std::time::Duration;

use async_trait::async_trait;

use crate::failure::BackendError;
use crate::object::Timestamp;

/// Takes, extends and gives up locks by name.
#[async_trait]
pub trait RunLock: Send + Sync + 'static {
    /// Takes the lock for `time` if nobody holds it. `holder` is what others are told.
    async fn acquire(&self, name: &str, holder: &str, time: Duration) -> Result<RunLease, LockError>;

    /// Holds the lock for `time` from now. [`LockError::Held`] when somebody else has taken it since.
    async fn renew(&self, lease: &RunLease, time: Duration) -> Result<(), LockError>;

    /// Gives the lock up. One that somebody else has taken since stays theirs, which is no error.
    async fn release(&self, lease: &RunLease) -> Result<(), BackendError>;
}

/// A lock that is held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunLease {
    /// What it is called.
    pub name: String,
    /// Who holds it.
    pub holder: String,
    /// Greater than that of every earlier holder.
    pub token: u64,
}

/// Why a lock is not held.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Somebody else holds it.
    #[error("the lock {name} is held by {holder} until {until}: wait until then, or for its end")]
    Held {
        /// What it is called.
        name: String,
        /// Who.
        holder: String,
        /// Until when, unless it is extended.
        until: Timestamp,
    },
    /// The store of locks failed.
    #[error(transparent)]
    Backend(#[from] BackendError),
}
