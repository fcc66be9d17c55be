//! Frames to send, as the bodies of the SDK's requests and of our own.
//!
//! Apart, because it is about bytes alone: who waits for whom is told in `passage`.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use aws_sdk_s3::primitives::SdkBody;
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use longbow_core::failure::{StoreError, StoreErrorKind};
use longbow_core::port::{BodyStream, PutBody};

use super::passage::{Awaiting, BrokenOff, Passage};

/// A body ready to be sent.
pub(crate) struct Outgoing {
    frames: Frames,
    pub(crate) length: u64,
    passage: Arc<Passage>,
}

impl Outgoing {
    /// Prepares a body. A streamed one can be sent once, a kept one again.
    pub(crate) async fn new(body: PutBody) -> Result<Self, StoreError> {
        let length = body.length();
        let passage = Arc::new(Passage::new(length));
        let frames = match body {
            PutBody::Streamed { stream, .. } if length == 0 => {
                // An empty body is never polled by the connection, but its source may still have failed.
                empty(stream).await?;
                Frames::Kept([].into())
            }
            PutBody::Streamed { stream, .. } => Frames::Streamed(stream),
            PutBody::Kept(frames) => Frames::Kept(frames.into_iter().filter(|f| !f.is_empty()).collect()),
        };
        Ok(Self { frames, length, passage })
    }

    /// The same body for another attempt; `None` for one that passes only once.
    pub(crate) fn again(&self) -> Option<Self> {
        let Frames::Kept(frames) = &self.frames else { return None };
        let passage = Arc::new(Passage::new(self.length));
        Some(Self { frames: Frames::Kept(Arc::clone(frames)), length: self.length, passage })
    }

    /// The body as the lean path sends it, and what is needed to wait for the answer.
    pub(crate) fn split(self) -> (Parcel, Awaiting) {
        let Self { frames, length, passage } = self;
        let awaiting = Awaiting { passage: Arc::clone(&passage) };
        let parcel = match frames {
            Frames::Kept(frames) if frames.is_empty() => Parcel::Empty,
            Frames::Kept(frames) => Parcel::Kept(Kept { frames, next: 0, offset: 0, left: length, passage }),
            Frames::Streamed(stream) => {
                Parcel::Streamed(Streamed { stream, length, left: length, held: None, passage })
            }
        };
        (parcel, awaiting)
    }

    /// The body as the SDK sends it, and what is needed to wait for the answer.
    pub(crate) fn split_for_sdk(self) -> (SdkBody, Awaiting) {
        let Frames::Kept(frames) = &self.frames else {
            let (parcel, awaiting) = self.split();
            return (SdkBody::from_body_1_x(Sharable(Mutex::new(parcel))), awaiting);
        };
        let awaiting = Awaiting { passage: Arc::clone(&self.passage) };
        if frames.is_empty() {
            return (SdkBody::empty(), awaiting);
        }
        let (frames, left, passage) = (Arc::clone(frames), self.length, self.passage);
        let body = SdkBody::retryable(move || {
            passage.wait_for_source();
            let (frames, passage) = (Arc::clone(&frames), Arc::clone(&passage));
            SdkBody::from_body_1_x(Kept { frames, next: 0, offset: 0, left, passage })
        });
        (body, awaiting)
    }
}

enum Frames {
    Streamed(BodyStream),
    Kept(Arc<[Bytes]>),
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
pub(crate) struct Streamed {
    stream: BodyStream,
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
        loop {
            let frame = match this.stream.as_mut().poll_next(cx) {
                Poll::Ready(frame) => frame,
                Poll::Pending => {
                    this.passage.wait_for_source();
                    return Poll::Pending;
                }
            };
            match frame {
                Some(Ok(frame)) if frame.is_empty() => {}
                Some(Ok(frame)) => {
                    let Some(left) = this.left.checked_sub(frame.len() as u64) else {
                        let error = wrong_length(this.length, "more bytes");
                        return Poll::Ready(Some(Err(this.passage.fail(error))));
                    };
                    this.left = left;
                    if left > 0 {
                        this.passage.handed_over(false);
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
                    this.passage.handed_over(true);
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
pub(super) const MOST_AT_ONCE: usize = 256 << 10;

/// Frames at hand.
pub(crate) struct Kept {
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
        self.passage.handed_over(self.left == 0);
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

/// A body of the lean path.
pub(crate) enum Parcel {
    /// No bytes.
    Empty,
    /// Frames that pass once.
    Streamed(Streamed),
    /// Frames at hand.
    Kept(Kept),
}

impl Body for Parcel {
    type Data = Bytes;
    type Error = BrokenOff;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BrokenOff>>> {
        match self.get_mut() {
            Self::Empty => Poll::Ready(None),
            Self::Streamed(body) => Pin::new(body).poll_frame(cx),
            Self::Kept(body) => Pin::new(body).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Empty => true,
            Self::Streamed(body) => body.is_end_stream(),
            Self::Kept(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Empty => SizeHint::with_exact(0),
            Self::Streamed(body) => body.size_hint(),
            Self::Kept(body) => body.size_hint(),
        }
    }
}

/// The SDK wants bodies to be `Sync`; a mutex that is never locked makes them so.
struct Sharable(Mutex<Parcel>);

impl Body for Sharable {
    type Data = Bytes;
    type Error = BrokenOff;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BrokenOff>>> {
        Pin::new(self.0.get_mut().unwrap_or_else(PoisonError::into_inner)).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).size_hint()
    }
}
