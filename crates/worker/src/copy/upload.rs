//! The upload that holds an object's parts: taken up or begun, completed or given up.
//!
//! Apart from what fills it. It decides which parts of an earlier attempt are trusted: those that the destination lists
//! *and* the state proves.

use std::collections::BTreeMap;
use std::sync::Arc;

use longbow_core::failure::{Failure, Feature, StoreErrorKind};
use longbow_core::job::{RecordEvent, UploadRecord};
use longbow_core::object::{Checksums, Prefix};
use longbow_core::port::{CompleteRequest, CreateRequest, ListedUpload, UploadId, Written};
use longbow_core::transfer::{PartPlan, PartProof};

use super::attributes::Along;
use super::write::write;
use super::write_failure;
use crate::Shared;
use crate::claim::Claimed;
use crate::executor::Stopped;

/// Parts that are proved, by number.
pub(super) type Proofs = BTreeMap<u32, PartProof>;

/// An upload to fill: new, or left by an earlier attempt.
pub(super) struct Opened {
    pub(super) upload: UploadId,
    pub(super) crc64nvme: bool,
    pub(super) done: Proofs,
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
    // The record is about to name another one, and then nobody could tell any more whose the first is.
    look_for_unknown(shared, claimed).await.map_err(Stopped::Failed)?;
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

/// Gives up what an attempt had begun whose answer was lost, as far as that can be done now.
pub(crate) async fn abort_unknown(shared: &Shared, claimed: &Claimed) {
    if let Err(error) = look_for_unknown(shared, claimed).await {
        let key = &claimed.job.destination;
        tracing::warn!(%key, %error, "an upload whose answer was lost could not be looked for");
    }
}

/// Aborts uploads of exactly this key, begun when an attempt whose answer was lost was about to. Whoever else uploads to
/// the same key in those moments fights over the object anyway.
async fn look_for_unknown(shared: &Shared, claimed: &Claimed) -> Result<(), Failure> {
    let Some(intended) = claimed.record().and_then(|r| r.intended_upload()) else { return Ok(()) };
    let (store, key) = (&shared.ports.destination, &claimed.job.destination);
    let listed = match store.list_uploads(&Prefix::raw(key.as_str())).await {
        Ok(listed) => listed,
        Err(error) if matches!(error.kind, StoreErrorKind::Transient | StoreErrorKind::Throttled) => {
            return Err(error.into());
        }
        // A store that does not list them, or not to us, never will.
        Err(error) => {
            tracing::warn!(%key, %error, "an upload whose answer was lost cannot be looked for");
            return Ok(());
        }
    };
    let ours = |u: &ListedUpload| u.key == *key && u.initiated.is_some_and(|t| intended.may_have_become(t));
    for found in listed.into_iter().filter(ours) {
        if let Err(error) = store.abort_upload(key, &found.upload).await {
            tracing::warn!(%key, %error, "an upload whose answer was lost could not be aborted");
        }
    }
    Ok(())
}

/// Makes the parts one object. A store that has not taken the checksum of the whole gets the object once more without.
pub(super) async fn complete(
    shared: &Arc<Shared>,
    claimed: &Claimed,
    upload: &UploadId,
    request: &CompleteRequest,
) -> Result<Written, Stopped> {
    let _slot = shared.permits.slot().await;
    let (store, key) = (&shared.ports.destination, &claimed.job.destination);
    match write(shared, claimed, || store.complete_upload(key, upload, request)).await? {
        Ok(written) => {
            shared.ports.state.forget_parts(&claimed.subject, upload).await.map_err(Stopped::Backend)?;
            Ok(written)
        }
        // Every part was proved by its MD5, and what the store says of the whole will be compared: a store that keeps
        // digests of digests refuses the checksum, not the bytes.
        Err(error) if error.kind == StoreErrorKind::Corrupt && !request.checksums.is_empty() => {
            shared.quirks.lacks(Feature::Checksums);
            let request = CompleteRequest { checksums: Checksums::default(), ..request.clone() };
            let completed = write(shared, claimed, || store.complete_upload(key, upload, &request)).await?;
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
