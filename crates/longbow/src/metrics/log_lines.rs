//! Counts log lines of the levels WARN and ERROR, as they are logged.
//!
//! Process-wide, as logging itself is.

use std::sync::atomic::{AtomicU64, Ordering};

use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

static WARNINGS: AtomicU64 = AtomicU64::new(0);
static ERRORS: AtomicU64 = AtomicU64::new(0);

/// Counts what passes by.
pub(crate) struct LogLines;

impl<S: Subscriber> Layer<S> for LogLines {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        match *event.metadata().level() {
            Level::WARN => WARNINGS.fetch_add(1, Ordering::Relaxed),
            Level::ERROR => ERRORS.fetch_add(1, Ordering::Relaxed),
            _ => 0,
        };
    }
}

/// Warnings and errors since the process began.
pub(super) fn counted() -> (u64, u64) {
    (WARNINGS.load(Ordering::Relaxed), ERRORS.load(Ordering::Relaxed))
}
