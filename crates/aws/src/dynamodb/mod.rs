//! What the cluster remembers, in one DynamoDB table: records of objects, proofs of parts, locks.
//!
//! [`StateTable`] is the table, made and checked against one schema; [`DynamoState`] is one route's records behind
//! core's port; [`StateTable::acquire`] keeps a second jobsender out. What a record may become is decided in
//! `longbow_core::job`. `docs/decisions/0011` and `0012` say why the table is as it is.

mod calls;
mod item;
mod lock;
mod pages;
mod parts;
mod place;
mod schema;
mod store;
mod table;

#[cfg(test)]
mod tests;

pub use lock::{Lock, LockError};
pub use pages::{Recorded, StateCount};
pub use schema::{AttributeType, IndexSchema, TableSchema};
pub use store::DynamoState;
pub use table::{StateTable, TableOptions};
