//! What becomes of a delivery whose attempt failed: a table.

use std::time::Duration;

use crate::backoff::Backoff;
use crate::failure::FailureClass;

/// What becomes of the delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Disposition {
    /// Remove it: the object is settled, well or with a recorded final failure.
    Acknowledge,
    /// Make it visible after a while.
    RetryAfter {
        /// How long.
        delay: Duration,
        /// Whether this used up an attempt.
        counted: bool,
        /// Whether uploaded parts stay usable.
        keep_upload: bool,
    },
    /// To the dead-letter queue.
    LeaveForRedrive,
}

/// How often and how patiently an object is tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttemptsPolicy {
    /// Counted attempts before an object is given up; at least 1.
    pub max_attempts: u32,
    /// Attempts before an object that may not be read or written is given up; at least 1. A fleet is patient, since
    /// a policy may be mended while jobs wait; a person at a terminal wants to know.
    pub max_denied: u32,
    /// Between counted attempts.
    pub backoff: Backoff,
}

impl Default for AttemptsPolicy {
    fn default() -> Self {
        let backoff = Backoff { first: Duration::from_millis(200), most: Duration::from_secs(10) };
        Self { max_attempts: 5, max_denied: 2, backoff }
    }
}

/// The answer to a failed attempt. `failed_before` counts earlier counted attempts; `chance` is uniform in 0..1.
///
/// | class | disposition | counted | parts |
/// |---|---|---|---|
/// | transient, attempts left | retry after backoff | yes | kept |
/// | throttled | retry after twice the backoff | no¹ | kept |
/// | corrupt (mismatch, source changed), attempts left | retry after backoff | yes | dropped |
/// | denied, attempts left | retry after the longest backoff | yes | kept |
/// | permanent | acknowledge (the record holds the reason) | – | dropped |
/// | attempts used up | dead-letter queue | – | dropped |
/// | interrupted | visible at once | no | kept |
///
/// ¹ Only while fewer than ten times `max_attempts` deliveries were made: a store that throttles for ever must
/// not hold a run for ever.
pub fn decide(
    class: FailureClass,
    failed_before: u32,
    receive_count: u32,
    policy: &AttemptsPolicy,
    chance: f64,
) -> Disposition {
    let most = if class == FailureClass::Denied { policy.max_denied } else { policy.max_attempts };
    let last = failed_before.saturating_add(1) >= most;
    let delay = policy.backoff.delay(failed_before, chance);
    match class {
        FailureClass::Permanent => Disposition::Acknowledge,
        FailureClass::Interrupted => {
            Disposition::RetryAfter { delay: Duration::ZERO, counted: false, keep_upload: true }
        }
        FailureClass::Throttled if receive_count < policy.max_attempts.saturating_mul(10) => {
            let delay = policy.backoff.delay(receive_count, chance);
            Disposition::RetryAfter { delay, counted: false, keep_upload: true }
        }
        FailureClass::Throttled => Disposition::LeaveForRedrive,
        _ if last => Disposition::LeaveForRedrive,
        FailureClass::Transient => Disposition::RetryAfter { delay, counted: true, keep_upload: true },
        FailureClass::Corrupt => Disposition::RetryAfter { delay, counted: true, keep_upload: false },
        FailureClass::Denied => {
            Disposition::RetryAfter { delay: policy.backoff.most, counted: true, keep_upload: true }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy() -> AttemptsPolicy {
        AttemptsPolicy {
            max_attempts: 3,
            max_denied: 2,
            backoff: Backoff { first: Duration::from_secs(1), most: Duration::from_secs(60) },
        }
    }
    fn row(class: FailureClass, before: u32) -> Disposition {
        decide(class, before, before + 1, &policy(), 1.0)
    }
    fn retry(seconds: u64, counted: bool, keep_upload: bool) -> Disposition {
        Disposition::RetryAfter { delay: Duration::from_secs(seconds), counted, keep_upload }
    }

    #[test]
    fn every_row_of_the_table() {
        assert_eq!(row(FailureClass::Transient, 0), retry(1, true, true));
        assert_eq!(row(FailureClass::Transient, 1), retry(2, true, true));
        assert_eq!(row(FailureClass::Transient, 2), Disposition::LeaveForRedrive);
        assert_eq!(row(FailureClass::Corrupt, 0), retry(1, true, false));
        assert_eq!(row(FailureClass::Corrupt, 2), Disposition::LeaveForRedrive);
        assert_eq!(row(FailureClass::Throttled, 0), retry(2, false, true));
        assert_eq!(row(FailureClass::Throttled, 7), retry(60, false, true));
        assert_eq!(row(FailureClass::Throttled, 29), Disposition::LeaveForRedrive);
        assert_eq!(row(FailureClass::Denied, 0), retry(60, true, true));
        assert_eq!(row(FailureClass::Denied, 1), Disposition::LeaveForRedrive);
        assert_eq!(row(FailureClass::Permanent, 0), Disposition::Acknowledge);
        assert_eq!(row(FailureClass::Interrupted, 2), retry(0, false, true));
    }
}
