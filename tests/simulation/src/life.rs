//! One life of a process: everything that it asks of the world passes here, and meets its fate.
//!
//! A call waits, meets at most one fault, takes effect, and is answered. A process that dies never hears an answer again,
//! and whoever runs it drops it. One that stands still neither asks nor hears, and its clock stands; timers inside of it
//! do end meanwhile, but all that they can lead to is a call, which waits.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use longbow_core::failure::{BackendError, StoreError, StoreErrorKind};
use longbow_core::object::Timestamp;
use longbow_core::port::{Clock, LockError, SwapError};
use tokio_util::sync::CancellationToken;

use crate::fault::Fault;
use crate::journal::{Call, Detail, Key, Place, What, Who};
use crate::world::{Fate, World};

/// A write that takes so many milliseconds may outlive its lease.
const TOO_LATE: u64 = 20_000;

/// A process from its start to its end.
pub(crate) struct Life {
    pub(crate) world: Arc<World>,
    pub(crate) who: Who,
    /// Cancelled when it dies.
    pub(crate) died: CancellationToken,
    dead: AtomicBool,
    /// Milliseconds until which it stands still.
    still_until: AtomicU64,
    /// What its clock shows meanwhile.
    frozen: Mutex<Duration>,
    /// By how much its calendar is wrong.
    pub(crate) jumped: AtomicI64,
}

/// A call that was begun.
pub(crate) struct Begun {
    pub(crate) place: Place,
    pub(crate) call: Call,
    pub(crate) key: Key,
    pub(crate) detail: Detail,
    pub(crate) fate: Fate,
    /// When, in milliseconds.
    at: u64,
}

impl Begun {
    /// Whether the call meets this fault.
    pub(crate) fn meets(&self, fault: Fault) -> bool {
        self.fate.fault == Some(fault)
    }
}

impl Life {
    pub(crate) fn new(world: &Arc<World>, who: Who) -> Arc<Self> {
        Arc::new(Self {
            world: Arc::clone(world),
            who,
            died: CancellationToken::new(),
            dead: AtomicBool::new(false),
            still_until: AtomicU64::new(0),
            frozen: Mutex::default(),
            jumped: AtomicI64::new(0),
        })
    }

    pub(crate) fn note(&self, what: What) {
        self.world.note(self.who, what);
    }

    pub(crate) fn struck(&self, fault: Fault) {
        self.world.struck(self.who, fault);
    }

    /// The time by the process's own monotonic clock.
    fn elapsed(&self) -> Duration {
        if self.still_until.load(Ordering::Relaxed) > self.world.now() {
            return *self.frozen.lock().unwrap_or_else(PoisonError::into_inner);
        }
        self.world.s3.clock().elapsed()
    }

    /// Goes on unless the process is dead or stands still.
    async fn gate(&self) {
        loop {
            if self.dead.load(Ordering::Relaxed) {
                std::future::pending::<()>().await;
            }
            let (now, until) = (self.world.now(), self.still_until.load(Ordering::Relaxed));
            if until <= now {
                return;
            }
            // Whatever waits inside of the process goes on in any order.
            let after = self.world.dice(|dice| dice.below(40));
            tokio::time::sleep(Duration::from_millis(until - now + after)).await;
        }
    }

    async fn die<T>(&self, fault: Fault) -> T {
        if !self.dead.swap(true, Ordering::Relaxed) {
            self.struck(fault);
            if matches!(self.who.role, crate::journal::Role::Jobsender(_)) {
                self.struck(Fault::JobsenderCrash);
            }
            self.died.cancel();
        }
        std::future::pending().await
    }

    async fn stand_still(&self, fault: Fault) {
        if self.still_until.load(Ordering::Relaxed) <= self.world.now() {
            let time = self.world.dice(|dice| {
                let (from, to) =
                    dice.pick(&[(500, 5_000), (20_000, 40_000), (30_000, 100_000)], (500, 5_000));
                dice.between(from, to)
            });
            *self.frozen.lock().unwrap_or_else(PoisonError::into_inner) = self.world.s3.clock().elapsed();
            let until = self.world.now() + time;
            self.still_until.store(until, Ordering::Relaxed);
            self.struck(fault);
            self.note(What::Still(until));
        }
        self.gate().await;
    }

