//! Many schedules side by side, and what they came to together.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::{KINDS, Verdict, run};

/// Which schedules to play.
#[derive(Debug, Clone, Copy)]
pub struct Range {
    /// The first seed.
    pub from: u64,
    /// How many.
    pub seeds: u64,
    /// Threads, each with runtimes of its own; at least 1.
    pub threads: usize,
    /// Begin no schedule after so long, if that is given.
    pub within: Option<Duration>,
}

/// What they came to.
#[derive(Debug, Clone)]
pub struct Sum {
    /// Schedules that were played.
    pub played: u64,
    /// Those that broke something, by seed.
    pub failed: Vec<Verdict>,
    /// One hash of all journals, whatever the order and the threads.
    pub hash: u64,
    /// Lines of all journals.
    pub lines: u64,
    /// How often each fault took effect.
    pub took: [u64; KINDS],
    /// In how many schedules each fault took effect.
    pub seen: [u64; KINDS],
}

impl Sum {
    fn empty() -> Self {
        Self { played: 0, failed: Vec::new(), hash: 0, lines: 0, took: [0; KINDS], seen: [0; KINDS] }
    }

    fn add(&mut self, verdict: Verdict) {
        self.played += 1;
        self.lines += verdict.lines as u64;
        // A sum does not depend on the order; the seed keeps two journals from changing places unseen.
        let mixed = (verdict.hash ^ verdict.seed.rotate_left(32)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.hash = self.hash.wrapping_add(mixed ^ (mixed >> 29));
        for (index, times) in verdict.took.iter().enumerate() {
            self.took[index] += u64::from(*times);
            self.seen[index] += u64::from(*times > 0);
        }
        if !verdict.is_good() {
            self.failed.push(verdict);
        }
    }

    fn join(&mut self, other: Self) {
        self.played += other.played;
        self.lines += other.lines;
        self.hash = self.hash.wrapping_add(other.hash);
        for index in 0..KINDS {
            self.took[index] += other.took[index];
            self.seen[index] += other.seen[index];
        }
        self.failed.extend(other.failed);
    }
}

/// Plays them; `tell` hears of each that broke something, as it is found.
pub fn play(range: Range, tell: impl Fn(&Verdict) + Sync) -> Sum {
    let next = AtomicU64::new(0);
    let all = Mutex::new(Sum::empty());
    let begun = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..range.threads.max(1) {
            scope.spawn(|| {
                let mut sum = Sum::empty();
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    if index >= range.seeds || range.within.is_some_and(|within| begun.elapsed() > within) {
                        break;
                    }
                    let verdict = run(range.from + index);
                    if !verdict.is_good() {
                        tell(&verdict);
                    }
                    sum.add(verdict);
                }
                all.lock().unwrap_or_else(PoisonError::into_inner).join(sum);
            });
        }
    });
    let mut sum = all.into_inner().unwrap_or_else(PoisonError::into_inner);
    sum.failed.sort_by_key(|verdict| verdict.seed);
    sum
}

/// Seeds of a range whose second run had another journal than the first.
pub fn differing(range: Range) -> Vec<u64> {
    let next = AtomicU64::new(0);
    let found = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..range.threads.max(1) {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    if index >= range.seeds {
                        break;
                    }
                    let seed = range.from + index;
                    if run(seed) != run(seed) {
                        found.lock().unwrap_or_else(PoisonError::into_inner).push(seed);
                    }
                }
            });
        }
    });
    let mut found = found.into_inner().unwrap_or_else(PoisonError::into_inner);
    found.sort_unstable();
    found
}
