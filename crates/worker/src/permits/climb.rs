//! How many requests in flight are best: a climber on the curve of throughput over requests in flight.
//!
//! Apart from the permits, since it is a decision: samples in, limit out, no clock and no lock. The curve rises while
//! requests wait for distance, is flat where the network, the store or this machine has no more to give, and falls
//! where the store pushes back. The climber looks for the lower end of the flat part: more requests would only hold
//! more memory and make each other slower.
//!
//! | seen | done |
//! |---|---|
//! | the store throttles | × 0.7 at once, at most once a second; then back up, with a long rest near where it happened |
//! | nobody waited for a permit | nothing: the rate was not ours |
//! | one step up, and the rate rose | one more |
//! | one step up, and it did not | back, and a pause that doubles while this repeats |
//! | … and answers take twice as long as ever before | × 0.7 |
//! | after a pause | up or down a step, in turn |
//! | one step down, and the rate stayed | one more |
//! | one step down, and it fell | back, and a pause |

use std::time::Duration;

use tokio::time::Instant;

/// What is left after the store pushed back.
const CUT: f64 = 0.7;
/// Cuts are at least so far apart: one round trip of everything that was sent before the cut.
const BETWEEN_CUTS: Duration = Duration::from_secs(1);
/// Refusals that are no further apart belong together.
const STORM: Duration = Duration::from_secs(10);
/// So near to where the store pushed back, the climber rests for a long while before it dares to go on.
const BELOW_CEILING: f64 = 0.9;
/// Changes of the rate by less than this are noise.
const NOISE: f64 = 0.02;
/// A step up must bring this share of what it would bring if nothing stood in the way.
const WORTHWHILE: f64 = 0.2;
/// Answers that take so many times longer than the best are a queue in the store.
const SLOW: f64 = 2.0;
/// Samples between probes of a flat curve: at first, and at most.
const PAUSES: (u32, u32) = (4, 32);
/// Requests up to this size are compared by the time they take, larger ones by the time a byte takes.
const SMALL: u64 = 256 << 10;
/// What a request is worth beside its bytes, so that both requests a second and bytes a second count.
const REQUEST_WORTH: f64 = 65_536.0;

/// What was seen between two decisions.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Sample {
    /// For how long.
    pub(super) window: Duration,
    /// Somebody had to wait for a permit.
    pub(super) saturated: bool,
    small: Tally,
    large: Tally,
}

/// Requests of one kind.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Tally {
    count: f64,
    bytes: f64,
    seconds: f64,
}

impl Sample {
    /// Counts a request that is done.
    pub(super) fn add(&mut self, bytes: u64, elapsed: Duration) {
        let tally = if bytes <= SMALL { &mut self.small } else { &mut self.large };
        tally.count += 1.0;
        tally.bytes += bytes as f64;
        tally.seconds += elapsed.as_secs_f64();
    }

    /// How many requests were done.
    pub(super) fn count(&self) -> f64 {
        self.small.count + self.large.count
    }

    fn rate(&self) -> f64 {
        let work = self.small.bytes + self.large.bytes + self.count() * REQUEST_WORTH;
        work / self.window.as_secs_f64().max(1e-3)
    }
}

/// The shortest answers seen, slowly forgotten.
#[derive(Debug, Clone, Copy, Default)]
struct Best(Option<f64>);

impl Best {
    /// How many times slower than the best.
    fn compare(&mut self, now: f64) -> f64 {
        let best = self.0.map_or(now, |best| (best * 1.01).min(now));
        self.0 = Some(best);
        now / best.max(1e-9)
    }

    /// Accepts what is seen now as half of the reason to cut again: if it was not our doing, cutting does not help.
    fn accept(&mut self) {
        self.0 = self.0.map(|best| best * (1.0 + SLOW) / 2.0);
    }
}

/// A step whose effect is not seen yet.
#[derive(Debug, Clone, Copy)]
struct Step {
    /// The limit before it.
    from: usize,
    /// The rate before it; on the way down, before the first of the steps, so that small losses do not add up.
    rate: f64,
}

/// The climber.
#[derive(Debug)]
pub(super) struct Climb {
    limit: usize,
    least: usize,
    most: usize,
    step: Option<Step>,
    /// The next probe goes down.
    down: bool,
    /// Samples until the next probe.
    pause: u32,
    next_pause: u32,
    last_cut: Option<Instant>,
    /// Where the store last pushed back, until the rest below it is over.
    ceiling: Option<usize>,
    small: Best,
    large: Best,
}

