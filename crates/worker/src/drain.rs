//! Draining: why a worker stops, and how long it may take.
//!
//! Only the wish. The poller takes nothing new from then on, stages look between their steps, and what is not finished
//! when the time is over is handed back. Notices of EC2 and signals are read elsewhere and end up here.

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

/// Why a worker stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Stopping {
    /// SIGTERM or SIGINT.
    Signal,
    /// EC2 takes the Spot instance back, in two minutes (EC2 User Guide, "Spot Instance interruption notices").
    SpotInterruption,
    /// EC2 expects to take the Spot instance back, at a time that it does not say.
    Rebalance,
    /// The settings have changed: what follows is a worker with the new ones.
    Reconfigured,
    /// The Auto Scaling group ends the instance and waits for its lifecycle hook.
    Terminating,
}

impl fmt::Display for Stopping {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Signal => "a signal",
            Self::SpotInterruption => "a Spot interruption notice",
            Self::Rebalance => "a rebalance recommendation",
            Self::Reconfigured => "other settings",
            Self::Terminating => "the end of the instance",
        })
    }
}

/// A drain that has begun or may begin. Clones are the same one.
#[derive(Debug, Clone, Default)]
pub struct Drain {
    token: CancellationToken,
    begun: Arc<OnceLock<(Stopping, Option<Duration>)>>,
}

impl Drain {
    /// One that has not begun.
    pub fn new() -> Self {
        Self::default()
    }

    /// One that begins with a token of somebody else's, and may take its time.
    pub(crate) fn of(token: CancellationToken) -> Self {
        Self { token, begun: Arc::default() }
    }

    /// Begins. What runs may go on for `within`; `None`: to its end. Only the first call counts: a signal that follows a
    /// notice does not make the time longer.
    pub fn begin(&self, why: Stopping, within: Option<Duration>) {
        let _ = self.begun.set((why, within));
        self.token.cancel();
    }

    /// Why it began.
    pub fn reason(&self) -> Option<Stopping> {
        self.begun.get().map(|(why, _)| *why)
    }

    /// Cancelled when it begins.
    pub fn token(&self) -> &CancellationToken {
        &self.token
    }

    /// How long what runs may go on.
    pub(crate) fn within(&self) -> Option<Duration> {
        self.begun.get().and_then(|(_, within)| *within)
    }
}
