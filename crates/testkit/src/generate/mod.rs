//! Data that is the same on every machine: pseudo-random bytes, odd keys.

mod bytes;
mod keys;

pub use bytes::{bytes, frames, slice};
pub use keys::{ODD_KEYS, long_key, long_segment, odd_keys};
