//! The lock is extended while the run goes on, and its loss revokes the leave.

use longbow_testkit::fake::{FakeClock, FakeLock};

use super::*;

const TIME: Duration = Duration::from_secs(30);

async fn keeper(lock: &Arc<FakeLock>) -> Keeper {
    let plan = LockPlan { lock: lock.clone(), name: "run".into(), holder: "a".into(), time: TIME };
    Keeper::start(plan, Arc::new(FakeClock::new()), CancellationToken::new()).await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_lock_is_held_as_long_as_the_run_lasts_and_then_given_up() {
    let lock = Arc::new(FakeLock::new());
    let keeper = keeper(&lock).await;
    let leave = keeper.leave();
    for _ in 0..40 {
        tokio::time::sleep(Duration::from_secs(7)).await;
        assert!(!leave.is_revoked() && lock.holder("run").as_deref() == Some("a"));
        assert!(lock.acquire("run", "b", TIME).await.is_err());
    }
    keeper.release().await.unwrap();
    assert_eq!(lock.holder("run"), None);
}

#[tokio::test(start_paused = true)]
async fn a_lock_that_somebody_else_takes_revokes_the_leave() {
    let lock = Arc::new(FakeLock::new());
    let keeper = keeper(&lock).await;
    lock.steal("run", "b", TIME * 10);
    tokio::time::timeout(TIME, keeper.leave().stop().cancelled()).await.unwrap();
    assert!(keeper.leave().is_revoked() && keeper.leave().is_lost());
    keeper.release().await.unwrap();
    assert_eq!(lock.holder("run").as_deref(), Some("b"), "what is another's is not given up");
}

/// The process was stopped for longer than the lock lasts: it must not send before it has looked at the clock.
#[tokio::test(start_paused = true)]
async fn a_run_that_wakes_up_late_has_no_leave() {
    let lock = Arc::new(FakeLock::new());
    let clock = Arc::new(FakeClock::new());
    let plan = LockPlan { lock: lock.clone(), name: "run".into(), holder: "a".into(), time: TIME };
    let keeper = Keeper::start(plan, clock.clone(), CancellationToken::new()).await.unwrap();
    clock.advance(TIME);
    assert!(keeper.leave().is_revoked() && keeper.leave().is_lost());
}

/// A store of locks that answers nothing any more.
struct Silent(Arc<FakeLock>);

#[async_trait::async_trait]
impl RunLock for Silent {
    async fn acquire(&self, name: &str, holder: &str, time: Duration) -> Result<RunLease, LockError> {
        self.0.acquire(name, holder, time).await
    }
    async fn renew(&self, _: &RunLease, _: Duration) -> Result<(), LockError> {
        Err(LockError::Backend(BackendError::transient("no network")))
    }
    async fn release(&self, lease: &RunLease) -> Result<(), BackendError> {
        self.0.release(lease).await
    }
}

#[tokio::test(start_paused = true)]
async fn a_lock_that_cannot_be_extended_ends_with_its_time_and_not_before() {
    let lock = Arc::new(Silent(Arc::new(FakeLock::new())));
    let plan = LockPlan { lock, name: "run".into(), holder: "a".into(), time: TIME };
    let keeper = Keeper::start(plan, Arc::new(FakeClock::new()), CancellationToken::new()).await.unwrap();
    tokio::time::sleep(TIME - Duration::from_secs(1)).await;
    assert!(!keeper.leave().is_revoked());
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(keeper.leave().is_revoked() && keeper.leave().is_lost());
}

#[tokio::test(start_paused = true)]
async fn a_stop_is_no_loss() {
    let lock = Arc::new(FakeLock::new());
    let keeper = keeper(&lock).await;
    keeper.leave().stop().cancel();
    assert!(keeper.leave().is_revoked() && !keeper.leave().is_lost());
    keeper.release().await.unwrap();
    assert_eq!(lock.holder("run"), None);
}
