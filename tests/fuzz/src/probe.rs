//! One input, one target: does it keep its promises, in time, and in bounded memory?
//!
//! A target says by a panic what is wrong. What it took is measured here. Time is that of the processor where the
//! clock on the wall is suspicious, and the best of three runs, so that a loaded machine fails nothing.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;
use std::time::{Duration, Instant};

use crate::memory;
use crate::target::Target;

/// Why an input fails.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// A promise is not kept, or the reader panicked.
    Broken(String),
    /// It took too long.
    Slow(Duration),
    /// It took too much memory.
    Large(usize),
}

impl Failure {
    /// Whether another failure is of the same kind, so that an input may be made smaller.
    pub(crate) fn is_like(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Broken(a), Self::Broken(b)) => place(a) == place(b),
            (Self::Slow(_), Self::Slow(_)) | (Self::Large(_), Self::Large(_)) => true,
            _ => false,
        }
    }
}

/// File and line of a panic, as told.
fn place(text: &str) -> &str {
    text.split(": ").next().unwrap_or_default()
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Broken(what) => f.write_str(what),
            Self::Slow(time) => write!(f, "it takes {} ms of the processor", time.as_millis()),
            Self::Large(bytes) => write!(f, "it takes {bytes} bytes of memory at once"),
        }
    }
}

/// What one input took.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Cost {
    pub(crate) time: Duration,
    pub(crate) memory: usize,
}

thread_local! {
    /// What a panic said; `None` while no target runs, whose panics are nobody's but the caller's.
    static SAID: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Panics are kept as text instead of being printed.
fn keep_panics() {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            let place = info.location().map(|l| format!("{}:{}", l.file(), l.line())).unwrap_or_default();
            let text = info.payload_as_str().unwrap_or("no text");
            let kept = SAID.try_with(|said| match &mut *said.borrow_mut() {
                Some(said) => {
                    *said = format!("{place}: {text}");
                    true
                }
                None => false,
            });
            if kept != Ok(true) {
                usual(info);
            }
        }));
    });
}

/// Runs a target on an input.
pub(crate) fn probe(target: &Target, input: &[u8]) -> Result<Cost, Failure> {
    let cost = once(target, input)?;
    let most = target.memory.saturating_add(input.len().saturating_mul(target.memory_a_byte));
    if cost.memory > most {
        return Err(Failure::Large(cost.memory));
    }
    if cost.time > target.time {
        let mut best = cost.time;
        for _ in 0..3 {
            let before = processor_time();
            let again = once(target, input)?;
            best = best.min(match (before, processor_time()) {
                (Some(before), Some(after)) => after.saturating_sub(before),
                _ => again.time,
            });
        }
        if best > target.time {
            return Err(Failure::Slow(best));
        }
    }
    Ok(cost)
}

fn once(target: &Target, input: &[u8]) -> Result<Cost, Failure> {
    keep_panics();
    SAID.with(|said| *said.borrow_mut() = Some(String::new()));
    let before = memory::reset();
    let began = Instant::now();
    let end = catch_unwind(AssertUnwindSafe(|| (target.run)(input)));
    let time = began.elapsed();
    let memory = memory::peak().saturating_sub(before);
    let said = SAID.with(|said| said.borrow_mut().take()).unwrap_or_default();
    end.map(|()| Cost { time, memory }).map_err(|_| Failure::Broken(said))
}

/// What this thread has had of the processor; `None` where the system does not tell.
pub(crate) fn processor_time() -> Option<Duration> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    text.split(' ').next()?.parse().ok().map(Duration::from_nanos)
}

/// Makes an input smaller for as long as it fails in the same way, and no longer than some seconds.
pub(crate) fn shrink(target: &Target, input: &[u8], failure: &Failure) -> Vec<u8> {
    let deadline = Instant::now() + Duration::from_secs(5);
    let mut best = input.to_vec();
    let mut piece = best.len().div_ceil(2).max(1);
    loop {
        let mut at = 0;
        let before = best.len();
        while at < best.len() {
            if Instant::now() > deadline {
                return best;
            }
            let end = (at + piece).min(best.len());
            let shorter = [&best[..at], &best[end..]].concat();
            match probe(target, &shorter) {
                Err(found) if found.is_like(failure) => best = shorter,
                _ => at = end,
            }
        }
        if piece == 1 && best.len() == before {
            return best;
        }
        piece = (piece / 2).max(1);
    }
}
