//! Faults between a caller and any port: a wrapper each for the store, the queue and the state, with one shared plan.
//!
//! Every call through a wrapper has a number, counted across all wrappers of one [`Faults`]. The plan can stop the
//! world at a number, before or after that call took effect, so that a test can run a trip to its end once, learn
//! how many calls it made, and then stop it at each of them, run it again and compare. Single faults are
//! [`Rule`]s: a call by name and occurrence, and what happens to it.

mod body;
mod checkpoints;
mod plan;
mod queue;
mod rule;
mod state;
mod store;

pub use checkpoints::FaultyCheckpoints;
pub use plan::{CallRecord, Faults, Manner, When};
pub use queue::FaultyQueue;
pub use rule::{Action, BodyFault, Decide, Fault, Occurrence, Rule};
pub use state::FaultyState;
pub use store::FaultyStore;
