//! Checkpoints under a plan.

use std::sync::Arc;

use async_trait::async_trait;
use longbow_core::failure::BackendError;
use longbow_core::port::{Checkpoint, CheckpointStore};
use longbow_core::routes::RouteName;

use super::plan::Faults;

/// Any store of checkpoints behind a [`Faults`] plan. Rules and the journal call it `checkpoints`.
#[derive(Clone)]
pub struct FaultyCheckpoints {
    inner: Arc<dyn CheckpointStore>,
    faults: Faults,
}

const NAME: &str = "checkpoints";

impl FaultyCheckpoints {
    /// Puts `inner` under the plan.
    pub fn new(inner: Arc<dyn CheckpointStore>, faults: &Faults) -> Arc<Self> {
        Arc::new(Self { inner, faults: faults.clone() })
    }
}

#[async_trait]
impl CheckpointStore for FaultyCheckpoints {
    async fn load(&self, route: &RouteName) -> Result<Option<Checkpoint>, BackendError> {
        let begun = self.faults.begin(NAME, "load", route.as_str());
        self.faults.call(begun, self.inner.load(route), |_| ()).await
    }

    async fn save(&self, route: &RouteName, checkpoint: &Checkpoint) -> Result<(), BackendError> {
        let begun = self.faults.begin(NAME, "save", route.as_str());
        self.faults.call(begun, self.inner.save(route, checkpoint), |()| ()).await
    }

    async fn clear(&self, route: &RouteName) -> Result<(), BackendError> {
        let begun = self.faults.begin(NAME, "clear", route.as_str());
        self.faults.call(begun, self.inner.clear(route), |()| ()).await
    }
}
