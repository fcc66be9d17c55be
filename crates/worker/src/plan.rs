//! Plan: look where looking is needed, the destination before the source, and choose the way of the bytes.

use std::sync::Arc;

use longbow_core::failure::{FailureClass, Feature, StoreError, StoreErrorKind};
use longbow_core::job::{CopyJob, Observation, Proof, RecordState, SourceVersion};
use longbow_core::object::{Checksums, ETag, ETagKind, ObjectHead, ObjectKey};
use longbow_core::port::{HeadRequest, ReadPin, WriteCondition};
use longbow_core::transfer::{
    MAX_PART_SIZE, MethodFacts, PartPlan, WriteMethod, choose_method, composite_etag,
};
use tokio_util::sync::CancellationToken;

use crate::Shared;
use crate::claim::Claimed;
use crate::executor::Stopped;
use crate::inspect;

/// Bodies of at most this many bytes may be held in memory, so that their digest can be sent ahead.
pub(crate) const KEEP_UP_TO: u64 = 8 << 20;

/// What a look at both sides says.
pub(crate) enum Step {
    /// Nothing has to be copied.
    Equal(Equal),
    /// These bytes go this way.
    Copy(Box<Planned>),
}

/// The destination has the object already.
pub(crate) struct Equal {
    pub(crate) destination_etag: Option<ETag>,
    pub(crate) checksums: Checksums,
    pub(crate) proof: Proof,
    pub(crate) reason: &'static str,
}

/// A claimed job with the way its bytes will go.
pub(crate) struct Planned {
    pub(crate) pin: ReadPin,
    pub(crate) condition: WriteCondition,
    pub(crate) server_side: bool,
    pub(crate) write: WriteMethod,
    /// The parts are the source's own, so the tags must come out equal.
    pub(crate) keeps_source_parts: bool,
    /// The source's headers, where the plan had to ask for them.
    pub(crate) head: Option<ObjectHead>,
}

/// Looks and decides. `look_again`: something changed under the last try of this attempt.
pub(crate) async fn plan(
    shared: &Arc<Shared>,
    claimed: &mut Claimed,
    look_again: bool,
    drain: &CancellationToken,
) -> Result<Step, Stopped> {
    if drain.is_cancelled() {
        return Err(Stopped::failed(FailureClass::Interrupted, "stopped before it began"));
    }
    let unseen = claimed.job.observed == Observation::Unknown;
    let look = look_again || unseen || claimed.job.inspect || claimed.is_second_look();
    let mut source_head = None;
    if look {
        let destination = look_at_destination(shared, &claimed.job.destination).await?;
        let there = destination.is_some();
        claimed.job.observed = match &destination {
            None => Observation::Absent,
            Some(ObjectHead { etag: Some(etag), .. }) => Observation::Present(etag.clone()),
            Some(_) => Observation::Unknown,
        };
        // What a message says of the object is a hint. Its tag is enough of one: it pins the read. Without a tag the
        // source tells it, and over an object that is there goes only what the source has now: the job may have waited
        // long enough for a newer version to have come and been copied, and an older one can still be read by its name.
        let object = &claimed.job.object;
        let versioned = object.version.is_some();
        // An event's own version is copied where nothing is (LB-57); a job of a comparison only meant the newest.
        let newest = there || !claimed.of_event;
        if look_again || unseen && object.etag.is_none() || newest && versioned {
            source_head = Some(look_at_source(shared, claimed, newest).await?);
        }
        if let Some(found) = &destination
            && let Some(equal) = is_equal(shared, claimed, found, &mut source_head).await?
        {
            return Ok(Step::Equal(equal));
        }
    }
    choose(shared, claimed, look, source_head).await.map(|planned| Step::Copy(Box::new(planned)))
}

