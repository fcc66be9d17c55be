//! A manifest as the source of jobs, instead of two listings: every object it names gets a job.
//!
//! Nothing is asked of either store: the worker looks at both sides. What a line says of size and tag is a hint; the
//! version, where it names one, is what is copied. Nothing is removed on the word of a manifest.

use std::future::poll_fn;

use longbow_core::job::{CopyJob, Observation, SourceVersion, TransferId};
use longbow_core::manifest::{
    Item, LineFault, ManifestCounts, ManifestEntry, ManifestOptions, ManifestParser,
};
use longbow_core::object::ObjectKey;
use longbow_core::port::BodyStream;
use longbow_core::routes::NamedRoute;

use super::lease::Leave;
use crate::failure::JobsenderError;
use crate::outlet::Outlet;

/// Faulty lines that are kept to be shown.
const SHOWN: usize = 100;

/// A manifest to read.
pub struct Manifest {
    /// How it is read. The source is the route's, whatever stands here.
    pub options: ManifestOptions,
    /// Its bytes, in chunks of any size.
    pub bytes: BodyStream,
}

/// What a manifest gave.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ManifestReport {
    /// Lines by what became of them.
    pub counts: ManifestCounts,
    /// Objects that the selection leaves out, of `counts.entries`.
    pub ignored: u64,
    /// The first hundred lines that gave no object.
    pub faults: Vec<LineFault>,
}

/// Reads a manifest to its end and makes a job of each object; `true` with the report when stopped before.
///
/// What was read before an error stands in the report.
pub(crate) async fn send_all(
    manifest: Manifest,
    route: &NamedRoute,
    transfer: &TransferId,
    outlet: &mut impl Outlet,
    leave: &Leave,
    report: &mut ManifestReport,
) -> Result<bool, JobsenderError> {
    let Manifest { mut options, mut bytes } = manifest;
    options.source = route.route.source.clone();
    let mut parser = ManifestParser::new(options);
    let mut items = Vec::new();
    loop {
        let chunk = tokio::select! {
            biased;
            () = leave.stop().cancelled() => return Ok(true),
            chunk = poll_fn(|cx| bytes.as_mut().poll_next(cx)) => chunk,
        };
        match chunk {
            Some(Ok(chunk)) => {
                // A few records at a time, whatever the size of the chunks.
                for piece in chunk.chunks(64 * 1024) {
                    parser.push(piece, &mut items);
                    report.counts = parser.counts();
                    take(&mut items, route, transfer, outlet, report).await?;
                }
            }
            Some(Err(error)) => {
                report.counts = parser.counts();
                return Err(JobsenderError::Manifest(error));
            }
            None => break,
        }
    }
    report.counts = parser.finish(&mut items);
    take(&mut items, route, transfer, outlet, report).await?;
    Ok(false)
}

async fn take(
    items: &mut Vec<Item>,
    route: &NamedRoute,
    transfer: &TransferId,
    outlet: &mut impl Outlet,
    report: &mut ManifestReport,
) -> Result<(), JobsenderError> {
    for item in items.drain(..) {
        match item {
            Item::Fault(fault) => {
                if report.faults.len() < SHOWN {
                    tracing::warn!(%fault, route = %route.name, "a line of the manifest gives no object");
                    report.faults.push(fault);
                }
            }
            Item::Entry(entry) if !route.selection.selects(&entry.key) => {
                report.ignored += 1;
                outlet.ignored(&entry.key);
            }
            Item::Entry(entry) => {
                let (source, destination) = (route.route.source_prefix(), route.route.map(&entry.key));
                // The parser refuses keys outside the source, so both are there.
                if let (Some(name), Some(destination)) = (entry.key.strip(&source), destination) {
                    let subject = ObjectKey::new(name);
                    outlet.push(subject, job(entry, destination, transfer)).await?;
                }
            }
        }
    }
    Ok(())
}

fn job(entry: ManifestEntry, destination: ObjectKey, transfer: &TransferId) -> CopyJob {
    let ManifestEntry { key, version, size, etag, .. } = entry;
    CopyJob {
        source: key,
        destination,
        object: SourceVersion { size: size.unwrap_or(0), etag, version, modified: None },
        observed: Observation::Unknown,
        inspect: false,
        transfer: transfer.clone(),
    }
}
