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
    /// It was read to its end, or to where it broke: it must not be asked again.
    ended: bool,
}

/// What the writer reads from.
struct Passage(Arc<Mutex<Passing>>);

impl Resend {
    pub(super) fn new(length: u64, stream: BodyStream, keep: bool) -> Self {
        let passing = Passing {
            stream: Some(stream),
            frames: Vec::new(),
            keep,
            begun: false,
            broken: false,
            ended: false,
        };
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
            // At its end, or taken back for another sending.
            return Poll::Ready(if passing.ended { None } else { Some(Err(Resend::passed())) });
        };
        let polled = stream.as_mut().poll_next(context);
        match &polled {
            Poll::Ready(Some(Ok(frame))) if passing.keep => {
                let frame = frame.clone();
                passing.frames.push(frame);
            }
            Poll::Ready(Some(Err(_))) => {
                passing.broken = true;
                (passing.stream, passing.ended) = (None, true);
            }
            Poll::Ready(None) => (passing.stream, passing.ended) = (None, true),
            _ => {}
        }
        polled
    }
}

fn lock(passing: &Mutex<Passing>) -> MutexGuard<'_, Passing> {
    // The source is polled under it; if that panics, what is read is of no more use to anybody.
    passing.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(frames: &[Result<&'static str, StoreErrorKind>], keep: bool) -> Resend {
        let frames: Vec<_> = frames
            .iter()
            .map(|frame| frame.map(Bytes::from).map_err(|kind| StoreError::new(kind, "as the test wants it")))
            .collect();
        Resend::new(6, Box::pin(futures_util::stream::iter(frames)), keep)
    }

    async fn kept(body: &Resend) -> Option<String> {
        match body.next().await? {
            PutBody::Kept(frames) => Some(frames.iter().map(|f| String::from_utf8_lossy(f)).collect()),
            PutBody::Streamed { .. } => panic!("it has passed once"),
        }
    }

    #[tokio::test]
    async fn a_body_that_was_read_to_its_end_is_not_asked_again() {
        // A stream that panics when it is.
        let frames = futures_util::stream::unfold(Some("abcdef"), |left: Option<&'static str>| async move {
            left.map(|text| (Ok(Bytes::from(text)), None))
        });
        let body = Resend::new(6, Box::pin(frames), true);
        let Some(PutBody::Streamed { length: 6, mut stream }) = body.next().await else { panic!() };
        while stream.next().await.is_some() {}
        assert!(stream.next().await.is_none());
        assert_eq!(kept(&body).await.as_deref(), Some("abcdef"));
    }

    #[tokio::test]
    async fn a_refused_body_is_sent_again_whole_however_much_of_it_was_taken() {
        for taken in 0..=3 {
            let body = body(&[Ok("ab"), Ok("cd"), Ok("ef")], true);
            let Some(PutBody::Streamed { length: 6, mut stream }) = body.next().await else { panic!() };
            for _ in 0..taken {
                stream.next().await.unwrap().unwrap();
            }
            assert_eq!(kept(&body).await.as_deref(), Some("abcdef"), "{taken} frames were taken");
            assert_eq!(kept(&body).await.as_deref(), Some("abcdef"), "and once more");
            assert!(!body.is_broken());
            // A writer that goes on reading gets no bytes of the second sending.
            assert!(stream.next().await.unwrap().is_err());
        }
    }

    #[tokio::test]
    async fn what_is_not_kept_or_broke_passes_once() {
        let large = body(&[Ok("ab"), Ok("cd"), Ok("ef")], false);
        drop(large.next().await);
        assert!(!large.is_kept() && large.next().await.is_none());
        let broken = body(&[Ok("ab"), Err(StoreErrorKind::Throttled)], true);
        let Some(PutBody::Streamed { mut stream, .. }) = broken.next().await else { panic!() };
        while let Some(Ok(_)) = stream.next().await {}
        assert!(broken.is_broken() && broken.next().await.is_none());
        let breaks_later = body(&[Ok("ab"), Err(StoreErrorKind::Throttled)], true);
        drop(breaks_later.next().await);
        assert!(breaks_later.next().await.is_none() && breaks_later.is_broken());
    }
}
