//! Bodies: the port's streams of frames to the SDK's bodies and back, without copying a byte.
//!
//! Apart, because both ways share the same care: exactly the announced number of bytes passes, or there is an
//! error; and a fault of one side is never blamed on the other.

use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use aws_sdk_s3::primitives::SdkBody;
use bytes::Bytes;
use futures_core::Stream;
use http_body::{Body, Frame, SizeHint};
use longbow_core::failure::{StoreError, StoreErrorKind};
use longbow_core::object::ObjectKey;
use longbow_core::port::{BodyStream, PutBody};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::failure::chain;

/// The body of a GET as the port wants it: exactly `length` bytes, or an error.
pub(crate) fn reading(body: SdkBody, length: u64, bucket: Arc<str>, key: ObjectKey) -> BodyStream {
    Box::pin(Reading { body, length, left: length, bucket, key, ended: false })
}

struct Reading {
    body: SdkBody,
    length: u64,
    left: u64,
    bucket: Arc<str>,
    key: ObjectKey,
    ended: bool,
}

impl Reading {
    fn fail(
        &mut self,
        kind: StoreErrorKind,
        what: fmt::Arguments<'_>,
    ) -> Poll<Option<<Self as Stream>::Item>> {
        self.ended = true;
        let text = format!(
            "GetObject of s3://{}/{}: {what} after {} of {} bytes",
            self.bucket,
            self.key,
            self.length - self.left,
            self.length
        );
        Poll::Ready(Some(Err(StoreError::new(kind, text))))
    }
}

impl Stream for Reading {
    type Item = Result<Bytes, StoreError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            if self.ended {
                return Poll::Ready(None);
            }
            match ready!(Pin::new(&mut self.body).poll_frame(cx)) {
                Some(Ok(frame)) => {
                    let Ok(data) = frame.into_data() else { continue };
                    let Some(left) = self.left.checked_sub(data.len() as u64) else {
                        return self
                            .fail(StoreErrorKind::Corrupt, format_args!("more bytes than announced came"));
                    };
                    self.left = left;
                    if !data.is_empty() {
                        return Poll::Ready(Some(Ok(data)));
                    }
                }
                None if self.left == 0 => self.ended = true,
                None => return self.fail(StoreErrorKind::Transient, format_args!("the body ended")),
                Some(Err(error)) => {
                    let text = chain(error.as_ref());
                    return self.fail(StoreErrorKind::Transient, format_args!("the body broke off ({text})"));
                }
            }
        }
    }
}

/// What is known of a body on its way out.
#[derive(Debug)]
struct Passage {
    /// Why the frames ended early: a fault of their source, not of the store.
    failure: Mutex<Option<StoreError>>,
    /// When the last byte was handed to the connection; `None` while bytes are left.
    handed_over: watch::Sender<Option<Instant>>,
}

impl Passage {
    fn hand_over(&self, at: Option<Instant>) {
        self.handed_over.send_replace(at);
    }

    fn fail(&self, error: StoreError) -> BrokenOff {
        *self.failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
        BrokenOff
    }
}

/// Stops a request whose body cannot go on. The reason is in the [`Passage`].
#[derive(Debug)]
struct BrokenOff;

impl fmt::Display for BrokenOff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the source of the bytes failed")
    }
}

impl std::error::Error for BrokenOff {}

/// A body ready to be sent.
pub(crate) struct Outgoing {
    pub(crate) body: SdkBody,
    pub(crate) length: u64,
    passage: Arc<Passage>,
}

/// How a request with a body ended, when there was no answer to it.
pub(crate) enum Unanswered {
    /// The frames' own failure.
    Source(StoreError),
    /// The server took every byte and then said nothing for this long.
    Silence(Duration),
}

impl Outgoing {
    /// Prepares a body. A streamed one can be sent once, a kept one again.
    pub(crate) async fn new(body: PutBody) -> Result<Self, StoreError> {
        let length = body.length();
        let started = if length == 0 { Some(Instant::now()) } else { None };
        let passage =
            Arc::new(Passage { failure: Mutex::new(None), handed_over: watch::Sender::new(started) });
        let body = match body {
            PutBody::Streamed { stream, .. } if length == 0 => {
                // An empty body is never polled by the connection, but its source may still have failed.
                empty(stream).await?;
                SdkBody::empty()
            }
            PutBody::Kept(_) if length == 0 => SdkBody::empty(),
            PutBody::Streamed { length, stream } => SdkBody::from_body_1_x(Streamed {
                stream: Mutex::new(stream),
                length,
                left: length,
                held: None,
                passage: Arc::clone(&passage),
            }),
            PutBody::Kept(frames) => {
                let frames: Arc<[Bytes]> = frames.into_iter().filter(|f| !f.is_empty()).collect();
                let passage = Arc::clone(&passage);
                SdkBody::retryable(move || {
                    passage.hand_over(None);
                    SdkBody::from_body_1_x(Kept {
                        frames: Arc::clone(&frames),
                        next: 0,
                        offset: 0,
                        left: length,
                        passage: Arc::clone(&passage),
                    })
                })
            }
        };
        Ok(Self { body, length, passage })
    }

