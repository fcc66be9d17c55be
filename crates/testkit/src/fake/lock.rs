//! Locks of runs in memory, under tokio's time.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use longbow_core::failure::BackendError;
use longbow_core::object::Timestamp;
use longbow_core::port::{LockError, RunLease, RunLock};
use tokio::time::Instant;

/// Locks by name.
#[derive(Debug, Default)]
pub struct FakeLock {
    held: Mutex<BTreeMap<String, (RunLease, Instant)>>,
}

impl FakeLock {
    /// Nothing is locked.
    pub fn new() -> Self {
        Self::default()
    }

    /// Who holds a lock now.
    pub fn holder(&self, name: &str) -> Option<String> {
        let held = self.held();
        held.get(name).filter(|(_, until)| *until > Instant::now()).map(|(lease, _)| lease.holder.clone())
    }

    /// Gives the lock to somebody else, whoever holds it.
    pub fn steal(&self, name: &str, holder: &str, time: Duration) {
        self.put(&mut self.held(), name, holder, time);
    }

    fn held(&self) -> MutexGuard<'_, BTreeMap<String, (RunLease, Instant)>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn put(
        &self,
        held: &mut BTreeMap<String, (RunLease, Instant)>,
        name: &str,
        holder: &str,
        time: Duration,
    ) -> RunLease {
        let token = held.get(name).map_or(1, |(lease, _)| lease.token + 1);
        let lease = RunLease { name: name.to_owned(), holder: holder.to_owned(), token };
        held.insert(name.to_owned(), (lease.clone(), Instant::now() + time));
        lease
    }
}

fn taken(lease: &RunLease) -> LockError {
    LockError::Held { name: lease.name.clone(), holder: lease.holder.clone(), until: Timestamp(0) }
}

#[async_trait]
impl RunLock for FakeLock {
    async fn acquire(&self, name: &str, holder: &str, time: Duration) -> Result<RunLease, LockError> {
        tokio::task::yield_now().await;
        let mut held = self.held();
        match held.get(name) {
            Some((lease, until)) if *until > Instant::now() => Err(taken(lease)),
            _ => Ok(self.put(&mut held, name, holder, time)),
        }
    }

    async fn renew(&self, lease: &RunLease, time: Duration) -> Result<(), LockError> {
        tokio::task::yield_now().await;
        match self.held().get_mut(&lease.name) {
            Some((now, until)) if now.token == lease.token => {
                *until = Instant::now() + time;
                Ok(())
            }
            Some((now, _)) => Err(taken(now)),
            None => Err(LockError::Backend(BackendError::fatal("there is no such lock"))),
        }
    }

    async fn release(&self, lease: &RunLease) -> Result<(), BackendError> {
        tokio::task::yield_now().await;
        if let Some((now, until)) = self.held().get_mut(&lease.name)
            && now.token == lease.token
        {
            // The next token, so that a renewal still on its way does not take the lock again.
            now.token += 1;
            *until = Instant::now();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn one_holder_at_a_time_and_a_late_one_is_told() {
        let lock = FakeLock::new();
        let time = Duration::from_secs(10);
        let first = lock.acquire("run", "a", time).await.unwrap();
        assert!(matches!(lock.acquire("run", "b", time).await, Err(LockError::Held { .. })));
        tokio::time::sleep(time).await;
        let second = lock.acquire("run", "b", time).await.unwrap();
        assert!(second.token > first.token);
        assert!(matches!(lock.renew(&first, time).await, Err(LockError::Held { .. })));
        lock.release(&first).await.unwrap();
        assert_eq!(lock.holder("run").as_deref(), Some("b"));
        lock.release(&second).await.unwrap();
        assert_eq!(lock.holder("run"), None);
    }
}
