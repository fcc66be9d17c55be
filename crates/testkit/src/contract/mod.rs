//! One suite of checks a port: what every adapter has to keep, said as code.
//!
//! Each suite is a list of named checks over the port's trait. `suite(…)` runs them all and panics once with the
//! names of all that failed, so that one broken promise does not hide another. Where a real server is known to differ,
//! its `Quirks` say so: a quirk names a fact about that server, never a weakness of the adapter.

mod calls;
pub mod checkpoint_store;
pub mod job_queue;
pub mod multipart;
pub mod object_store;
pub mod parameter_store;
mod quirks;
pub mod run_lock;
pub mod state_store;
pub mod transfer_log;
mod verdict;

pub use quirks::{KeyFate, Quirks, Starts};
pub use verdict::{Check, Verdict, Violation, failures};
