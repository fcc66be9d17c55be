//! The body of a reply as the port's stream.
//!
//! Apart, because what comes in is checked against what was announced; it knows nothing of requests.

use std::error::Error;
use std::fmt;
use std::future::Future as _;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use futures_core::Stream;
use http_body::Body;
use longbow_core::failure::{StoreError, StoreErrorKind};
use longbow_core::object::ObjectKey;
use longbow_core::port::BodyStream;
use tokio::time::{Instant, Sleep};

use crate::failure::chain;

/// The body of a GET as the port wants it: exactly `length` bytes, or an error. `stall` is how long the server may
/// keep us waiting for the next frame; `None` where somebody else watches over that.
pub(crate) fn reading<B>(
    body: B,
    length: u64,
    stall: Option<Duration>,
    bucket: Arc<str>,
    key: ObjectKey,
) -> BodyStream
where
    B: Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let patience = stall.map(|limit| Patience { limit, since: None, timer: None });
    Box::pin(Reading { body, length, left: length, patience, bucket, key, ended: false })
}

struct Reading<B> {
    body: B,
    length: u64,
    left: u64,
    patience: Option<Patience>,
    bucket: Arc<str>,
    key: ObjectKey,
    ended: bool,
}

/// For how long a body has stood still while somebody wanted its bytes. The timer is set once and moved only when it
/// rings too early, so that a frame costs a look at the clock and no more.
struct Patience {
    limit: Duration,
    since: Option<Instant>,
    timer: Option<Pin<Box<Sleep>>>,
}

impl Patience {
    fn progress(&mut self) {
        self.since = None;
    }

    /// Ready when the limit is over.
    fn poll_over(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let until = *self.since.get_or_insert_with(Instant::now) + self.limit;
        let timer = self.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(until)));
        while timer.as_mut().poll(cx).is_ready() {
            if timer.deadline() >= until {
                return Poll::Ready(());
            }
            timer.as_mut().reset(until);
        }
        Poll::Pending
    }
}

impl<B> Reading<B> {
    fn fail(
        &mut self,
        kind: StoreErrorKind,
        what: fmt::Arguments<'_>,
    ) -> Poll<Option<Result<Bytes, StoreError>>> {
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

impl<B> Stream for Reading<B>
where
    B: Body<Data = Bytes> + Send + Unpin,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    type Item = Result<Bytes, StoreError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            if self.ended {
                return Poll::Ready(None);
            }
            let this = &mut *self;
            let frame = match Pin::new(&mut this.body).poll_frame(cx) {
                Poll::Ready(frame) => frame,
                Poll::Pending => {
                    let Some(patience) = &mut this.patience else { return Poll::Pending };
                    ready!(patience.poll_over(cx));
                    let limit = patience.limit.as_secs_f64();
                    return self
                        .fail(StoreErrorKind::Transient, format_args!("nothing came for {limit} seconds"));
                }
            };
            if let Some(patience) = &mut this.patience {
                patience.progress();
            }
            match frame {
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
                    let text = chain(error.into().as_ref());
                    return self.fail(StoreErrorKind::Transient, format_args!("the body broke off ({text})"));
                }
            }
        }
    }
}
