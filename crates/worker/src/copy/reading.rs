//! The source's bytes as one stream: pinned, counted, digested on the way, and taken up again at the offset where a
//! connection broke, without the writer noticing.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt as _;
use longbow_core::failure::{Failure, FailureClass, StoreError, StoreErrorKind};
use longbow_core::object::ObjectKey;
use longbow_core::port::{BodyStream, ByteRange, GetRequest, ObjectBody, ReadPin};
use longbow_core::transfer::PartDigest;

use crate::Shared;
use crate::digest::DigestStream;
use crate::executor::Stopped;
use crate::plan::source_failure;

/// How often one body is taken up again.
const RESUMES: u32 = 4;

/// What is known of a body while and after it was read.
pub(crate) struct Tally {
    digest: Mutex<Option<DigestStream>>,
    error: Mutex<Option<StoreError>>,
    bytes: AtomicU64,
    length: u64,
}

impl Tally {
    /// Bytes read so far.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// The fault of the source that broke the stream, if one did: to be looked at before what the writer says.
    pub(crate) fn take_error(&self) -> Option<StoreError> {
        self.error.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// The digest of the whole body. Fails when the body was not read to its end: a writer that reports success
    /// without having taken every byte is not to be believed.
    pub(crate) async fn finish(&self) -> Result<Option<PartDigest>, Failure> {
        if self.bytes() != self.length {
            return Err(Failure::new(
                FailureClass::Corrupt,
                format!(
                    "the destination took {} of {} bytes and reported success",
                    self.bytes(),
                    self.length
                ),
            ));
        }
        let digest = self.digest.lock().unwrap_or_else(PoisonError::into_inner).take();
        Ok(match digest {
            Some(digest) => Some(digest.finish().await),
            None => None,
        })
    }
}

struct Reader {
    shared: Arc<Shared>,
    key: ObjectKey,
    pin: ReadPin,
    start: u64,
    stream: Option<BodyStream>,
    resumes: u32,
    tally: Arc<Tally>,
}

/// Turns a body that has begun at byte `start` of the object into the stream to write.
pub(crate) fn read(
    shared: &Arc<Shared>,
    key: &ObjectKey,
    pin: &ReadPin,
    start: u64,
    body: ObjectBody,
    digest: Option<DigestStream>,
) -> (BodyStream, Arc<Tally>) {
    let tally = Arc::new(Tally {
        digest: Mutex::new(digest),
        error: Mutex::new(None),
        bytes: AtomicU64::new(0),
        length: body.length,
    });
    // Taken up again only as the very object that was begun: its own tag pins it from here on.
    let pin =
        ReadPin { etag: pin.etag.clone().or_else(|| body.head.etag.clone()), version: pin.version.clone() };
    let reader = Reader {
        shared: Arc::clone(shared),
        key: key.clone(),
        pin,
        start,
        stream: Some(body.stream),
        resumes: 0,
        tally: Arc::clone(&tally),
    };
    let stream = futures_util::stream::unfold(reader, |mut reader| async move {
        let item = reader.next().await?;
        Some((item, reader))
    });
    (Box::pin(stream), tally)
}

impl Reader {
    async fn next(&mut self) -> Option<Result<Bytes, StoreError>> {
        loop {
            let got = self.tally.bytes();
            if got == self.tally.length {
                return None;
            }
            let stream = self.stream.as_mut()?;
            let error = match stream.next().await {
                Some(Ok(frame)) if frame.is_empty() => continue,
                Some(Ok(frame)) if frame.len() as u64 <= self.tally.length - got => {
                    self.take(&frame).await;
                    return Some(Ok(frame));
                }
                Some(Ok(_)) => {
                    StoreError::new(StoreErrorKind::Corrupt, "the source sent more bytes than it announced")
                }
                Some(Err(error)) => error,
                None => StoreError::new(
                    StoreErrorKind::Transient,
                    format!("the source's body ended after {got} of {} bytes", self.tally.length),
                ),
            };
            self.stream = None;
            if let Err(error) = self.resume(error).await {
                let copy =
                    StoreError { kind: error.kind, message: error.message.clone(), code: error.code.clone() };
                *self.tally.error.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                return Some(Err(copy));
            }
        }
    }

    async fn take(&mut self, frame: &Bytes) {
        let length = frame.len() as u64;
        // Out of the lock while it waits for room.
        let digest = self.tally.digest.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(mut digest) = digest {
            digest.update(frame.clone()).await;
            *self.tally.digest.lock().unwrap_or_else(PoisonError::into_inner) = Some(digest);
        }
        self.tally.bytes.fetch_add(length, Ordering::Relaxed);
        self.shared.ports.observer.moved(length, length);
    }

    /// Opens the rest of the body, if the fault may pass; gives the fault back otherwise.
    async fn resume(&mut self, mut error: StoreError) -> Result<(), StoreError> {
        while matches!(error.kind, StoreErrorKind::Transient | StoreErrorKind::Throttled)
            && self.resumes < RESUMES
        {
            tracing::debug!(key = %self.key, offset = self.tally.bytes(), %error, "body taken up again");
            tokio::time::sleep(Duration::from_millis(100 << self.resumes)).await;
            self.resumes += 1;
            let got = self.tally.bytes();
            let range = ByteRange { start: self.start + got, length: self.tally.length - got };
            let request = GetRequest { pin: self.pin.clone(), range: Some(range), checksums: false };
            match self.shared.ports.source.get(&self.key, &request).await {
                Ok(body) if body.length == range.length => {
                    self.stream = Some(body.stream);
                    return Ok(());
                }
                Ok(body) => {
                    let message =
                        format!("the source answered with {} bytes for {}", body.length, range.length);
                    return Err(StoreError::new(StoreErrorKind::Corrupt, message));
                }
                Err(next) => error = next,
            }
        }
        Err(error)
    }
}

/// Which side broke a write: the source if its stream failed, else the destination.
pub(crate) fn blame(shared: &Shared, tally: &Tally, error: StoreError, tagged: bool) -> Stopped {
    match tally.take_error() {
        Some(source) => source_failure(source),
        None => super::tagged_write_failure(shared, error, tagged),
    }
}
