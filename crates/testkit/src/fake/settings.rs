//! What kind of store a fake bucket plays: Amazon S3 unless told otherwise.

use std::time::Duration;

use longbow_core::failure::Feature;
use longbow_core::object::{Encryption, KeyOrder, MAX_KEY_BYTES};
use longbow_core::transfer::{MAX_PART_SIZE, MIN_PART_SIZE};

/// The behaviour of one bucket. The default is that of a general-purpose bucket of Amazon S3.
#[derive(Debug, Clone)]
pub struct BucketSettings {
    /// Keep every version of an object.
    pub versioned: bool,
    /// Most entries of a page of a listing.
    pub page_size: usize,
    /// The order of listings.
    pub order: KeyOrder,
    /// The order that [`longbow_core::port::StoreTraits`] promises; `None` when the caller has to find out.
    pub promised_order: Option<KeyOrder>,
    /// Smallest part but for the last, in bytes.
    pub min_part: u64,
    /// Largest part and largest whole object, in bytes.
    pub max_part: u64,
    /// Longest key, in bytes.
    pub max_key: usize,
    /// How objects are kept at rest; under KMS their tags are no MD5s.
    pub encryption: Option<Encryption>,
    /// The storage class that writes through the port ask for.
    pub storage_class: Option<String>,
    /// Keep a CRC-64/NVME of every object whose sender states no checksum, as Amazon S3 does.
    pub default_checksum: bool,
    /// Features that are refused with `NotImplemented`.
    pub lacks: Vec<Feature>,
    /// Say to be Amazon's own service, of which every feature can be expected.
    pub amazon: bool,
    /// Refuse `If-None-Match: *` for a key that is a folder of others, though nothing has it, as SeaweedFS does.
    pub folders_exist: bool,
    /// Take conditions on writes and not look at them, as `rclone serve s3` does.
    pub ignores_conditions: bool,
    /// Say nothing of tags in a reply to HEAD, as ministack does.
    pub heads_hide_tags: bool,
    /// Take tags at the begin of an upload and lose them, as ministack does.
    pub forgets_tags_of_uploads: bool,
    /// Take tags with a whole object and lose them.
    pub forgets_tags_of_puts: bool,
    /// Keep the bytes of what is written; without it a huge body is digested and thrown away.
    pub keep_bytes: bool,
    /// How long each call takes, on tokio's clock.
    pub latency: Duration,
}

impl Default for BucketSettings {
    fn default() -> Self {
        Self {
            versioned: false,
            page_size: 1000,
            order: KeyOrder::Bytes,
            promised_order: Some(KeyOrder::Bytes),
            min_part: MIN_PART_SIZE,
            max_part: MAX_PART_SIZE,
            max_key: MAX_KEY_BYTES,
            encryption: None,
            storage_class: None,
            default_checksum: true,
            lacks: Vec::new(),
            amazon: true,
            folders_exist: false,
            ignores_conditions: false,
            heads_hide_tags: false,
            forgets_tags_of_uploads: false,
            forgets_tags_of_puts: false,
            keep_bytes: true,
            latency: Duration::ZERO,
        }
    }
}

impl BucketSettings {
    /// Lists as stores built on folders do, and does not say so.
    pub fn in_folder_order(&mut self) {
        self.order = KeyOrder::Folders;
        self.promised_order = None;
    }
}
