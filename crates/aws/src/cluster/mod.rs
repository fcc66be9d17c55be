//! What the adapters of the cluster share: one identity and one pool of connections for the queue, the table and the
//! parameters, one table of failures, one way of gathering small writes.
//!
//! Apart from the S3 side, whose client is tuned for bodies and whose failures decide what becomes of a job.

mod failure;
mod gather;
mod session;

pub(crate) use failure::{About, Fault, FaultKind, kind_of_code, translate};
pub(crate) use gather::Gather;
pub use session::{ClusterOptions, ClusterSession};
