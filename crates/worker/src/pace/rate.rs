//! How often a store that refuses requests is asked: answers in, a rate out. No clock and no lock.
//!
//! Apart from the limit on requests in flight (`permits`), which is about how much pays: here a store says itself that it
//! wants less. What it answered under pressure is what it can do, so that the first cut goes there in one step; a store that
//! refuses everything is asked by one request at a time, since more would only be refused as well.
//!
//! | seen | done |
//! |---|---|
//! | hardly any refusals | as fast as the permits allow |
//! | twelve refusals in a row | closed: one request at a time, more and more slowly, at least every five seconds |
//! | closed, and a request is answered | open: an eighth of the usual rate, twice as much every half second up to it |
//! | a share of the requests is refused | nine tenths of what was answered, and then up: slowly near where it was refused |
//! | … and fewer requests are refused as often | the rate is not why: as fast as before, since slowness does not help |
//! | four times as fast as usual, and no refusals | as fast as the permits allow |

use std::time::Duration;

use longbow_core::backoff::Backoff;
use tokio::time::Instant;

/// So many refusals with no answer between them, and everything is refused.
const STORM: u32 = 12;
/// Between requests to a store that refuses everything.
const PROBES: Backoff = Backoff { first: Duration::from_millis(250), most: Duration::from_secs(5) };
/// A rate is judged after so long …
const WINDOW: Duration = Duration::from_millis(500);
/// … or, where there are few answers and no refusals, after this.
const LONG_WINDOW: Duration = Duration::from_secs(3);
/// Answers that can be judged, at most.
const ENOUGH: f64 = 64.0;
/// So small a share of refusals is what it costs to know the limit.
const TOLERATED: f64 = 0.02;
/// A greater share of refusals is never taken for one that has nothing to do with the rate: with it, the cut that did not help went
/// to less than a fifth, and more of it is hardly told from a storm that begins.
const MOST_UNRELATED: f64 = 0.8;
/// So near below the limit the rate may be.
const BELOW: f64 = 0.9;
/// Never fewer requests a second than this, unless everything is refused.
const SLOWEST: f64 = 1.0;
/// So much of what was not used may be made up for: timers are not exact.
const CATCH_UP: Duration = Duration::from_millis(20);

/// Whether a request may go.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Turn {
    /// Now. The answer is to be told with this.
    Go(Ticket),
    /// Not before then.
    Wait(Instant),
}

/// Under which decision a request went: what went before the last one says nothing about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ticket(u64);

/// What an answer has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    /// Nothing.
    None,
    /// A stretch of time was judged, and the rate may be another.
    Judged,
    /// The first cut, from no limit at all, has helped.
    Cut,
    /// Everything is refused: after so many single requests since it began.
    Closed(u32),
    /// Not everything is refused any more.
    Opened,
}

#[derive(Debug, Clone, Copy)]
enum Mode {
    Free,
    /// So many requests a second, the next one at that time.
    Paced {
        rate: f64,
        next: Instant,
    },
    /// One request at that time; so many have been refused.
    Closed {
        next: Instant,
        tries: u32,
    },
}

#[derive(Debug, Clone, Copy)]
struct Window {
    since: Instant,
    answered: f64,
    refused: f64,
    /// Somebody had to wait for the rate.
    waited: bool,
}

impl Window {
    fn new(since: Instant) -> Self {
        Self { since, answered: 0.0, refused: 0.0, waited: false }
    }
}

/// The rate of one store.
#[derive(Debug)]
pub(super) struct Rate {
    mode: Mode,
    ticket: Ticket,
    window: Window,
    /// Refusals since the last answer.
    in_a_row: u32,
    /// Answers a second, in good times.
    usual: f64,
    /// Where it was refused.
    ceiling: Option<f64>,
    /// The share of refusals that the last cut was made for, until it is seen whether it has helped.
    cut_for: Option<f64>,
    /// That cut was the first.
    first: bool,
    /// The share of refusals that does not depend on the rate.
    unrelated: f64,
    /// Whether that was so when it was looked at last.
    held: bool,
}

