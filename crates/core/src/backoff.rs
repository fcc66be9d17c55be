//! How long to wait before trying again.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// Exponential backoff with full jitter between half and all of each step, so that many workers spread out and
/// none retries at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    /// The first step.
    pub first: Duration,
    /// The longest step.
    pub most: Duration,
}

impl Backoff {
    /// The wait before retry number `retry` (from 0). `chance` is uniform in 0..1 and passed in.
    pub fn delay(&self, retry: u32, chance: f64) -> Duration {
        let step =
            self.first.saturating_mul(1u32.checked_shl(retry.min(20)).unwrap_or(u32::MAX)).min(self.most);
        step.mul_f64(0.5 + 0.5 * chance.clamp(0.0, 1.0))
    }
}

/// Where jitter comes from: numbers in 0..1, from whoever has a source of chance. Handed in, so that a simulation can
/// repeat a run to the letter.
#[derive(Clone)]
pub struct Chance(Arc<dyn Fn() -> f64 + Send + Sync>);

impl Chance {
    /// The numbers that `source` gives.
    pub fn new(source: impl Fn() -> f64 + Send + Sync + 'static) -> Self {
        Self(Arc::new(source))
    }

    /// The next number.
    pub fn draw(&self) -> f64 {
        (self.0)()
    }
}

impl fmt::Debug for Chance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Chance")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_up_to_the_longest_step() {
        let b = Backoff { first: Duration::from_secs(1), most: Duration::from_secs(10) };
        assert_eq!(b.delay(0, 1.0), Duration::from_secs(1));
        assert_eq!(b.delay(0, 0.0), Duration::from_millis(500));
        assert_eq!(b.delay(3, 1.0), Duration::from_secs(8));
        assert_eq!(b.delay(4, 1.0), Duration::from_secs(10));
        assert_eq!(b.delay(u32::MAX, 1.0), Duration::from_secs(10));
    }
}
