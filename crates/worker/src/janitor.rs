//! The janitor: finds uploads of a route's own that nobody works on any more, and aborts them, since the store keeps and
//! bills their parts until somebody does.
//!
//! Apart, because it goes by what the store lists and not by a delivery. It never touches an upload that the state does
//! not prove to be this route's: other programs upload under the same prefix.
//!
//! | the upload | the state says | then |
//! |---|---|---|
//! | is young, or of unknown age | – | left |
//! | is old | its record names it and changed lately | left: somebody works on it |
//! | is old | its record names it and is old | the record lets go of it, then it is aborted |
//! | is old | parts of it are remembered, and the record does not name it | aborted: a superseded or failed attempt's |
//! | is old | the record, not changed lately, tells of an upload about to begin just then | aborted: its name was lost |
//! | is old | nothing of these | left: somebody else's |
//!
//! **Why the record comes first.** Between the look and the abort a worker may take the job up again. If it loads the
//! record after the swap, it finds no upload and begins a new one. If it loaded the record before, it may send parts to
//! the upload, and its next change of the record is refused: it is superseded, leaves everything as it is, and the job
//! comes back. If it had completed the upload by then, there is nothing to abort, and the next attempt finds the object
//! there. A swap that is refused means that somebody works on the object: the upload is left. After a crash between swap
//! and abort the remembered parts still tell whose the upload is, so they are forgotten last.
//!
//! **Why the other two rows need no swap.** An attempt that works on an upload without its record naming it began it
//! itself, within one reception, and no reception lasts longer than [`LEAST_AGE`]. An upload whose name was lost cannot
//! be taken up by anybody.

use std::convert::Infallible;
use std::time::Duration;

use longbow_core::failure::{BackendError, FailureClass, StoreError, StoreErrorKind};
use longbow_core::job::{ObjectRecord, RecordEvent, RecordState, next};
use longbow_core::object::{ObjectKey, Timestamp};
use longbow_core::port::{Counted, ListedUpload, Stored, SwapError};
use tokio_util::sync::CancellationToken;

use crate::WorkerPorts;
use crate::node::{Node, Ways};

/// SQS ends every reception after twelve hours (SQS Developer Guide, "Visibility timeout"): an upload that is older and
/// that no record names is nobody's work.
pub const LEAST_AGE: Duration = Duration::from_secs(12 * 3600);

/// The first look comes within this time after the start, each worker at a moment of its own.
const FIRST: Duration = Duration::from_secs(3600);

/// Between looks.
const ROUND: Duration = Duration::from_secs(24 * 3600);

/// Records that are asked for with one call.
const BATCH: usize = 100;

/// What a look at one route's uploads came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SweepReport {
    /// Unfinished uploads under the destination prefix. Each is aborted, left or failed.
    pub seen: u64,
    /// Of these, known to be of this route and old enough, whether or not somebody works on them.
    pub own: u64,
    /// Aborted.
    pub aborted: u64,
    /// Not touched: young, somebody else's, or in work.
    pub left: u64,
    /// Could not be aborted; the next look finds them again where parts of them are remembered.
    pub failed: u64,
    /// The look was broken off, since the worker stops.
    pub stopped: bool,
}

/// Why a look could not be finished.
#[derive(Debug, thiserror::Error)]
pub enum SweepError {
    /// The destination did not list its uploads.
    #[error("the unfinished uploads cannot be listed: {0}")]
    Store(StoreError),
    /// The state store failed.
    #[error("what is remembered of unfinished uploads cannot be read: {0}")]
    State(#[from] BackendError),
}

/// Looks at all unfinished uploads of a route's destination once, page by page, and aborts the route's own that nobody
/// has worked on for `age` (at least [`LEAST_AGE`]). Makes one request at a time. Ends at once when `stop` is cancelled,
/// wherever it is.
///
/// # Errors
/// When the uploads cannot be listed or the state store fails. What was done until then stays done.
pub async fn sweep_uploads(
    ports: &WorkerPorts,
    age: Duration,
    stop: &CancellationToken,
) -> Result<SweepReport, SweepError> {
    let mut report = SweepReport::default();
    let mut sweep = Sweep::new(ports, age, &mut report);
    let swept = tokio::select! {
        biased;
        () = stop.cancelled() => None,
        swept = sweep.run() => Some(swept),
    };
    match swept {
        Some(Err(error)) => Err(error),
        Some(Ok(())) => Ok(report),
        None => Ok(SweepReport { stopped: true, ..report }),
    }
}

/// One look.
struct Sweep<'a> {
    ports: &'a WorkerPorts,
    /// What happened before this moment is old.
    before: Timestamp,
    report: &'a mut SweepReport,
}

