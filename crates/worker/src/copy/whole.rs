//! One GET streamed into one PUT.
//!
//! Where the digest of the bytes is known before the first of them (the source's tag is their MD5, or it publishes a
//! checksum), it goes ahead of them and the destination refuses anything else: nothing wrong is ever visible, and
//! nothing has to be hashed here. Otherwise the bytes are kept in memory, digested, and sent with their digest.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::StreamExt as _;
use longbow_core::failure::{FailureClass, Feature};
use longbow_core::job::CopyMethod;
use longbow_core::object::{Checksums, ETag, ETagKind, Md5, ObjectHead};
use longbow_core::port::{GetRequest, ObjectBody, PutBody, PutRequest};

use super::attributes::{along, forgotten};
use super::reading::{blame, read};
use super::resend::Resend;
use super::write::{put_streamed, write};
use super::{Copied, trial};
use crate::Shared;
use crate::claim::Claimed;
use crate::digest::Wanted;
use crate::executor::Stopped;
use crate::plan::{KEEP_UP_TO, Planned, source_failure};
use crate::quirks::TagsBy;

/// Memory that a streamed body takes at most: frames in flight on both sides.
pub(crate) const STREAM_MEMORY: u64 = 2 << 20;
/// Bodies up to this size may be kept for a second attempt.
const KEEP_FOR_RETRY: u64 = 64 << 20;

/// Copies, and reads again what was refused while it was streamed, as long as it may wait for that.
pub(crate) async fn copy(
    shared: &Arc<Shared>,
    claimed: &Claimed,
    planned: Planned,
) -> Result<Copied, Stopped> {
    let mut patience = None;
    loop {
        match copy_once(shared, claimed, &planned).await {
            Err(Stopped::Failed(refused)) if refused.class == FailureClass::Throttled => {
                shared.write_pace.again(&mut patience, refused).await?;
                shared.write_pace.calm().await;
            }
            end => return end,
        }
    }
}

async fn copy_once(shared: &Arc<Shared>, claimed: &Claimed, planned: &Planned) -> Result<Copied, Stopped> {
    let size = claimed.job.object.size;
    let slot = shared.permits.slot().await;
    let mut memory = shared.permits.memory(size.min(STREAM_MEMORY)).await;
    let began = shared.ports.clock.elapsed();
    let body = get(shared, claimed, planned).await?;
    let along = along(shared, claimed, &body.head, TagsBy::Put).await?;
    let head = body.head.clone();
    let known_md5 = known_md5(shared, &head);
    let ahead = if shared.quirks.has(Feature::Checksums) || shared.quirks.destination.folder {
        head.checksums
    } else {
        Checksums::default()
    };
    let (mut lost, tags) = (along.lost, along.tags);
    let mut request = PutRequest {
        attributes: along.attributes,
        tags: tags.clone(),
        condition: planned.condition.clone(),
        md5: known_md5,
        checksums: ahead,
        modified: head.modified,
    };
    let trust_source = claimed.failed_before() == 0;
    let trial = trial::due(shared, planned, size);
    let streamed =
        trust_source && trial.is_none() && (known_md5.is_some() || !ahead.is_empty() || size > KEEP_UP_TO);
    let sent = if streamed || size > KEEP_FOR_RETRY {
        send_streamed(shared, claimed, planned, body, request).await?
    } else {
        memory.exchange(size).await;
        let kept = keep(shared, claimed, planned, body).await?;
        let md5 = prove_kept(shared, &kept, &head.checksums, known_md5)?;
        request.md5 = Some(md5);
        let sums = kept.sums;
        let (store, key) = (&shared.ports.destination, &claimed.job.destination);
        let put = || store.put(key, PutBody::Kept(kept.frames.clone()), &request);
        let written = write(shared, claimed, put)
            .await?
            .map_err(|error| super::tagged_write_failure(shared, error, !request.tags.is_empty()))?;
        let trial = trial.map(|trial| (trial, kept.frames));
        shared.quirks.tags_are_proved_missing();
        let written = match trial {
            Some((trial, frames)) => {
                trial::write_again(shared, claimed, trial, frames, &request, written).await
            }
            None => written,
        };
        Sent { written, md5: Some(md5), sums, proved_ahead: true }
    };
    shared.permits.completed(size, shared.ports.clock.elapsed().saturating_sub(began));
    lost.extend(forgotten(shared, claimed, TagsBy::Put, &tags, &sent.written).await);
    drop(slot);
    Ok(Copied {
        method: CopyMethod::Whole,
        expected_etag: sent.md5.map(ETag::of_md5),
        proved_ahead: sent.proved_ahead,
        computed: sent.sums,
        published: head.checksums,
        read_by: head.request_id,
        version: head.version,
        written: sent.written,
        parts: 0,
        parts_reused: 0,
        bytes_read: size,
        bytes_sent: size,
        lost,
    })
}

