//! The lock against a second jobsender for the same route, held as long as the run goes on.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use longbow_aws::StateTable;
use longbow_core::port::{LockError, RunLease, RunLock as _};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::exit::CommandError;

/// A jobsender that was killed keeps others out for so long, and fifteen seconds.
const TIME: Duration = Duration::from_secs(60);
const RENEW: Duration = Duration::from_secs(15);

/// A lock that is renewed.
pub(super) struct Held {
    table: StateTable,
    lock: RunLease,
    /// Cancelled when the lock is lost, or the run is stopped.
    stop: CancellationToken,
    why: Arc<OnceLock<String>>,
    renewing: JoinHandle<()>,
}

impl Held {
    /// Takes the lock, or says who has it.
    pub(super) async fn take(
        table: &StateTable,
        route: &str,
        stop: CancellationToken,
    ) -> Result<Self, CommandError> {
        let name = format!("jobsender {route}");
        let lock = table.acquire(&name, &holder(), TIME).await.map_err(|error| match error {
            held @ LockError::Held { .. } => {
                CommandError::Refused(format!("another jobsender works on this route: {held}"))
            }
            LockError::Backend(error) => crate::command::cluster::at_start("the state table", &error),
        })?;
        let why = Arc::new(OnceLock::new());
        let renewing = tokio::spawn(renew(table.clone(), lock.clone(), stop.clone(), Arc::clone(&why)));
        Ok(Self { table: table.clone(), lock, stop, why, renewing })
    }

    /// What the run has to watch.
    pub(super) fn lost_or_stopped(&self) -> CancellationToken {
        self.stop.clone()
    }

    /// Gives the lock up. Tells, if the lock had been lost.
    pub(super) async fn give_up(self) -> Option<String> {
        self.renewing.abort();
        if let Err(error) = self.table.release(&self.lock).await {
            tracing::warn!("the lock ends by itself in a minute: {error}");
        }
        self.why.get().cloned()
    }
}

async fn renew(table: StateTable, lock: RunLease, stop: CancellationToken, why: Arc<OnceLock<String>>) {
    let mut ends = tokio::time::Instant::now() + TIME;
    loop {
        tokio::time::sleep(RENEW).await;
        let asked = tokio::time::Instant::now();
        match table.renew(&lock, TIME).await {
            Ok(()) => ends = asked + TIME,
            // It is ours as long as it was renewed for.
            Err(LockError::Backend(error)) if tokio::time::Instant::now() + RENEW < ends => {
                tracing::warn!("the jobsender's lock could not be renewed: {error}");
            }
            Err(error) => {
                let _ =
                    why.set(format!("The jobsender's lock was lost: {error}. Run the same command again."));
                stop.cancel();
                return;
            }
        }
    }
}

/// Who we are, for others to read.
fn holder() -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    format!("{}:{}", host.trim(), std::process::id())
}
