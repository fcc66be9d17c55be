//! Pace: who is asked how often, and what becomes of a request that a store refuses because there are too many.
//!
//! One pace a store, by its name, shared by all routes that use it. A refused request is made again here, when its turn
//! comes, and nowhere else: adapters do not repeat it and the queue does not see it, since layers of retries multiply. A job
//! so waits where it stands, under its lease, and has not failed. `rate` decides how often; what is asked is `store`'s and
//! the stages'. Does not know what a request is for.

mod rate;
mod store;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use longbow_core::backoff::{Backoff, Chance};
use longbow_core::failure::{StoreError, StoreErrorKind};
use longbow_core::port::Observer;
use tokio::sync::{Notify, Semaphore};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::Permits;
use rate::{Change, Rate, Ticket, Turn};

pub(crate) use store::PacedStore;

/// So long a request is made again in its place; then its job goes back to the queue, uncounted.
pub(crate) const PATIENCE: Duration = Duration::from_secs(600);
/// Before one request is made again, whatever the others do: a store may refuse some keys and not others.
const AGAIN: Backoff = Backoff { first: Duration::from_millis(100), most: Duration::from_secs(5) };
/// So many single requests were refused, and it is said.
const WORTH_SAYING: u32 = 4;
/// How often those look who wait for better times without asking for anything.
const LOOK: Duration = Duration::from_secs(1);

/// The paces of all stores that a worker uses.
pub(crate) struct Paces {
    by_store: Mutex<HashMap<String, Arc<Pace>>>,
    stop: Arc<Mutex<CancellationToken>>,
    chance: Chance,
}

/// The pace of one store.
pub(crate) struct Pace {
    store: String,
    rate: Mutex<Rate>,
    /// Requests that have to wait pass one after the other, in the order of asking.
    turnstile: Semaphore,
    /// The rate is another.
    changed: Notify,
    stop: Arc<Mutex<CancellationToken>>,
    permits: Permits,
    observer: Arc<dyn Observer>,
    /// Spreads what is asked again.
    chance: Chance,
}

/// The leave to make one request.
pub(crate) struct Pass<'a> {
    pace: &'a Pace,
    ticket: Ticket,
}

/// One request and how often it was refused.
pub(crate) struct Patience {
    until: Instant,
    refusals: u32,
}

impl Paces {
    /// No store was asked for yet.
    pub(crate) fn new(chance: &Chance) -> Self {
        Self { by_store: Mutex::default(), stop: Arc::default(), chance: chance.clone() }
    }

    /// The pace of the store of this name.
    pub(crate) fn of(&self, store: &str, permits: &Permits, observer: &Arc<dyn Observer>) -> Arc<Pace> {
        let mut by_store = lock(&self.by_store);
        let pace = by_store.entry(store.to_owned()).or_insert_with(|| {
            Arc::new(Pace {
                store: store.to_owned(),
                rate: Mutex::new(Rate::new(Instant::now())),
                turnstile: Semaphore::new(1),
                changed: Notify::new(),
                stop: Arc::clone(&self.stop),
                permits: permits.clone(),
                observer: Arc::clone(observer),
                chance: self.chance.clone(),
            })
        });
        Arc::clone(pace)
    }

    /// From when this is cancelled, nobody waits for a store that refuses everything.
    pub(crate) fn stop_with(&self, token: CancellationToken) {
        *lock(&self.stop) = token;
    }

    /// Whether the worker is to stop.
    pub(crate) fn is_stopping(&self) -> bool {
        lock(&self.stop).is_cancelled()
    }
}

impl Patience {
    pub(crate) fn new() -> Self {
        Self { until: Instant::now() + PATIENCE, refusals: 0 }
    }
}

impl Pace {
    /// Makes a request, and makes it again while it is refused for being one too many.
    pub(crate) async fn ask<T, F>(&self, mut request: impl FnMut() -> F) -> Result<T, StoreError>
    where
        F: Future<Output = Result<T, StoreError>>,
    {
        let mut patience = None;
        loop {
            let pass = self.pass(&mut patience).await?;
            let answer = pass.answer(request().await);
            match answer {
                Err(error) if error.kind == StoreErrorKind::Throttled => {
                    self.again(&mut patience, error).await?;
                }
                answer => return answer,
            }
        }
    }

