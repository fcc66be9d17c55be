//! Removing at the destination what the source no longer has: only when asked, capped, and after everything else.
//!
//! The jobsender removes by itself. Work for the workers would need a message that means "remove", and then a queue that
//! keeps messages for days would hold removals that nobody can look over or call back. Here each removal follows a
//! comparison that was read to its end, a cap on their number, and two looks: the source still has no such object, and
//! the destination's object is the one that was listed (a condition of the delete). What is written at either side
//! meanwhile stays.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use longbow_core::failure::{BackendError, StoreErrorKind};
use longbow_core::object::{ObjectKey, ObjectMeta};
use longbow_core::port::{HeadRequest, ObjectStore};
use longbow_core::route::Route;
use longbow_core::routes::{NamedRoute, RouteTable};
use tokio::task::JoinSet;

use super::lease::Leave;
use crate::deletion::ExtraSink;
use crate::patience;

/// Requests at once.
const AT_ONCE: usize = 16;
/// Objects that are named in a report.
const NAMED: usize = 100;

/// What became of the objects that only the destination has.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RemovalReport {
    /// Removed.
    pub removed: u64,
    /// Left since they had changed, had come back at the source, or have no tag to name them by.
    pub kept: u64,
    /// Not removed for a fault.
    pub failed: u64,
    /// The first hundred that were kept or failed, with the reason.
    pub named: Vec<(ObjectKey, String)>,
    /// Nothing was removed at all, and why.
    pub refused: Option<String>,
}

impl RemovalReport {
    /// Nothing is removed.
    pub(crate) fn refuse(why: String) -> Self {
        Self { refused: Some(why), ..Self::default() }
    }

    /// Whether nothing was refused and nothing failed.
    pub fn is_success(&self) -> bool {
        self.refused.is_none() && self.failed == 0
    }
}

/// Holds as many destination-only objects as may be removed, and one more.
pub(crate) struct Gather {
    most: u64,
    kept: Mutex<Vec<ObjectMeta>>,
}

impl Gather {
    pub(crate) fn new(most: u64) -> Self {
        Self { most, kept: Mutex::default() }
    }

    pub(crate) fn take(&self) -> Vec<ObjectMeta> {
        std::mem::take(&mut *self.kept.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[async_trait]
impl ExtraSink for Gather {
    async fn begin(&self) -> Result<(), BackendError> {
        self.take();
        Ok(())
    }

    async fn add(&self, batch: Vec<ObjectMeta>) -> Result<(), BackendError> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        // What exceeds the cap is counted elsewhere, and then nothing is removed.
        let room = usize::try_from(self.most.saturating_add(1)).unwrap_or(usize::MAX);
        let room = room.saturating_sub(kept.len());
        kept.extend(batch.into_iter().take(room));
        Ok(())
    }
}

/// Why objects of this route's destination cannot be told from those of another route, if that is so.
pub(crate) fn shared_destination(table: &RouteTable, route: &NamedRoute) -> Option<String> {
    let meets = |other: &&NamedRoute| {
        let (a, b) = (&route.route.destination, &other.route.destination);
        let (p, q) = (a.prefix(), b.prefix());
        let bucket = match a {
            longbow_core::object::Location::S3 { bucket, .. } => other.writes_to(bucket),
            longbow_core::object::Location::Folder(_) => a == b,
        };
        other.name != route.name
            && other.stores.destination == route.stores.destination
            && bucket
            && (p.contains(&q) || q.contains(&p))
    };
    let other = table.routes().iter().find(meets)?;
    Some(format!(
        "route {} writes below the same place, so what only the destination has may be its copies; give the routes \
         destinations of which neither holds the other",
        other.name
    ))
}

/// Removes the objects, each on the condition that both sides are still as they were listed.
pub(crate) async fn remove(
    objects: Vec<ObjectMeta>,
    route: &Route,
    source: &Arc<dyn ObjectStore>,
    destination: &Arc<dyn ObjectStore>,
    leave: &Leave,
) -> RemovalReport {
    let mut report = RemovalReport::default();
    let mut tasks = JoinSet::new();
    for object in objects {
        if tasks.len() >= AT_ONCE {
            account(&mut report, tasks.join_next().await);
        }
        let name = object.key.strip(&route.destination_prefix()).unwrap_or_default();
        let at_source = route.source_prefix().join(name);
        let (source, destination, leave) = (source.clone(), destination.clone(), leave.clone());
        tasks.spawn(async move {
            let end = one(&at_source, &object, source.as_ref(), destination.as_ref(), &leave).await;
            (object.key, end)
        });
    }
    while let Some(end) = tasks.join_next().await {
        account(&mut report, Some(end));
    }
    report
}

enum End {
    Removed,
    Kept(&'static str),
    Failed(String),
}

fn account(report: &mut RemovalReport, end: Option<Result<(ObjectKey, End), tokio::task::JoinError>>) {
    let (key, why) = match end {
        None => return,
        Some(Ok((_, End::Removed))) => {
            report.removed += 1;
            return;
        }
        Some(Ok((key, End::Kept(why)))) => {
            report.kept += 1;
            (key, why.to_owned())
        }
        Some(Ok((key, End::Failed(why)))) => {
            report.failed += 1;
            (key, why)
        }
        Some(Err(error)) => {
            report.failed += 1;
            (ObjectKey::from(""), format!("the removing task died: {error}"))
        }
    };
    if report.named.len() < NAMED {
        report.named.push((key, why));
    }
}

async fn one(
    at_source: &ObjectKey,
    object: &ObjectMeta,
    source: &dyn ObjectStore,
    destination: &dyn ObjectStore,
    leave: &Leave,
) -> End {
    let Some(etag) = &object.etag else {
        return End::Kept("it has no tag, so its removal cannot be tied to it");
    };
    let request = HeadRequest::default();
    match patience::persist_store(leave.stop(), || source.head(at_source, &request)).await {
        Ok(_) => return End::Kept("the source has it again"),
        Err(error) if error.kind == StoreErrorKind::NotFound => {}
        Err(error) => return End::Failed(error.message),
    }
    if leave.is_revoked() {
        return End::Failed("the run was stopped before".to_owned());
    }
    match patience::persist_store(leave.stop(), || destination.delete(&object.key, Some(etag))).await {
        Ok(()) => End::Removed,
        Err(error) if error.kind == StoreErrorKind::NotFound => End::Removed,
        Err(error) if error.kind == StoreErrorKind::PreconditionFailed => {
            End::Kept("it was written since it was listed")
        }
        Err(error) => End::Failed(error.message),
    }
}
