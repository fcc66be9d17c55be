//! Jobs: what is to be copied, how that is written down, and what becomes of it.

mod copy_job;
mod disposition;
mod message;
mod outcome;
mod record;

pub use copy_job::{CopyJob, Observation, SourceVersion, TransferId};
pub use disposition::{AttemptsPolicy, Disposition, decide};
pub use message::{MessageError, decode, encode};
pub use outcome::{CopyMethod, Outcome, Proof, Report, ReportOutcome};
pub use record::{ObjectRecord, RecordEvent, RecordState, TransitionError, UploadRecord, next};
