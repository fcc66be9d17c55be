//! Ranges of the source streamed side by side into the parts of an upload; resumed where an earlier attempt stopped.
//!
//! Nothing is visible at the destination before the last step, and that step comes only after everything that the
//! source publishes about its bytes has been compared with what was read.

use std::collections::BTreeMap;
use std::sync::Arc;

use longbow_core::failure::{FailureClass, Feature, StoreErrorKind};
use longbow_core::job::{CopyMethod, RecordEvent, UploadRecord};
use longbow_core::object::{Checksums, ObjectHead, Prefix};
use longbow_core::port::{CompleteRequest, CreateRequest, HeadRequest, ListedUpload, UploadId};
use longbow_core::transfer::{Part, PartPlan, PartProof, combine_checksums, composite_etag};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::attributes::{Along, along, forgotten};
use super::part::{self, PartJob};
use super::{Copied, guard, write_failure};
use crate::Shared;
use crate::claim::Claimed;
use crate::digest::Wanted;
use crate::executor::Stopped;
use crate::plan::{Planned, source_failure};
use crate::quirks::TagsBy;

/// Parts that are proved, by number.
pub(super) type Proofs = BTreeMap<u32, PartProof>;

/// An upload to fill: new, or left by an earlier attempt.
pub(super) struct Opened {
    pub(super) upload: UploadId,
    pub(super) crc64nvme: bool,
    pub(super) done: Proofs,
}

pub(crate) async fn copy(
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
    let opened = open(shared, claimed, plan, &along).await?;
    let reused = u32::try_from(opened.done.len()).unwrap_or(u32::MAX);
    let job = PartJob {
        source: claimed.job.source.clone(),
        destination: claimed.job.destination.clone(),
        pin: planned.pin.clone(),
        upload: opened.upload.clone(),
        wanted: Wanted { crc32c: head.checksums.crc32c.is_some(), crc32: head.checksums.crc32.is_some() },
    };
    let missing: Vec<Part> = plan.parts().filter(|p| !opened.done.contains_key(&p.number)).collect();
    let bytes = missing.iter().map(|p| p.length).sum();
    let mut proofs = opened.done;
    send_parts(shared, claimed, &job, missing, &mut proofs, drain).await?;
    let computed = prove_parts(claimed, &planned, &head, &proofs)?;
    let expected = composite(&proofs)?;
    let request = CompleteRequest {
        parts: proofs.values().map(|p| (p.number, p.etag.clone())).collect(),
        condition: planned.condition,
        checksums: if opened.crc64nvme {
            Checksums { crc64nvme: computed.crc64nvme, ..Checksums::default() }
        } else {
            Checksums::default()
        },
        size: plan.size,
        modified: head.modified,
    };
    let written = complete(shared, claimed, &opened.upload, &request).await?;
    let mut lost = along.lost;
    lost.extend(forgotten(shared, claimed, TagsBy::Upload, &along.tags, &written).await);
    Ok(Copied {
        method: CopyMethod::Multipart,
        written,
        expected_etag: Some(expected),
        proved_ahead: true,
        computed,
        published: head.checksums,
        read_by: head.request_id,
        version: head.version,
        parts: plan.count(),
        parts_reused: reused,
        bytes_read: bytes,
        bytes_sent: bytes,
        lost,
    })
}

/// Takes up the upload that the record names, if all of it still fits, or begins a new one. An upload that does not
/// fit is given up.
pub(super) async fn open(
    shared: &Arc<Shared>,
    claimed: &mut Claimed,
    plan: PartPlan,
    along: &Along,
) -> Result<Opened, Stopped> {
    let _slot = shared.permits.slot().await;
    let key = claimed.job.destination.clone();
    let old = claimed.record().and_then(|r| r.upload().cloned());
    let fits =
        claimed.record().and_then(|r| r.resumable(&claimed.job.object)).is_some_and(|u| u.plan == plan);
    if let Some(old) = old {
        if fits && let Some(done) = proved_parts(shared, claimed, &old).await? {
            return Ok(Opened { upload: old.upload, crc64nvme: old.crc64nvme, done });
        }
        abort(shared, claimed, &old.upload).await?;
    }
    abort_unknown(shared, claimed).await;
    let crc64nvme = shared.quirks.has(Feature::Checksums);
    // Noted before it is created: should the answer be lost, the next attempt knows what to look for.
    let intended = UploadRecord::intended(plan, crc64nvme, shared.ports.clock.now());
    claimed.advance(shared, RecordEvent::UploadBegan(intended.clone())).await?;
    let request = CreateRequest {
        attributes: along.attributes.clone(),
        tags: along.tags.clone(),
        crc64nvme,
        size: plan.size,
    };
    let created = shared.ports.destination.create_upload(&key, &request).await;
    let upload = created.map_err(|error| write_failure(shared, error))?;
    let record = UploadRecord { upload: upload.clone(), ..intended };
    if let Err(error) = claimed.advance(shared, RecordEvent::UploadBegan(record)).await {
        // Nobody else knows of it.
        if let Err(error) = shared.ports.destination.abort_upload(&key, &upload).await {
            tracing::warn!(%key, %error, "an upload that nobody will use could not be aborted");
        }
        return Err(error.into());
    }
    Ok(Opened { upload, crc64nvme, done: Proofs::new() })
}

