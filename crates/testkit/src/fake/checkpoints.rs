//! Checkpoints of comparisons in memory.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use longbow_core::failure::BackendError;
use longbow_core::port::{Checkpoint, CheckpointStore};
use longbow_core::routes::RouteName;

/// One checkpoint a route, and how many were ever saved.
#[derive(Debug, Default)]
pub struct FakeCheckpoints {
    kept: Mutex<(BTreeMap<RouteName, Checkpoint>, usize)>,
}

impl FakeCheckpoints {
    /// None.
    pub fn new() -> Self {
        Self::default()
    }

    /// The checkpoint of a route.
    pub fn of(&self, route: &RouteName) -> Option<Checkpoint> {
        self.kept().0.get(route).cloned()
    }

    /// How often one was saved.
    pub fn saves(&self) -> usize {
        self.kept().1
    }

    fn kept(&self) -> MutexGuard<'_, (BTreeMap<RouteName, Checkpoint>, usize)> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl CheckpointStore for FakeCheckpoints {
    async fn load(&self, route: &RouteName) -> Result<Option<Checkpoint>, BackendError> {
        tokio::task::yield_now().await;
        Ok(self.of(route))
    }

    async fn save(&self, route: &RouteName, checkpoint: &Checkpoint) -> Result<(), BackendError> {
        tokio::task::yield_now().await;
        let mut kept = self.kept();
        kept.0.insert(route.clone(), checkpoint.clone());
        kept.1 += 1;
        Ok(())
    }

    async fn clear(&self, route: &RouteName) -> Result<(), BackendError> {
        tokio::task::yield_now().await;
        self.kept().0.remove(route);
        Ok(())
    }
}
