//! The one budget of the node: requests in flight, and bytes held in memory.
//!
//! Whoever is about to work takes a permit first and lets drop give it back. Both kinds are handed out in the order of
//! asking, so that neither a huge object nor ten thousand tiny ones push the others aside. The limit on requests adapts
//! to what the stores and this machine can do; the decision is in `climb`. Does not know what a permit is used for, and
//! stops nobody: draining is for those who hold permits.

mod climb;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use climb::{Climb, Sample};

/// Memory is handed out in units of this many bytes.
const UNIT: u64 = 64 << 10;
/// Samples are at least so long …
const WINDOW: Duration = Duration::from_millis(250);
/// … and, where requests are slow, long enough for all that are in flight to be done once, but not longer than this …
const LONG_WINDOW: Duration = Duration::from_secs(5);
/// … unless not even so many were done.
const FEW: f64 = 8.0;
/// A disturbance that is not told again is over after this.
const DISTURBED: Duration = Duration::from_secs(1);

/// The bounds of the budget.
#[derive(Debug, Clone)]
pub struct PermitOptions {
    /// Never more requests in flight than this.
    pub max_requests: usize,
    /// Requests in flight at first.
    pub start_requests: usize,
    /// Never fewer than this, however hard the store pushes back.
    pub min_requests: usize,
    /// Bytes that may be held in memory.
    pub memory_bytes: u64,
}

impl Default for PermitOptions {
    fn default() -> Self {
        Self { max_requests: 256, start_requests: 32, min_requests: 4, memory_bytes: 64 << 20 }
    }
}

/// What the budget looks like at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PermitSnapshot {
    /// Requests that may be in flight.
    pub limit: usize,
    /// Requests in flight; above the limit for a while after it was cut.
    pub in_use: usize,
    /// Bytes held, in whole units of 64 KiB.
    pub memory_used: u64,
    /// Bytes that may be held.
    pub memory_total: u64,
    /// Refusals for too many requests, since the beginning.
    pub throttles: u64,
}

/// The budget. Cheap to clone: all clones share it.
#[derive(Clone)]
pub struct Permits {
    inner: Arc<Inner>,
}

struct Inner {
    slots: Arc<Semaphore>,
    memory: Arc<Semaphore>,
    memory_units: u32,
    state: Mutex<State>,
}

struct State {
    climb: Climb,
    sample: Sample,
    /// When the sample began.
    since: Instant,
    /// What was begun before then is not measured.
    disturbed: Option<Instant>,
    in_use: usize,
    /// Slots to be kept back as they are returned, because the limit has shrunk below what is in flight.
    owed: usize,
    /// Refusals so far.
    throttles: u64,
    /// Permits that exist: what the semaphore has plus what is in flight, less what is owed.
    limit: usize,
}

impl Inner {
    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing panics under the lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes the semaphore follow the climber.
    fn follow(&self, state: &mut State) {
        let limit = state.climb.limit();
        if limit > state.limit {
            let more = limit - state.limit;
            let forgiven = more.min(state.owed);
            state.owed -= forgiven;
            self.slots.add_permits(more - forgiven);
        } else {
            let fewer = state.limit - limit;
            state.owed += fewer - self.slots.forget_permits(fewer);
        }
        state.limit = limit;
    }
}

impl Permits {
    /// A budget of which nothing is used.
    pub fn new(options: PermitOptions) -> Self {
        let climb = Climb::new(options.min_requests, options.start_requests, options.max_requests);
        let limit = climb.limit();
        let most = u32::try_from(Semaphore::MAX_PERMITS).unwrap_or(u32::MAX);
        let memory_units = u32::try_from(options.memory_bytes / UNIT).unwrap_or(most).clamp(1, most);
        let state = State {
            climb,
            sample: Sample::default(),
            since: Instant::now(),
            disturbed: None,
            in_use: 0,
            owed: 0,
            throttles: 0,
            limit,
        };
        Self {
            inner: Arc::new(Inner {
                slots: Arc::new(Semaphore::new(limit)),
                memory: Arc::new(Semaphore::new(memory_units as usize)),
                memory_units,
                state: Mutex::new(state),
            }),
        }
    }