    /// Waits for the turn of a request. Costs nothing in good times.
    pub(crate) async fn pass(&self, patience: &mut Option<Patience>) -> Result<Pass<'_>, StoreError> {
        // Not held while waiting, here and everywhere.
        let free = lock(&self.rate).free();
        if let Some(ticket) = free {
            return Ok(Pass { pace: self, ticket });
        }
        let until = patience.get_or_insert_with(Patience::new).until;
        match tokio::time::timeout_at(until, self.queue()).await {
            Ok(Some(ticket)) => Ok(Pass { pace: self, ticket }),
            Ok(None) => Err(self.refusal("the worker stops and does not wait for it")),
            Err(_) => Err(self.refusal(&format!("for {} minutes now", PATIENCE.as_secs() / 60))),
        }
    }

    /// After a refusal: waits before the same request may be made again, or gives the refusal back for good.
    pub(crate) async fn again<E: std::fmt::Display>(
        &self,
        patience: &mut Option<Patience>,
        refusal: E,
    ) -> Result<(), E> {
        let patience = patience.get_or_insert_with(Patience::new);
        let delay = AGAIN.delay(patience.refusals, self.chance.draw());
        let stop = lock(&self.stop).clone();
        if Instant::now() + delay >= patience.until || stop.is_cancelled() {
            return Err(refusal);
        }
        patience.refusals += 1;
        tracing::debug!(store = self.store, %refusal, refusals = patience.refusals, "to be asked again");
        tokio::select! {
            biased;
            () = stop.cancelled() => Err(refusal),
            () = tokio::time::sleep(delay) => Ok(()),
        }
    }

    /// Waits while everything is refused and others try, so that nothing is read that could not be written.
    pub(crate) async fn calm(&self) {
        let until = Instant::now() + PATIENCE;
        let stop = lock(&self.stop).clone();
        while lock(&self.rate).is_closed()
            && self.turnstile.available_permits() == 0
            && Instant::now() < until
            && !stop.is_cancelled()
        {
            tokio::select! {
                biased;
                () = stop.cancelled() => {}
                () = tokio::time::sleep(LOOK) => {}
            }
        }
    }

    /// `None`: everything is refused, and the worker is to stop.
    async fn queue(&self) -> Option<Ticket> {
        let stop = lock(&self.stop).clone();
        let mut stopping = stop.is_cancelled();
        let turn = self.turnstile.acquire();
        tokio::pin!(turn);
        let _turn = loop {
            if stopping && lock(&self.rate).is_closed() {
                return None;
            }
            tokio::select! {
                biased;
                // The semaphore is never closed, so this does not fail.
                turn = &mut turn => break turn.ok(),
                () = stop.cancelled(), if !stopping => stopping = true,
            }
        };
        loop {
            if stopping && lock(&self.rate).is_closed() {
                return None;
            }
            let turn = lock(&self.rate).turn(Instant::now(), self.chance.draw());
            let until = match turn {
                Turn::Go(ticket) => return Some(ticket),
                Turn::Wait(until) => until,
            };
            tokio::select! {
                biased;
                () = tokio::time::sleep_until(until) => {}
                () = self.changed.notified() => {}
                () = stop.cancelled(), if !stopping => stopping = true,
            }
        }
    }

    fn refusal(&self, more: &str) -> StoreError {
        let text = format!("{} refuses requests because there are too many: {more}", self.store);
        StoreError::new(StoreErrorKind::Throttled, text)
    }

    fn note(&self, change: Change, holds: bool) {
        if change == Change::None {
            return;
        }
        self.changed.notify_one();
        if holds {
            // How many requests in flight are best cannot be seen meanwhile.
            self.permits.disturbed();
        }
        match change {
            Change::Cut => {
                tracing::info!(store = self.store, "the store refuses some requests: it is asked less often");
                self.permits.throttled();
            }
            Change::Closed(WORTH_SAYING) => {
                tracing::warn!(
                    store = self.store,
                    "the store refuses all requests: it is asked now and then"
                );
                self.observer.notice(&format!(
                    "{} refuses all requests because there are too many: it is asked again every few seconds",
                    self.store
                ));
            }
            Change::Opened => tracing::debug!(store = self.store, "the store answers again"),
            Change::None | Change::Judged | Change::Closed(_) => {}
        }
    }
}

impl Pass<'_> {
    /// Tells how it went.
    pub(crate) fn answer<T>(self, answer: Result<T, StoreError>) -> Result<T, StoreError> {
        let pace = self.pace;
        let now = Instant::now();
        let (change, holds) = match &answer {
            Err(error) if error.kind == StoreErrorKind::Throttled => {
                pace.permits.refused();
                let mut rate = lock(&pace.rate);
                (rate.refused(now, self.ticket, pace.chance.draw()), rate.holds())
            }
            // No answer at all says nothing of how much is too much.
            Err(error) if error.kind == StoreErrorKind::Transient => return answer,
            _ => {
                let mut rate = lock(&pace.rate);
                (rate.answered(now, self.ticket), rate.holds())
            }
        };
        pace.note(change, holds);
        answer
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing panics under these locks.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
