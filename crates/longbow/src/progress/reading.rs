//! The state of a run at one moment, and the speed between two.

use std::collections::VecDeque;
use std::time::Duration;

use serde_json::{Value, json};

use crate::amounts;

/// The rate is that of the last while only, so that it follows what happens now.
const WINDOW: Duration = Duration::from_secs(10);

/// The state of a run at one moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Reading {
    /// Keys of the source listed so far.
    pub(crate) listed: u64,
    /// The source's listing has ended.
    pub(crate) listing_complete: bool,
    /// Jobs that ended.
    pub(crate) objects_done: u64,
    /// Jobs known so far.
    pub(crate) objects_known: u64,
    /// Bytes of these that were moved.
    pub(crate) bytes_done: u64,
    /// Bytes of the jobs known so far.
    pub(crate) bytes_known: u64,
    /// Objects given up.
    pub(crate) failed: u64,
}

/// What was done in a second, over the last while.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Rate {
    pub(crate) bytes: u64,
    pub(crate) objects: u64,
}

/// Remembers the last while.
#[derive(Debug, Default)]
pub(crate) struct Speed {
    seen: VecDeque<(Duration, Rate)>,
}

impl Speed {
    /// Takes what was done up to a moment; gives what was done in a second.
    pub(crate) fn next(&mut self, at: Duration, reading: &Reading) -> Rate {
        let done = Rate { bytes: reading.bytes_done, objects: reading.objects_done };
        self.seen.push_back((at, done));
        while self.seen.len() > 2 && self.seen[1].0 + WINDOW <= at {
            self.seen.pop_front();
        }
        let (first_at, first) = self.seen[0];
        let milliseconds = u64::try_from(at.saturating_sub(first_at).as_millis()).unwrap_or(u64::MAX);
        let rate = |now: u64, then: u64| {
            now.saturating_sub(then).saturating_mul(1000).checked_div(milliseconds).unwrap_or(0)
        };
        Rate { bytes: rate(done.bytes, first.bytes), objects: rate(done.objects, first.objects) }
    }
}

impl Reading {
    /// The time that is left at this rate, whichever takes longer, bytes or objects; unknown while the listing goes
    /// on, and while nothing moves.
    pub(crate) fn left(&self, rate: Rate) -> Option<Duration> {
        let time = |done: u64, known: u64, rate: u64| match known.saturating_sub(done) {
            0 => Some(0),
            left => (rate > 0).then(|| left.div_ceil(rate)),
        };
        let bytes = time(self.bytes_done, self.bytes_known, rate.bytes)?;
        // Few large objects: the rate of objects says nothing.
        let objects = time(self.objects_done, self.objects_known, rate.objects).unwrap_or(0);
        self.listing_complete.then(|| Duration::from_secs(bytes.max(objects)))
    }

    /// One line for people.
    pub(crate) fn line(&self, rate: Rate) -> String {
        let more = if self.listing_complete { "" } else { "+" };
        let mut line = format!(
            "{} of {}{more} objects · {} of {}{more} · {}/s",
            amounts::count(self.objects_done),
            amounts::count(self.objects_known),
            amounts::bytes(self.bytes_done),
            amounts::bytes(self.bytes_known),
            amounts::bytes(rate.bytes),
        );
        match self.left(rate) {
            Some(left) if self.objects_done < self.objects_known => {
                line.push_str(&format!(" · {} left", amounts::whole_seconds(left)));
            }
            _ if !self.listing_complete => {
                line.push_str(&format!(" · {} keys listed", amounts::count(self.listed)))
            }
            _ => {}
        }
        if self.failed > 0 {
            line.push_str(&format!(" · {} FAILED", amounts::count(self.failed)));
        }
        line
    }

    /// The same for machines.
    pub(crate) fn event(&self, rate: Rate, elapsed: Duration) -> Value {
        json!({
            "event": "progress",
            "listed": self.listed,
            "listing_complete": self.listing_complete,
            "objects_done": self.objects_done,
            "objects_known": self.objects_known,
            "bytes_done": self.bytes_done,
            "bytes_known": self.bytes_known,
            "bytes_per_second": rate.bytes,
            "objects_per_second": rate.objects,
            "seconds_left": self.left(rate).map(|left| left.as_secs()),
            "failed": self.failed,
            "seconds": elapsed.as_secs_f64(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn speed_is_that_of_the_last_while() {
        let mut speed = Speed::default();
        let mut next = |second, bytes, objects| {
            let reading = Reading { bytes_done: bytes, objects_done: objects, ..Reading::default() };
            speed.next(Duration::from_secs(second), &reading)
        };
        assert_eq!(next(0, 0, 0), Rate::default());
        assert_eq!(next(2, 2000, 6), Rate { bytes: 1000, objects: 3 });
        for second in 3..=40 {
            next(second, 2000, 6);
        }
        assert_eq!(next(41, 2000, 6), Rate::default());
    }

    #[test]
    fn the_end_is_foretold_only_when_the_listing_is_complete() {
        let rate = |bytes, objects| Rate { bytes, objects };
        let reading = Reading { objects_known: 2, bytes_known: 100, bytes_done: 50, ..Reading::default() };
        assert_eq!(reading.left(rate(10, 1)), None);
        let line = reading.line(rate(10, 1));
        assert!(line.contains("0 of 2+ objects · 50 B of 100 B+ · 10 B/s"), "{line}");
        let reading = Reading { listing_complete: true, failed: 1, ..reading };
        assert_eq!(reading.left(rate(10, 0)), Some(Duration::from_secs(5)));
        assert_eq!(reading.left(rate(0, 0)), None);
        assert_eq!(
            reading.line(rate(10, 0)),
            "0 of 2 objects · 50 B of 100 B · 10 B/s · 5 s left · 1 FAILED"
        );
        // Many small objects: their number takes the time.
        let reading = Reading { objects_known: 2_000, ..reading };
        assert_eq!(reading.left(rate(10, 100)), Some(Duration::from_secs(20)));
    }
}
