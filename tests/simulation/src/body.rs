//! Bodies that come to harm on the way. They are small here, so that they are taken whole and given on as they should not
//! be; those that come to no harm are not touched.

use bytes::{Bytes, BytesMut};
use futures_util::StreamExt as _;
use longbow_core::failure::{StoreError, StoreErrorKind};
use longbow_core::port::{BodyStream, PutBody};

use crate::fault::Fault;

/// The body with this fault at byte `at`.
pub(crate) async fn harmed(stream: BodyStream, fault: Fault, at: u64) -> Result<BodyStream, StoreError> {
    let bytes = collect(stream).await?;
    let at = usize::try_from(at).unwrap_or(0);
    let frames = match fault {
        Fault::CutRead => vec![Ok(bytes.slice(..at))],
        Fault::BrokenRead => {
            let broken = StoreError::new(StoreErrorKind::Transient, "the body broke, as the schedule has it");
            vec![Ok(bytes.slice(..at)), Err(broken)]
        }
        _ => vec![Ok(flipped(&bytes, at))],
    };
    Ok(Box::pin(futures_util::stream::iter(frames)))
}

/// The body to send, with one bit turned.
pub(crate) async fn harmed_put(body: PutBody, at: u64) -> Result<PutBody, StoreError> {
    let at = usize::try_from(at).unwrap_or(0);
    Ok(match body {
        PutBody::Kept(frames) => PutBody::Kept(vec![flipped(&joined(&frames), at)]),
        PutBody::Streamed { length, stream } => {
            let bytes = flipped(&collect(stream).await?, at);
            PutBody::Streamed { length, stream: Box::pin(futures_util::stream::iter([Ok(bytes)])) }
        }
    })
}

/// The body with all its bytes at hand, for a caller who may be gone when it arrives.
pub(crate) async fn kept(body: PutBody) -> Result<PutBody, StoreError> {
    Ok(match body {
        PutBody::Streamed { length, stream } => {
            let bytes = collect(stream).await?;
            PutBody::Streamed { length, stream: Box::pin(futures_util::stream::iter([Ok(bytes)])) }
        }
        kept => kept,
    })
}

async fn collect(mut stream: BodyStream) -> Result<Bytes, StoreError> {
    let mut bytes = BytesMut::new();
    while let Some(frame) = stream.next().await {
        bytes.extend_from_slice(&frame?);
    }
    Ok(bytes.freeze())
}

fn joined(frames: &[Bytes]) -> Bytes {
    frames.concat().into()
}

fn flipped(bytes: &Bytes, at: usize) -> Bytes {
    let mut bytes = BytesMut::from(&bytes[..]);
    if let Some(byte) = bytes.get_mut(at) {
        *byte ^= 1;
    }
    bytes.freeze()
}
