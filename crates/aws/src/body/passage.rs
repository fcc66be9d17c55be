//! How a body on its way out gets on: whose turn it is, and for how long the server may make no move.
//!
//! Apart, because it is shared by the frames, which note each step, and by the one who waits for the answer.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use longbow_core::failure::{StoreError, StoreErrorKind};
use tokio::time::Instant;

use crate::failure::About;

/// What is known of a body on its way out.
#[derive(Debug)]
pub(super) struct Passage {
    /// Why the frames ended early: a fault of their source, not of the store.
    failure: Mutex<Option<StoreError>>,
    begun: Instant,
    /// Whose turn it is, in one word: 0 while the source is to give the next frame; else three times the milliseconds
    /// from `begun` to when a frame was handed to the connection, plus 1, or plus 2 if it was the last.
    turn: AtomicU64,
}

/// Who has to move next.
#[derive(Debug, PartialEq, Eq)]
enum Turn {
    Source,
    /// The server, since then: it has to take what it was handed, or, after the last frame, to answer.
    Server {
        since: Instant,
        all: bool,
    },
}

impl Passage {
    pub(super) fn new(length: u64) -> Self {
        let passage = Self { failure: Mutex::new(None), begun: Instant::now(), turn: AtomicU64::new(0) };
        if length == 0 {
            passage.handed_over(true);
        }
        passage
    }

    pub(super) fn handed_over(&self, all: bool) {
        let passed = u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX / 8);
        self.turn.store(passed * 3 + 1 + u64::from(all), Ordering::Relaxed);
    }

    pub(super) fn wait_for_source(&self) {
        self.turn.store(0, Ordering::Relaxed);
    }

    fn turn(&self) -> Turn {
        match self.turn.load(Ordering::Relaxed) {
            0 => Turn::Source,
            word => Turn::Server { since: self.begun + Duration::from_millis(word / 3), all: word % 3 == 2 },
        }
    }

    pub(super) fn fail(&self, error: StoreError) -> BrokenOff {
        *self.failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
        BrokenOff
    }
}

/// Stops a request whose body cannot go on. The reason is in the [`Passage`].
#[derive(Debug)]
pub(crate) struct BrokenOff;

impl fmt::Display for BrokenOff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the source of the bytes failed")
    }
}

impl std::error::Error for BrokenOff {}

/// How a request with a body ended, when there was no answer to it.
pub(crate) enum Unanswered {
    /// The frames' own failure.
    Source(StoreError),
    /// The server took every byte and then said nothing for this long.
    Silence(Duration),
    /// The server took no byte for this long.
    Stalled(Duration),
}

impl Unanswered {
    /// The fault to report.
    pub(crate) fn into_error(self, about: &About<'_>) -> StoreError {
        let text = match self {
            Self::Source(error) => return error,
            Self::Silence(limit) => {
                format!("no answer within {} seconds of the last byte", limit.as_secs_f64())
            }
            Self::Stalled(limit) => format!("the server took no bytes for {} seconds", limit.as_secs_f64()),
        };
        about.fault(StoreErrorKind::Transient, &text)
    }
}

/// For how long the server may make no move.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// Between two frames.
    pub(crate) stall: Duration,
    /// Between the last frame and the answer.
    pub(crate) answer: Duration,
}

/// Waits for the answer to a request with a body.
pub(crate) struct Awaiting {
    pub(super) passage: Arc<Passage>,
}

impl Awaiting {
    /// Runs `send`. While the source gives frames there is no limit; the server must take what it is handed, and
    /// answer once it has all, within `limits`. Limits on the whole request would either cut slow links off or wait
    /// for ever.
    pub(crate) async fn answer<T, E>(
        self,
        limits: Limits,
        send: impl Future<Output = Result<T, E>>,
    ) -> Result<Result<T, E>, Unanswered> {
        let silence = async {
            loop {
                let now = Instant::now();
                let (until, unanswered) = match self.passage.turn() {
                    Turn::Source => {
                        tokio::time::sleep_until(now + limits.stall.min(limits.answer)).await;
                        continue;
                    }
                    Turn::Server { since, all: true } => {
                        (since + limits.answer, Unanswered::Silence(limits.answer))
                    }
                    Turn::Server { since, all: false } => {
                        (since + limits.stall, Unanswered::Stalled(limits.stall))
                    }
                };
                if until <= now {
                    break unanswered;
                }
                // The shorter limit may begin meanwhile.
                tokio::time::sleep_until(until.min(now + limits.stall.min(limits.answer))).await;
            }
        };
        let outcome = tokio::select! {
            biased;
            outcome = send => outcome,
            unanswered = silence => return Err(unanswered),
        };
        if outcome.is_err() {
            let failure = self.passage.failure.lock().unwrap_or_else(PoisonError::into_inner).take();
            if let Some(failure) = failure {
                return Err(Unanswered::Source(failure));
            }
        }
        Ok(outcome)
    }
}
