//! How long a delivery is ours, and when to ask for more.

use std::time::Duration;

/// The rhythm of a lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Heartbeat {
    /// For how long a delivery is hidden from others.
    pub visibility: Duration,
}

/// What to do about a lease now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Beat {
    /// Nothing yet; look again after this long.
    Wait(Duration),
    /// Extend it.
    Extend,
    /// It can no longer be trusted: start no write.
    Lost,
}

impl Heartbeat {
    /// Decides from the time since the last extension that is known to have succeeded. Extends after a third;
    /// gives up when a tenth is left, so that no write starts under somebody else's lease.
    pub fn beat(&self, since_extension: Duration) -> Beat {
        let extend_at = self.visibility / 3;
        let lost_at = self.visibility - self.visibility / 10;
        if since_extension >= lost_at {
            Beat::Lost
        } else if since_extension >= extend_at {
            Beat::Extend
        } else {
            Beat::Wait(extend_at - since_extension)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extends_after_a_third_and_gives_up_before_the_end() {
        let h = Heartbeat { visibility: Duration::from_secs(120) };
        let s = Duration::from_secs;
        assert_eq!(h.beat(s(0)), Beat::Wait(s(40)));
        assert_eq!(h.beat(s(40)), Beat::Extend);
        assert_eq!(h.beat(s(107)), Beat::Extend);
        assert_eq!(h.beat(s(108)), Beat::Lost);
    }
}
