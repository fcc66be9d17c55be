//! The embedded queue, the embedded state and folders, behind the ports.

#![forbid(unsafe_code)]

mod clock;
mod columns;
mod database;
mod deletions;
pub mod directory;
mod notes;
mod queue;
#[cfg(test)]
mod scale;
mod state;
#[cfg(test)]
mod testing;
mod transfers;

pub use clock::SystemClock;
pub use database::{Database, OpenError};
pub use deletions::{Deletion, DeletionCount, DeletionList};
pub use directory::{Directory, DirectoryOptions};
pub use notes::Notes;
pub use queue::{DeadLetter, SqliteQueue};
pub use state::{SqliteState, StateCount};
pub use transfers::Transfer;
