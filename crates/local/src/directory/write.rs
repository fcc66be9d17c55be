//! Writing a file whole: under a temporary name, then renamed.

use std::sync::Arc;

use longbow_core::failure::StoreError;
use longbow_core::object::ETag;
use longbow_core::port::{PutBody, PutRequest, Written};

use super::commit::Finished;
use super::digest::Digests;
use super::fault;
use super::feed::{Batch, Feed, write_frames};
use super::names::{self, KeyPath};
use super::temporary::{Temporary, set_modified};
use super::threads::blocking;
use super::tree::Tree;

/// Writes a file. When it fails, or the returned future is dropped, nothing is left.
pub(super) async fn put(
    tree: Arc<Tree>,
    path: KeyPath,
    body: PutBody,
    request: PutRequest,
    durable: bool,
) -> Result<Written, StoreError> {
    let mut feed = Feed::new(path.key(), body);
    let mut batch = feed.next().await?;
    let mut writing = Writing::Planned { tree, path, request, durable };
    while !batch.last {
        // The next batch is gathered while this one is written.
        let (written, next) = futures_util::future::join(
            blocking(move || writing.add(&batch).map(Writing::Begun)),
            feed.next(),
        )
        .await;
        writing = written?;
        batch = match next {
            Ok(batch) => batch,
            Err(error) => {
                // Dropping it removes the file, which may block.
                let _ = blocking(move || {
                    drop(writing);
                    Ok(())
                })
                .await;
                return Err(error);
            }
        };
    }
    // A small file never comes by the loop: one trip to another thread.
    let etag = blocking(move || writing.add(&batch)?.finish()).await?;
    Ok(Written { etag: Some(etag), ..Default::default() })
}

enum Writing {
    Planned { tree: Arc<Tree>, path: KeyPath, request: PutRequest, durable: bool },
    Begun(Begun),
}

struct Begun {
    temporary: Temporary,
    digests: Digests,
    request: PutRequest,
    durable: bool,
}

impl Writing {
    /// Writes a batch, into a new file if it is the first. Blocks.
    fn add(self, batch: &Batch) -> Result<Begun, StoreError> {
        let mut begun = match self {
            Self::Begun(begun) => begun,
            Self::Planned { tree, path, request, durable } => {
                let temporary = Temporary::create(&tree, &path, |_| names::new_whole())?;
                // Looked at again in the end; here it saves writing for nothing.
                finished(&temporary).check(&request.condition)?;
                let digests = Digests::promised(request.md5, &request.checksums);
                Begun { temporary, digests, request, durable }
            }
        };
        begun.digests.update(&batch.frames);
        write_frames(&mut begun.temporary.file, &batch.frames)
            .map_err(|e| fault::failed_key("write", begun.temporary.path().key(), &e))?;
        Ok(begun)
    }
}

fn finished(temporary: &Temporary) -> Finished<'_> {
    Finished {
        tree: temporary.tree(),
        path: temporary.path(),
        dir: &temporary.dir,
        temporary: &temporary.name,
        file: &temporary.file,
    }
}

impl Begun {
    /// Proves the bytes and gives the file its name. Blocks.
    fn finish(self) -> Result<ETag, StoreError> {
        let Self { temporary, digests, request, durable } = self;
        let path = temporary.path();
        digests.check(path.key())?;
        if let Some(modified) = request.modified {
            set_modified(&temporary.file, modified)
                .map_err(|e| fault::failed_key("set the time of", path.key(), &e))?;
        }
        let etag = finished(&temporary).commit(&request.condition, durable)?;
        temporary.settle();
        Ok(etag)
    }
}
