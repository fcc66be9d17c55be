//! The one source of chance of a schedule: every number comes from the seed, in the order of asking.

use std::time::Duration;

/// SplitMix64 (Steele and others, "Fast Splittable Pseudorandom Number Generators", 2014).
#[derive(Debug, Clone)]
pub struct Dice(u64);

impl Dice {
    /// The dice of a seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Any number.
    pub fn word(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ (word >> 31)
    }

    /// A number below `end`; 0 if there is none.
    pub fn below(&mut self, end: u64) -> u64 {
        // The bias of the remainder is far below anything that a schedule could show.
        if end == 0 { 0 } else { (self.word() >> 16) % end }
    }

    /// A number from `start` and below `end`.
    pub fn between(&mut self, start: u64, end: u64) -> u64 {
        start + self.below(end.saturating_sub(start))
    }

    /// Whether something of so many percent happens.
    pub fn percent(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    /// One of several.
    pub fn pick<T: Copy>(&mut self, of: &[T], otherwise: T) -> T {
        let index = usize::try_from(self.below(of.len() as u64)).unwrap_or(0);
        of.get(index).copied().unwrap_or(otherwise)
    }

    /// So many milliseconds, from `start` and below `end`.
    pub fn milliseconds(&mut self, start: u64, end: u64) -> Duration {
        Duration::from_millis(self.between(start, end))
    }

    /// A number from 0 to 1.
    pub fn unit(&mut self) -> f64 {
        let bits = u32::try_from(self.word() >> 32).unwrap_or(0);
        f64::from(bits) / f64::from(u32::MAX)
    }
}
