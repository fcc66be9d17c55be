//! Amazon S3 and stores that speak its protocol, behind the ports.
//!
//! [`connect`] opens one side; [`S3Store`] implements core's `ObjectStore` and `MultipartStore` over the SDK. The
//! adapter translates and classifies: it does not decide what to copy, does not retry jobs, and remembers nothing.
//! Two homes of retry meet here and go no further: the SDK repeats requests whose bodies are at hand; a streamed
//! body that breaks is the engine's to repeat.

#![forbid(unsafe_code)]

mod attributes;
mod body;
mod call;
#[cfg(test)]
mod canned;
mod cluster;
mod dynamodb;
mod endpoint;
mod failure;
mod identity;
mod lean;
mod lifecycle;
mod notice;
mod plain_http;
#[doc(hidden)]
pub mod readers;
mod replies;
mod rights;
mod s3;
mod session;
mod sqs;
mod ssm;
mod too_many;

pub use cluster::{ClusterOptions, ClusterSession};
pub use dynamodb::{
    AttributeType, DynamoCheckpoints, DynamoState, IndexSchema, Recorded, StateCount, StateTable,
    TableOptions, TableSchema,
};
pub use identity::{RoleOptions, StoredKeys};
pub use lifecycle::LifecycleHook;
pub use notice::{Notice, NoticeOptions, Notices};
pub use plain_http::is_plain_http_elsewhere;
pub use rights::{NotShown, Tried, try_parameters};
pub use s3::S3Store;
pub use session::{SideOptions, connect};
pub use sqs::{DeadLetter, MAX_VISIBILITY, SqsOptions, SqsQueue};
pub use ssm::Parameters;