    /// Waits for the leave to have one more request in flight: one GET flowing into one PUT counts once. Who stops
    /// waiting loses the place in the queue and nothing else.
    pub async fn slot(&self) -> Slot {
        let slots = &self.inner.slots;
        let permit = match Arc::clone(slots).try_acquire_owned() {
            Ok(permit) => Some(permit),
            Err(_) => {
                self.inner.lock().sample.saturated = true;
                // The semaphore is never closed, so this does not fail.
                Arc::clone(slots).acquire_owned().await.ok()
            }
        };
        self.inner.lock().in_use += 1;
        Slot { inner: Arc::clone(&self.inner), permit }
    }

    /// Waits for the leave to hold `bytes` in memory. Who asks for more than there is gets all of it.
    ///
    /// Never ask for a second grant while holding one: two that do so can wait for each other for ever. See
    /// [`MemoryGrant::exchange`].
    pub async fn memory(&self, bytes: u64) -> MemoryGrant {
        let mut grant = MemoryGrant { inner: Arc::clone(&self.inner), permit: None };
        grant.exchange(bytes).await;
        grant
    }

    /// A store refused a request because there were too many.
    pub fn refused(&self) {
        self.inner.lock().throttles += 1;
    }

    /// Something else than this limit decides how fast requests go, for a while: what was measured of it so far, and what
    /// is begun before that is over, says nothing.
    pub fn disturbed(&self) {
        let mut state = self.inner.lock();
        let over = Instant::now() + DISTURBED;
        state.climb.disturbed();
        state.sample = Sample::default();
        state.since = over;
        state.disturbed = Some(over);
        self.inner.follow(&mut state);
    }

    /// A store refuses some of the requests because there are too many.
    pub fn throttled(&self) {
        let mut state = self.inner.lock();
        let now = Instant::now();
        state.climb.throttled(now);
        // What was measured belongs to the time before.
        state.sample = Sample::default();
        state.since = now;
        self.inner.follow(&mut state);
    }

    /// A request is done, after `elapsed`, with `bytes` moved.
    pub fn completed(&self, bytes: u64, elapsed: Duration) {
        let mut state = self.inner.lock();
        let now = Instant::now();
        if state.disturbed.is_some_and(|over| now.saturating_duration_since(over) < elapsed) {
            return;
        }
        state.sample.add(bytes, elapsed);
        let window = now.saturating_duration_since(state.since);
        let count = state.sample.count();
        let all_once = count >= state.limit as f64;
        if window < WINDOW || !(all_once || window >= LONG_WINDOW && count >= FEW) {
            return;
        }
        let mut sample = std::mem::take(&mut state.sample);
        sample.window = window;
        state.since = now;
        state.climb.sample(now, &sample);
        self.inner.follow(&mut state);
    }

    /// What the budget looks like now.
    pub fn snapshot(&self) -> PermitSnapshot {
        let state = self.inner.lock();
        let free = self.inner.memory.available_permits() as u64;
        let units = u64::from(self.inner.memory_units);
        PermitSnapshot {
            limit: state.limit,
            in_use: state.in_use,
            memory_used: units.saturating_sub(free) * UNIT,
            memory_total: units * UNIT,
            throttles: state.throttles,
        }
    }
}

/// The leave to have one request in flight, until dropped.
#[must_use = "dropped at once, it permits nothing"]
pub struct Slot {
    inner: Arc<Inner>,
    permit: Option<OwnedSemaphorePermit>,
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut state = self.inner.lock();
        state.in_use -= 1;
        if state.owed > 0
            && let Some(permit) = self.permit.take()
        {
            state.owed -= 1;
            permit.forget();
        }
    }
}

/// The leave to hold bytes in memory, until dropped.
#[must_use = "dropped at once, it grants nothing"]
pub struct MemoryGrant {
    inner: Arc<Inner>,
    permit: Option<OwnedSemaphorePermit>,
}

impl MemoryGrant {
    /// Gives the grant back and waits for one of `bytes` in its place. In this order, so that nobody waits for memory
    /// while holding some.
    pub async fn exchange(&mut self, bytes: u64) {
        self.permit = None;
        let units = u32::try_from(bytes.div_ceil(UNIT)).unwrap_or(u32::MAX).min(self.inner.memory_units);
        if units > 0 {
            // The semaphore is never closed, so this does not fail.
            self.permit = Arc::clone(&self.inner.memory).acquire_many_owned(units).await.ok();
        }
    }
}

#[cfg(test)]
mod tests;
