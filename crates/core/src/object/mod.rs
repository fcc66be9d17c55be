//! What longbow moves: objects, their names, their identity and what is known about them.

mod attributes;
mod checksum;
mod etag;
mod key;
mod location;
mod meta;
mod percent;
mod timestamp;

pub use attributes::{Encryption, ObjectAttributes, Tag};
pub use checksum::{ChecksumKind, Checksums};
pub use etag::{ETag, ETagKind, Md5};
pub use key::{KeyError, KeyOrder, MAX_KEY_BYTES, ObjectKey, Prefix};
pub use location::{Location, LocationError};
pub use meta::{ObjectHead, ObjectMeta, VersionId};
pub use percent::{PercentError, decode_percent};
pub use timestamp::Timestamp;
