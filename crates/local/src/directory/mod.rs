//! A local folder as an object store: keys are paths relative to it.
//!
//! Nothing outside the folder is ever read or written: every file is opened one name at a time below the folder,
//! through no symbolic link. A file appears under its key whole or not at all, by renaming. A folder keeps no
//! metadata, no tags and no digests; a file's tag ([`ETag::of_file`]) is its size, time and inode.
//!
//! What stands here only hands calls on: `list` and `walk` read folders, `read` files, `write`, `multipart` and
//! `commit` write them, `names` says which keys can be files at all.

mod commit;
mod delete;
mod digest;
mod entries;
mod fault;
mod feed;
mod list;
mod multipart;
mod names;
mod read;
mod temporary;
#[cfg(test)]
mod tests;
mod threads;
mod tree;
mod walk;
mod write;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use async_trait::async_trait;
use longbow_core::failure::{Feature, StoreError, StoreErrorKind};
use longbow_core::object::{ETag, KeyOrder, ObjectHead, ObjectKey, Prefix, Tag, VersionId};
use longbow_core::port::{
    ByteRange, CompleteRequest, CopyRequest, CreateRequest, GetRequest, HeadRequest, ListPage, ListedPart,
    MultipartStore, ObjectBody, ObjectStore, PartRequest, PutBody, PutRequest, StoreTraits, UploadId,
    UploadsMarker, UploadsPage, Written,
};
use longbow_core::transfer::PartPlan;

use list::Waiting;
use multipart::Uploads;
use names::KeyPath;
use threads::blocking;
use tree::Tree;

/// The folders and the file that a key is below the root, or why no file can be called so. Decided from the text alone.
///
/// # Errors
/// `InvalidKey`, with the reason.
pub fn names_of_key(key: &ObjectKey) -> Result<Vec<String>, StoreError> {
    let path = KeyPath::parse(key)?;
    Ok(path.folders().chain([path.file()]).map(str::to_owned).collect())
}

/// How to use a folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DirectoryOptions {
    /// Make the folder, and those above it, when it is missing.
    pub create: bool,
    /// Wait for the disk before a file gets its name. Without this a power cut can leave new files empty; a crash
    /// of the program alone cannot. Costs one or two disk writes a file.
    pub durable: bool,
}

/// A local folder as an object store. Cloning is cheap.
#[derive(Clone)]
pub struct Directory {
    tree: Arc<Tree>,
    order: KeyOrder,
    durable: bool,
    waiting: Arc<Waiting>,
    uploads: Arc<Uploads>,
}

impl Directory {
    /// Opens a folder. Blocks for a moment.
    ///
    /// # Errors
    /// `NoSuchBucket` when there is no such folder (and `create` is not set); `Denied`.
    pub fn open(path: impl Into<PathBuf>, options: DirectoryOptions) -> Result<Self, StoreError> {
        Ok(Self {
            tree: Arc::new(Tree::open(path.into(), options.create)?),
            order: KeyOrder::Bytes,
            durable: options.durable,
            waiting: Arc::default(),
            uploads: Arc::default(),
        })
    }

    /// The same folder, listed in this order: that of the store at the other side, so that nothing has to be
    /// sorted again.
    #[must_use]
    pub fn with_order(self, order: KeyOrder) -> Self {
        Self { order, waiting: Arc::default(), ..self }
    }

    /// Removes the temporary files that crashed writes have left, if they were last written before `before`: leave
    /// a day for writes that run beside. Unfinished multipart uploads stay, save those whose key has so long a name
    /// that [`MultipartStore::list_uploads`] cannot tell it. Gives how many were removed.
    ///
    /// # Errors
    /// A folder below cannot be read, or a file cannot be removed.
    pub async fn sweep(&self, before: SystemTime) -> Result<u64, StoreError> {
        let tree = Arc::clone(&self.tree);
        blocking(move || delete::sweep(&tree, before)).await
    }
}

impl std::fmt::Debug for Directory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Directory({})", self.tree.name())
    }
}

fn no_server_side_copy() -> StoreError {
    StoreError::new(
        StoreErrorKind::Unsupported(Feature::ServerSideCopy),
        "a folder has no server to copy inside; copy by --method stream",
    )
}

#[async_trait]
impl ObjectStore for Directory {
    fn traits(&self) -> StoreTraits {
        StoreTraits {
            name: self.tree.name(),
            order: Some(self.order),
            folder: true,
            amazon: false,
            encryption: None,
            copy_domain: None,
            container: self.tree.name(),
        }
    }

