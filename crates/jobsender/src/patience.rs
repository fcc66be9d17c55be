//! How often a failed call is repeated, and after which wait. The pages of a listing, the look-ups and the sends
//! share it, since no queue stands behind them that would bring them again.

use std::cell::RefCell;
use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use longbow_core::backoff::{Backoff, Chance};
use longbow_core::failure::{BackendError, FailureClass, StoreError};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Calls in all, the first included; of those that a store refuses because there are too many, see [`PATIENCE`].
pub(crate) const ATTEMPTS: u32 = 6;

const ORDINARY: Backoff = Backoff { first: Duration::from_millis(200), most: Duration::from_secs(5) };
const THROTTLED: Backoff = Backoff { first: Duration::from_secs(1), most: Duration::from_secs(10) };

/// So long a store may refuse a request because there are too many.
pub(crate) const PATIENCE: Duration = Duration::from_secs(900);

thread_local! {
    static CHANCE: RefCell<Option<Chance>> = const { RefCell::new(None) };
}

/// Spreads the retries of everything on this thread by `chance` from now on; `None`: by true chance, as at first. For
/// simulations, whose runtime has one thread: a run that is repeated must wait as long as before. It is not handed along
/// with the calls, since every listing, look-up and send would carry it for the sake of a few milliseconds.
pub fn set_chance(chance: Option<Chance>) {
    CHANCE.with_borrow_mut(|current| *current = chance);
}

/// The wait before retry number `retry`, from 0.
pub(crate) fn delay(retry: u32, throttled: bool) -> Duration {
    let backoff = if throttled { THROTTLED } else { ORDINARY };
    let chance = CHANCE.with_borrow(|chance| chance.as_ref().map(Chance::draw)).unwrap_or_else(|| {
        // A fresh `RandomState` is seeded anew: chance enough to spread retries out.
        let bits = u32::try_from(RandomState::new().hash_one(retry) >> 32).unwrap_or_default();
        f64::from(bits) / f64::from(u32::MAX)
    });
    backoff.delay(retry, chance)
}

/// Waits; `false` when the stop came first.
pub(crate) async fn wait(duration: Duration, stop: &CancellationToken) -> bool {
    tokio::select! {
        biased;
        () = stop.cancelled() => false,
        () = tokio::time::sleep(duration) => true,
    }
}

/// Repeats a request to a store while its fault may pass, attempts are left and nobody says stop.
pub(crate) async fn persist_store<T, C, F>(stop: &CancellationToken, mut call: C) -> Result<T, StoreError>
where
    C: FnMut() -> F,
    F: Future<Output = Result<T, StoreError>>,
{
    let (mut retries, mut refusals) = (0, Refusals::default());
    loop {
        let error = match call().await {
            Err(error) => error,
            end => return end,
        };
        let again = match error.class() {
            FailureClass::Throttled => refusals.wait(stop).await,
            FailureClass::Transient if retries + 1 < ATTEMPTS => {
                retries += 1;
                wait(delay(retries - 1, false), stop).await
            }
            _ => false,
        };
        if !again {
            return Err(error);
        }
    }
}

/// How often and for how long a store has refused one request because there are too many.
#[derive(Debug, Default)]
pub(crate) struct Refusals {
    count: u32,
    since: Option<Instant>,
}

impl Refusals {
    /// Waits before the request is made again; `false` when it has been refused for too long, or the stop came first.
    pub(crate) async fn wait(&mut self, stop: &CancellationToken) -> bool {
        self.may_wait() && wait(self.next_delay(), stop).await
    }

    /// Whether it may be made again at all.
    pub(crate) fn may_wait(&mut self) -> bool {
        self.since.get_or_insert_with(Instant::now).elapsed() < PATIENCE
    }

    fn next_delay(&mut self) -> Duration {
        self.count += 1;
        delay(self.count - 1, true)
    }
}

/// Repeats a call of a backend while its faults may pass, attempts are left and nobody says stop.
pub(crate) async fn persist<T, C, F>(stop: &CancellationToken, mut call: C) -> Result<T, BackendError>
where
    C: FnMut() -> F,
    F: Future<Output = Result<T, BackendError>>,
{
    let mut retry = 0;
    loop {
        match call().await {
            Err(error) if error.transient && retry + 1 < ATTEMPTS => {
                tracing::debug!(%error, retry, "a call of a backend failed and is repeated");
                if !wait(delay(retry, false), stop).await {
                    return Err(error);
                }
                retry += 1;
            }
            end => return end,
        }
    }
}
