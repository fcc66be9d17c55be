//! The plan that all wrappers share: numbers, the journal, the stop and the rules.

use std::future::{Future, pending};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use longbow_core::failure::{BackendError, StoreError, StoreErrorKind};
use longbow_core::port::SwapError;
use tokio::sync::watch;

use super::rule::{Fault, Rule};

/// One call that passed a wrapper.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallRecord {
    /// From 0, across all wrappers.
    pub number: u64,
    /// The wrapper's name.
    pub port: String,
    /// The port's name of the call.
    pub call: &'static str,
    /// The key, subject or receipt, if the call has one.
    pub subject: String,
    /// The faults that met it, in words.
    pub faults: Vec<String>,
}

/// On which side of a call's effect the world stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// The call never happens.
    Before,
    /// The call happens; its answer never arrives.
    After,
}

/// What callers meet once the world has stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// No call returns any more, as for a process that was killed.
    Hang,
    /// Every call fails with a passing error, as for a machine without network.
    Fail,
}

/// The plan of a test. Clones are the same plan.
#[derive(Debug, Clone)]
pub struct Faults {
    plan: Arc<Mutex<Plan>>,
    stopped: watch::Sender<Option<Manner>>,
}

#[derive(Debug, Default)]
struct Plan {
    journal: Vec<CallRecord>,
    stop: Option<(u64, When, Manner)>,
    rules: Vec<(Rule, u32)>,
}

impl Default for Faults {
    fn default() -> Self {
        Self { plan: Arc::default(), stopped: watch::Sender::new(None) }
    }
}

impl Faults {
    /// A plan without faults: calls are only counted.
    pub fn new() -> Self {
        Self::default()
    }

    /// Stops the world at call `number`, on that side of its effect.
    pub fn stop_at(&self, number: u64, when: When, manner: Manner) -> &Self {
        self.plan().stop = Some((number, when, manner));
        self
    }

    /// Stops the world now.
    pub fn stop_now(&self, manner: Manner) {
        self.stopped.send_replace(Some(manner));
    }

    /// Adds a rule.
    pub fn add(&self, rule: Rule) -> &Self {
        self.plan().rules.push((rule, 0));
        self
    }

    /// Forgets all rules and the stop to come; numbers go on.
    pub fn clear(&self) {
        let mut plan = self.plan();
        plan.rules.clear();
        plan.stop = None;
    }

    /// How many calls have passed.
    pub fn calls(&self) -> u64 {
        self.plan().journal.len() as u64
    }

    /// How many calls of this name have passed.
    pub fn count(&self, call: &str) -> usize {
        self.plan().journal.iter().filter(|record| record.call == call).count()
    }

    /// The calls that have passed, in order of their beginning.
    pub fn journal(&self) -> Vec<CallRecord> {
        self.plan().journal.clone()
    }

    /// Whether the world has stopped.
    pub fn is_stopped(&self) -> bool {
        self.stopped.borrow().is_some()
    }

    /// Waits for the stop.
    pub async fn stopped(&self) {
        // The sender lives in `self`, so waiting cannot fail.
        let _ = self.stopped.subscribe().wait_for(Option::is_some).await;
    }

    /// Runs `world` to its end, or until the stop: then it is dropped, as a killed process is.
    pub async fn run<T>(&self, world: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            () = self.stopped() => None,
            end = world => Some(end),
        }
    }

    fn plan(&self) -> MutexGuard<'_, Plan> {
        self.plan.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How the world has stopped, for bodies that are still flowing.
    pub(super) fn manner(&self) -> Option<Manner> {
        *self.stopped.borrow()
    }

    /// Numbers a call and gives the faults that meet it.
    pub(super) fn begin(&self, port: &str, call: &'static str, subject: &str) -> Begun {
        let mut plan = self.plan();
        let number = plan.journal.len() as u64;
        let mut faults = Vec::new();
        for (rule, count) in &mut plan.rules {
            if rule.fits(port, call, subject) {
                *count += 1;
                if rule.occurrence().meets(*count) {
                    faults.push(rule.fault().clone());
                }
            }
        }
        let stop = plan.stop.filter(|(at, ..)| *at == number).map(|(_, when, manner)| (when, manner));
        plan.journal.push(CallRecord {
            number,
            port: port.to_owned(),
            call,
            subject: subject.to_owned(),
            faults: faults.iter().map(|fault| format!("{fault:?}")).collect(),
        });
        Begun { call, faults, stop }
    }

    /// Does a call under the plan.
    pub(super) async fn call<T, E: Invented>(
        &self,
        begun: Begun,
        run: impl Future<Output = Result<T, E>>,
        lie: impl FnOnce(&mut T),
    ) -> Result<T, E> {
        let Begun { call, faults, stop } = begun;
        if let Some((When::Before, manner)) = stop {
            self.stop_now(manner);
        }
        self.pass().await?;
        for fault in &faults {
            match fault {
                Fault::Error(_) | Fault::When(_) => {
                    let kind = match fault {
                        Fault::Error(kind) => Some(*kind),
                        Fault::When(decide) => decide(),
                        _ => None,
                    };
                    let Some(kind) = kind else { continue };
                    // A refusal is an answer too, and may never arrive.
                    if let Some((When::After, manner)) = stop {
                        self.stop_now(manner);
                    }
                    self.pass().await?;
                    return Err(E::invented(kind, call));
                }
                Fault::Stall => pending().await,
                Fault::Delay(by) => tokio::time::sleep(*by).await,
                Fault::Before(action) => action(),
                _ => {}
            }
        }
        let mut result = run.await;
        if let Some((When::After, manner)) = stop {
            self.stop_now(manner);
        }
        self.pass().await?;
        for fault in &faults {
            match fault {
                Fault::ErrorAfter(kind) => return Err(E::invented(*kind, call)),
                Fault::StallAfter => pending().await,
                Fault::After(action) => action(),
                _ => {}
            }
        }
        if faults.iter().any(|fault| matches!(fault, Fault::LyingEtag))
            && let Ok(answer) = &mut result
        {
            lie(answer);
        }
        result
    }

    /// Goes on unless the world has stopped.
    async fn pass<E: Invented>(&self) -> Result<(), E> {
        match self.manner() {
            None => Ok(()),
            Some(Manner::Hang) => pending().await,
            Some(Manner::Fail) => Err(E::invented(StoreErrorKind::Transient, "stopped")),
        }
    }
}

/// A call that was numbered.
#[derive(Debug)]
pub(super) struct Begun {
    call: &'static str,
    pub(super) faults: Vec<Fault>,
    stop: Option<(When, Manner)>,
}

/// Errors that a plan can make up.
pub(super) trait Invented: Sized {
    /// An error of this kind for a call of this name.
    fn invented(kind: StoreErrorKind, call: &str) -> Self;
}

impl Invented for StoreError {
    fn invented(kind: StoreErrorKind, call: &str) -> Self {
        Self::new(kind, format!("{call}: {kind:?}, as the test wants it"))
    }
}

impl Invented for BackendError {
    fn invented(kind: StoreErrorKind, call: &str) -> Self {
        StoreError::invented(kind, call).into()
    }
}

impl Invented for SwapError {
    fn invented(kind: StoreErrorKind, call: &str) -> Self {
        match kind {
            StoreErrorKind::PreconditionFailed => Self::Conflict,
            _ => Self::Backend(BackendError::invented(kind, call)),
        }
    }
}
