//! Tests of a folder as a store, on a real one.

mod escape;
mod listing;
mod multipart;
mod reading;
mod writing;

use std::path::{Path, PathBuf};

use bytes::Bytes;
use futures_util::StreamExt;
use longbow_core::failure::{StoreError, StoreErrorKind};
use longbow_core::object::ObjectKey;
use longbow_core::port::{GetRequest, ListPage, ObjectBody, ObjectStore, PutBody, PutRequest, Written};

use super::{Directory, DirectoryOptions};

/// A folder in a folder of its own, so that what leads out of it lands where the test can see it.
struct World {
    around: tempfile::TempDir,
    store: Directory,
}

impl World {
    fn new() -> Self {
        let around = tempfile::tempdir().unwrap();
        let options = DirectoryOptions { create: true, durable: false };
        let store = Directory::open(around.path().join("root"), options).unwrap();
        Self { around, store }
    }

    fn root(&self) -> PathBuf {
        self.around.path().join("root")
    }

    /// Writes a file past the store, with its folders.
    fn file(&self, path: &str, content: &str) {
        let path = self.root().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }

    fn content(&self, path: &str) -> Option<String> {
        std::fs::read_to_string(self.root().join(path)).ok()
    }

    /// Everything on disk around and below the root, relative, sorted; folders end in `/`.
    fn on_disk(&self) -> Vec<String> {
        fn walk(base: &Path, at: &Path, all: &mut Vec<String>) {
            for entry in std::fs::read_dir(at).unwrap() {
                let entry = entry.unwrap();
                let name = entry.path().strip_prefix(base).unwrap().display().to_string();
                if entry.file_type().unwrap().is_dir() {
                    all.push(format!("{name}/"));
                    walk(base, &entry.path(), all);
                } else {
                    all.push(name);
                }
            }
        }
        let mut all = Vec::new();
        walk(self.around.path(), self.around.path(), &mut all);
        all.sort();
        all
    }

    async fn put(&self, name: &str, content: &str) -> Result<Written, StoreError> {
        self.put_with(name, content, PutRequest::default()).await
    }

    async fn put_with(&self, name: &str, content: &str, request: PutRequest) -> Result<Written, StoreError> {
        let body = PutBody::Kept(vec![Bytes::from(content.to_owned())]);
        self.store.put(&key(name), body, &request).await
    }

    async fn get(&self, name: &str, request: GetRequest) -> Result<Vec<u8>, StoreError> {
        let body = self.store.get(&key(name), &request).await?;
        let length = body.length;
        let bytes = drain(body).await?;
        assert_eq!(bytes.len() as u64, length);
        Ok(bytes)
    }
}

fn key(name: &str) -> ObjectKey {
    ObjectKey::from(name)
}

async fn drain(mut body: ObjectBody) -> Result<Vec<u8>, StoreError> {
    let mut all = Vec::new();
    while let Some(frame) = body.stream.next().await {
        all.extend_from_slice(&frame?);
    }
    Ok(all)
}

fn keys(page: &ListPage) -> Vec<&str> {
    page.objects.iter().map(|o| o.key.as_str()).collect()
}

fn kind<T: std::fmt::Debug>(result: Result<T, StoreError>) -> StoreErrorKind {
    result.unwrap_err().kind
}

/// A body that yields these frames.
fn streamed(length: u64, frames: Vec<Result<Bytes, StoreError>>) -> PutBody {
    PutBody::Streamed { length, stream: Box::pin(futures_util::stream::iter(frames)) }
}

/// A body that yields these frames and then nothing, for ever.
fn stalled(length: u64, frames: Vec<Bytes>) -> PutBody {
    let stream =
        futures_util::stream::iter(frames.into_iter().map(Ok)).chain(futures_util::stream::pending());
    PutBody::Streamed { length, stream: Box::pin(stream) }
}

/// Waits until `holds`, at most some seconds.
async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
    while !holds() {
        assert!(std::time::Instant::now() < deadline, "{what} did not come");
        tokio::time::sleep(std::time::Duration::from_millis(2)).await;
    }
}
