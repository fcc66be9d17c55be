//! What is known of a server or folder that differs from Amazon S3.

use longbow_core::failure::Feature;
use longbow_core::transfer::MIN_PART_SIZE;

/// What a store does with a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyFate {
    /// Keeps it byte for byte.
    Kept,
    /// Refuses it, or keeps it byte for byte.
    MayRefuse,
    /// Is known to do something wrong, so nothing is checked.
    Broken,
}

/// Where a listing of a store can begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Starts {
    /// After any text, as the store's byte order says.
    AfterAnyKey,
    /// Where no folders are. SeaweedFS looks for the start as a path: after `f/y`, which is a folder there, it leaves out
    /// `f/y/z`. It does not promise byte order, and is never asked so.
    OutsideFolders,
    /// At its beginning only.
    AtTheBeginning,
}

/// Facts about a store that the checks have to allow for. The default is Amazon S3 in full.
#[derive(Debug, Clone)]
pub struct Quirks {
    /// All keys of the checks lie under it (raw), so that several runs can share a bucket.
    pub prefix: String,
    /// What the store does with a key; the prefix is part of it.
    pub fate: fn(&str) -> KeyFate,
    /// How many objects the listing check makes: more than fit on a page.
    pub listed_objects: usize,
    /// Bytes of a part that is not the last.
    pub part_size: u64,
    /// Features that the store lacks.
    pub lacks: Vec<Feature>,
    /// Whether parts below 5 MiB are refused at the end.
    pub refuses_small_parts: bool,
    /// Whether a delete can be conditional.
    pub conditional_delete: bool,
    /// Whether a copy can be conditional on its destination.
    pub conditional_copy: bool,
    /// Whether two conditional writes at once cannot both succeed.
    pub atomic_conditions: bool,
    /// Whether `x-amz-website-redirect-location` is kept.
    pub keeps_redirect: bool,
    /// Whether the store can list by versions. Its bucket need not keep any.
    pub lists_versions: bool,
    /// Where a listing can begin.
    pub starts: Starts,
    /// Whether headers that ask for one part are answered as S3 documents.
    pub part_numbers: bool,
}

impl Default for Quirks {
    fn default() -> Self {
        Self {
            prefix: String::from("contract/"),
            fate: |_| KeyFate::Kept,
            listed_objects: 25,
            part_size: MIN_PART_SIZE,
            lacks: Vec::new(),
            refuses_small_parts: true,
            conditional_delete: true,
            conditional_copy: true,
            atomic_conditions: true,
            keeps_redirect: true,
            lists_versions: true,
            starts: Starts::AfterAnyKey,
            part_numbers: true,
        }
    }
}

impl Quirks {
    /// A folder of files.
    pub fn folder() -> Self {
        Self {
            fate: |key| if can_be_a_file(key) { KeyFate::Kept } else { KeyFate::MayRefuse },
            lacks: vec![Feature::Checksums, Feature::Tags, Feature::ServerSideCopy],
            refuses_small_parts: false,
            lists_versions: false,
            starts: Starts::AtTheBeginning,
            conditional_copy: false,
            keeps_redirect: false,
            part_numbers: false,
            ..Self::default()
        }
    }

    /// SeaweedFS 4.48 as it was probed.
    pub fn seaweedfs() -> Self {
        Self {
            fate: |key| {
                let dotted = key.split('/').any(|segment| segment == "." || segment == "..");
                let long = key.len() > 700 || key.split('/').any(|segment| segment.len() > 255);
                if key.contains('\\') || key.starts_with('/') || key.contains("//") || key.ends_with('/') {
                    KeyFate::Broken
                } else if dotted || long {
                    KeyFate::MayRefuse
                } else {
                    KeyFate::Kept
                }
            },
            conditional_copy: false,
            keeps_redirect: false,
            starts: Starts::OutsideFolders,
            ..Self::default()
        }
    }

    /// ministack as it was probed.
    pub fn ministack() -> Self {
        Self {
            fate: |key| {
                if key.chars().any(|c| c.is_control() && c != '\t') { KeyFate::Broken } else { KeyFate::Kept }
            },
            conditional_copy: false,
            conditional_delete: false,
            ..Self::default()
        }
    }

    /// A key of a check.
    pub(super) fn key(&self, check: &str, rest: &str) -> longbow_core::object::ObjectKey {
        format!("{}{check}/{rest}", self.prefix).into()
    }

    /// Whether the store has a feature.
    pub(super) fn has(&self, feature: Feature) -> bool {
        !self.lacks.contains(&feature)
    }
}

/// Whether a key is the path of a file below a folder, on file systems with the limits of ext4.
fn can_be_a_file(key: &str) -> bool {
    !key.contains('\0')
        && key.split('/').all(|segment| !matches!(segment, "" | "." | "..") && segment.len() <= 255)
}
