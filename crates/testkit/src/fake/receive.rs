//! Takes a body in: every frame is digested and kept; one that fails or has another length leaves nothing behind.

use bytes::Bytes;
use futures_core::Stream;
use futures_util::StreamExt as _;
use longbow_core::failure::{StoreError, StoreErrorKind};
use longbow_core::port::PutBody;

use super::bucket::Arrived;
use super::content::Content;
use super::digest::{Claims, Digester, Digests};
use super::refusal::refuse;

/// How many frames are digested before other tasks have their turn.
const FRAMES_A_TURN: usize = 16;

/// Receives a body of the port.
pub async fn receive(body: PutBody, claims: Claims, keep: bool) -> Result<Arrived, StoreError> {
    let digester = Digester::for_claims(&claims);
    let (content, digests) = match body {
        PutBody::Streamed { length, stream } => receive_stream(stream, Some(length), digester, keep).await?,
        PutBody::Kept(frames) => {
            let frames = futures_util::stream::iter(frames.into_iter().map(Ok));
            receive_stream(frames, None, digester, keep).await?
        }
    };
    Ok(Arrived { content, digests, claims })
}

/// Receives frames that must have `length` bytes together, if it is given.
pub async fn receive_stream(
    stream: impl Stream<Item = Result<Bytes, StoreError>>,
    length: Option<u64>,
    mut digester: Digester,
    keep: bool,
) -> Result<(Content, Digests), StoreError> {
    let mut stream = std::pin::pin!(stream);
    let mut frames = Vec::new();
    let mut since_turn = 0;
    while let Some(frame) = stream.next().await {
        let frame = frame?;
        digester.update(&frame);
        if keep {
            frames.push(frame);
        }
        since_turn += 1;
        if since_turn == FRAMES_A_TURN {
            since_turn = 0;
            tokio::task::yield_now().await;
        }
    }
    let digests = digester.finish();
    if let Some(length) = length.filter(|length| *length != digests.length) {
        let message = format!("the body has {} bytes, {length} were announced", digests.length);
        return Err(refuse(StoreErrorKind::Transient, "IncompleteBody", message));
    }
    let content = if keep { Content::of_frames(frames) } else { Content::dropped(digests.length) };
    Ok((content, digests))
}
