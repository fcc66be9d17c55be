//! One scripted fault: which call it meets, and what it does.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use longbow_core::failure::StoreErrorKind;

/// Something that a test does at an exact moment, such as replacing the object that is being read.
pub type Action = Arc<dyn Fn() + Send + Sync>;

/// What a test decides at the moment of a call, such as a store that allows so many calls a second.
pub type Decide = Arc<dyn Fn() -> Option<StoreErrorKind> + Send + Sync>;

/// What happens to a call.
#[derive(Clone)]
pub enum Fault {
    /// Fails without taking effect. Queue and state answer with a passing error for `Transient` and `Throttled`,
    /// with a lasting one otherwise, and `swap` with a conflict for `PreconditionFailed`.
    Error(StoreErrorKind),
    /// Fails without taking effect if the test says so, asked when the call arrives.
    When(Decide),
    /// Takes effect; the answer is lost and an error of this kind comes instead.
    ErrorAfter(StoreErrorKind),
    /// Never returns, and takes no effect.
    Stall,
    /// Takes effect and never returns.
    StallAfter,
    /// Takes this much longer, on tokio's clock.
    Delay(Duration),
    /// Runs the action, then the call.
    Before(Action),
    /// Runs the call, then the action.
    After(Action),
    /// Harms the body at this byte: of the answer of `get`, or of what `put` and `put_part` send.
    Body(u64, BodyFault),
    /// States another tag than the true one, in the answer of any call that has one.
    LyingEtag,
}

/// What happens to a body at a byte.
#[derive(Clone)]
pub enum BodyFault {
    /// It ends there, as if that were all.
    Cut,
    /// It fails there.
    Break(StoreErrorKind),
    /// One bit of that byte is turned.
    Flip,
    /// Nothing follows, ever.
    Stall,
    /// The action runs when that byte is reached.
    Do(Action),
}

impl fmt::Debug for BodyFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cut => f.write_str("cut"),
            Self::Break(kind) => write!(f, "break with {kind:?}"),
            Self::Flip => f.write_str("flip"),
            Self::Stall => f.write_str("stall"),
            Self::Do(_) => f.write_str("action"),
        }
    }
}

impl fmt::Debug for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Error(kind) => write!(f, "{kind:?} before acting"),
            Self::When(_) => f.write_str("decided by the test"),
            Self::ErrorAfter(kind) => write!(f, "{kind:?} after acting"),
            Self::Stall => f.write_str("stall before acting"),
            Self::StallAfter => f.write_str("stall after acting"),
            Self::Delay(by) => write!(f, "{by:?} later"),
            Self::Before(_) => f.write_str("action before"),
            Self::After(_) => f.write_str("action after"),
            Self::Body(at, what) => write!(f, "body: {what:?} at byte {at}"),
            Self::LyingEtag => f.write_str("lying etag"),
        }
    }
}

/// Which of the calls that a rule fits it meets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Occurrence {
    /// The one of this number, from 1.
    Nth(u32),
    /// The first so many.
    First(u32),
    /// All.
    Every,
    /// A share of them in percent, chosen by the seed.
    Share {
        /// From 0 to 100.
        percent: u8,
        /// Another seed meets other calls.
        seed: u64,
    },
}

impl Occurrence {
    /// Whether the fitting call number `count` (from 1) is met.
    pub(super) fn meets(self, count: u32) -> bool {
        match self {
            Self::Nth(n) => count == n,
            Self::First(n) => count <= n,
            Self::Every => true,
            Self::Share { percent, seed } => {
                let word = crate::generate::slice(seed, u64::from(count) * 8, 8);
                word.iter().map(|byte| u32::from(*byte)).sum::<u32>() % 100 < u32::from(percent)
            }
        }
    }
}

/// A fault and the calls that it meets.
#[derive(Debug, Clone)]
pub struct Rule {
    port: Option<String>,
    call: &'static str,
    subject: Option<String>,
    occurrence: Occurrence,
    fault: Fault,
}

impl Rule {
    /// `fault` for every call of this name (as in the port's trait: `get`, `put_part`, `swap`).
    pub fn new(call: &'static str, fault: Fault) -> Self {
        Self { port: None, call, subject: None, occurrence: Occurrence::Every, fault }
    }

    /// Only for these occurrences, counted over the calls that fit everything else.
    #[must_use]
    pub fn at(mut self, occurrence: Occurrence) -> Self {
        self.occurrence = occurrence;
        self
    }

    /// Only the one of this number, from 1.
    #[must_use]
    pub fn nth(self, n: u32) -> Self {
        self.at(Occurrence::Nth(n))
    }

    /// Only through the wrapper of this name.
    #[must_use]
    pub fn on(mut self, port: &str) -> Self {
        self.port = Some(port.to_owned());
        self
    }

    /// Only about this key, subject or receipt.
    #[must_use]
    pub fn about(mut self, subject: &str) -> Self {
        self.subject = Some(subject.to_owned());
        self
    }

    /// Whether the rule fits a call, its occurrence aside.
    pub(super) fn fits(&self, port: &str, call: &str, subject: &str) -> bool {
        self.call == call
            && self.port.as_deref().is_none_or(|wanted| wanted == port)
            && self.subject.as_deref().is_none_or(|wanted| wanted == subject)
    }

    pub(super) fn occurrence(&self) -> Occurrence {
        self.occurrence
    }

    pub(super) fn fault(&self) -> &Fault {
        &self.fault
    }
}