/// The parts that the destination holds *and* that are remembered with the digest of the source's bytes: size and tag
/// must be the same. `None`: the upload is gone.
async fn proved_parts(
    shared: &Shared,
    claimed: &Claimed,
    upload: &UploadRecord,
) -> Result<Option<Proofs>, Stopped> {
    let remembered =
        shared.ports.state.parts(&claimed.subject, &upload.upload).await.map_err(Stopped::Backend)?;
    let listed = match shared
        .ports
        .destination
        .list_parts(&claimed.job.destination, &upload.upload, &upload.plan)
        .await
    {
        Ok(listed) => listed,
        Err(error) if error.kind == StoreErrorKind::NoSuchUpload => return Ok(None),
        Err(error) => return Err(Stopped::Failed(error.into())),
    };
    let listed: BTreeMap<u32, _> = listed.into_iter().map(|p| (p.number, p)).collect();
    let proved = remembered.into_iter().filter(|proof| {
        let there = listed.get(&proof.number);
        let planned = upload.plan.part(proof.number);
        there.is_some_and(|p| p.size == proof.size && p.etag == proof.etag)
            && planned.is_some_and(|p| p.length == proof.size)
            && proof.digest().is_some()
    });
    Ok(Some(proved.map(|proof| (proof.number, proof)).collect()))
}

/// Gives an upload up and forgets its parts.
pub(super) async fn abort(shared: &Shared, claimed: &Claimed, upload: &UploadId) -> Result<(), Stopped> {
    match shared.ports.destination.abort_upload(&claimed.job.destination, upload).await {
        Ok(()) => {}
        Err(error) if error.kind == StoreErrorKind::NoSuchUpload => {}
        Err(error) => return Err(Stopped::Failed(error.into())),
    }
    shared.ports.state.forget_parts(&claimed.subject, upload).await.map_err(Stopped::Backend)
}

/// Gives up what an attempt had begun whose answer was lost: uploads of exactly this key, begun when that attempt was
/// about to. Whoever else uploads to the same key in those moments fights over the object anyway.
pub(crate) async fn abort_unknown(shared: &Shared, claimed: &Claimed) {
    let Some(intended) = claimed.record().and_then(|r| r.intended_upload()) else { return };
    let (store, key) = (&shared.ports.destination, &claimed.job.destination);
    let listed = match store.list_uploads(&Prefix::raw(key.as_str())).await {
        Ok(listed) => listed,
        Err(error) => {
            tracing::warn!(%key, %error, "an upload whose answer was lost could not be looked for");
            return;
        }
    };
    let ours = |u: &ListedUpload| u.key == *key && u.initiated.is_some_and(|t| intended.may_have_become(t));
    for found in listed.into_iter().filter(ours) {
        if let Err(error) = store.abort_upload(key, &found.upload).await {
            tracing::warn!(%key, %error, "an upload whose answer was lost could not be aborted");
        }
    }
}

