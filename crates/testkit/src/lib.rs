//! Fakes, faults, contract suites and an embedded S3 server for tests and the demo.
//!
//! - [`fake`]: every port in memory, as strict as the real thing, with a journal that checkers can read.
//! - [`generate`]: data sets that are the same on every machine.

#![forbid(unsafe_code)]

pub mod fake;
pub mod generate;
