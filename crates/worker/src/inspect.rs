//! Inspect: a file has no digest of its own, so it is read and compared with what the other side says of its bytes.

use std::sync::Arc;

use futures_util::StreamExt as _;
use longbow_core::object::{Checksums, ETag, ETagKind, Md5, ObjectHead, ObjectKey};
use longbow_core::port::{GetRequest, HeadRequest, MultipartStore, ReadPin};
use longbow_core::transfer::{combine_checksums, composite_etag};

use crate::Shared;
use crate::claim::Claimed;
use crate::digest::Wanted;
use crate::executor::Stopped;
use crate::plan::{pin, source_failure};

/// What was computed over all bytes of one side.
struct Reading {
    parts: Vec<Md5>,
    checksums: Checksums,
}

/// Whether the destination's object has the source's bytes, found by reading the side that is a folder. `None`: neither
/// is, or nothing that the other side says can be computed from bytes.
pub(crate) async fn agree(
    shared: &Arc<Shared>,
    claimed: &Claimed,
    found: &ObjectHead,
) -> Result<Option<Checksums>, Stopped> {
    let (job, ports, quirks) = (&claimed.job, &shared.ports, &shared.quirks);
    let there = ReadPin { etag: found.etag.clone(), version: None };
    let equal = match (quirks.source.folder, quirks.destination.folder) {
        (true, true) => {
            let source = read(shared, &ports.source, &job.source, &pin(&job.object), u64::MAX).await?;
            let destination = read(shared, &ports.destination, &job.destination, &there, u64::MAX).await?;
            (source.parts == destination.parts && source.checksums == destination.checksums).then_some(source)
        }
        (true, false) => {
            let said = Said { tag: found.etag.as_ref(), checksums: found.checksums };
            let part = part_size(&ports.destination, &job.destination, &there, said.tag).await?;
            let source = read(shared, &ports.source, &job.source, &pin(&job.object), part).await?;
            said.fits(&source).then_some(source)
        }
        (false, true) => {
            let head = HeadRequest { pin: pin(&job.object), part: None, checksums: true };
            let head = ports.source.head(&job.source, &head).await.map_err(source_failure)?;
            let said = Said { tag: job.object.etag.as_ref(), checksums: head.checksums };
            let part = part_size(&ports.source, &job.source, &pin(&job.object), said.tag).await?;
            let destination = read(shared, &ports.destination, &job.destination, &there, part).await?;
            said.fits(&destination).then_some(destination)
        }
        (false, false) => None,
    };
    Ok(equal.map(|reading| reading.checksums))
}

/// What a store says of an object's bytes.
struct Said<'a> {
    tag: Option<&'a ETag>,
    checksums: Checksums,
}

impl Said<'_> {
    fn fits(&self, read: &Reading) -> bool {
        if let Some(agrees) = self.checksums.agrees(&read.checksums) {
            return agrees;
        }
        match self.tag.map(ETag::kind) {
            Some(ETagKind::Md5(md5)) => read.parts == [md5],
            Some(ETagKind::Composite { .. }) => self.tag == Some(&composite_etag(read.parts.iter().copied())),
            _ => false,
        }
    }
}

/// Where the object's parts were cut, by its first one; without parts, nowhere.
async fn part_size(
    store: &Arc<dyn MultipartStore>,
    key: &ObjectKey,
    pin: &ReadPin,
    tag: Option<&ETag>,
) -> Result<u64, Stopped> {
    if !matches!(tag.map(ETag::kind), Some(ETagKind::Composite { .. })) {
        return Ok(u64::MAX);
    }
    let request = HeadRequest { pin: pin.clone(), part: Some(1), checksums: false };
    let head = store.head(key, &request).await.map_err(|error| Stopped::Failed(error.into()))?;
    Ok(head.part_size.filter(|size| *size > 0).unwrap_or(u64::MAX))
}

/// Reads an object to its end, cut every `part` bytes.
async fn read(
    shared: &Arc<Shared>,
    store: &Arc<dyn MultipartStore>,
    key: &ObjectKey,
    pin: &ReadPin,
    part: u64,
) -> Result<Reading, Stopped> {
    let _slot = shared.permits.slot().await;
    let request = GetRequest { pin: pin.clone(), range: None, checksums: false };
    let body = store.get(key, &request).await.map_err(source_failure)?;
    let wanted = Wanted { crc32c: true, crc32: true };
    let mut left = body.length;
    let mut digests = Vec::new();
    let mut digest = shared.digests.stream(part.min(left), wanted);
    let mut room = part;
    let mut stream = body.stream;
    while let Some(frame) = stream.next().await {
        let mut frame = frame.map_err(source_failure)?;
        while !frame.is_empty() {
            if room == 0 {
                let full = std::mem::replace(&mut digest, shared.digests.stream(part.min(left), wanted));
                digests.push(full.finish().await);
                room = part;
            }
            let take = usize::try_from(room).unwrap_or(usize::MAX).min(frame.len());
            digest.update(frame.split_to(take)).await;
            room -= take as u64;
            left = left.saturating_sub(take as u64);
        }
    }
    digests.push(digest.finish().await);
    Ok(Reading {
        parts: digests.iter().map(|d| d.md5).collect(),
        checksums: combine_checksums(digests.iter().map(|d| (d.checksums, d.length))),
    })
}