    /// Begins a call: it has its fate from here on.
    pub(crate) async fn begin(&self, place: Place, call: Call, key: Key, detail: Detail) -> Begun {
        let at = self.world.now();
        if call.is_write() && !self.dead.load(Ordering::Relaxed) {
            let own = u64::try_from(self.elapsed().as_millis()).unwrap_or(u64::MAX);
            self.note(What::Begun(call, key, own));
        }
        self.gate().await;
        let fate = self.world.fate(self.who, place, call);
        Begun { place, call, key, detail, fate, at }
    }

    /// Carries a call out. The effect is a future of its own, since it may outlive whoever asked for it.
    pub(crate) async fn call<T, E, F>(self: &Arc<Self>, begun: &Begun, effect: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: Invented,
        F: Future<Output = Result<T, E>> + Send + 'static,
    {
        let Begun { place, call, key, detail, fate, .. } = *begun;
        // Nothing is at rest as long as a request may still arrive.
        let _on_way =
            matches!(fate.fault, Some(Fault::Slow | Fault::StallBefore)).then(|| OnWay::new(&self.world));
        if !fate.delay.is_zero() {
            tokio::time::sleep(fate.delay).await;
        }
        let fails = |kind: StoreErrorKind| {
            self.note(What::Called(place, call, key, detail, Err(reason(kind))));
            Err(E::invented(kind, call))
        };
        match fate.fault {
            Some(fault @ Fault::CrashBefore) => return self.die(fault).await,
            Some(fault @ Fault::StallBefore) => self.stand_still(fault).await,
            Some(fault @ Fault::Slow) => {
                self.struck(fault);
                let time = self.world.dice(|dice| dice.milliseconds(2_000, 45_000));
                tokio::time::sleep(time).await;
            }
            Some(fault @ Fault::Throttled) => {
                self.struck(fault);
                return fails(StoreErrorKind::Throttled);
            }
            Some(fault @ (Fault::ServerError | Fault::LostHeartbeat)) => {
                self.struck(fault);
                return fails(StoreErrorKind::Transient);
            }
            Some(fault @ Fault::StateDown) => {
                self.struck(fault);
                let time = self.world.dice(|dice| dice.between(1_000, 60_000));
                self.world.inner().state_away = self.world.now() + time;
                return fails(StoreErrorKind::Transient);
            }
            Some(fault @ Fault::QueueDown) => {
                self.struck(fault);
                let time = self.world.dice(|dice| dice.between(1_000, 40_000));
                self.world.inner().queue_away = self.world.now() + time;
                return fails(StoreErrorKind::Transient);
            }
            Some(fault @ Fault::Late) => return self.too_late(fault, effect, begun).await,
            _ => {}
        }
        self.gate().await;
        if call.is_write() && self.world.now() > begun.at + TOO_LATE {
            self.note(What::CameLate(call, key));
        }
        let result = effect.await;
        if let Err(error) = &result {
            self.note(What::Called(place, call, key, detail, Err(error.reason())));
        } else {
            self.note(What::Called(place, call, key, detail, Ok(())));
        }
        match fate.fault {
            Some(fault @ Fault::CrashAfter) => return self.die(fault).await,
            Some(fault @ Fault::StallAfter) => self.stand_still(fault).await,
            Some(fault @ Fault::LostReply) => {
                self.struck(fault);
                return Err(E::invented(StoreErrorKind::Transient, call));
            }
            _ => {}
        }
        if !fate.echo.is_zero() {
            tokio::time::sleep(fate.echo).await;
        }
        self.gate().await;
        result
    }

    /// The caller hears of a failure after a while; the effect comes a little before or a good while after that.
    async fn too_late<T, E: Invented>(
        &self,
        fault: Fault,
        effect: impl Future<Output = Result<T, E>> + Send + 'static,
        begun: &Begun,
    ) -> Result<T, E>
    where
        T: Send + 'static,
    {
        self.struck(fault);
        let (patience, delay) = self.world.dice(|dice| {
            let patience = dice.milliseconds(100, 10_000);
            (patience, patience.mul_f64(0.9) + dice.milliseconds(0, 30_000))
        });
        let (world, who) = (Arc::clone(&self.world), self.who);
        let Begun { place, call, key, detail, .. } = *begun;
        let on_way = OnWay::new(&self.world);
        tokio::spawn(async move {
            tokio::time::sleep(delay).await;
            world.note(who, What::CameLate(call, key));
            let end = effect.await;
            let why = end.as_ref().map(|_| ()).map_err(Invented::reason);
            world.note(who, What::Called(place, call, key, detail, why));
            drop(on_way);
        });
        tokio::time::sleep(patience).await;
        self.gate().await;
        Err(E::invented(StoreErrorKind::Transient, call))
    }
}

/// Something is on its way as long as this is kept.
pub(crate) struct OnWay(Arc<World>);

impl OnWay {
    pub(crate) fn new(world: &Arc<World>) -> Self {
        world.inner().on_way += 1;
        Self(Arc::clone(world))
    }
}

impl Drop for OnWay {
    fn drop(&mut self) {
        self.0.inner().on_way -= 1;
    }
}

/// A process's own clock.
pub(crate) struct LifeClock(pub(crate) Arc<Life>);

impl Clock for LifeClock {
    fn now(&self) -> Timestamp {
        let clock = self.0.world.s3.clock();
        let ahead = clock.elapsed().saturating_sub(self.elapsed());
        let behind = i64::try_from(ahead.as_millis()).unwrap_or(0);
        clock.now().plus(self.0.jumped.load(Ordering::Relaxed) - behind)
    }

    fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}

/// A kind of fault in the journal.
pub(crate) fn reason(kind: StoreErrorKind) -> &'static str {
    match kind {
        StoreErrorKind::NotFound => "not found",
        StoreErrorKind::NoSuchUpload => "no such upload",
        StoreErrorKind::PreconditionFailed => "condition failed",
        StoreErrorKind::Throttled => "throttled",
        StoreErrorKind::Transient => "failed",
        StoreErrorKind::Corrupt => "corrupt",
        StoreErrorKind::Unsupported(_) => "unsupported",
        _ => "refused",
    }
}

/// Errors that can be made up, and told.
pub(crate) trait Invented: Send + Sized + 'static {
    fn invented(kind: StoreErrorKind, call: Call) -> Self;
    fn reason(&self) -> &'static str;
}

impl Invented for StoreError {
    fn invented(kind: StoreErrorKind, call: Call) -> Self {
        Self::new(kind, format!("{call:?}: {}, as the schedule has it", reason(kind)))
    }

    fn reason(&self) -> &'static str {
        reason(self.kind)
    }
}

impl Invented for BackendError {
    fn invented(kind: StoreErrorKind, call: Call) -> Self {
        StoreError::invented(kind, call).into()
    }

    fn reason(&self) -> &'static str {
        "failed"
    }
}

impl Invented for SwapError {
    fn invented(kind: StoreErrorKind, call: Call) -> Self {
        Self::Backend(BackendError::invented(kind, call))
    }

    fn reason(&self) -> &'static str {
        match self {
            Self::Conflict => "conflict",
            Self::Backend(_) => "failed",
        }
    }
}

impl Invented for LockError {
    fn invented(kind: StoreErrorKind, call: Call) -> Self {
        Self::Backend(BackendError::invented(kind, call))
    }

    fn reason(&self) -> &'static str {
        match self {
            Self::Held { .. } => "held",
            Self::Backend(_) => "failed",
        }
    }
}
