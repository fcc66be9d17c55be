//! Running blocking calls on tokio's threads for them.
//!
//! A call never waits for a stream while it holds such a thread, so that any number of copies from folder to
//! folder can share them without locking each other out.

use longbow_core::failure::{StoreError, StoreErrorKind};
use tokio::task::JoinError;

/// Runs `work` where it may block.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    joined(tokio::task::spawn_blocking(work).await)
}

/// The result of such a call.
pub(super) fn joined<T>(result: Result<Result<T, StoreError>, JoinError>) -> Result<T, StoreError> {
    match result {
        Ok(result) => result,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => Err(StoreError::new(StoreErrorKind::Transient, "the program is stopping")),
        },
    }
}
