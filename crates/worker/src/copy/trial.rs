//! Whether the destination looks at the conditions of its writes, tried once in a run with a write that must be refused.
//!
//! Apart, because it is the only write that is not made for the sake of its object: a small new object, just written on
//! the condition that nothing has its key, is written again on the same condition. A store that looks answers 412. One
//! that does not look stores the same bytes again, which harms nobody. But the object may also have been removed in between, and a store
//! that looks was right to take it again: so a second write that was taken is followed by a third, which must be refused for certain.
//! A store that takes that, too, is from then on looked at before each write (docs/decisions/0014). However the trial ends, the object is
//! copied: it fails nothing and counts as no attempt.

use bytes::Bytes;
use longbow_core::failure::StoreErrorKind;
use longbow_core::port::{HeadRequest, PutBody, PutRequest, WriteCondition, Written};

use super::write::write;
use crate::Shared;
use crate::claim::Claimed;
use crate::plan::Planned;
use crate::quirks::Trial;

/// Objects of more bytes are not sent twice for this.
const UP_TO: u64 = 1 << 20;

/// Whether this write is the one to try with.
pub(super) fn due<'a>(shared: &'a Shared, planned: &Planned, size: u64) -> Option<Trial<'a>> {
    let fit = planned.condition == WriteCondition::Absent && size <= UP_TO;
    if fit { shared.quirks.trial() } else { None }
}

/// Tries with an object that was written just now; what the store said of its last write comes back.
pub(super) async fn write_again(
    shared: &Shared,
    claimed: &Claimed,
    trial: Trial<'_>,
    frames: Vec<Bytes>,
    request: &PutRequest,
    written: Written,
) -> Written {
    let (store, key) = (&shared.ports.destination, &claimed.job.destination);
    // What somebody else has made of the object by now must not be overwritten for a trial: as little as before any
    // write to a store without conditions.
    match store.head(key, &HeadRequest::default()).await {
        Ok(found) if found.etag != written.etag => return written,
        Ok(found) if found.etag.is_some() => {}
        _ => {
            trial.made();
            tracing::debug!(%key, "whether conditions are looked at could not be tried");
            return written;
        }
    }
    let put = || store.put(key, PutBody::Kept(frames.clone()), request);
    let again = match write(shared, claimed, put).await {
        Ok(Ok(again)) => again,
        Ok(Err(error)) => {
            trial.made();
            tracing::debug!(%key, %error, "a second write on the same condition was refused, as it should be");
            return written;
        }
        // The lease is lost: the next object serves.
        Err(_) => return written,
    };
    match write(shared, claimed, put).await {
        Ok(Ok(third)) => {
            trial.made();
            shared.quirks.ignores_conditions();
            third
        }
        Ok(Err(error)) if error.kind == StoreErrorKind::PreconditionFailed => {
            trial.made();
            tracing::debug!(%key, %error, "the object of the trial was removed in the middle of it; conditions are looked at");
            again
        }
        // An answer that was lost, or a lease: nothing is known, and the next object serves.
        _ => again,
    }
}