impl Rate {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            mode: Mode::Free,
            ticket: Ticket(0),
            window: Window::new(now),
            in_a_row: 0,
            usual: 0.0,
            ceiling: None,
            cut_for: None,
            first: false,
            unrelated: 0.0,
            held: false,
        }
    }

    /// The turn of a request that nothing holds back; `None`: it has to queue.
    pub(super) fn free(&self) -> Option<Ticket> {
        matches!(self.mode, Mode::Free).then_some(self.ticket)
    }

    /// Whether everything is refused.
    pub(super) fn is_closed(&self) -> bool {
        matches!(self.mode, Mode::Closed { .. })
    }

    /// Whether it is this rate, and what the store refuses, that requests wait for.
    pub(super) fn holds(&self) -> bool {
        self.is_closed() || self.held
    }

    /// Whether the next request may go. `chance` is uniform in 0..1.
    pub(super) fn turn(&mut self, now: Instant, chance: f64) -> Turn {
        match &mut self.mode {
            Mode::Free => Turn::Go(self.ticket),
            Mode::Paced { rate, next } if *next <= now => {
                let behind = now.checked_sub(CATCH_UP).unwrap_or(now);
                *next = (*next).max(behind) + gap(*rate);
                Turn::Go(self.ticket)
            }
            // One that hangs does not keep others from trying.
            Mode::Closed { next, tries } if *next <= now => {
                *next = now + PROBES.delay(*tries + 1, chance);
                Turn::Go(self.ticket)
            }
            Mode::Paced { next, .. } => {
                self.window.waited = true;
                Turn::Wait(*next)
            }
            Mode::Closed { next, .. } => Turn::Wait(*next),
        }
    }

    /// The store did, or refused for another reason, what was asked.
    pub(super) fn answered(&mut self, now: Instant, ticket: Ticket) -> Change {
        if ticket != self.ticket {
            return Change::None;
        }
        self.in_a_row = 0;
        self.window.answered += 1.0;
        if self.is_closed() {
            let start = (self.usual / 8.0).max(4.0 * SLOWEST);
            self.begin(now, Mode::Paced { rate: start, next: now });
            return Change::Opened;
        }
        self.judge(now)
    }

    /// The store refused because there were too many requests. `chance` is uniform in 0..1.
    pub(super) fn refused(&mut self, now: Instant, ticket: Ticket, chance: f64) -> Change {
        if ticket != self.ticket {
            return Change::None;
        }
        self.in_a_row += 1;
        self.window.refused += 1.0;
        if let Mode::Closed { next, tries } = &mut self.mode {
            *tries += 1;
            *next = now + PROBES.delay(*tries, chance);
            return Change::Closed(*tries);
        }
        if self.in_a_row < STORM {
            return self.judge(now);
        }
        self.measure(now);
        (self.ceiling, self.cut_for, self.first) = (None, None, false);
        self.begin(now, Mode::Closed { next: now + PROBES.delay(0, chance), tries: 0 });
        Change::Closed(0)
    }

    fn begin(&mut self, now: Instant, mode: Mode) {
        self.mode = mode;
        self.ticket.0 += 1;
        self.in_a_row = 0;
        self.window = Window::new(now);
        self.held = true;
    }

    /// Answers a second since the window began, which good times are known by.
    fn measure(&mut self, now: Instant) -> f64 {
        let elapsed = now.saturating_duration_since(self.window.since).as_secs_f64();
        let answered = self.window.answered / elapsed.max(0.1);
        self.usual = self.usual.max(answered);
        answered
    }

    /// Looks at the window, if there is enough in it, and decides.
    fn judge(&mut self, now: Instant) -> Change {
        let elapsed = now.saturating_duration_since(self.window.since);
        let count = self.window.answered + self.window.refused;
        let enough = match self.mode {
            Mode::Paced { rate, .. } => (rate * WINDOW.as_secs_f64() / 2.0).clamp(1.0, ENOUGH),
            _ => ENOUGH,
        };
        // A few answers can show that all is well, and not that something is wrong.
        let well = self.window.refused == 0.0 && (count >= enough || elapsed >= LONG_WINDOW);
        if elapsed < WINDOW || !well && count < ENOUGH {
            return Change::None;
        }
        if matches!(self.mode, Mode::Free) {
            // What was usual is forgotten slowly.
            self.usual *= BELOW;
        }
        let answered = self.measure(now);
        let share = self.window.refused / count;
        self.held = self.window.waited || self.window.refused > 0.0;
        self.window = Window::new(now);
        self.unrelated *= 0.995;
        // Chance alone makes it greater at times.
        let chance = 3.0 * (self.unrelated * (1.0 - self.unrelated) / count).sqrt();
        let before = self.cut_for.take();
        let helped = before.is_some_and(|before| has_helped(before, share, count));
        if before.is_some() && !helped && share < MOST_UNRELATED {
            self.unrelated = share;
            self.ceiling = None;
            self.first = false;
        } else if share > TOLERATED.max(self.unrelated + chance.max(self.unrelated / 4.0)) {
            self.slow_down(now, answered, share);
            return Change::Judged;
        }
        self.speed_up(now);
        if helped && std::mem::take(&mut self.first) { Change::Cut } else { Change::Judged }
    }

    fn slow_down(&mut self, now: Instant, answered: f64, share: f64) {
        self.first |= matches!(self.mode, Mode::Free);
        self.cut_for = Some(share);
        self.ceiling = Some(answered);
        self.usual = answered;
        self.begin(now, Mode::Paced { rate: (answered * BELOW).max(SLOWEST), next: now });
    }

    fn speed_up(&mut self, now: Instant) {
        let Mode::Paced { rate, next } = &mut self.mode else { return };
        let limit = self.ceiling.unwrap_or(self.usual);
        if *rate < limit * BELOW {
            *rate = (*rate * 2.0).min(limit * BELOW).max(*rate + SLOWEST);
        } else if self.ceiling.is_some() && *rate < limit / BELOW {
            *rate *= 1.01;
        } else {
            self.ceiling = None;
            *rate *= 1.25;
        }
        *next = (*next).min(now + gap(*rate));
        if *rate > self.usual * 4.0 {
            self.mode = Mode::Free;
        }
    }
}

/// Whether fewer requests were refused after a cut than before it, and by more than chance makes of so few answers.
fn has_helped(before: f64, share: f64, count: f64) -> bool {
    share < TOLERATED || share < before * 0.7 - 2.0 * (before * (1.0 - before) / count).sqrt()
}

/// Between two requests.
fn gap(rate: f64) -> Duration {
    Duration::from_secs_f64(1.0 / rate.max(SLOWEST))
}

#[cfg(test)]
mod tests;
