//! Copies inside the store: no byte passes this machine.

use std::sync::Arc;

use longbow_core::failure::{FailureClass, Feature};
use longbow_core::job::CopyMethod;
use longbow_core::object::{Checksums, ETag, ETagKind};
use longbow_core::port::{ByteRange, CompleteRequest, CopyRequest, HeadRequest};
use longbow_core::transfer::{Part, PartPlan, PartProof};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::attributes::{along, forgotten};
use super::multipart::{complete, open};
use super::{Copied, guard, write_failure};
use crate::Shared;
use crate::claim::Claimed;
use crate::executor::Stopped;
use crate::plan::{Planned, source_failure};
use crate::quirks::TagsBy;

/// Copies of parts in flight for one object.
const PARTS_AT_ONCE: usize = 16;

fn request(shared: &Shared, claimed: &Claimed, planned: &Planned) -> CopyRequest {
    CopyRequest {
        source_container: shared.quirks.source.container.clone(),
        source: claimed.job.source.clone(),
        pin: planned.pin.clone(),
        attributes: None,
        keep_tags: shared.options.tags,
        condition: planned.condition.clone(),
    }
}

/// A failed copy: the condition that did not hold may be the source's or the destination's.
async fn failure(
    shared: &Shared,
    claimed: &Claimed,
    planned: &Planned,
    error: longbow_core::failure::StoreError,
) -> Stopped {
    match write_failure(shared, error) {
        Stopped::DestinationChanged => {
            let head = HeadRequest { pin: planned.pin.clone(), ..HeadRequest::default() };
            match shared.ports.source.head(&claimed.job.source, &head).await {
                Ok(_) => Stopped::DestinationChanged,
                Err(error) => source_failure(error),
            }
        }
        stopped => stopped,
    }
}

/// `CopyObject`: at most 5 GiB.
pub(crate) async fn copy_whole(
    shared: &Arc<Shared>,
    claimed: &Claimed,
    planned: Planned,
) -> Result<Copied, Stopped> {
    let _slot = shared.permits.slot().await;
    guard(shared, claimed).await?;
    let request = request(shared, claimed, &planned);
    let written = match shared.ports.destination.copy(&claimed.job.destination, &request).await {
        Ok(written) => written,
        Err(error) => return Err(failure(shared, claimed, &planned, error).await),
    };
    let published = planned.head.as_ref().map_or_else(Checksums::default, |h| h.checksums);
    Ok(Copied {
        method: CopyMethod::ServerSide,
        expected_etag: None,
        proved_ahead: true,
        computed: Checksums::default(),
        published,
        read_by: planned.head.as_ref().and_then(|h| h.request_id.clone()),
        version: planned.head.and_then(|h| h.version).or_else(|| claimed.job.object.version.clone()),
        written,
        parts: 0,
        parts_reused: 0,
        bytes_read: 0,
        bytes_sent: 0,
        lost: Vec::new(),
    })
}

/// `UploadPartCopy`, part by part.
pub(crate) async fn copy_parts(
    shared: &Arc<Shared>,
    claimed: &mut Claimed,
    mut planned: Planned,
    plan: PartPlan,
    drain: &CancellationToken,
) -> Result<Copied, Stopped> {
    let head = match planned.head.take() {
        Some(head) => head,
        None => {
            let _slot = shared.permits.slot().await;
            let request = HeadRequest { pin: planned.pin.clone(), part: None, checksums: true };
            shared.ports.source.head(&claimed.job.source, &request).await.map_err(source_failure)?
        }
    };
    let along = along(shared, claimed, &head, TagsBy::Upload).await?;
    let mut opened = open(shared, claimed, plan, &along).await?;
    let reused = u32::try_from(opened.done.len()).unwrap_or(u32::MAX);
    let from = Arc::new(request(shared, claimed, &planned));
    let mut tasks: JoinSet<Result<PartProof, Stopped>> = JoinSet::new();
    let mut missing =
        plan.parts().filter(|p| !opened.done.contains_key(&p.number)).collect::<Vec<_>>().into_iter();
    let mut stopped = None;
    loop {
        while tasks.len() < PARTS_AT_ONCE && stopped.is_none() {
            if drain.is_cancelled() {
                stopped = Some(Stopped::failed(FailureClass::Interrupted, "stopped between parts"));
                break;
            }
            let Some(part) = missing.next() else { break };
            let (shared, from) = (Arc::clone(shared), Arc::clone(&from));
            let (key, upload) = (claimed.job.destination.clone(), opened.upload.clone());
            let subject = claimed.subject.clone();
            tasks.spawn(async move {
                let _slot = shared.permits.slot().await;
                let range = ByteRange { start: part.offset, length: part.length };
                let copied =
                    shared.ports.destination.copy_part(&key, &upload, part.number, range, &from).await;
                let proof = proof(part, copied.map_err(|error| write_failure(&shared, error))?.etag)?;
                let added = shared.ports.state.add_part(&subject, &upload, proof.clone()).await;
                added.map_err(Stopped::Backend)?;
                Ok(proof)
            });
        }
        let Some(joined) = tasks.join_next().await else { break };
        match joined {
            Ok(Ok(proof)) => {
                opened.done.insert(proof.number, proof);
            }
            // The only condition on a part is the source's.
            Ok(Err(Stopped::DestinationChanged)) => {
                stopped.get_or_insert(Stopped::SourceChanged);
            }
            Ok(Err(error)) => {
                stopped.get_or_insert(error);
            }
            Err(error) => {
                let message = format!("the task of a part ended badly: {error}");
                stopped.get_or_insert(Stopped::failed(FailureClass::Transient, message));
            }
        }
    }
    if let Some(stopped) = stopped {
        return Err(stopped);
    }
    let request = CompleteRequest {
        parts: opened.done.values().map(|p| (p.number, p.etag.clone())).collect(),
        condition: planned.condition,
        checksums: match opened.crc64nvme && shared.quirks.has(Feature::Checksums) {
            true => Checksums { crc64nvme: head.checksums.crc64nvme, ..Checksums::default() },
            false => Checksums::default(),
        },
        size: plan.size,
        modified: head.modified,
    };
    let written = complete(shared, claimed, &opened.upload, &request).await?;
    let mut lost = along.lost;
    lost.extend(forgotten(shared, claimed, TagsBy::Upload, &along.tags, &written).await);
    Ok(Copied {
        method: CopyMethod::ServerSideMultipart,
        expected_etag: planned.keeps_source_parts.then(|| claimed.job.object.etag.clone()).flatten(),
        proved_ahead: true,
        computed: Checksums::default(),
        published: head.checksums,
        read_by: head.request_id,
        version: head.version,
        written,
        parts: plan.count(),
        parts_reused: reused,
        bytes_read: 0,
        bytes_sent: 0,
        lost,
    })
}

fn proof(part: Part, etag: Option<ETag>) -> Result<PartProof, Stopped> {
    let etag = etag.ok_or_else(|| {
        Stopped::failed(FailureClass::Transient, format!("part {} was copied without a tag", part.number))
    })?;
    // The store's word: no byte was seen here. A tag that is no MD5 leaves a proof without one.
    let md5 = match etag.kind() {
        ETagKind::Md5(md5) => md5.to_string(),
        _ => String::new(),
    };
    Ok(PartProof { number: part.number, size: part.length, md5, etag, checksums: Checksums::default() })
}
