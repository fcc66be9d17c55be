//! Fakes, faults, contract suites and an embedded S3 server for tests and the demo.
//!
//! - [`contract`]: what every adapter of a port has to keep, as named checks.
//! - [`fake`]: every port in memory, as strict as the real thing, with a journal that checkers can read.
//! - [`fault`]: wrappers around any port that stop, fail, lie and harm bodies as a test wants.
//! - [`generate`]: data sets that are the same on every machine.
//! - [`server`]: the fake S3 service on loopback.

#![forbid(unsafe_code)]

pub mod contract;
pub mod fake;
pub mod fault;
pub mod generate;
pub mod server;
