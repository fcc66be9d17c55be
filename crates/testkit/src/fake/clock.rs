//! A clock that follows tokio's time, so that a test with paused time has a calendar too.
//!
//! Apart from tokio's own pausing it can be moved by hand: forwards for both readings, or by a jump of the calendar
//! alone, as when somebody sets a machine's clock. It is also the clock of [`super::FakeS3`].

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use longbow_core::object::Timestamp;
use longbow_core::port::Clock;
use tokio::time::Instant;

/// 2026-01-01T00:00:00Z: where the calendar of a fake clock begins, so that tests see the same moments each time.
const EPOCH: Timestamp = Timestamp(1_767_225_600_000);

/// A clock to hand to what is tested. Clones share the same time.
#[derive(Debug, Clone)]
pub struct FakeClock {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    calendar: Timestamp,
    start: Instant,
    advanced_nanoseconds: AtomicU64,
    jumped_milliseconds: AtomicI64,
}

impl FakeClock {
    /// A clock whose calendar begins on 2026-01-01 and whose `elapsed` begins at zero.
    pub fn new() -> Self {
        Self::starting_at(EPOCH)
    }

    /// A clock whose calendar begins at `calendar`.
    pub fn starting_at(calendar: Timestamp) -> Self {
        Self {
            shared: Arc::new(Shared {
                calendar,
                start: Instant::now(),
                advanced_nanoseconds: AtomicU64::new(0),
                jumped_milliseconds: AtomicI64::new(0),
            }),
        }
    }

    /// A clock whose calendar begins now, for a server that others' clocks are compared with.
    pub fn from_system() -> Self {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Self::starting_at(Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX)))
    }

    /// Moves both readings forwards, beside tokio's time.
    pub fn advance(&self, by: Duration) {
        let nanoseconds = u64::try_from(by.as_nanos()).unwrap_or(u64::MAX);
        self.shared.advanced_nanoseconds.fetch_add(nanoseconds, Ordering::SeqCst);
    }

    /// Sets the calendar back or forth; `elapsed` does not notice.
    pub fn jump(&self, milliseconds: i64) {
        self.shared.jumped_milliseconds.fetch_add(milliseconds, Ordering::SeqCst);
    }
}

impl Default for FakeClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for FakeClock {
    fn now(&self) -> Timestamp {
        let elapsed = i64::try_from(self.elapsed().as_millis()).unwrap_or(i64::MAX);
        self.shared.calendar.plus(elapsed).plus(self.shared.jumped_milliseconds.load(Ordering::SeqCst))
    }

    fn elapsed(&self) -> Duration {
        let advanced = Duration::from_nanos(self.shared.advanced_nanoseconds.load(Ordering::SeqCst));
        self.shared.start.elapsed() + advanced
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn follows_paused_time_and_the_hand() {
        let clock = FakeClock::new();
        tokio::time::sleep(Duration::from_secs(3)).await;
        assert_eq!(clock.elapsed(), Duration::from_secs(3));
        clock.advance(Duration::from_secs(2));
        clock.jump(-10_000);
        assert_eq!(clock.elapsed(), Duration::from_secs(5));
        assert_eq!(clock.now(), EPOCH.plus(-5_000));
    }
}
