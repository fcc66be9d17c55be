//! The domain of longbow: values, decisions and ports.
//!
//! Nothing in this crate performs input or output, reads a clock or asks for randomness. Values are parsed
//! once at the edge of the program and carried as the types of [`object`]; every choice (copy or skip, how the
//! bytes go, what becomes of a failed job) is a function from values to a value, tested row by row. The outside
//! world is reached through the traits of [`port`] only.

#![forbid(unsafe_code)]

pub mod backoff;
pub mod diff;
mod excerpt;
pub mod failure;
pub mod heartbeat;
pub mod job;
pub mod json;
pub mod legacy;
pub mod manifest;
pub mod object;
pub mod port;
pub mod route;
pub mod routes;
pub mod secret;
pub mod selection;
pub mod transfer;
