//! Pages of a bucket's keys, in byte order or in the order of folders.

use std::ops::Bound;

use longbow_core::object::{KeyOrder, ObjectMeta, VersionId};

use super::bucket::Bucket;
use super::object::Version;

/// What S3 calls a version that was written without versioning.
pub const NO_VERSION: &str = "null";

/// A page of keys with the key that the next one starts after.
#[derive(Debug, Clone, Default)]
pub struct Page {
    /// The entries.
    pub objects: Vec<ObjectMeta>,
    /// The last key of the page, if more follow.
    pub next_after: Option<String>,
}

/// One version of a key.
#[derive(Debug, Clone)]
pub struct VersionEntry {
    /// The key.
    pub key: String,
    /// Its name as S3 states it.
    pub version: String,
    /// Whether it is what the key has now.
    pub newest: bool,
    /// The object; `None` is a delete marker.
    pub meta: Option<ObjectMeta>,
}

/// A page of versions, with the key and version that the next one starts after.
#[derive(Debug, Clone, Default)]
pub struct VersionPage {
    /// Keys in order, of each the newest version first.
    pub entries: Vec<VersionEntry>,
    /// The last entry, if more follow.
    pub next: Option<(String, String)>,
}

impl Bucket {
    /// At most `max` versions of keys under `prefix`, after a version, or after all versions of a key.
    pub fn versions(&self, prefix: &str, after: Option<(String, Option<String>)>, max: usize) -> VersionPage {
        let max = max.min(self.settings.page_size);
        let order = self.settings.order;
        let mut keys: Vec<&String> = self.keys.keys().filter(|key| key.starts_with(prefix)).collect();
        keys.sort_by(|a, b| order.compare(a, b));
        let mut entries = Vec::new();
        for key in keys {
            let versions = self.keys.get(key).map_or(&[][..], Vec::as_slice);
            let of_key = versions.iter().rev().enumerate().map(|(age, version)| {
                let (id, meta) = match version {
                    Version::Object(object) => (object.version.clone(), Some(object.meta(key))),
                    Version::Deleted(id) => (Some(id.clone()), None),
                };
                let version = id.map_or_else(|| NO_VERSION.to_owned(), |VersionId(id)| id);
                let meta = meta.map(|meta| ObjectMeta {
                    version: Some(VersionId(version.clone())).filter(|id| id.0 != NO_VERSION),
                    ..meta
                });
                VersionEntry { key: key.clone(), version, newest: age == 0, meta }
            });
            match &after {
                Some((last, _)) if order.compare(key, last).is_lt() => {}
                Some((last, None)) if key == last => {}
                Some((last, Some(version))) if key == last => {
                    entries.extend(of_key.skip_while(|entry| entry.version != *version).skip(1));
                }
                _ => entries.extend(of_key),
            }
            if entries.len() > max {
                break;
            }
        }
        let more = entries.len() > max;
        entries.truncate(max);
        let next = entries.last().filter(|_| more).map(|last| (last.key.clone(), last.version.clone()));
        VersionPage { entries, next }
    }

    /// At most `max` keys under `prefix`, after `after`.
    pub fn page(&self, prefix: &str, after: Option<&str>, max: usize) -> Page {
        let max = max.min(self.settings.page_size);
        if max == 0 {
            return Page::default();
        }
        let mut objects = match self.settings.order {
            KeyOrder::Bytes => self.bytes_order(prefix, after, max + 1),
            KeyOrder::Folders => self.folder_order(prefix, after, max + 1),
        };
        let more = objects.len() > max;
        objects.truncate(max);
        let next_after = objects.last().filter(|_| more).map(|last| last.key.as_str().to_owned());
        Page { objects, next_after }
    }

    fn bytes_order(&self, prefix: &str, after: Option<&str>, most: usize) -> Vec<ObjectMeta> {
        let start = match after {
            Some(after) if after >= prefix => Bound::Excluded(after),
            _ => Bound::Included(prefix),
        };
        self.keys
            .range::<str, _>((start, Bound::Unbounded))
            .take_while(|(key, _)| key.starts_with(prefix))
            .filter_map(|(key, _)| Some(self.current(key)?.meta(key)))
            .take(most)
            .collect()
    }

    fn folder_order(&self, prefix: &str, after: Option<&str>, most: usize) -> Vec<ObjectMeta> {
        let order = KeyOrder::Folders;
        let mut keys: Vec<&str> = self
            .keys
            .range::<str, _>((Bound::Included(prefix), Bound::Unbounded))
            .map(|(key, _)| key.as_str())
            .take_while(|key| key.starts_with(prefix))
            .filter(|key| after.is_none_or(|after| order.compare(key, after).is_gt()))
            .collect();
        keys.sort_by(|a, b| order.compare(a, b));
        keys.into_iter().filter_map(|key| Some(self.current(key)?.meta(key))).take(most).collect()
    }
}