async fn send_parts(
    shared: &Arc<Shared>,
    claimed: &Claimed,
    job: &PartJob,
    missing: Vec<Part>,
    proofs: &mut Proofs,
    drain: &CancellationToken,
) -> Result<(), Stopped> {
    let mut tasks: JoinSet<Result<PartProof, Stopped>> = JoinSet::new();
    let mut stopped = None;
    let mut parts = missing.into_iter();
    let mut next = parts.next();
    loop {
        if claimed.lease.is_lost() {
            stopped = Some(Stopped::Superseded);
        } else if drain.is_cancelled() && next.is_some() {
            stopped
                .get_or_insert_with(|| Stopped::failed(FailureClass::Interrupted, "stopped between parts"));
        }
        if stopped.is_some() {
            next = None;
        }
        // One wait for a permit at a time: a huge object queues beside small ones, not in front of them.
        tokio::select! {
            slot = shared.permits.slot(), if next.is_some() => {
                let (shared, job, subject) = (Arc::clone(shared), job.clone(), claimed.subject.clone());
                let Some(part) = next else { continue };
                next = parts.next();
                tasks.spawn(async move {
                    let _slot = slot;
                    let began = shared.ports.clock.elapsed();
                    let proof = part::copy(&shared, &job, part).await?;
                    // At once: what is not remembered is sent again after a crash.
                    let added = shared.ports.state.add_part(&subject, &job.upload, proof.clone()).await;
                    added.map_err(Stopped::Backend)?;
                    shared.permits.completed(part.length, shared.ports.clock.elapsed().saturating_sub(began));
                    Ok(proof)
                });
            }
            Some(joined) = tasks.join_next() => match joined {
                Ok(Ok(proof)) => {
                    proofs.insert(proof.number, proof);
                }
                Ok(Err(error)) => { stopped.get_or_insert(error); }
                Err(error) => {
                    let message = format!("the task of a part ended badly: {error}");
                    stopped.get_or_insert(Stopped::failed(FailureClass::Transient, message));
                }
            },
            else => break,
        }
    }
    stopped.map_or(Ok(()), Err)
}

/// Compares what was read with everything that the source publishes, before anything becomes visible.
pub(super) fn prove_parts(
    claimed: &Claimed,
    planned: &Planned,
    head: &ObjectHead,
    proofs: &Proofs,
) -> Result<Checksums, Stopped> {
    let computed = combine_checksums(proofs.values().map(|p| (p.checksums, p.size)));
    if planned.keeps_source_parts {
        let tag = composite(proofs)?;
        if claimed.job.object.etag.as_ref() != Some(&tag) {
            return Err(Stopped::failed(
                FailureClass::Corrupt,
                format!("the bytes read have the tag {tag}, the source says {:?}", claimed.job.object.etag),
            ));
        }
    }
    if head.checksums.agrees(&computed) == Some(false) {
        return Err(Stopped::failed(
            FailureClass::Corrupt,
            format!("the bytes read have {computed}, the source says {}", head.checksums),
        ));
    }
    Ok(computed)
}

fn composite(proofs: &Proofs) -> Result<longbow_core::object::ETag, Stopped> {
    let digests: Option<Vec<_>> = proofs.values().map(PartProof::digest).collect();
    let digests = digests.ok_or_else(|| {
        Stopped::failed(
            FailureClass::Corrupt,
            "a remembered part has no readable MD5: the state file is damaged",
        )
    })?;
    Ok(composite_etag(digests))
}

/// Makes the parts one object. A store that has not taken the checksum of the whole gets the object once more without.
pub(super) async fn complete(
    shared: &Arc<Shared>,
    claimed: &Claimed,
    upload: &UploadId,
    request: &CompleteRequest,
) -> Result<longbow_core::port::Written, Stopped> {
    let _slot = shared.permits.slot().await;
    guard(shared, claimed).await?;
    match shared.ports.destination.complete_upload(&claimed.job.destination, upload, request).await {
        Ok(written) => {
            shared.ports.state.forget_parts(&claimed.subject, upload).await.map_err(Stopped::Backend)?;
            Ok(written)
        }
        // Every part was proved by its MD5, and what the store says of the whole will be compared: a store that keeps
        // digests of digests refuses the checksum, not the bytes.
        Err(error) if error.kind == StoreErrorKind::Corrupt && !request.checksums.is_empty() => {
            shared.quirks.lacks(Feature::Checksums);
            let request = CompleteRequest { checksums: Checksums::default(), ..request.clone() };
            let completed =
                shared.ports.destination.complete_upload(&claimed.job.destination, upload, &request).await;
            let written = completed.map_err(|error| write_failure(shared, error))?;
            shared.ports.state.forget_parts(&claimed.subject, upload).await.map_err(Stopped::Backend)?;
            Ok(written)
        }
        Err(error) if error.kind == StoreErrorKind::Unsupported(Feature::Checksums) => {
            abort(shared, claimed, upload).await?;
            Err(write_failure(shared, error))
        }
        Err(error) => Err(write_failure(shared, error)),
    }
}
