//! One side of a stage: a bucket of the strict fake, or a folder on disk.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use longbow_core::object::{ETag, Location, ObjectHead, Prefix};
use longbow_core::port::{HeadRequest, MultipartStore, ObjectStore as _};
use longbow_testkit::fake::FakeStore;

use super::folder::Folder;

pub(super) enum Side {
    Bucket(Arc<FakeStore>),
    Folder(Folder),
}

impl Side {
    /// The side as a process that begins now opens it.
    pub(super) fn open(&self) -> Arc<dyn MultipartStore> {
        match self {
            Self::Bucket(store) => store.clone(),
            Self::Folder(folder) => folder.open(),
        }
    }

    pub(super) fn location(&self) -> Location {
        match self {
            Self::Bucket(store) => {
                Location::S3 { bucket: store.traits().container, prefix: Prefix::default() }
            }
            Self::Folder(folder) => Location::Folder(folder.path()),
        }
    }

    pub(super) fn bucket(&self) -> Option<&Arc<FakeStore>> {
        match self {
            Self::Bucket(store) => Some(store),
            Self::Folder(_) => None,
        }
    }

    /// The process that used the side dies.
    pub(super) fn die(&self) {
        if let Self::Folder(folder) = self {
            folder.die();
        }
    }

    pub(super) fn put(&self, key: &str, bytes: &[u8]) {
        match self {
            Self::Bucket(store) => drop(store.put_bytes(key, bytes)),
            Self::Folder(folder) => folder.write(key, bytes),
        }
    }

    /// All bytes that a reader finds, by key.
    pub(super) fn contents(&self) -> BTreeMap<String, Vec<u8>> {
        match self {
            Self::Bucket(store) => {
                let read = |key: String| store.get_bytes(&key).map(|bytes| (key, bytes));
                store.keys().into_iter().filter_map(read).collect()
            }
            Self::Folder(folder) => folder.contents(),
        }
    }

    /// The keys that the side's own listing has.
    pub(super) async fn listed(&self) -> BTreeSet<String> {
        let store = self.open();
        let (mut keys, mut page) = (BTreeSet::new(), None);
        loop {
            let found = store.list(&Prefix::default(), page.as_deref()).await.expect("a listing");
            keys.extend(found.objects.into_iter().map(|object| object.key.as_str().to_owned()));
            page = found.next;
            if page.is_none() {
                return keys;
            }
        }
    }

    pub(super) async fn head(&self, key: &str) -> Option<ObjectHead> {
        self.open().head(&key.into(), &HeadRequest::default()).await.ok()
    }

    pub(super) async fn etag(&self, key: &str) -> Option<ETag> {
        self.head(key).await?.etag
    }

    /// What is neither an object nor anybody's to read: unfinished uploads, temporary files.
    pub(super) fn remains(&self) -> Vec<String> {
        match self {
            Self::Bucket(store) => store.uploads().into_iter().map(|upload| upload.upload.0).collect(),
            Self::Folder(folder) => folder.remains(),
        }
    }
}
