//! The bytes of a manifest, from a file or from an object: in chunks, in order, to the last one or an error.
//!
//! An object is pinned when its first byte is read: where a body breaks off, the rest is asked for with the same tag, so
//! that two manifests are never read as one. What the bytes mean is `core`'s to say. A compressed one is
//! unpacked on the way.

mod unpack;

use std::fs::File;
use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use longbow_core::failure::{FailureClass, StoreError, StoreErrorKind};
use longbow_core::object::ObjectKey;
use longbow_core::port::{BodyStream, ByteRange, GetRequest, ObjectStore, ReadPin};
use tokio_util::sync::CancellationToken;

use crate::patience::{self, Refusals};
pub use unpack::unpacked;

/// Bytes of a file that are read together.
const CHUNK: usize = 256 * 1024;

/// The bytes of a local file. It is opened here, so that a wrong path is told at once.
///
/// # Errors
/// `NotFound` or `Permanent`, with the path.
pub async fn manifest_of_file(path: &Path) -> Result<BodyStream, StoreError> {
    let name = path.display().to_string();
    let fault = move |error: &std::io::Error| {
        let kind = match error.kind() {
            std::io::ErrorKind::NotFound => StoreErrorKind::NotFound,
            _ => StoreErrorKind::Permanent,
        };
        StoreError::new(kind, format!("{name} could not be read: {error}"))
    };
    let path = path.to_owned();
    let opened = tokio::task::spawn_blocking(move || {
        let file = File::open(&path)?;
        match file.metadata()?.is_dir() {
            true => Err(std::io::Error::new(std::io::ErrorKind::IsADirectory, "it is a folder")),
            false => Ok(file),
        }
    });
    let file = opened.await.map_err(std::io::Error::other).and_then(|end| end).map_err(|e| fault(&e))?;
    let chunks = stream::try_unfold(file, move |mut file| {
        let fault = fault.clone();
        async move {
            let read = tokio::task::spawn_blocking(move || {
                let mut chunk = vec![0; CHUNK];
                let length = loop {
                    match file.read(&mut chunk) {
                        Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                        end => break end?,
                    }
                };
                chunk.truncate(length);
                Ok((file, chunk))
            });
            let (file, chunk) =
                read.await.map_err(std::io::Error::other).and_then(|end| end).map_err(|e| fault(&e))?;
            Ok((!chunk.is_empty()).then(|| (Bytes::from(chunk), file)))
        }
    });
    Ok(unpacked(chunks.boxed()))
}

/// The bytes of an object. Faults that may pass are met by asking again for the rest, until `stop`.
pub fn manifest_of_object(
    store: Arc<dyn ObjectStore>,
    key: ObjectKey,
    stop: CancellationToken,
) -> BodyStream {
    let reading = Reading {
        store,
        key,
        stop,
        pin: ReadPin::default(),
        at: 0,
        size: None,
        body: None,
        fruitless: 0,
        refusals: Refusals::default(),
    };
    let frames = stream::try_unfold(reading, |mut reading| async move {
        Ok(reading.next().await?.map(|frame| (frame, reading)))
    });
    unpacked(frames.boxed())
}

/// An object that is read from its first byte to its last.
struct Reading {
    store: Arc<dyn ObjectStore>,
    key: ObjectKey,
    stop: CancellationToken,
    /// Nothing until the first answer says what is read.
    pin: ReadPin,
    at: u64,
    size: Option<u64>,
    body: Option<BodyStream>,
    /// Tries since the last byte came.
    fruitless: u32,
    refusals: Refusals,
}

impl Reading {
    async fn next(&mut self) -> Result<Option<Bytes>, StoreError> {
        loop {
            if self.size == Some(self.at) {
                return Ok(None);
            }
            let error = match &mut self.body {
                None => match self.open().await {
                    Ok(()) => continue,
                    Err(error) => error,
                },
                Some(body) => match body.next().await {
                    Some(Ok(frame)) => {
                        self.at += frame.len() as u64;
                        self.fruitless = 0;
                        self.refusals = Refusals::default();
                        if self.size.is_some_and(|size| self.at > size) {
                            return Err(self.fault(StoreErrorKind::Corrupt, "more bytes came than it has"));
                        }
                        if !frame.is_empty() {
                            return Ok(Some(frame));
                        }
                        continue;
                    }
                    Some(Err(error)) => error,
                    None => self.fault(StoreErrorKind::Transient, "its bytes ended early"),
                },
            };
            self.body = None;
            let again = match error.class() {
                FailureClass::Throttled => self.refusals.wait(&self.stop).await,
                FailureClass::Transient if self.fruitless + 1 < patience::ATTEMPTS => {
                    self.fruitless += 1;
                    patience::wait(patience::delay(self.fruitless - 1, false), &self.stop).await
                }
                _ => false,
            };
            if !again {
                return Err(error);
            }
            tracing::debug!(key = %self.key, at = self.at, %error, "the rest of the manifest is asked for again");
        }
    }

    async fn open(&mut self) -> Result<(), StoreError> {
        let rest = self.size.map(|size| ByteRange { start: self.at, length: size - self.at });
        let range = rest.filter(|range| range.start > 0);
        let request = GetRequest { pin: self.pin.clone(), range, checksums: false };
        let body = match self.store.get(&self.key, &request).await {
            Ok(body) => body,
            Err(error) if self.size.is_some() && error.kind == StoreErrorKind::PreconditionFailed => {
                return Err(self.fault(error.kind, "it was replaced while it was read"));
            }
            Err(error) => return Err(error),
        };
        match self.size {
            None => {
                // The tag is pin enough, and reading by version needs a right of its own (LB-60).
                let etag = body.head.etag.clone();
                let version = body.head.version.clone().filter(|_| etag.is_none());
                self.pin = ReadPin { etag, version };
                self.size = Some(body.head.size);
            }
            Some(size) if size != body.head.size => {
                return Err(
                    self.fault(StoreErrorKind::PreconditionFailed, "it was replaced while it was read")
                );
            }
            Some(_) => {}
        }
        self.body = Some(body.stream);
        Ok(())
    }

    fn fault(&self, kind: StoreErrorKind, what: &str) -> StoreError {
        StoreError::new(kind, format!("{} in {}: {what}", self.key, self.store.traits().name))
    }
}

#[cfg(test)]
mod tests;
