//! A body on its way that is kept while it passes, so that a refused write can be sent again without reading it again.
//!
//! Apart from `reading`, which is about the source: this is about the writer. Frames are kept by reference, and only where
//! all of them fit into the memory that the transfer was granted anyway.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_core::Stream;
use futures_util::StreamExt as _;
use longbow_core::failure::{StoreError, StoreErrorKind};
use longbow_core::port::{BodyStream, PutBody};

/// A body to send, once or, where it is kept, as often as it takes.
pub(super) struct Resend {
    length: u64,
    keep: bool,
    passing: Arc<Mutex<Passing>>,
}

struct Passing {
    stream: Option<BodyStream>,
    frames: Vec<Bytes>,
    keep: bool,
    begun: bool,
    broken: bool,
}

/// What the writer reads from.
struct Passage(Arc<Mutex<Passing>>);

impl Resend {
    pub(super) fn new(length: u64, stream: BodyStream, keep: bool) -> Self {
        let passing = Passing { stream: Some(stream), frames: Vec::new(), keep, begun: false, broken: false };
        Self { length, keep, passing: Arc::new(Mutex::new(passing)) }
    }

    /// The body for the next sending; `None`: it cannot be sent again.
    pub(super) async fn next(&self) -> Option<PutBody> {
        let rest = {
            let mut passing = lock(&self.passing);
            if !passing.begun {
                passing.begun = true;
                let stream = Box::pin(Passage(Arc::clone(&self.passing)));
                return Some(PutBody::Streamed { length: self.length, stream });
            }
            if !self.keep || passing.broken {
                return None;
            }
            passing.stream.take()
        };
        // What the writer has not taken before it was refused.
        if let Some(mut rest) = rest {
            while let Some(frame) = rest.next().await {
                let mut passing = lock(&self.passing);
                match frame {
                    Ok(frame) => passing.frames.push(frame),
                    Err(_) => {
                        passing.broken = true;
                        return None;
                    }
                }
            }
        }
        Some(PutBody::Kept(lock(&self.passing).frames.clone()))
    }

    /// Whether it can be sent again.
    pub(super) fn is_kept(&self) -> bool {
        self.keep
    }

    /// Whether reading it failed.
    pub(super) fn is_broken(&self) -> bool {
        lock(&self.passing).broken
    }

    /// What is said of a body that is gone.
    pub(super) fn passed() -> StoreError {
        StoreError::new(StoreErrorKind::Transient, "the body has been sent and cannot be sent again")
    }
}

impl Stream for Passage {
    type Item = Result<Bytes, StoreError>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let mut passing = lock(&self.0);
        let Some(stream) = &mut passing.stream else {
            // Taken back for another sending.
            return Poll::Ready(Some(Err(Resend::passed())));
        };
        let polled = stream.as_mut().poll_next(context);
        match &polled {
            Poll::Ready(Some(Ok(frame))) if passing.keep => {
                let frame = frame.clone();
                passing.frames.push(frame);
            }
            Poll::Ready(Some(Err(_))) => passing.broken = true,
            _ => {}
        }
        polled
    }
}

fn lock(passing: &Mutex<Passing>) -> MutexGuard<'_, Passing> {
    // The source is polled under it; if that panics, what is read is of no more use to anybody.
    passing.lock().unwrap_or_else(PoisonError::into_inner)
}
