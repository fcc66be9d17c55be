//! Reading files: headers, and bytes in frames with one frame read ahead.
//!
//! What is read is one state of one file or an error: the file's identity is compared when it is opened and again
//! before the last frame is handed out.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::sync::Arc;

use bytes::Bytes;
use futures_util::stream;
use longbow_core::failure::{StoreError, StoreErrorKind};
use longbow_core::object::{ETag, ObjectHead, ObjectKey};
use longbow_core::port::{BodyStream, ByteRange, GetRequest, HeadRequest, ObjectBody, ReadPin};
use tokio::task::JoinHandle;

use super::fault;
use super::names::KeyPath;
use super::threads::{blocking, joined};
use super::tree::{Identity, Occupant, Tree, existing, missing, occupant};

/// Bytes of a frame.
const FRAME: u64 = 256 << 10;

/// The headers of a file. Blocks.
pub(super) fn head(tree: &Tree, path: &KeyPath, request: &HeadRequest) -> Result<ObjectHead, StoreError> {
    let key = path.key();
    let dir = tree.folder_of(path).map_err(|b| b.on_read(key))?;
    let found = occupant(&dir, path.file()).map_err(|e| fault::failed_key("look at", key, &e))?;
    let Occupant::File(identity) = found else { return Err(no_file(key, found)) };
    check_pin(key, &request.pin, &identity)?;
    Ok(head_of(&identity))
}

/// The bytes of a file or of a range of it.
pub(super) async fn get(
    tree: Arc<Tree>,
    path: KeyPath,
    request: GetRequest,
) -> Result<ObjectBody, StoreError> {
    let opened = blocking(move || {
        let (file, identity) = open(&tree, &path, &request.pin)?;
        let range = range_of(path.key(), request.range, identity.size)?;
        let mut reader =
            Reader { file, key: path.key().clone(), identity, at: range.start, left: range.length };
        reader.start()?;
        // The first frame comes with the opening: a small file costs one trip to another thread.
        let first = reader.frame()?;
        Ok((reader, first, range.length))
    });
    let (reader, first, length) = opened.await?;
    let head = head_of(&reader.identity);
    Ok(ObjectBody { head, length, stream: frames(reader, first) })
}

/// Opens a file for reading. Blocks.
pub(super) fn open(tree: &Tree, path: &KeyPath, pin: &ReadPin) -> Result<(File, Identity), StoreError> {
    let key = path.key();
    let dir = tree.folder_of(path).map_err(|b| b.on_read(key))?;
    let file =
        dir.open_with(path.file(), &existing(false)).map_err(|error| match occupant(&dir, path.file()) {
            Ok(Occupant::Nothing) => missing(key),
            Ok(found @ (Occupant::Link | Occupant::Folder | Occupant::Other)) => no_file(key, found),
            _ => fault::failed_key("open", key, &error),
        })?;
    let file = file.into_std();
    let identity = Identity::of_file(&file)
        .map_err(|e| fault::failed_key("look at", key, &e))?
        .ok_or_else(|| no_file(key, occupant(&dir, path.file()).unwrap_or(Occupant::Other)))?;
    check_pin(key, pin, &identity)?;
    Ok((file, identity))
}

fn head_of(identity: &Identity) -> ObjectHead {
    ObjectHead {
        size: identity.size,
        etag: Some(identity.etag()),
        modified: Some(identity.modified()),
        ..Default::default()
    }
}

fn no_file(key: &ObjectKey, found: Occupant) -> StoreError {
    match found {
        Occupant::Nothing => missing(key),
        other => StoreError::new(
            StoreErrorKind::NotFound,
            format!("there is no file {key}: {} has that name", other.describe()),
        ),
    }
}

fn check_pin(key: &ObjectKey, pin: &ReadPin, identity: &Identity) -> Result<(), StoreError> {
    if pin.version.is_some() {
        return Err(StoreError::new(
            StoreErrorKind::NotFound,
            format!("there is no other version of {key}: a folder keeps none"),
        ));
    }
    match &pin.etag {
        Some(etag) if *etag != identity.etag() => Err(changed(key, etag)),
        _ => Ok(()),
    }
}

fn changed(key: &ObjectKey, etag: &ETag) -> StoreError {
    StoreError::new(
        StoreErrorKind::PreconditionFailed,
        format!("the file {key} has changed: it is no longer the one with the tag {etag}"),
    )
}

/// What of a range the file has: as S3 does, up to its end and no further.
fn range_of(key: &ObjectKey, range: Option<ByteRange>, size: u64) -> Result<ByteRange, StoreError> {
    let Some(ByteRange { start, length }) = range else { return Ok(ByteRange { start: 0, length: size }) };
    if start < size {
        return Ok(ByteRange { start, length: length.min(size - start) });
    }
    Err(StoreError::new(
        StoreErrorKind::Corrupt,
        format!("bytes from {start} on were asked of the file {key}, which has {size}"),
    ))
}

struct Reader {
    file: File,
    key: ObjectKey,
    identity: Identity,
    at: u64,
    left: u64,
}

impl Reader {
    fn start(&mut self) -> Result<(), StoreError> {
        if self.at > 0 && self.left > 0 {
            self.file.seek(SeekFrom::Start(self.at)).map_err(|e| fault::failed_key("read", &self.key, &e))?;
        }
        Ok(())
    }

    /// The next frame; empty at the end. Blocks.
    fn frame(&mut self) -> Result<Bytes, StoreError> {
        let wanted = self.left.min(FRAME);
        if wanted == 0 {
            return Ok(Bytes::new());
        }
        let mut frame = Vec::with_capacity(usize::try_from(wanted).unwrap_or_default());
        (&self.file)
            .take(wanted)
            .read_to_end(&mut frame)
            .map_err(|e| fault::failed_key("read", &self.key, &e))?;
        let read = frame.len() as u64;
        if read < wanted {
            return Err(StoreError::new(
                StoreErrorKind::Corrupt,
                format!("the file {} ended at byte {} while it was read", self.key, self.at + read),
            ));
        }
        self.at += read;
        self.left -= read;
        if self.left == 0 {
            let now =
                Identity::of_file(&self.file).map_err(|e| fault::failed_key("look at", &self.key, &e))?;
            if now != Some(self.identity) {
                return Err(changed(&self.key, &self.identity.etag()));
            }
        }
        Ok(frame.into())
    }
}

type Ahead = JoinHandle<Result<(Reader, Bytes), StoreError>>;

enum Frames {
    Ready(Reader, Bytes),
    Ahead(Ahead),
    End,
}

/// Yields frames. While one is handed out, the next is being read, and no more than that.
fn frames(reader: Reader, first: Bytes) -> BodyStream {
    let start = if first.is_empty() { Frames::End } else { Frames::Ready(reader, first) };
    Box::pin(stream::try_unfold(start, |state| async move {
        let (mut reader, frame) = match state {
            Frames::Ready(reader, frame) => (reader, frame),
            Frames::Ahead(task) => joined(task.await)?,
            Frames::End => return Ok(None),
        };
        let next = if reader.left == 0 {
            Frames::End
        } else {
            Frames::Ahead(tokio::task::spawn_blocking(move || {
                let frame = reader.frame()?;
                Ok((reader, frame))
            }))
        };
        Ok(Some((frame, next)))
    }))
}
