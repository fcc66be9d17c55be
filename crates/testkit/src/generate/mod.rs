//! Data that is the same on every machine: pseudo-random bytes, odd keys, a small world for the demo.

mod bytes;
mod keys;
mod world;

pub use bytes::{bytes, frames, slice};
pub use keys::{ODD_KEYS, long_key, long_segment, odd_keys};
pub use world::{WorldObject, fill, small_world};