pub(crate) async fn look_at_destination(
    shared: &Shared,
    key: &ObjectKey,
) -> Result<Option<ObjectHead>, Stopped> {
    let _slot = shared.permits.slot().await;
    let request = HeadRequest { checksums: shared.quirks.has(Feature::Checksums), ..HeadRequest::default() };
    match shared.ports.destination.head(key, &request).await {
        Ok(head) => Ok(Some(head)),
        Err(error) if error.kind == StoreErrorKind::NotFound => Ok(None),
        Err(error) => Err(Stopped::Failed(error.into())),
    }
}

/// Reads the source's headers as they are now, and makes the job mean that version.
///
/// | the job names a version | destination has the key | the job means from now on |
/// |---|---|---|
/// | no | – | what the source has now |
/// | yes, an event's | no | that version; what the source has now, if it is gone |
/// | yes | yes | what the source has now: an older version must not go over one that may be newer |
/// | yes, of a comparison | any | what the source has now: that was the newest when it was listed |
async fn look_at_source(shared: &Shared, claimed: &mut Claimed, newest: bool) -> Result<ObjectHead, Stopped> {
    let _slot = shared.permits.slot().await;
    let named = claimed.job.object.version.clone();
    let mut head = None;
    if named.is_some() && !newest {
        head = look(shared, &claimed.job.source, named.clone()).await?;
    }
    let of_named = head.is_some();
    if head.is_none() {
        head = look(shared, &claimed.job.source, None).await?;
    }
    let Some(head) = head else {
        return Err(Stopped::SourceGone(format!("the source object is gone: {}", claimed.job.source)));
    };
    // A version is asked for only where the job names one: reading by version needs a right of its own (LB-60).
    let version = match (&named, &head.version) {
        (Some(_), Some(now)) => Some(now.clone()),
        (Some(named), None) if of_named => Some(named.clone()),
        _ => None,
    };
    claimed.job.object =
        SourceVersion { size: head.size, etag: head.etag.clone(), version, modified: head.modified };
    Ok(head)
}

/// The source's headers; `None`: it has no such object or version.
async fn look(
    shared: &Shared,
    key: &ObjectKey,
    version: Option<longbow_core::object::VersionId>,
) -> Result<Option<ObjectHead>, Stopped> {
    let request = HeadRequest { pin: ReadPin { etag: None, version }, part: None, checksums: true };
    match shared.ports.source.head(key, &request).await {
        Ok(head) => Ok(Some(head)),
        Err(error) if error.kind == StoreErrorKind::NotFound => Ok(None),
        Err(error) => Err(Stopped::Failed(error.into())),
    }
}

/// The source's headers as they are now; `None`: it has no object of this key.
pub(crate) async fn look_at_source_now(
    shared: &Shared,
    key: &ObjectKey,
) -> Result<Option<ObjectHead>, Stopped> {
    let _slot = shared.permits.slot().await;
    look(shared, key, None).await
}

/// A failed read of the source: a pin that does not hold means that the object is another one by now.
pub(crate) fn source_failure(error: StoreError) -> Stopped {
    match error.kind {
        StoreErrorKind::PreconditionFailed => Stopped::SourceChanged,
        StoreErrorKind::NotFound => {
            Stopped::SourceGone(format!("the source object is gone: {}", error.message))
        }
        _ => Stopped::Failed(error.into()),
    }
}

pub(crate) fn pin(source: &SourceVersion) -> ReadPin {
    ReadPin { etag: source.etag.clone(), version: source.version.clone() }
}

