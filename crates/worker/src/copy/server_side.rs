//! Copies inside the store: no byte passes this machine.

use std::sync::Arc;

use longbow_core::failure::FailureClass;
use longbow_core::job::CopyMethod;
use longbow_core::object::{Checksums, ETag, ETagKind, ObjectKey};
use longbow_core::port::{ByteRange, CopyRequest, HeadRequest, UploadId};
use longbow_core::transfer::{Part, PartProof};

use super::write::write;
use super::{Copied, write_failure};
use crate::Shared;
use crate::claim::Claimed;
use crate::executor::Stopped;
use crate::plan::{Planned, source_failure};

/// Copies of parts in flight for one object.
pub(super) const PARTS_AT_ONCE: usize = 16;

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
    let request = request(shared, claimed, &planned);
    let copy = || shared.ports.destination.copy(&claimed.job.destination, &request);
    let written = match write(shared, claimed, copy).await? {
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

/// What every part of an object shares.
#[derive(Clone)]
pub(super) struct PartCopy {
    destination: ObjectKey,
    upload: UploadId,
    from: Arc<CopyRequest>,
}

impl PartCopy {
    pub(super) fn new(shared: &Shared, claimed: &Claimed, planned: &Planned, upload: &UploadId) -> Self {
        let from = Arc::new(request(shared, claimed, planned));
        Self { destination: claimed.job.destination.clone(), upload: upload.clone(), from }
    }
}

/// `UploadPartCopy` of one part.
pub(super) async fn copy_part(shared: &Shared, job: &PartCopy, part: Part) -> Result<PartProof, Stopped> {
    let range = ByteRange { start: part.offset, length: part.length };
    let store = &shared.ports.destination;
    let copied = store.copy_part(&job.destination, &job.upload, part.number, range, &job.from).await;
    match copied.map_err(|error| write_failure(shared, error)) {
        Ok(written) => proof(part, written.etag),
        // The only condition on a part is the source's.
        Err(Stopped::DestinationChanged) => Err(Stopped::SourceChanged),
        Err(stopped) => Err(stopped),
    }
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
