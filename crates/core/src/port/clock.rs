//! Time, passed in.

use std::time::Duration;

use crate::object::Timestamp;

/// Reads the time. `now` may jump; `elapsed` never goes backwards and is what leases are measured by.
pub trait Clock: Send + Sync + 'static {
    /// The calendar time.
    fn now(&self) -> Timestamp;
    /// Monotonic time since some fixed moment.
    fn elapsed(&self) -> Duration;
}