struct Sent {
    written: longbow_core::port::Written,
    md5: Option<Md5>,
    sums: Checksums,
    proved_ahead: bool,
}

async fn get(shared: &Arc<Shared>, claimed: &Claimed, planned: &Planned) -> Result<ObjectBody, Stopped> {
    let checksums = shared.quirks.has(Feature::Checksums) && !shared.quirks.source.folder;
    let request = GetRequest { pin: planned.pin.clone(), range: None, checksums };
    let body = shared.ports.source.get(&claimed.job.source, &request).await.map_err(source_failure)?;
    if body.length != claimed.job.object.size {
        return Err(Stopped::SourceChanged);
    }
    Ok(body)
}

/// The MD5 of the whole, when the source's tag is one.
fn known_md5(shared: &Shared, head: &ObjectHead) -> Option<Md5> {
    if head.encryption.as_ref().is_some_and(|e| !e.etag_is_md5()) {
        shared.quirks.source_tags_proved_no_digests();
    }
    match head.etag.as_ref()?.kind() {
        ETagKind::Md5(md5) if shared.quirks.source_tags_are_digests() => Some(md5),
        _ => None,
    }
}

async fn send_streamed(
    shared: &Arc<Shared>,
    claimed: &Claimed,
    planned: &Planned,
    body: ObjectBody,
    request: PutRequest,
) -> Result<Sent, Stopped> {
    let size = body.length;
    let published = body.head.checksums;
    // The destination checks what went ahead; without that the bytes are digested as they pass.
    let proved_ahead = request.md5.is_some() || !request.checksums.is_empty();
    let digest = if request.md5.is_some() {
        None
    } else {
        let wanted = Wanted { crc32c: published.crc32c.is_some(), crc32: published.crc32.is_some() };
        Some(shared.digests.stream(size, wanted))
    };
    let known = request.md5;
    let (stream, tally) = read(shared, &claimed.job.source, &planned.pin, 0, body, digest);
    // What fits into the memory that is granted anyway can be sent again without being read again.
    let body = Resend::new(size, stream, size <= STREAM_MEMORY);
    let written = put_streamed(shared, claimed, &body, &request)
        .await?
        .map_err(|error| blame(shared, &tally, error, !request.tags.is_empty()))?;
    shared.quirks.tags_are_proved_missing();
    let digest = tally.finish().await?;
    if let Some(digest) = &digest
        && published.agrees(&digest.checksums) == Some(false)
    {
        return Err(Stopped::failed(
            FailureClass::Corrupt,
            "the bytes read do not have the source's checksum",
        ));
    }
    let sums = digest.as_ref().map_or(published, |d| d.checksums);
    Ok(Sent { written, md5: known.or(digest.map(|d| d.md5)), sums, proved_ahead })
}

/// A body in memory, with its digest.
struct Kept {
    frames: Vec<Bytes>,
    md5: Md5,
    sums: Checksums,
}

async fn keep(
    shared: &Arc<Shared>,
    claimed: &Claimed,
    planned: &Planned,
    body: ObjectBody,
) -> Result<Kept, Stopped> {
    let published = body.head.checksums;
    let wanted = Wanted { crc32c: published.crc32c.is_some(), crc32: published.crc32.is_some() };
    let digest = shared.digests.stream(body.length, wanted);
    let (mut stream, tally) = read(shared, &claimed.job.source, &planned.pin, 0, body, Some(digest));
    let mut frames = Vec::new();
    while let Some(frame) = stream.next().await {
        match frame {
            Ok(frame) => frames.push(frame),
            Err(error) => return Err(blame(shared, &tally, error, false)),
        }
    }
    let Some(digest) = tally.finish().await? else {
        return Err(Stopped::failed(FailureClass::Transient, "the digest of the body is missing"));
    };
    if published.agrees(&digest.checksums) == Some(false) {
        return Err(Stopped::failed(
            FailureClass::Corrupt,
            "the bytes read do not have the source's checksum",
        ));
    }
    Ok(Kept { frames, md5: digest.md5, sums: digest.checksums })
}

/// The MD5 to send with a kept body. Where it is not what the source's tag says, the bytes are taken only if a checksum
/// that the source publishes vouches for them: the tag is then no MD5. However often the same wrong bytes are read, they
/// prove nothing by themselves.
fn prove_kept(
    shared: &Shared,
    kept: &Kept,
    published: &Checksums,
    known: Option<Md5>,
) -> Result<Md5, Stopped> {
    let Some(known) = known else { return Ok(kept.md5) };
    if known == kept.md5 {
        return Ok(known);
    }
    if published.agrees(&kept.sums) == Some(true) {
        shared.quirks.source_tags_proved_no_digests();
        return Ok(kept.md5);
    }
    Err(Stopped::failed(
        FailureClass::Corrupt,
        format!(
            "the bytes read have the MD5 {}, the source's tag says {known}; if tags of this source are no MD5s, it does not say so and publishes no checksum to prove them by",
            kept.md5
        ),
    ))
}
