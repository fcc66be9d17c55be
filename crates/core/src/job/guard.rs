//! Whether a jobsender may start while the queue still holds jobs (LB-22): a table.

use super::Message;
use crate::port::QueueDepth;

/// What to do when the last batch is unfinished.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum WhenBusy {
    /// Send nothing: the default, as Longbow has it.
    #[default]
    Refuse,
    /// Add to what is there; objects that wait already are sent again and found done.
    Append,
}

/// Whether to start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Start {
    /// Yes.
    Go,
    /// So few messages wait that they may all be S3's trial messages: look at them, then ask [`after_look`].
    Look,
    /// No, and why.
    Refuse(String),
}

/// As many messages as one call receives.
const FEW: u64 = 10;

/// Decides by the counts, which are approximate and a moment old: a lock is needed besides.
///
/// | when busy | visible | in flight or delayed | start |
/// |---|---|---|---|
/// | append | – | – | go |
/// | refuse | 0 | 0 | go |
/// | refuse | 1 to 10 | 0 | look |
/// | refuse | more | – | refuse |
/// | refuse | – | any | refuse |
pub fn may_start(depth: &QueueDepth, when_busy: WhenBusy) -> Start {
    match when_busy {
        WhenBusy::Append => Start::Go,
        WhenBusy::Refuse if depth.is_idle() => Start::Go,
        WhenBusy::Refuse if depth.in_flight == 0 && depth.delayed == 0 && depth.visible <= FEW => Start::Look,
        WhenBusy::Refuse => Start::Refuse(format!(
            "the queue holds {} waiting, {} taken and {} delayed messages of an unfinished batch; wait for them, or \
             append",
            depth.visible, depth.in_flight, depth.delayed
        )),
    }
}

/// Decides by the messages themselves: trial messages do not count, and may be acknowledged.
pub fn after_look<'a>(messages: impl IntoIterator<Item = &'a Message>) -> Start {
    let jobs = messages.into_iter().filter(|m| **m != Message::Test).count();
    if jobs == 0 {
        Start::Go
    } else {
        Start::Refuse(format!(
            "the queue holds {jobs} messages of an unfinished batch; wait for them, or append"
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::HubJob;

    fn start(visible: u64, in_flight: u64, delayed: u64) -> Start {
        may_start(&QueueDepth { visible, in_flight, delayed, dead: 9 }, WhenBusy::Refuse)
    }

    #[test]
    fn lb_22_every_row_of_the_table() {
        assert_eq!(start(0, 0, 0), Start::Go);
        assert_eq!(start(1, 0, 0), Start::Look);
        assert_eq!(start(10, 0, 0), Start::Look);
        for busy in [start(11, 0, 0), start(0, 1, 0), start(0, 0, 1), start(1, 1, 0)] {
            assert!(matches!(busy, Start::Refuse(_)), "{busy:?}");
        }
        let depth = QueueDepth { visible: 1000, ..QueueDepth::default() };
        assert_eq!(may_start(&depth, WhenBusy::Append), Start::Go);
    }

    /// LBB-27: one waiting message passed as a trial message, and was copied twice when it was a job.
    #[test]
    fn lbb_27_one_waiting_job_is_an_unfinished_batch_and_a_trial_message_is_not() {
        let job = Message::Hub(HubJob { key: "x".into(), size: 1 });
        assert_eq!(after_look([&Message::Test, &Message::Test]), Start::Go);
        assert_eq!(after_look([]), Start::Go);
        assert!(matches!(after_look([&Message::Test, &job]), Start::Refuse(_)));
    }
}
