//! The embedded queue, the embedded state and folders, behind the ports.

mod clock;
mod database;
mod deletions;
mod notes;
mod queue;
mod state;
#[cfg(test)]
mod testing;
mod transfers;

pub use clock::SystemClock;
pub use database::{Database, OpenError};
pub use deletions::{Deletion, DeletionCount, DeletionList};
pub use notes::Notes;
pub use queue::{DeadLetter, SqliteQueue};
pub use state::SqliteState;
pub use transfers::Transfer;
