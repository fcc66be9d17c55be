//! Pages of a bucket's keys, in byte order or in the order of folders.

use std::ops::Bound;

use longbow_core::object::{KeyOrder, ObjectMeta};

use super::bucket::Bucket;

/// A page of keys with the key that the next one starts after.
#[derive(Debug, Clone, Default)]
pub struct Page {
    /// The entries.
    pub objects: Vec<ObjectMeta>,
    /// The last key of the page, if more follow.
    pub next_after: Option<String>,
}

impl Bucket {
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
