//! The bytes of a write, gathered into batches worth a trip to another thread, and counted.
//!
//! The length is checked here: a body that is shorter or longer than it said is an error before its last batch is
//! written.

use std::io::{self, IoSlice, Write};
use std::pin::Pin;
use std::task::Poll;

use bytes::Bytes;
use futures_core::Stream;
use longbow_core::failure::{StoreError, StoreErrorKind};
use longbow_core::object::ObjectKey;
use longbow_core::port::{BodyStream, PutBody};

/// Bytes that make a batch.
const BATCH: usize = 1 << 20;
/// Frames that make a batch, should they be tiny.
const FRAMES: usize = 512;

/// A body being taken.
pub(super) struct Feed {
    key: ObjectKey,
    length: u64,
    taken: u64,
    source: Source,
}

enum Source {
    Kept(std::vec::IntoIter<Bytes>),
    Streamed(BodyStream),
}

/// Some frames, in order.
#[derive(Default)]
pub(super) struct Batch {
    pub(super) frames: Vec<Bytes>,
    /// Nothing follows, and the length was right.
    pub(super) last: bool,
}

impl Feed {
    pub(super) fn new(key: &ObjectKey, body: PutBody) -> Self {
        let length = body.length();
        let source = match body {
            PutBody::Kept(frames) => Source::Kept(frames.into_iter()),
            PutBody::Streamed { stream, .. } => Source::Streamed(stream),
        };
        Self { key: key.clone(), length, taken: 0, source }
    }

    /// How many bytes the body says it has.
    pub(super) fn length(&self) -> u64 {
        self.length
    }

    /// The next batch.
    pub(super) async fn next(&mut self) -> Result<Batch, StoreError> {
        let mut batch = Batch::default();
        let mut bytes = 0;
        while bytes < BATCH && batch.frames.len() < FRAMES {
            let Some(frame) = self.frame().await.transpose()? else {
                batch.last = true;
                break;
            };
            bytes += frame.len();
            self.taken += frame.len() as u64;
            if self.taken > self.length {
                return Err(self.wrong_length("more"));
            }
            if !frame.is_empty() {
                batch.frames.push(frame);
            }
        }
        if batch.last && self.taken < self.length {
            return Err(self.wrong_length("no more"));
        }
        Ok(batch)
    }

    async fn frame(&mut self) -> Option<Result<Bytes, StoreError>> {
        match &mut self.source {
            Source::Kept(frames) => frames.next().map(Ok),
            Source::Streamed(stream) => {
                std::future::poll_fn(|cx| {
                    let next: Poll<Option<_>> = Pin::new(&mut *stream).poll_next(cx);
                    next
                })
                .await
            }
        }
    }

    fn wrong_length(&self, than: &str) -> StoreError {
        StoreError::new(
            StoreErrorKind::Corrupt,
            format!(
                "{} bytes of {} were announced, and {than} than {} came",
                self.length, self.key, self.taken
            ),
        )
    }
}

/// Writes frames with as few calls as the system allows.
pub(super) fn write_frames(out: &mut impl Write, frames: &[Bytes]) -> io::Result<()> {
    let mut slices: Vec<IoSlice<'_>> = frames.iter().map(|f| IoSlice::new(f)).collect();
    let mut rest = slices.as_mut_slice();
    while !rest.is_empty() {
        match out.write_vectored(rest) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => IoSlice::advance_slices(&mut rest, written),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn feed(length: u64, frames: Vec<Result<Bytes, StoreError>>) -> Feed {
        let stream = Box::pin(futures_util::stream::iter(frames));
        Feed::new(&ObjectKey::from("k"), PutBody::Streamed { length, stream })
    }

    #[tokio::test]
    async fn batches_are_bounded_and_complete() {
        let frames = (0..40).map(|n| Ok(Bytes::from(vec![n; 100 << 10]))).collect();
        let mut feed = feed(40 * (100 << 10), frames);
        let (mut total, mut batches) = (0, 0);
        loop {
            let batch = feed.next().await.unwrap();
            let bytes: usize = batch.frames.iter().map(Bytes::len).sum();
            assert!(bytes < BATCH + (100 << 10));
            total += bytes;
            batches += 1;
            if batch.last {
                break;
            }
        }
        assert_eq!((total, batches), (40 * (100 << 10), 4));
    }

    #[tokio::test]
    async fn a_wrong_length_is_an_error_before_the_last_batch() {
        for length in [3, 5] {
            let error = feed(length, vec![Ok(Bytes::from_static(b"four"))]).next().await.err().unwrap();
            assert_eq!(error.kind, StoreErrorKind::Corrupt, "{length}: {error}");
        }
        let batch = feed(4, vec![Ok(Bytes::new()), Ok(Bytes::from_static(b"four"))]).next().await.unwrap();
        assert!(batch.last && batch.frames.len() == 1);
    }

    #[test]
    fn short_writes_are_continued() {
        struct Slow(Vec<u8>);
        impl Write for Slow {
            fn write(&mut self, data: &[u8]) -> io::Result<usize> {
                let n = data.len().min(3);
                self.0.extend_from_slice(&data[..n]);
                Ok(n)
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let mut out = Slow(Vec::new());
        write_frames(&mut out, &[Bytes::from_static(b"hello "), Bytes::from_static(b"there")]).unwrap();
        assert_eq!(out.0, b"hello there");
    }
}
