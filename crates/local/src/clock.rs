//! The clock of the machine.
//!
//! Apart because everything else is handed its time, so that tests can hand it theirs.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use longbow_core::object::Timestamp;
use longbow_core::port::Clock;

/// Reads the machine's clocks: the calendar, and the monotonic one since this value was made.
#[derive(Debug, Clone, Copy)]
pub struct SystemClock {
    began: Instant,
}

impl SystemClock {
    /// A clock whose [`Clock::elapsed`] begins now.
    pub fn new() -> Self {
        Self { began: Instant::now() }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let milliseconds = |d: Duration| i64::try_from(d.as_millis()).unwrap_or(i64::MAX);
        // A calendar before 1970 is wrong, and still must not stop a copy.
        Timestamp(match SystemTime::now().duration_since(UNIX_EPOCH) {
            Ok(since) => milliseconds(since),
            Err(before) => -milliseconds(before.duration()),
        })
    }

    fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_calendar_is_after_this_was_written_and_elapsed_never_goes_back() {
        let clock = SystemClock::new();
        assert!(clock.now() > Timestamp(1_700_000_000_000));
        let first = clock.elapsed();
        assert!(clock.elapsed() >= first);
    }
}