/// Whether the destination provably holds the source's bytes; asks for the source's checksums if nothing else tells.
async fn is_equal(
    shared: &Arc<Shared>,
    claimed: &Claimed,
    found: &ObjectHead,
    source_head: &mut Option<ObjectHead>,
) -> Result<Option<Equal>, Stopped> {
    let job = &claimed.job;
    if found.size != job.object.size {
        return Ok(None);
    }
    let equal = |proof, reason, checksums| {
        Ok(Some(Equal { destination_etag: found.etag.clone(), checksums, proof, reason }))
    };
    if let Some(record) = claimed.record()
        && record.source.is(&job.object)
    {
        match &record.state {
            RecordState::Copied { destination_etag, checksums, .. }
                if destination_etag.is_some() && *destination_etag == found.etag =>
            {
                return equal(Proof::Recorded, "unchanged since it was copied", *checksums);
            }
            // All parts were sent and proved, and the reply to their completion was lost.
            RecordState::Copying { upload } | RecordState::Waiting { upload: Some(upload), .. }
                if !upload.outdated =>
            {
                let proofs = shared
                    .ports
                    .state
                    .parts(&claimed.subject, &upload.upload)
                    .await
                    .map_err(Stopped::Backend)?;
                if u32::try_from(proofs.len()) == Ok(upload.plan.count()) {
                    let tag =
                        composite_etag(proofs.iter().filter_map(longbow_core::transfer::PartProof::digest));
                    if found.etag.as_ref() == Some(&tag) {
                        return equal(Proof::Written, "an earlier attempt had completed it", found.checksums);
                    }
                }
            }
            _ => {}
        }
    }
    let digest = |etag: &ETag| matches!(etag.kind(), ETagKind::Md5(_) | ETagKind::Composite { .. });
    if let (Some(a), Some(b)) = (&job.object.etag, &found.etag)
        && a == b
        && digest(a)
    {
        return equal(Proof::ETag, "the destination has it already", found.checksums);
    }
    if job.inspect && (shared.quirks.source.folder || shared.quirks.destination.folder) {
        let agreed = inspect::agree(shared, claimed, found).await?;
        return agreed.map_or(Ok(None), |sums| equal(Proof::Read, "the bytes are equal", sums));
    }
    if found.checksums.is_empty() {
        return Ok(None);
    }
    if source_head.is_none() {
        let _slot = shared.permits.slot().await;
        let request = HeadRequest { pin: pin(&job.object), part: None, checksums: true };
        *source_head = Some(shared.ports.source.head(&job.source, &request).await.map_err(source_failure)?);
    }
    let agrees = source_head.as_ref().and_then(|head| head.checksums.agrees(&found.checksums));
    if agrees == Some(true) {
        return equal(Proof::Checksum, "checksums are equal", found.checksums);
    }
    Ok(None)
}