/// Whose an old upload is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Whose {
    /// The record names it, and somebody may be working on it.
    InWork,
    /// The record names it.
    Named,
    /// An attempt's that the record does not name any more.
    Superseded,
    /// An attempt's that never heard its name.
    Lost,
    /// Somebody else's, as far as anybody knows.
    Foreign,
}

impl<'a> Sweep<'a> {
    fn new(ports: &'a WorkerPorts, age: Duration, report: &'a mut SweepReport) -> Self {
        let age = i64::try_from(age.max(LEAST_AGE).as_millis()).unwrap_or(i64::MAX);
        Self { ports, before: ports.clock.now().plus(-age), report }
    }

    async fn run(&mut self) -> Result<(), SweepError> {
        let prefix = self.ports.route.destination_prefix();
        let mut marker = None;
        loop {
            let page = self.ports.destination.uploads_page(&prefix, marker.as_ref()).await;
            let page = page.map_err(SweepError::Store)?;
            self.report.seen += page.uploads.len() as u64;
            let mut old = Vec::new();
            for upload in page.uploads {
                // The subject of an object is its name below either prefix.
                match upload.key.strip(&prefix) {
                    Some(name) if upload.initiated.is_some_and(|t| t < self.before) => {
                        old.push((ObjectKey::from(name), upload));
                    }
                    _ => self.report.left += 1,
                }
            }
            for batch in old.chunks(BATCH) {
                let subjects = batch.iter().map(|(subject, _)| subject.clone()).collect();
                let records = self.ports.state.load_many(subjects).await?;
                for ((subject, upload), stored) in batch.iter().zip(records) {
                    self.look(subject, upload, stored).await?;
                }
            }
            marker = page.next;
            if marker.is_none() {
                return Ok(());
            }
        }
    }

    async fn look(
        &mut self,
        subject: &ObjectKey,
        upload: &ListedUpload,
        stored: Option<Stored>,
    ) -> Result<(), BackendError> {
        let record = stored.as_ref().map(|stored| &stored.record);
        let whose = self.whose(subject, upload, record).await?;
        self.report.own += u64::from(whose != Whose::Foreign);
        let goes = match (whose, stored) {
            (Whose::Foreign | Whose::InWork, _) => false,
            (Whose::Named, Some(stored)) => self.let_go(subject, stored).await?,
            (Whose::Named | Whose::Superseded | Whose::Lost, _) => true,
        };
        if !goes {
            self.report.left += 1;
            return Ok(());
        }
        let (key, name) = (&upload.key, &upload.upload.0);
        match self.ports.destination.abort_upload(key, &upload.upload).await {
            Ok(()) => {}
            Err(error) if error.kind == StoreErrorKind::NoSuchUpload => {}
            Err(error) => {
                self.report.failed += 1;
                tracing::warn!(%key, upload = name, %error, "an upload that was left behind could not be aborted");
                return Ok(());
            }
        }
        self.report.aborted += 1;
        self.ports.observer.counted(Counted::UploadAborted, 1);
        tracing::info!(%key, upload = name, initiated = ?upload.initiated, ?whose, "an upload that was left behind is aborted");
        self.ports.state.forget_parts(subject, &upload.upload).await
    }

