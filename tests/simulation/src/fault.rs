//! The faults that a schedule may have, and which calls each may meet.

use std::fmt;

use crate::journal::{Call, Place};

macro_rules! faults {
    ($($name:ident $text:literal),+ $(,)?) => {
        /// A fault, or a change of the world that nobody told the program of.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Fault {
            $(#[doc = $text] $name),+
        }

        impl Fault {
            /// All of them.
            pub const ALL: &[Fault] = &[$(Fault::$name),+];

            /// In words.
            pub fn text(self) -> &'static str {
                match self { $(Self::$name => $text),+ }
            }
        }
    };
}

faults! {
    CrashBefore "a process dies before a call takes effect",
    CrashAfter "a process dies after a call took effect",
    StallBefore "a process stands still before a call takes effect",
    StallAfter "a process stands still before it hears an answer",
    Slow "a call takes long",
    Throttled "503: a store asks for less",
    ServerError "500: a call fails without effect",
    LostReply "a call takes effect, and its answer is lost",
    Late "a call is given up by its caller and takes effect later",
    FlippedRead "a bit turns on the way from the source",
    CutRead "a body from the source ends too early",
    BrokenRead "a body from the source breaks",
    FlippedWrite "a bit turns on the way to the destination",
    LyingTag "an answer states a wrong tag",
    OverwrittenMidRead "the source is overwritten just before a read",
    RemovedMidRead "the source is removed just before a read",
    StrangerMidWrite "somebody else writes the destination just before a write",
    UploadAborted "somebody aborts an upload that is in work",
    PartialBatch "of a batch of jobs some are refused",
    LostHeartbeat "a lease is not extended",
    Redelivered "a message that somebody holds is delivered again",
    StateDown "the state store is away for a while",
    QueueDown "the queue is away for a while",
    LockLost "a run loses its lock",
    Overwritten "the source is overwritten",
    Rewritten "the source is written again with the same bytes",
    SourceRemoved "the source is removed",
    StrangerWrote "somebody else writes the destination",
    StrangerRemoved "somebody else removes at the destination",
    EventLate "an event comes late",
    EventTwice "an event comes twice",
    EventLost "an event never comes",
    Disorder "messages come in any order",
    Poison "a message is no job",
    Drained "a worker is told to stop, and hands its jobs back",
    ClockJump "a machine's calendar jumps",
    JobsenderCrash "a run of the jobsender is killed",
    TwoJobsenders "two runs of the jobsender overlap",
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

/// How many kinds there are.
pub const KINDS: usize = Fault::ALL.len();

impl Fault {
    /// Its place in [`Fault::ALL`].
    pub fn index(self) -> usize {
        self as usize
    }
}

/// The faults that a call may meet by chance.
pub(crate) fn of_call(call: Call, place: Place) -> &'static [Fault] {
    use Fault::{
        BrokenRead, CrashAfter, CrashBefore, CutRead, FlippedRead, FlippedWrite, Late, LockLost,
        LostHeartbeat, LostReply, LyingTag, OverwrittenMidRead, PartialBatch, QueueDown, Redelivered,
        RemovedMidRead, ServerError, Slow, StallAfter, StallBefore, StateDown, StrangerMidWrite, Throttled,
        UploadAborted,
    };
    const READ: &[Fault] = &[
        CrashBefore,
        CrashAfter,
        StallBefore,
        StallAfter,
        Slow,
        Throttled,
        ServerError,
        LyingTag,
        OverwrittenMidRead,
        RemovedMidRead,
    ];
    const GET: &[Fault] = &[
        CrashBefore,
        CrashAfter,
        StallBefore,
        StallAfter,
        Slow,
        Throttled,
        ServerError,
        LyingTag,
        OverwrittenMidRead,
        RemovedMidRead,
        FlippedRead,
        CutRead,
        BrokenRead,
    ];
    const LOOK: &[Fault] = &[CrashBefore, CrashAfter, StallBefore, StallAfter, Slow, Throttled, ServerError];
    const WRITE: &[Fault] = &[
        CrashBefore,
        CrashAfter,
        StallBefore,
        StallAfter,
        Slow,
        Throttled,
        ServerError,
        LostReply,
        Late,
        LyingTag,
        FlippedWrite,
        StrangerMidWrite,
    ];
    const PART: &[Fault] = &[
        CrashBefore,
        CrashAfter,
        StallBefore,
        StallAfter,
        Slow,
        Throttled,
        ServerError,
        LostReply,
        Late,
        LyingTag,
        FlippedWrite,
        UploadAborted,
    ];
    const END: &[Fault] = &[
        CrashBefore,
        CrashAfter,
        StallBefore,
        StallAfter,
        Slow,
        Throttled,
        ServerError,
        LostReply,
        Late,
        LyingTag,
        StrangerMidWrite,
        UploadAborted,
    ];
    const OTHER: &[Fault] = &[
        CrashBefore,
        CrashAfter,
        StallBefore,
        StallAfter,
        Slow,
        Throttled,
        ServerError,
        LostReply,
        Late,
        StrangerMidWrite,
    ];
    const STATE: &[Fault] =
        &[CrashBefore, CrashAfter, StallBefore, StallAfter, Slow, ServerError, LostReply, Late, StateDown];
    const KNOWN: &[Fault] = &[CrashBefore, CrashAfter, StallBefore, StallAfter, Slow, ServerError, StateDown];
    const QUEUE: &[Fault] = &[
        CrashBefore,
        CrashAfter,
        StallBefore,
        StallAfter,
        Slow,
        ServerError,
        LostReply,
        Late,
        Redelivered,
        QueueDown,
    ];
    const EXTEND: &[Fault] =
        &[CrashBefore, CrashAfter, StallBefore, StallAfter, ServerError, LostReply, LostHeartbeat, QueueDown];
    const RECEIVE: &[Fault] =
        &[CrashBefore, CrashAfter, StallAfter, ServerError, LostReply, Redelivered, QueueDown];
    const SEND: &[Fault] =
        &[CrashBefore, CrashAfter, StallAfter, Slow, ServerError, LostReply, PartialBatch, QueueDown];
    const LOCK: &[Fault] = &[CrashBefore, CrashAfter, StallAfter, ServerError, LostReply, LockLost];
    match (place, call) {
        (Place::Source, Call::Get) => GET,
        (Place::Source, Call::Head) => READ,
        (_, Call::Put | Call::Copy) => WRITE,
        (_, Call::PutPart | Call::CopyPart) => PART,
        (_, Call::Complete) => END,
        (_, Call::CreateUpload | Call::Abort | Call::Delete) => OTHER,
        (_, Call::Swap | Call::AddPart | Call::ForgetParts) => STATE,
        (_, Call::Load | Call::LoadMany | Call::Parts | Call::Records) => KNOWN,
        (_, Call::Acknowledge | Call::DeadLetter) => QUEUE,
        (_, Call::Extend) => EXTEND,
        (_, Call::Receive) => RECEIVE,
        (_, Call::Send) => SEND,
        (_, Call::Lock | Call::Renew | Call::Unlock) => LOCK,
        _ => LOOK,
    }
}
