//! Copy: the bytes go, and what was said about them on the way is kept for verification.

mod attributes;
mod multipart;
mod part;
mod reading;
mod resend;
mod server_side;
mod trial;
mod upload;
mod whole;
mod write;

use std::sync::Arc;

use longbow_core::failure::{Failure, FailureClass, Feature, StoreError, StoreErrorKind};
use longbow_core::job::{CopyMethod, Observation};
use longbow_core::object::{Checksums, ETag, Md5, ObjectKey, VersionId};
use longbow_core::port::{HeadRequest, WriteCondition, Written};
use longbow_core::transfer::{MethodPolicy, WriteMethod};
use tokio_util::sync::CancellationToken;

use crate::Shared;
use crate::claim::Claimed;
use crate::executor::Stopped;
use crate::plan::Planned;

pub(crate) use upload::abort_unknown;
pub(crate) use write::write_when;

/// Bytes that are on their way or have arrived, with everything that can prove them.
pub(crate) struct Copied {
    pub(crate) method: CopyMethod,
    /// What the destination said of the finished write.
    pub(crate) written: Written,
    /// The tag that the destination must have, where tags are digests there.
    pub(crate) expected_etag: Option<ETag>,
    /// The destination was told this digest before it stored anything, or checked each part.
    pub(crate) proved_ahead: bool,
    /// Checksums of the bytes that were read.
    pub(crate) computed: Checksums,
    /// Checksums that the source publishes.
    pub(crate) published: Checksums,
    /// The request that read or pinned the source, as its store calls it.
    pub(crate) read_by: Option<Box<str>>,
    /// The version that was read.
    pub(crate) version: Option<VersionId>,
    pub(crate) parts: u32,
    pub(crate) parts_reused: u32,
    pub(crate) bytes_read: u64,
    pub(crate) bytes_sent: u64,
    /// What could not be preserved.
    pub(crate) lost: Vec<String>,
}

/// Copies as planned.
pub(crate) async fn copy(
    shared: &Arc<Shared>,
    claimed: &mut Claimed,
    planned: Planned,
    drain: &CancellationToken,
) -> Result<Copied, Stopped> {
    let server_side = planned.server_side;
    let absent = planned.condition == WriteCondition::Absent;
    if planned.write == WriteMethod::Whole {
        abort_unknown(shared, claimed).await;
    }
    if planned.write == WriteMethod::Whole
        && let Some(upload) = claimed.record().and_then(|r| r.upload()).map(|u| u.upload.clone())
    {
        // Of another version of the source, or of another way to cut it: nobody will complete it.
        upload::abort(shared, claimed, &upload).await?;
    }
    let result = match (server_side, planned.write) {
        (true, WriteMethod::Whole) => server_side::copy_whole(shared, claimed, planned).await,
        (false, WriteMethod::Whole) => whole::copy(shared, claimed, planned).await,
        (_, WriteMethod::Parts(plan)) => multipart::copy(shared, claimed, planned, plan, drain).await,
    };
    match result {
        // One identity may read and another write: the store then refuses what this machine can still do.
        Err(Stopped::Failed(Failure { class: FailureClass::Denied, message }))
            if server_side && shared.options.method == MethodPolicy::Auto =>
        {
            shared.quirks.lacks(Feature::ServerSideCopy);
            Err(Stopped::Adapted(message))
        }
        Err(Stopped::DestinationChanged) if absent && !shared.quirks.destination.amazon => {
            Err(what_changed(shared, &claimed.job.destination).await)
        }
        result => result,
    }
}

/// A store refused to write to a free key because it is not free. SeaweedFS says so of a key that is a folder of others
/// there, and then that it has no such object: nobody has changed anything, and looking again shows the same for ever.
async fn what_changed(shared: &Shared, key: &ObjectKey) -> Stopped {
    match shared.ports.destination.head(key, &HeadRequest::default()).await {
        Err(error) if error.kind == StoreErrorKind::NotFound => Stopped::Contradicted(Failure::new(
            FailureClass::Permanent,
            format!(
                "the destination refuses the key {key}: it takes it for one that exists (412), but has no such object (404), as stores do that keep keys as folders and have others below {key}/"
            ),
        )),
        // What is there, or why it cannot be seen, is found by the next look.
        _ => Stopped::DestinationChanged,
    }
}

/// What a failed write means for the attempt.
pub(crate) fn write_failure(shared: &Shared, error: StoreError) -> Stopped {
    tagged_write_failure(shared, error, false)
}

/// The same for a write that carried tags: a store that refuses it does not always say because of what.
pub(crate) fn tagged_write_failure(shared: &Shared, error: StoreError, tagged: bool) -> Stopped {
    match error.kind {
        StoreErrorKind::PreconditionFailed => Stopped::DestinationChanged,
        StoreErrorKind::Unsupported(Feature::Other) => Stopped::Failed(error.into()),
        StoreErrorKind::Unsupported(Feature::ConditionalWrites) => {
            shared.quirks.tags_or_conditions(tagged);
            Stopped::Adapted(error.message)
        }
        StoreErrorKind::Unsupported(feature) => {
            // Several tasks may learn it at once; each does without it from here on.
            shared.quirks.lacks(feature);
            Stopped::Adapted(error.message)
        }
        _ => Stopped::Failed(error.into()),
    }
}

/// What must hold just before a write becomes visible: the lease, and on stores without conditional writes the
/// observation.
pub(crate) async fn guard(shared: &Shared, claimed: &Claimed) -> Result<(), Stopped> {
    if claimed.lease.is_lost() {
        return Err(Stopped::Superseded);
    }
    if shared.quirks.has(Feature::ConditionalWrites) {
        return Ok(());
    }
    let found = match shared.ports.destination.head(&claimed.job.destination, &HeadRequest::default()).await {
        Ok(head) => head.etag.map_or(Observation::Unknown, Observation::Present),
        Err(error) if error.kind == StoreErrorKind::NotFound => Observation::Absent,
        Err(error) => return Err(Stopped::Failed(error.into())),
    };
    if claimed.job.observed != Observation::Unknown && found != claimed.job.observed {
        return Err(Stopped::DestinationChanged);
    }
    // The look may have had to wait for its turn.
    if claimed.lease.is_lost() { Err(Stopped::Superseded) } else { Ok(()) }
}

/// Compares a part's or whole's tag with the digest of what was sent. `Ok(false)`: the tag cannot tell.
pub(crate) fn tag_proves(shared: &Shared, written: &Written, sent: Md5) -> Result<bool, Failure> {
    use longbow_core::object::ETagKind;
    if let Some(encryption) = &written.encryption
        && !encryption.etag_is_md5()
    {
        shared.quirks.destination_tags_proved_no_digests();
        return Ok(false);
    }
    match written.etag.as_ref().map(ETag::kind) {
        Some(ETagKind::Md5(md5)) if md5 == sent => Ok(true),
        Some(ETagKind::Md5(md5)) if shared.quirks.destination_tags_are_digests() => Err(Failure::new(
            FailureClass::Corrupt,
            format!("the destination's MD5 {md5} is not the MD5 {sent} of what was sent"),
        )),
        _ => {
            shared.quirks.destination_tags_proved_no_digests();
            Ok(false)
        }
    }
}
