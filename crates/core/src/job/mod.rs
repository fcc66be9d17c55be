//! Jobs: what is to be copied, how that is written down, and what becomes of it.

mod batch;
mod copy_job;
mod disposition;
mod event;
mod eventbridge;
mod guard;
mod legacy;
mod message;
mod notification;
mod outcome;
mod progress;
mod record;
mod removal;
mod sequencer;
mod sns;
mod transfer_run;

pub use batch::{BatchLimits, Batcher, UnsendableJob, unsent};
pub use copy_job::{CopyJob, Observation, SourceVersion, TransferId};
pub use disposition::{AttemptsPolicy, Disposition, decide};
pub use event::{EventKind, ObjectEvent, Removal};
pub use guard::{Start, WhenBusy, after_look, may_start};
pub use legacy::{HubJob, LegacyJob};
pub use message::{
    MAX_RECEIVED_BYTES, Message, MessageError, RouteStamp, RoutedJob, decode, decode_message, encode,
    encode_for,
};
pub use outcome::{CopyMethod, Outcome, Proof, Report, ReportOutcome, Requests};
pub use progress::{Pace, Said, Stand, Tally, Totals};
pub use record::{ObjectRecord, RecordEvent, RecordState, TransitionError, UploadRecord, next, transfer_of};
pub use removal::{EventOrder, RemovalDecision, decide_removal};
pub use sequencer::{Sequencer, SequencerError};
pub use transfer_run::{RunPlan, TransferRun};
