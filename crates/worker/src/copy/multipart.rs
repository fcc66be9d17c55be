//! An object copied in parts: one way for all, and two ways to fill a part, by ranges of the source streamed through this
//! machine or by the store itself.
//!
//! Nothing is visible at the destination before the last step, and that step comes only after everything that the
//! source publishes about its bytes has been compared with what was read.

use std::sync::Arc;

use longbow_core::failure::{FailureClass, Feature};
use longbow_core::job::CopyMethod;
use longbow_core::object::{Checksums, ETag, ObjectHead};
use longbow_core::port::{CompleteRequest, HeadRequest, UploadId};
use longbow_core::transfer::{Part, PartPlan, PartProof, combine_checksums, composite_etag};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::Copied;
use super::attributes::{along, forgotten};
use super::part::{self, PartJob};
use super::server_side::{self, PartCopy};
use super::upload::{Proofs, complete, open};
use crate::Shared;
use crate::claim::Claimed;
use crate::digest::Wanted;
use crate::executor::Stopped;
use crate::plan::{Planned, source_failure};
use crate::quirks::TagsBy;

/// How the parts get their bytes.
#[derive(Clone)]
enum Way {
    /// Ranges streamed through this machine.
    Streamed(PartJob),
    /// Copied by the store.
    Copied(PartCopy),
}

impl Way {
    /// Parts of one object in flight; the node's permits bound them as well.
    fn at_once(&self) -> usize {
        match self {
            Self::Streamed(_) => usize::MAX,
            Self::Copied(_) => server_side::PARTS_AT_ONCE,
        }
    }

    async fn fill(&self, shared: &Arc<Shared>, part: Part) -> Result<PartProof, Stopped> {
        match self {
            Self::Streamed(job) => {
                let began = shared.ports.clock.elapsed();
                let proof = part::copy(shared, job, part).await?;
                shared.permits.completed(part.length, shared.ports.clock.elapsed().saturating_sub(began));
                Ok(proof)
            }
            Self::Copied(job) => server_side::copy_part(shared, job, part).await,
        }
    }
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
    let way = way(shared, claimed, &planned, &head, &opened.upload);
    let missing: Vec<Part> = plan.parts().filter(|p| !opened.done.contains_key(&p.number)).collect();
    let moved = missing.iter().map(|p| p.length).sum();
    let mut proofs = opened.done;
    send_parts(shared, claimed, (&way, &opened.upload), missing, &mut proofs, drain).await?;
    let proved = prove(shared, claimed, (&planned, &way), &head, &proofs)?;
    let request = CompleteRequest {
        parts: proofs.values().map(|p| (p.number, p.etag.clone())).collect(),
        condition: planned.condition,
        checksums: Checksums {
            crc64nvme: proved.crc64nvme.filter(|_| opened.crc64nvme),
            ..Checksums::default()
        },
        size: plan.size,
        modified: head.modified,
    };
    let written = complete(shared, claimed, &opened.upload, &request).await?;
    let mut lost = along.lost;
    lost.extend(forgotten(shared, claimed, TagsBy::Upload, &along.tags, &written).await);
    let (method, bytes) = match way {
        Way::Streamed(_) => (CopyMethod::Multipart, moved),
        Way::Copied(_) => (CopyMethod::ServerSideMultipart, 0),
    };
    Ok(Copied {
        method,
        written,
        expected_etag: proved.expected_etag,
        proved_ahead: true,
        computed: proved.computed,
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

fn way(shared: &Shared, claimed: &Claimed, planned: &Planned, head: &ObjectHead, upload: &UploadId) -> Way {
    if planned.server_side {
        return Way::Copied(PartCopy::new(shared, claimed, planned, upload));
    }
    Way::Streamed(PartJob {
        source: claimed.job.source.clone(),
        destination: claimed.job.destination.clone(),
        pin: planned.pin.clone(),
        upload: upload.clone(),
        wanted: Wanted { crc32c: head.checksums.crc32c.is_some(), crc32: head.checksums.crc32.is_some() },
    })
}

async fn send_parts(
    shared: &Arc<Shared>,
    claimed: &Claimed,
    (way, upload): (&Way, &UploadId),
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
            biased;
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
            slot = shared.permits.slot(), if next.is_some() && tasks.len() < way.at_once() => {
                // What has changed while the permit was waited for is looked at before a part is begun.
                if claimed.lease.is_lost() || drain.is_cancelled() {
                    continue;
                }
                let Some(part) = next else { continue };
                next = parts.next();
                let (shared, way, upload) = (Arc::clone(shared), way.clone(), upload.clone());
                let subject = claimed.subject.clone();
                tasks.spawn(async move {
                    let _slot = slot;
                    let proof = way.fill(&shared, part).await?;
                    // At once: what is not remembered is sent again after a crash.
                    let added = shared.ports.state.add_part(&subject, &upload, proof.clone()).await;
                    added.map_err(Stopped::Backend)?;
                    Ok(proof)
                });
            }
            else => break,
        }
    }
    stopped.map_or(Ok(()), Err)
}

/// What is known of the whole before it becomes visible.
struct Proved {
    /// The tag that it must get.
    expected_etag: Option<ETag>,
    /// Checksums of the bytes that passed here.
    computed: Checksums,
    /// The full-object checksum to state.
    crc64nvme: Option<u64>,
}

fn prove(
    shared: &Shared,
    claimed: &Claimed,
    (planned, way): (&Planned, &Way),
    head: &ObjectHead,
    proofs: &Proofs,
) -> Result<Proved, Stopped> {
    match way {
        Way::Streamed(_) => {
            let computed = prove_parts(claimed, planned, head, proofs)?;
            let expected_etag = Some(composite(proofs)?);
            Ok(Proved { expected_etag, computed, crc64nvme: computed.crc64nvme })
        }
        // No byte was seen here: what the source says is all that there is.
        Way::Copied(_) => Ok(Proved {
            expected_etag: planned.keeps_source_parts.then(|| claimed.job.object.etag.clone()).flatten(),
            computed: Checksums::default(),
            crc64nvme: head.checksums.crc64nvme.filter(|_| shared.quirks.has(Feature::Checksums)),
        }),
    }
}

/// Compares what was read with everything that the source publishes, before anything becomes visible.
fn prove_parts(
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

fn composite(proofs: &Proofs) -> Result<ETag, Stopped> {
    let digests: Option<Vec<_>> = proofs.values().map(PartProof::digest).collect();
    let digests = digests.ok_or_else(|| {
        Stopped::failed(
            FailureClass::Corrupt,
            "a remembered part has no readable MD5: the state file is damaged",
        )
    })?;
    Ok(composite_etag(digests))
}