    async fn whose(
        &self,
        subject: &ObjectKey,
        upload: &ListedUpload,
        record: Option<&ObjectRecord>,
    ) -> Result<Whose, BackendError> {
        let idle = record.is_none_or(|r| r.updated < self.before);
        if record.and_then(ObjectRecord::upload).is_some_and(|named| named.upload == upload.upload) {
            return Ok(if idle { Whose::Named } else { Whose::InWork });
        }
        let intended = record.and_then(ObjectRecord::intended_upload);
        if let Some((intended, initiated)) = intended.zip(upload.initiated)
            && intended.may_have_become(initiated)
        {
            return Ok(if idle { Whose::Lost } else { Whose::InWork });
        }
        let parts = self.ports.state.parts(subject, &upload.upload).await?;
        Ok(if parts.is_empty() { Whose::Foreign } else { Whose::Superseded })
    }

    /// Makes the record let go of its upload. `false`: somebody else was faster, and works on the object.
    async fn let_go(&self, subject: &ObjectKey, stored: Stored) -> Result<bool, BackendError> {
        let Stored { version, record } = stored;
        // What the last attempt failed of stays to be read.
        let (class, reason) = match &record.state {
            RecordState::Waiting { class, reason, .. } => (*class, reason.clone()),
            _ => (FailureClass::Interrupted, "nobody has gone on with its upload".to_owned()),
        };
        let event = RecordEvent::AttemptFailed { class, reason, counted: false, keep_upload: false };
        let Ok(after) = next(Some(&record), &record.source, event, self.ports.clock.now()) else {
            return Ok(false);
        };
        match self.ports.state.swap(subject, Some(version), after).await {
            Ok(_) => Ok(true),
            Err(SwapError::Conflict) => Ok(false),
            Err(SwapError::Backend(error)) => Err(error),
        }
    }
}

/// Looks at each route in turn, soon after the start and every day, until `stop`. Never returns: whoever runs it beside
/// something else drops it. Only a fleet's worker does it, and only where the options say so.
pub(crate) async fn keep(node: &Node, stop: &CancellationToken) -> Infallible {
    if let (Ways::Table(table), Some(age)) = (&node.ways, node.options.sweep_uploads) {
        let mut routes: Vec<_> =
            table.by_name.iter().map(|(name, shared)| (name, shared, Told::No)).collect();
        routes.sort_by_key(|(name, ..)| *name);
        let rounds = async {
            tokio::time::sleep(FIRST.mul_f64(node.options.chance.draw())).await;
            loop {
                for (name, shared, told) in &mut routes {
                    if *told != Told::Never {
                        let swept = sweep_uploads(&shared.ports, age, stop).await;
                        *told = tell(node, name.as_str(), swept, *told);
                    }
                }
                tokio::time::sleep(ROUND).await;
            }
        };
        tokio::select! {
            biased;
            () = stop.cancelled() => {}
            () = rounds => {}
        }
    }
    std::future::pending().await
}

/// Whether somebody was told that a route cannot be swept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Told {
    No,
    Yes,
    /// It never will be: the store does not list uploads.
    Never,
}

fn tell(node: &Node, route: &str, swept: Result<SweepReport, SweepError>, told: Told) -> Told {
    match swept {
        Ok(SweepReport { seen, own, aborted, left, failed, stopped }) => {
            tracing::info!(
                route,
                seen,
                own,
                aborted,
                left,
                failed,
                stopped,
                "looked for uploads left behind"
            );
            Told::No
        }
        Err(error) => {
            tracing::warn!(route, %error, "uploads left behind cannot be looked for");
            let for_ever =
                matches!(&error, SweepError::Store(StoreError { kind: StoreErrorKind::Unsupported(_), .. }));
            if told == Told::No {
                node.observer.notice(&format!(
                    "uploads that were left behind are not cleared away on the route {route}: {error}. A lifecycle rule \
                     of the bucket (AbortIncompleteMultipartUpload) can do it"
                ));
            }
            if for_ever { Told::Never } else { Told::Yes }
        }
    }
}
