//! The lock and the checkpoints of a run of the jobsender.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use longbow_core::failure::BackendError;
use longbow_core::port::{Checkpoint, CheckpointStore, LockError, RunLease, RunLock};
use longbow_core::routes::RouteName;

use crate::fault::Fault;
use crate::journal::{Call, Detail, Key, Place};
use crate::life::{Begun, Life};

pub(crate) struct SimLock(pub(crate) Arc<Life>);

impl SimLock {
    async fn begin(&self, call: Call) -> Begun {
        self.0.begin(Place::Lock, call, Key::NONE, Detail::None).await
    }
}

#[async_trait]
impl RunLock for SimLock {
    async fn acquire(&self, name: &str, holder: &str, time: Duration) -> Result<RunLease, LockError> {
        let begun = self.begin(Call::Lock).await;
        let (lock, name, holder) = (Arc::clone(&self.0.world.lock), name.to_owned(), holder.to_owned());
        self.0.call(&begun, async move { lock.acquire(&name, &holder, time).await }).await
    }

    async fn renew(&self, lease: &RunLease, time: Duration) -> Result<(), LockError> {
        let begun = self.begin(Call::Renew).await;
        let (lock, lease) = (Arc::clone(&self.0.world.lock), lease.clone());
        if begun.meets(Fault::LockLost) {
            self.0.struck(Fault::LockLost);
            lock.steal(&lease.name, "somebody else", Duration::from_secs(3));
        }
        self.0.call(&begun, async move { lock.renew(&lease, time).await }).await
    }

    async fn release(&self, lease: &RunLease) -> Result<(), BackendError> {
        let begun = self.begin(Call::Unlock).await;
        let (lock, lease) = (Arc::clone(&self.0.world.lock), lease.clone());
        self.0.call(&begun, async move { lock.release(&lease).await }).await
    }
}

pub(crate) struct SimCheckpoints(pub(crate) Arc<Life>);

impl SimCheckpoints {
    async fn begin(&self, call: Call) -> Begun {
        self.0.begin(Place::Checkpoints, call, Key::NONE, Detail::None).await
    }
}

#[async_trait]
impl CheckpointStore for SimCheckpoints {
    async fn load(&self, route: &RouteName) -> Result<Option<Checkpoint>, BackendError> {
        let begun = self.begin(Call::Resume).await;
        let (kept, route) = (Arc::clone(&self.0.world.checkpoints), route.clone());
        self.0.call(&begun, async move { kept.load(&route).await }).await
    }

    async fn save(&self, route: &RouteName, checkpoint: &Checkpoint) -> Result<(), BackendError> {
        let begun = self.begin(Call::Save).await;
        let (kept, route, checkpoint) =
            (Arc::clone(&self.0.world.checkpoints), route.clone(), checkpoint.clone());
        self.0.call(&begun, async move { kept.save(&route, &checkpoint).await }).await
    }

    async fn clear(&self, route: &RouteName) -> Result<(), BackendError> {
        let begun = self.begin(Call::Clear).await;
        let (kept, route) = (Arc::clone(&self.0.world.checkpoints), route.clone());
        self.0.call(&begun, async move { kept.clear(&route).await }).await
    }
}