    /// Takes the body and leaves what is needed to wait for the answer.
    pub(crate) fn split(self) -> (SdkBody, Awaiting) {
        (self.body, Awaiting { passage: self.passage })
    }
}

/// Waits for the answer to a request with a body.
pub(crate) struct Awaiting {
    passage: Arc<Passage>,
}

impl Awaiting {
    /// Runs `send`. As long as bytes flow there is no limit (the SDK's stalled-stream protection watches over
    /// that); once the last one is handed over, the answer must come within `limit`. The SDK's own limits cover
    /// the upload as well, so that they would either cut slow links off or wait for ever.
    pub(crate) async fn answer<T, E>(
        self,
        limit: Duration,
        send: impl Future<Output = Result<T, E>>,
    ) -> Result<Result<T, E>, Unanswered> {
        let mut changes = self.passage.handed_over.subscribe();
        let silence = async {
            loop {
                let handed_over = *changes.borrow_and_update();
                match handed_over {
                    // The sender lives in `self`, so that this cannot fail while we wait.
                    None => drop(changes.changed().await),
                    Some(at) => tokio::select! {
                        _ = changes.changed() => {}
                        () = tokio::time::sleep_until(at + limit) => break,
                    },
                }
            }
        };
        let outcome = tokio::select! {
            biased;
            outcome = send => outcome,
            () = silence => return Err(Unanswered::Silence(limit)),
        };
        if outcome.is_err() {
            let failure = self.passage.failure.lock().unwrap_or_else(PoisonError::into_inner).take();
            if let Some(failure) = failure {
                return Err(Unanswered::Source(failure));
            }
        }
        Ok(outcome)
    }
}

fn wrong_length(expected: u64, text: &str) -> StoreError {
    StoreError::new(
        StoreErrorKind::Corrupt,
        format!("the source gave {text} than the {expected} bytes announced"),
    )
}

async fn empty(mut stream: BodyStream) -> Result<(), StoreError> {
    while let Some(frame) = std::future::poll_fn(|cx| stream.as_mut().poll_next(cx)).await {
        if !frame?.is_empty() {
            return Err(wrong_length(0, "more bytes"));
        }
    }
    Ok(())
}

/// Frames that pass once. The last one is held back until the stream has ended without an error, so that a fault
/// found at the very end (a digest that does not fit) still keeps the object from being stored.
struct Streamed {
    /// Never locked: the SDK wants bodies to be `Sync`, and a mutex makes the stream so.
    stream: Mutex<BodyStream>,
    length: u64,
    left: u64,
    held: Option<Bytes>,
    passage: Arc<Passage>,
}

impl Body for Streamed {
    type Data = Bytes;
    type Error = BrokenOff;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BrokenOff>>> {
        let this = &mut *self;
        if this.left == 0 && this.held.is_none() {
            return Poll::Ready(None);
        }
        let stream = this.stream.get_mut().unwrap_or_else(PoisonError::into_inner);
        loop {
            match ready!(stream.as_mut().poll_next(cx)) {
                Some(Ok(frame)) if frame.is_empty() => {}
                Some(Ok(frame)) => {
                    let Some(left) = this.left.checked_sub(frame.len() as u64) else {
                        let error = wrong_length(this.length, "more bytes");
                        return Poll::Ready(Some(Err(this.passage.fail(error))));
                    };
                    this.left = left;
                    if left > 0 {
                        return Poll::Ready(Some(Ok(Frame::data(frame))));
                    }
                    this.held = Some(frame);
                }
                Some(Err(error)) => return Poll::Ready(Some(Err(this.passage.fail(error)))),
                None if this.left > 0 => {
                    let error = wrong_length(this.length, "fewer bytes");
                    return Poll::Ready(Some(Err(this.passage.fail(error))));
                }
                None => {
                    this.passage.hand_over(Some(Instant::now()));
                    return Poll::Ready(this.held.take().map(|last| Ok(Frame::data(last))));
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0 && self.held.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left + self.held.as_ref().map_or(0, |f| f.len() as u64))
    }
}

/// Most bytes handed over at once, so that "handed over" and "sent" stay close together on slow links.
const MOST_AT_ONCE: usize = 256 << 10;

/// Frames at hand.
struct Kept {
    frames: Arc<[Bytes]>,
    next: usize,
    offset: usize,
    left: u64,
    passage: Arc<Passage>,
}

impl Body for Kept {
    type Data = Bytes;
    type Error = BrokenOff;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BrokenOff>>> {
        let (next, offset) = (self.next, self.offset);
        let Some(frame) = self.frames.get(next) else { return Poll::Ready(None) };
        let end = frame.len().min(offset + MOST_AT_ONCE);
        let (piece, whole) = (frame.slice(offset..end), end == frame.len());
        (self.next, self.offset) = if whole { (next + 1, 0) } else { (next, end) };
        self.left -= piece.len() as u64;
        if self.left == 0 {
            self.passage.hand_over(Some(Instant::now()));
        }
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

#[cfg(test)]
mod tests;
