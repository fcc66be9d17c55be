//! Where the jobs of a comparison go: what the comparison asks of it, whoever sends them and in which form.
//!
//! Apart, since the embedded queue takes many jobs at once and keeps one a subject, and a queue of a cluster takes few,
//! refuses single ones and is shared by several routes.

use async_trait::async_trait;
use longbow_core::job::CopyJob;
use longbow_core::object::ObjectKey;

use crate::failure::JobsenderError;

/// Takes jobs in the order of the walk.
#[async_trait]
pub(crate) trait Outlet: Send {
    /// Takes a job; `subject` is the name under the source prefix. Waits when enough is on its way.
    async fn push(&mut self, subject: ObjectKey, job: CopyJob) -> Result<(), JobsenderError>;

    /// Sets off what was gathered.
    async fn flush(&mut self) -> Result<(), JobsenderError>;

    /// Sets off what was gathered and sees everything arrive.
    async fn finish(&mut self) -> Result<(), JobsenderError>;

    /// The comparison begins again: what was gathered is void, what was sent stands.
    async fn restart(&mut self) -> Result<(), JobsenderError>;

    /// Every name up to this one is decided, and its job has been pushed.
    async fn decided_upto(&mut self, name: &str) -> Result<(), JobsenderError> {
        let _ = name;
        Ok(())
    }

    /// The selection leaves this source object out.
    fn ignored(&mut self, key: &ObjectKey) {
        let _ = key;
    }
}