impl Climb {
    pub(super) fn new(least: usize, start: usize, most: usize) -> Self {
        let most = most.max(1);
        let least = least.clamp(1, most);
        Self {
            limit: start.clamp(least, most),
            least,
            most,
            step: None,
            down: false,
            pause: 0,
            next_pause: PAUSES.0,
            last_cut: None,
            ceiling: None,
            small: Best::default(),
            large: Best::default(),
        }
    }

    /// The limit now.
    pub(super) fn limit(&self) -> usize {
        self.limit
    }

    /// The store refused a request because there were too many.
    pub(super) fn throttled(&mut self, now: Instant) {
        if self.cut_lately(now) {
            return;
        }
        // Later cuts of one storm are below where it began.
        if self.last_cut.is_none_or(|cut| now.saturating_duration_since(cut) > STORM) {
            self.ceiling = Some(self.limit);
        }
        self.cut(now);
    }

    /// The effect of the last step cannot be seen any more: it is taken back.
    pub(super) fn disturbed(&mut self) {
        if let Some(step) = self.step.take() {
            self.limit = step.from;
        }
    }

    /// Takes a sample, and decides.
    pub(super) fn sample(&mut self, now: Instant, sample: &Sample) {
        let slow = self.slowness(sample);
        if !sample.saturated {
            self.step = None;
            return;
        }
        let rate = sample.rate();
        match self.step.take() {
            Some(step) if self.limit > step.from => {
                let grown = self.limit as f64 / step.from as f64 - 1.0;
                let gain = rate / step.rate - 1.0;
                if gain < NOISE.max(grown * WORTHWHILE) {
                    self.limit = step.from;
                    self.rest();
                    if slow > SLOW && !self.cut_lately(now) {
                        self.cut(now);
                        self.small.accept();
                        self.large.accept();
                    }
                    return;
                }
                if gain > grown / 2.0 {
                    self.next_pause = PAUSES.0;
                }
                self.climb(rate);
            }
            Some(step) => {
                if rate < step.rate * (1.0 - NOISE) {
                    self.limit = step.from;
                    self.rest();
                } else {
                    self.descend(step.rate);
                }
            }
            None if self.pause > 0 || self.cut_lately(now) => self.pause = self.pause.saturating_sub(1),
            None if self.down => self.descend(rate),
            None => self.climb(rate),
        }
    }

    /// How many times slower than ever before the more frequent kind of requests was.
    fn slowness(&mut self, sample: &Sample) -> f64 {
        let (small, large) = (&sample.small, &sample.large);
        if small.count >= large.count && small.count > 0.0 {
            self.small.compare(small.seconds / small.count)
        } else if large.bytes > 0.0 {
            self.large.compare(large.seconds / large.bytes)
        } else {
            1.0
        }
    }

    fn cut_lately(&self, now: Instant) -> bool {
        self.last_cut.is_some_and(|cut| now.saturating_duration_since(cut) < BETWEEN_CUTS)
    }

    fn cut(&mut self, now: Instant) {
        self.last_cut = Some(now);
        self.limit = ((self.limit as f64 * CUT) as usize).max(self.least);
        self.step = None;
        self.down = false;
        self.pause = 0;
    }

    /// The curve is flat here: waits longer each time, and looks the other way next.
    fn rest(&mut self) {
        self.pause = self.next_pause;
        self.next_pause = (self.next_pause * 2).min(PAUSES.1);
        self.down = !self.down;
    }

    fn climb(&mut self, rate: f64) {
        let from = self.limit;
        self.limit = (from + (from / 8).max(1)).min(self.most);
        if let Some(ceiling) = self.ceiling
            && self.limit as f64 > ceiling as f64 * BELOW_CEILING
        {
            self.ceiling = None;
            self.limit = from;
            self.pause = PAUSES.1;
        } else if self.limit == from {
            self.rest();
        } else {
            self.step = Some(Step { from, rate });
        }
    }

    fn descend(&mut self, rate: f64) {
        let from = self.limit;
        self.limit = (from - (from / 8).max(1)).max(self.least);
        if self.limit == from {
            self.rest();
        } else {
            self.step = Some(Step { from, rate });
        }
    }
}

#[cfg(test)]
mod tests;
