//! Digests of everything that passes: the MD5 and the checksums of each part, computed while its frames travel.
//!
//! Hashing is the largest cost of a verified copy when each part is hashed by itself. Here the frames of all parts in
//! flight meet on a thread of their own, which hashes many parts side by side in the lanes of vector registers:
//!
//! - `kernel`: MD5 over lanes, knows only whole blocks;
//! - `running`: the digest of one part in progress: frames in, [`longbow_core::transfer::PartDigest`] out;
//! - `hub`: the frames that wait, who may add more (memory is bounded), and when hashing is worth waking a thread;
//! - `lanes`: fills the lanes from the parts at hand;
//! - `service`: what the rest of the worker sees.
//!
//! Does not compare digests with anything: that is for whoever asked.

mod hub;
mod kernel;
mod lanes;
mod running;
mod service;

pub use service::{DigestOptions, DigestService, DigestStream};

/// Which checksums are computed besides the MD5 and CRC-64/NVME, which always are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Wanted {
    /// CRC-32C.
    pub crc32c: bool,
    /// CRC-32.
    pub crc32: bool,
}
