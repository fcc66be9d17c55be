//! A body under a plan: harmed at a byte, and still when the world stops.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use futures_core::Stream;
use longbow_core::failure::{StoreError, StoreErrorKind};
use longbow_core::port::{BodyStream, PutBody};

use super::plan::{Faults, Invented as _, Manner};
use super::rule::{BodyFault, Fault};

/// A stream that the plan can harm.
struct FaultyBody {
    inner: BodyStream,
    faults: Faults,
    /// Faults still to come, by byte.
    harm: Vec<(u64, BodyFault)>,
    /// Bytes given out so far.
    passed: u64,
    /// Bytes that were read and wait for the fault before them.
    rest: Option<Bytes>,
    /// Nothing more follows.
    ended: bool,
}

/// The stream under the faults that meet its call.
pub(super) fn harmed(inner: BodyStream, faults: &Faults, met: &[Fault]) -> BodyStream {
    let mut harm: Vec<(u64, BodyFault)> = met
        .iter()
        .filter_map(|fault| match fault {
            Fault::Body(at, what) => Some((*at, what.clone())),
            _ => None,
        })
        .collect();
    harm.sort_by_key(|(at, _)| *at);
    Box::pin(FaultyBody { inner, faults: faults.clone(), harm, passed: 0, rest: None, ended: false })
}

/// The body to send under the faults that meet its call.
pub(super) fn harmed_put(body: PutBody, faults: &Faults, met: &[Fault]) -> PutBody {
    let harmless = !met.iter().any(|fault| matches!(fault, Fault::Body(..)));
    match body {
        // Frames at hand do not flow, so neither a stop nor anything else can come between them.
        PutBody::Kept(frames) if harmless => PutBody::Kept(frames),
        PutBody::Kept(frames) => {
            let length = frames.iter().map(|frame| frame.len() as u64).sum();
            let stream: BodyStream = Box::pin(futures_util::stream::iter(frames.into_iter().map(Ok)));
            PutBody::Streamed { length, stream: harmed(stream, faults, met) }
        }
        PutBody::Streamed { length, stream } => {
            PutBody::Streamed { length, stream: harmed(stream, faults, met) }
        }
    }
}

impl FaultyBody {
    /// Gives out `frame` up to the next fault and keeps the rest.
    fn give(&mut self, mut frame: Bytes) -> Bytes {
        if let Some((at, _)) = self.harm.first() {
            let free = usize::try_from(at.saturating_sub(self.passed)).unwrap_or(usize::MAX);
            if free < frame.len() {
                self.rest = Some(frame.split_off(free));
            }
        }
        self.passed += frame.len() as u64;
        frame
    }

    /// Does what is to be done at the byte that comes next. `None`: go on.
    fn meet(&mut self, what: &BodyFault) -> Option<Poll<Option<Result<Bytes, StoreError>>>> {
        match what {
            BodyFault::Cut => {
                self.ended = true;
                Some(Poll::Ready(None))
            }
            BodyFault::Break(kind) => {
                self.ended = true;
                Some(Poll::Ready(Some(Err(StoreError::invented(*kind, "body")))))
            }
            BodyFault::Flip => {
                let frame = self.rest.take()?;
                let mut bytes = BytesMut::from(&frame[..]);
                bytes[0] ^= 1;
                self.rest = Some(bytes.freeze());
                None
            }
            BodyFault::Stall => Some(Poll::Pending),
            BodyFault::Do(action) => {
                action();
                None
            }
        }
    }
}

impl Stream for FaultyBody {
    type Item = Result<Bytes, StoreError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        match self.faults.manner() {
            // Nobody wakes a stopped body: its reader is dropped.
            Some(Manner::Hang) => return Poll::Pending,
            Some(Manner::Fail) => {
                return Poll::Ready(Some(Err(StoreError::invented(StoreErrorKind::Transient, "stopped"))));
            }
            None if self.ended => return Poll::Ready(None),
            None => {}
        }
        loop {
            // The byte before which the next fault waits has to be at hand.
            if self.rest.is_none() {
                match self.inner.as_mut().poll_next(cx) {
                    Poll::Ready(Some(Ok(frame))) if frame.is_empty() => continue,
                    Poll::Ready(Some(Ok(frame))) => self.rest = Some(frame),
                    other => return other,
                }
            }
            match self.harm.first().cloned() {
                Some((at, what)) if at <= self.passed => {
                    if !matches!(what, BodyFault::Stall) {
                        self.harm.remove(0);
                    }
                    if let Some(end) = self.meet(&what) {
                        return end;
                    }
                }
                _ => {}
            }
            let due = self.harm.first().is_some_and(|(at, _)| *at <= self.passed);
            if !due && let Some(frame) = self.rest.take() {
                return Poll::Ready(Some(Ok(self.give(frame))));
            }
        }
    }
}
