//! What the cluster remembers, in one DynamoDB table: records of objects, proofs of parts, locks, checkpoints.
//!
//! [`StateTable`] is the table, made and checked against one schema; [`DynamoState`] is one route's records behind
//! core's port; the table itself is core's `RunLock`, which keeps a second jobsender out, and its `TransferLog`. What a record may become is decided in
//! `longbow_core::job`. `docs/decisions/0011` and `0012` say why the table is as it is.

mod calls;
mod checkpoint;
mod item;
mod lock;
mod pages;
mod parts;
mod place;
mod rights;
mod runs;
mod schema;
mod store;
mod table;

#[cfg(test)]
mod tests;

pub use checkpoint::DynamoCheckpoints;
pub use pages::{Recorded, StateCount};
pub use schema::{AttributeType, IndexSchema, TableSchema};
pub use store::DynamoState;
pub use table::{StateTable, TableOptions};
