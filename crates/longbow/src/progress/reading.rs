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

/// Bytes a second over the last while.
#[derive(Debug, Default)]
pub(crate) struct Speed {
    seen: VecDeque<(Duration, u64)>,
}

impl Speed {
    /// Takes the bytes moved up to a moment; gives bytes a second.
    pub(crate) fn next(&mut self, at: Duration, bytes: u64) -> u64 {
        self.seen.push_back((at, bytes));
        while self.seen.len() > 2 && self.seen[1].0 + WINDOW <= at {
            self.seen.pop_front();
        }
        let (first_at, first_bytes) = self.seen[0];
        let milliseconds = u64::try_from(at.saturating_sub(first_at).as_millis()).unwrap_or(u64::MAX);
        match milliseconds {
            0 => 0,
            _ => bytes.saturating_sub(first_bytes).saturating_mul(1000) / milliseconds,
        }
    }
}

impl Reading {
    /// The time that is left at this speed; unknown while the listing goes on.
    pub(crate) fn left(&self, speed: u64) -> Option<Duration> {
        if !self.listing_complete || speed == 0 {
            return None;
        }
        Some(Duration::from_secs(self.bytes_known.saturating_sub(self.bytes_done).div_ceil(speed)))
    }

    /// One line for people.
    pub(crate) fn line(&self, speed: u64) -> String {
        let more = if self.listing_complete { "" } else { "+" };
        let mut line = format!(
            "{} of {}{more} objects · {} of {}{more} · {}/s",
            amounts::count(self.objects_done),
            amounts::count(self.objects_known),
            amounts::bytes(self.bytes_done),
            amounts::bytes(self.bytes_known),
            amounts::bytes(speed),
        );
        match self.left(speed) {
            Some(left) if self.objects_done < self.objects_known => {
                line.push_str(&format!(" · {} left", amounts::duration(left)));
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
    pub(crate) fn event(&self, speed: u64, elapsed: Duration) -> Value {
        json!({
            "event": "progress",
            "listed": self.listed,
            "listing_complete": self.listing_complete,
            "objects_done": self.objects_done,
            "objects_known": self.objects_known,
            "bytes_done": self.bytes_done,
            "bytes_known": self.bytes_known,
            "bytes_per_second": speed,
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
        let s = Duration::from_secs;
        assert_eq!(speed.next(s(0), 0), 0);
        assert_eq!(speed.next(s(2), 2000), 1000);
        for second in 3..=40 {
            speed.next(s(second), 2000);
        }
        assert_eq!(speed.next(s(41), 2000), 0);
    }

    #[test]
    fn the_end_is_foretold_only_when_the_listing_is_complete() {
        let reading = Reading { objects_known: 2, bytes_known: 100, bytes_done: 50, ..Reading::default() };
        assert_eq!(reading.left(10), None);
        assert!(
            reading.line(10).contains("0 of 2+ objects · 50 B of 100 B+ · 10 B/s"),
            "{}",
            reading.line(10)
        );
        let reading = Reading { listing_complete: true, failed: 1, ..reading };
        assert_eq!(reading.left(10), Some(Duration::from_secs(5)));
        assert_eq!(reading.left(0), None);
        assert_eq!(reading.line(10), "0 of 2 objects · 50 B of 100 B · 10 B/s · 5.0 s left · 1 FAILED");
    }
}
