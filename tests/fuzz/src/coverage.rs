//! Which branches an input took: the counters that LLVM puts into instrumented crates (`instrument`).
//!
//! Apart, because it is one of the two places of these tests that need unsafe code. In a build without
//! instrumentation there are no counters, and inputs are changed blindly.

use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};

static COUNTERS: AtomicPtr<u8> = AtomicPtr::new(std::ptr::null_mut());
static LENGTH: AtomicUsize = AtomicUsize::new(0);

/// Called before `main`, once for each instrumented module, with the counters of all of them (LLVM,
/// "SanitizerCoverage", inline 8-bit counters).
#[expect(unsafe_code, reason = "LLVM calls it by this name")]
#[unsafe(no_mangle)]
extern "C" fn __sanitizer_cov_8bit_counters_init(start: *mut u8, stop: *mut u8) {
    COUNTERS.store(start, Ordering::Relaxed);
    LENGTH.store((stop as usize).saturating_sub(start as usize), Ordering::Relaxed);
}

#[expect(unsafe_code, reason = "the counters are memory that LLVM laid out")]
fn counters() -> &'static mut [u8] {
    let (start, length) = (COUNTERS.load(Ordering::Relaxed), LENGTH.load(Ordering::Relaxed));
    if start.is_null() {
        return &mut [];
    }
    // SAFETY: both come from the linker: `length` bytes of this program's data, which live as long as it does. One
    // thread at a time runs targets, and calls this between two inputs; counters that other threads touch meanwhile
    // may be off by some, and nothing but the choice of the next input depends on them.
    unsafe { std::slice::from_raw_parts_mut(start, length) }
}

/// What was taken by all inputs so far: for each counter, which orders of magnitude it has had.
#[derive(Debug, Clone)]
pub(crate) struct Coverage {
    seen: Vec<u8>,
    features: usize,
}

impl Coverage {
    pub(crate) fn new() -> Self {
        Self { seen: vec![0; counters().len()], features: 0 }
    }

    /// Whether this build counts anything.
    pub(crate) fn is_guided() -> bool {
        !counters().is_empty()
    }

    /// How many counters had how many orders of magnitude.
    pub(crate) fn features(&self) -> usize {
        self.features
    }

    /// Sets all counters to zero.
    pub(crate) fn clear() {
        counters().fill(0);
    }

    /// Adds what was counted since [`Coverage::clear`]; how much of it is new.
    pub(crate) fn add(&mut self) -> usize {
        let before = self.features;
        let pieces = counters().chunks(8).zip(self.seen.chunks_mut(8));
        for (counted, seen) in pieces {
            // Almost all counters are zero, so eight are looked at together.
            if counted.iter().all(|&count| count == 0) {
                continue;
            }
            for (count, seen) in counted.iter().zip(seen) {
                let order = magnitude(*count);
                if order & !*seen != 0 {
                    *seen |= order;
                    self.features += 1;
                }
            }
        }
        self.features - before
    }
}

/// Once, twice, three times, up to 7, 15, 31, 127, more: a bit each.
fn magnitude(count: u8) -> u8 {
    match count {
        0 => 0,
        1 => 1,
        2 => 2,
        3 => 4,
        4..=7 => 8,
        8..=15 => 16,
        16..=31 => 32,
        32..=127 => 64,
        128.. => 128,
    }
}