/// Chooses the way. `looked`: both sides were looked at by this very attempt, the destination first.
async fn choose(
    shared: &Shared,
    claimed: &Claimed,
    looked: bool,
    mut head: Option<ObjectHead>,
) -> Result<Planned, Stopped> {
    let (job, quirks, options) = (&claimed.job, &shared.quirks, &shared.options);
    let object = &job.object;
    let kind = object.etag.as_ref().map(ETag::kind);
    let same_store = quirks.has(Feature::ServerSideCopy)
        && quirks.source.copy_domain.is_some()
        && quirks.source.copy_domain == quirks.destination.copy_domain;
    let to_folder = quirks.destination.folder;
    let mut pin = pin(object);
    if !looked && matches!(job.observed, Observation::Present(_)) {
        // Both sides were listed at once: what was seen at the destination may be newer than the version that was listed.
        // By its tag alone it is read only while the source still has it.
        pin.version = pin.version.filter(|_| pin.etag.is_none());
    }
    let whole_up_to =
        if digest_is_known(shared, kind) { options.whole_up_to } else { KEEP_UP_TO.min(options.whole_up_to) };
    let source_part = match kind {
        Some(ETagKind::Composite { parts: 1, .. }) => Some(object.size),
        Some(ETagKind::Composite { parts, .. }) if !to_folder => {
            regular_parts(shared, job, &pin, object.size, parts).await?
        }
        _ => None,
    };
    let parts_wanted = object.size > whole_up_to || source_part.is_some();
    if parts_wanted && head.is_none() {
        let _slot = shared.permits.slot().await;
        let request = HeadRequest { pin: pin.clone(), part: None, checksums: true };
        let found = shared.ports.source.head(&job.source, &request).await.map_err(source_failure)?;
        if found.size != object.size {
            // The size was a hint of a message, and a wrong one: parts cut by it would end too early (LBB-12).
            return Err(Stopped::SourceChanged);
        }
        head = Some(found);
    }
    let facts = MethodFacts {
        size: object.size,
        source_tag: kind.filter(|_| quirks.source_tags_are_digests()),
        source_part,
        published: head.as_ref().map_or_else(Checksums::default, |h| h.checksums),
        same_store,
        to_folder,
        from_folder: quirks.source.folder,
        part_size: options.part_size,
        least_part: options.least_part,
        whole_up_to,
        multipart: quirks.has(Feature::Multipart),
    };
    let choice = choose_method(options.method, &facts)
        .map_err(|error| Stopped::failed(FailureClass::Permanent, error.to_string()))?;
    // A destination that cannot prove one large write by its tag gets it in parts, each proved ahead.
    let write = match choice.write {
        WriteMethod::Whole
            if !choice.server_side
                && !to_folder
                && facts.multipart
                && object.size > KEEP_UP_TO
                && !digest_is_known(shared, kind) =>
        {
            let plan = PartPlan::for_size_above(options.least_part, object.size, options.part_size)
                .map_err(|error| Stopped::failed(FailureClass::Permanent, error.to_string()))?;
            WriteMethod::Parts(plan)
        }
        WriteMethod::Whole if !choice.server_side && !to_folder && object.size > MAX_PART_SIZE => {
            return Err(Stopped::failed(
                FailureClass::Permanent,
                "the destination takes no multipart uploads, and no single write of more than 5 GiB",
            ));
        }
        write => write,
    };
    let condition = match &job.observed {
        _ if !quirks.has(Feature::ConditionalWrites) => WriteCondition::Always,
        Observation::Absent => WriteCondition::Absent,
        Observation::Present(etag) => WriteCondition::Matches(etag.clone()),
        Observation::Unknown => WriteCondition::Always,
    };
    Ok(Planned {
        pin,
        condition,
        server_side: choice.server_side,
        write,
        keeps_source_parts: choice.keeps_source_parts,
        head,
    })
}

/// Bytes of the source's parts, if they are all of one size but for the last. The first and the last are asked for: an
/// object of irregular parts that passes for a regular one by both fails later, by its tag, and is never copied wrong.
async fn regular_parts(
    shared: &Shared,
    job: &CopyJob,
    pin: &ReadPin,
    size: u64,
    parts: u32,
) -> Result<Option<u64>, Stopped> {
    let _slot = shared.permits.slot().await;
    let mut plan: Option<PartPlan> = None;
    for part in [1, parts] {
        let request = HeadRequest { pin: pin.clone(), part: Some(part), checksums: false };
        let length = match shared.ports.source.head(&job.source, &request).await {
            // A store that does not know part numbers answers about the whole.
            Ok(head) => head.part_size,
            Err(error) if error.kind == StoreErrorKind::NotFound => return Err(source_failure(error)),
            Err(error) if error.class() == FailureClass::Permanent => None,
            Err(error) => return Err(source_failure(error)),
        };
        let Some(length) = length else { return Ok(None) };
        match plan {
            None => plan = PartPlan::like_source_above(shared.options.least_part, size, parts, length),
            Some(plan) if plan.part(part).is_some_and(|p| p.length == length) => {
                return Ok(Some(plan.part_size));
            }
            Some(_) => return Ok(None),
        }
        if plan.is_none() {
            return Ok(None);
        }
    }
    Ok(None)
}

/// Whether the MD5 of the whole is known before its first byte.
fn digest_is_known(shared: &Shared, kind: Option<ETagKind>) -> bool {
    shared.quirks.source_tags_are_digests() && matches!(kind, Some(ETagKind::Md5(_)))
}
