//! One part: a ranged GET streamed into an UploadPart, the MD5 of what passed compared with the tag that came back.
//!
//! A GET that breaks is taken up again at its offset into the same PUT. A PUT that breaks sends the part again from
//! memory with its MD5 ahead, which also tells a fault of the source from one of the destination.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt as _;
use longbow_core::failure::FailureClass;
use longbow_core::object::{ETag, ObjectKey};
use longbow_core::port::{
    ByteRange, GetRequest, ObjectBody, PartRequest, PutBody, ReadPin, UploadId, Written,
};
use longbow_core::transfer::{Part, PartDigest, PartProof};

use super::reading::{blame, read};
use super::tag_proves;
use super::whole::STREAM_MEMORY;
use crate::Shared;
use crate::digest::Wanted;
use crate::executor::Stopped;
use crate::plan::source_failure;

/// Sends of one part in one attempt at its object.
const TRIES: u32 = 4;
/// Parts up to this size may be kept in memory for a second try.
const KEEP_UP_TO: u64 = 64 << 20;

/// What every part of an object shares.
#[derive(Clone)]
pub(crate) struct PartJob {
    pub(crate) source: ObjectKey,
    pub(crate) destination: ObjectKey,
    pub(crate) pin: ReadPin,
    pub(crate) upload: UploadId,
    pub(crate) wanted: Wanted,
}

/// Copies one part and proves it.
pub(crate) async fn copy(shared: &Arc<Shared>, job: &PartJob, part: Part) -> Result<PartProof, Stopped> {
    let mut memory = shared.permits.memory(part.length.min(STREAM_MEMORY)).await;
    let (mut tries, mut patience) = (0, None);
    loop {
        shared.write_pace.calm().await;
        // Where tags are no digests, the digest has to go ahead of the bytes.
        let ahead = (tries > 0 && part.length <= KEEP_UP_TO) || !shared.quirks.destination_tags_are_digests();
        let keep = ahead && !shared.quirks.destination.folder;
        let sent = if keep {
            memory.exchange(part.length).await;
            send_kept(shared, job, part).await
        } else {
            send_streamed(shared, job, part).await
        };
        let stopped = match sent {
            Ok(proof) => return Ok(proof),
            Err(stopped) => stopped,
        };
        let Stopped::Failed(failure) = stopped else { return Err(stopped) };
        if failure.class == FailureClass::Throttled {
            // Streamed once and refused: it is no try.
            shared.write_pace.again(&mut patience, failure).await?;
            continue;
        }
        tries += 1;
        let again = matches!(failure.class, FailureClass::Transient | FailureClass::Corrupt);
        if !again || tries >= TRIES {
            return Err(Stopped::Failed(failure));
        }
        tracing::debug!(key = %job.source, part = part.number, error = %failure, "part sent again");
        tokio::time::sleep(Duration::from_millis(100 << tries)).await;
    }
}

async fn get(shared: &Arc<Shared>, job: &PartJob, part: Part) -> Result<ObjectBody, Stopped> {
    let range = ByteRange { start: part.offset, length: part.length };
    let request =
        GetRequest { pin: job.pin.clone(), range: (part.length > 0).then_some(range), checksums: false };
    let body = shared.ports.source.get(&job.source, &request).await.map_err(source_failure)?;
    if body.length != part.length {
        return Err(Stopped::failed(
            FailureClass::Corrupt,
            format!("the source answered with {} bytes for a part of {}", body.length, part.length),
        ));
    }
    Ok(body)
}

async fn send_streamed(shared: &Arc<Shared>, job: &PartJob, part: Part) -> Result<PartProof, Stopped> {
    let body = get(shared, job, part).await?;
    let digest = shared.digests.stream(part.length, job.wanted);
    let (stream, tally) = read(shared, &job.source, &job.pin, part.offset, body, Some(digest));
    let body = PutBody::Streamed { length: part.length, stream };
    let request = PartRequest { number: part.number, offset: part.offset, md5: None };
    let written = shared
        .ports
        .destination
        .put_part(&job.destination, &job.upload, body, &request)
        .await
        .map_err(|error| blame(shared, &tally, error, false))?;
    let digest = tally.finish().await?.ok_or_else(missing_digest)?;
    if !tag_proves(shared, &written, digest.md5)? {
        // The first part under an unexpected key of the destination's own: what was sent is not proved by its tag.
        return Err(Stopped::failed(
            FailureClass::Corrupt,
            format!("part {} came back with a tag that is no MD5 and proves nothing", part.number),
        ));
    }
    proof(part, &digest, written)
}

async fn send_kept(shared: &Arc<Shared>, job: &PartJob, part: Part) -> Result<PartProof, Stopped> {
    let body = get(shared, job, part).await?;
    let digest = shared.digests.stream(part.length, job.wanted);
    let (mut stream, tally) = read(shared, &job.source, &job.pin, part.offset, body, Some(digest));
    let mut frames: Vec<Bytes> = Vec::new();
    while let Some(frame) = stream.next().await {
        match frame {
            Ok(frame) => frames.push(frame),
            Err(error) => return Err(blame(shared, &tally, error, false)),
        }
    }
    let digest = tally.finish().await?.ok_or_else(missing_digest)?;
    let request = PartRequest { number: part.number, offset: part.offset, md5: Some(digest.md5) };
    let written = shared
        .ports
        .destination
        .put_part(&job.destination, &job.upload, PutBody::Kept(frames), &request)
        .await
        .map_err(|error| super::write_failure(shared, error))?;
    tag_proves(shared, &written, digest.md5)?;
    proof(part, &digest, written)
}

fn missing_digest() -> Stopped {
    Stopped::failed(FailureClass::Transient, "the digest of the part is missing")
}

fn proof(part: Part, digest: &PartDigest, written: Written) -> Result<PartProof, Stopped> {
    let etag = written.etag.unwrap_or_else(|| ETag::of_md5(digest.md5));
    Ok(PartProof {
        number: part.number,
        size: part.length,
        md5: digest.md5.to_string(),
        etag,
        checksums: digest.checksums,
    })
}