    async fn list(&self, prefix: &Prefix, page: Option<&str>) -> Result<ListPage, StoreError> {
        let (store, prefix, page) = (self.clone(), prefix.clone(), page.map(str::to_owned));
        blocking(move || {
            list::page(&store.tree, &store.waiting, store.order, prefix.as_str(), page.as_deref())
        })
        .await
    }

    async fn head(&self, key: &ObjectKey, request: &HeadRequest) -> Result<ObjectHead, StoreError> {
        let (tree, path, request) = (Arc::clone(&self.tree), KeyPath::parse(key)?, request.clone());
        blocking(move || read::head(&tree, &path, &request)).await
    }

    async fn get(&self, key: &ObjectKey, request: &GetRequest) -> Result<ObjectBody, StoreError> {
        read::get(Arc::clone(&self.tree), KeyPath::parse(key)?, request.clone()).await
    }

    async fn put(&self, key: &ObjectKey, body: PutBody, request: &PutRequest) -> Result<Written, StoreError> {
        let path = KeyPath::parse(key)?;
        write::put(Arc::clone(&self.tree), path, body, request.clone(), self.durable).await
    }

    async fn copy(&self, _key: &ObjectKey, _request: &CopyRequest) -> Result<Written, StoreError> {
        Err(no_server_side_copy())
    }

    async fn delete(&self, key: &ObjectKey, if_match: Option<&ETag>) -> Result<(), StoreError> {
        // A key that cannot be a file names none: there is nothing to remove.
        let Ok(path) = KeyPath::parse(key) else { return Ok(()) };
        let (tree, if_match) = (Arc::clone(&self.tree), if_match.cloned());
        blocking(move || delete::delete(&tree, &path, if_match.as_ref())).await
    }

    async fn tags(&self, _key: &ObjectKey, _version: Option<&VersionId>) -> Result<Vec<Tag>, StoreError> {
        Ok(Vec::new())
    }
}

#[async_trait]
impl MultipartStore for Directory {
    async fn create_upload(&self, key: &ObjectKey, _request: &CreateRequest) -> Result<UploadId, StoreError> {
        let (tree, path) = (Arc::clone(&self.tree), KeyPath::parse(key)?);
        blocking(move || multipart::create(&tree, &path)).await
    }

    async fn put_part(
        &self,
        key: &ObjectKey,
        upload: &UploadId,
        body: PutBody,
        request: &PartRequest,
    ) -> Result<Written, StoreError> {
        let (tree, uploads) = (Arc::clone(&self.tree), Arc::clone(&self.uploads));
        multipart::put_part(tree, uploads, KeyPath::parse(key)?, upload, body, request.clone()).await
    }

    async fn copy_part(
        &self,
        _key: &ObjectKey,
        _upload: &UploadId,
        _number: u32,
        _range: ByteRange,
        _source: &CopyRequest,
    ) -> Result<Written, StoreError> {
        Err(no_server_side_copy())
    }

    async fn list_parts(
        &self,
        key: &ObjectKey,
        upload: &UploadId,
        plan: &PartPlan,
    ) -> Result<Vec<ListedPart>, StoreError> {
        let (tree, uploads) = (Arc::clone(&self.tree), Arc::clone(&self.uploads));
        multipart::list_parts(tree, uploads, KeyPath::parse(key)?, upload, *plan).await
    }

    /// The walk is one page: a folder has as many uploads as one run left there.
    async fn uploads_page(
        &self,
        prefix: &Prefix,
        _page: Option<&UploadsMarker>,
    ) -> Result<UploadsPage, StoreError> {
        let (store, prefix) = (self.clone(), prefix.clone());
        let uploads =
            blocking(move || multipart::list_uploads(&store.tree, store.order, prefix.as_str())).await?;
        Ok(UploadsPage { uploads, next: None })
    }

    async fn complete_upload(
        &self,
        key: &ObjectKey,
        upload: &UploadId,
        request: &CompleteRequest,
    ) -> Result<Written, StoreError> {
        let (store, path) = (self.clone(), KeyPath::parse(key)?);
        let (upload, request) = (upload.clone(), request.clone());
        blocking(move || {
            multipart::complete(&store.tree, &store.uploads, &path, &upload, &request, store.durable)
        })
        .await
    }

    async fn abort_upload(&self, key: &ObjectKey, upload: &UploadId) -> Result<(), StoreError> {
        let (store, path, upload) = (self.clone(), KeyPath::parse(key)?, upload.clone());
        blocking(move || multipart::abort(&store.tree, &store.uploads, &path, &upload)).await
    }
}
