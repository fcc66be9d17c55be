//! Verify: what the destination says it holds must be what was read, and what the source says it is.

use std::sync::Arc;

use longbow_core::failure::{FailureClass, Feature};
use longbow_core::job::{CopyMethod, Proof};
use longbow_core::object::{ETag, ETagKind, ObjectHead};
use longbow_core::port::HeadRequest;

use crate::Shared;
use crate::claim::Claimed;
use crate::copy::Copied;
use crate::executor::Stopped;

/// Bytes that have arrived, with the proof.
pub(crate) struct Verified {
    pub(crate) copied: Copied,
    pub(crate) proof: Proof,
}

/// Compares and names the strongest proof; a destination whose answer cannot tell is asked once more.
pub(crate) async fn verify(
    shared: &Arc<Shared>,
    claimed: &Claimed,
    copied: Copied,
) -> Result<Verified, Stopped> {
    let source_tag = claimed.job.object.etag.as_ref();
    let tag = copied.written.etag.as_ref();
    let readable =
        copied.written.encryption.as_ref().is_none_or(longbow_core::object::Encryption::etag_is_md5)
            && tag.is_some_and(is_digest);
    if readable {
        if let Some(expected) = &copied.expected_etag
            && tag != Some(expected)
        {
            return Err(corrupt(format!(
                "the destination has the tag {tag:?}, the bytes sent have {expected}"
            )));
        }
    } else {
        shared.quirks.destination_tags_proved_no_digests();
    }
    let sums = copied.written.checksums;
    if sums.agrees(&copied.computed) == Some(false) || sums.agrees(&copied.published) == Some(false) {
        return Err(corrupt(format!("the destination has {sums}, the bytes sent have {}", copied.computed)));
    }
    if readable && tag == source_tag && shared.quirks.source_tags_are_digests() {
        return Ok(Verified { copied, proof: Proof::ETag });
    }
    let published_agrees = |found| copied.published.agrees(&found) == Some(true);
    if published_agrees(sums) || published_agrees(copied.computed) {
        return Ok(Verified { copied, proof: Proof::Checksum });
    }
    let by_the_store = matches!(copied.method, CopyMethod::ServerSide | CopyMethod::ServerSideMultipart);
    if !by_the_store && copied.proved_ahead && readable {
        return Ok(Verified { copied, proof: Proof::Written });
    }
    look(shared, claimed, copied, by_the_store).await
}

/// Asks the destination for what its answer to the write did not say.
async fn look(
    shared: &Arc<Shared>,
    claimed: &Claimed,
    copied: Copied,
    by_the_store: bool,
) -> Result<Verified, Stopped> {
    let _slot = shared.permits.slot().await;
    let checksums = shared.quirks.has(Feature::Checksums);
    let request = HeadRequest { checksums, ..HeadRequest::default() };
    let found = shared.ports.destination.head(&claimed.job.destination, &request).await;
    let found: ObjectHead = found.map_err(|error| Stopped::Failed(error.into()))?;
    if found.etag != copied.written.etag {
        return Err(Stopped::DestinationChanged);
    }
    if found.size != claimed.job.object.size {
        return Err(corrupt(format!(
            "the destination has {} bytes, the source {}",
            found.size, claimed.job.object.size
        )));
    }
    let mut published = copied.published;
    if by_the_store && published.is_empty() && !found.checksums.is_empty() {
        let request = HeadRequest { pin: crate::plan::pin(&claimed.job.object), part: None, checksums: true };
        let head = shared.ports.source.head(&claimed.job.source, &request).await;
        published = head.map_err(crate::plan::source_failure)?.checksums;
    }
    match found.checksums.agrees(&published).or_else(|| found.checksums.agrees(&copied.computed)) {
        Some(false) => {
            Err(corrupt(format!("the destination has {}, the source {published}", found.checksums)))
        }
        Some(true) if found.checksums.agrees(&published) == Some(true) => {
            Ok(Verified { copied, proof: Proof::Checksum })
        }
        // What was sent was proved part by part, or copied by the store itself from pinned ranges.
        _ => Ok(Verified { copied, proof: Proof::Written }),
    }
}

fn is_digest(tag: &ETag) -> bool {
    matches!(tag.kind(), ETagKind::Md5(_) | ETagKind::Composite { .. })
}

fn corrupt(message: String) -> Stopped {
    Stopped::failed(FailureClass::Corrupt, message)
}
