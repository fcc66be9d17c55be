//! Requests that change what others see, at the destination's pace.
//!
//! Apart from those that wait inside the store (`pace::store`): when the turn of such a request has come, however long that
//! took, the lease must still hold, and on stores without conditions what was observed must still be there.

use std::sync::Arc;

use longbow_core::failure::{StoreError, StoreErrorKind};
use longbow_core::port::{PutRequest, Written};

use super::guard;
use super::resend::Resend;
use crate::Shared;
use crate::claim::Claimed;
use crate::executor::Stopped;

/// Makes a request when its turn has come and `ready` allows it, and again while it is refused for being one too many.
pub(crate) async fn write_when<T, R, F>(
    shared: &Shared,
    mut ready: impl FnMut() -> R,
    mut request: impl FnMut() -> F,
) -> Result<Result<T, StoreError>, Stopped>
where
    R: Future<Output = Result<(), Stopped>>,
    F: Future<Output = Result<T, StoreError>>,
{
    let pace = &shared.write_pace;
    let mut patience = None;
    loop {
        let pass = match pace.pass(&mut patience).await {
            Ok(pass) => pass,
            Err(refusal) => return Ok(Err(refusal)),
        };
        ready().await?;
        match pass.answer(request().await) {
            Err(refusal) if refusal.kind == StoreErrorKind::Throttled => {
                if let Err(refusal) = pace.again(&mut patience, refusal).await {
                    return Ok(Err(refusal));
                }
            }
            answer => return Ok(answer),
        }
    }
}

/// The same for what an attempt writes.
pub(super) async fn write<T, F>(
    shared: &Shared,
    claimed: &Claimed,
    request: impl FnMut() -> F,
) -> Result<Result<T, StoreError>, Stopped>
where
    F: Future<Output = Result<T, StoreError>>,
{
    write_when(shared, || guard(shared, claimed), request).await
}

/// The same for a body that is still being read. One that was too large to keep is refused once.
pub(super) async fn put_streamed(
    shared: &Arc<Shared>,
    claimed: &Claimed,
    body: &Resend,
    request: &PutRequest,
) -> Result<Result<Written, StoreError>, Stopped> {
    let pace = &shared.write_pace;
    let mut patience = None;
    loop {
        let Some(sending) = body.next().await else { return Ok(Err(Resend::passed())) };
        let pass = match pace.pass(&mut patience).await {
            Ok(pass) => pass,
            Err(refusal) => return Ok(Err(refusal)),
        };
        guard(shared, claimed).await?;
        let answer = shared.ports.destination.put(&claimed.job.destination, sending, request).await;
        if body.is_broken() {
            // What broke the source's body is not the destination's word.
            return Ok(answer);
        }
        match pass.answer(answer) {
            Err(refusal) if refusal.kind == StoreErrorKind::Throttled && body.is_kept() => {
                if let Err(refusal) = pace.again(&mut patience, refusal).await {
                    return Ok(Err(refusal));
                }
            }
            answer => return Ok(answer),
        }
    }
}
