//! The one log line of an object: all that there is to say of how it ended, in fields that stay.
//!
//! Apart, because its fields are a promise: `docs/LOGGING.md` lists them with their units, and a test compares both. It
//! costs nothing where the level is off. The report that it tells is made in `settle`.

use longbow_core::job::{CopyMethod, Proof, Report};

/// Where the object came along.
#[derive(Debug, Clone, Copy, Default)]
pub struct ObjectOf<'a> {
    /// The name of its route, where routes have names.
    pub route: Option<&'a str>,
    /// The queue's own name of the message that asked for it.
    pub message_id: Option<&'a str>,
    /// How often that message was delivered; 0: there was none.
    pub deliveries: u32,
}

/// Logs an object that has ended, at `info` with the target `longbow::object`. Called once for each.
pub fn log_object(report: &Report, of: &ObjectOf<'_>) {
    tracing::info!(
        target: "longbow::object",
        {
        object.key = report.key.as_str(),
        object.destination_key = report.destination_key.as_str(),
        object.size = report.size,
        object.version = report.version.as_ref().map(|v| v.0.as_str()),
        object.etag = report.source_etag.as_ref().map(|tag| tag.as_str()),
        object.destination_etag = report.destination_etag.as_ref().map(|tag| tag.as_str()),
        route.name = of.route,
        transfer.id = report.transfer.as_ref().map(|id| id.0.as_str()),
        job.message_id = of.message_id,
        job.deliveries = (of.deliveries > 0).then_some(of.deliveries),
        job.attempts = report.attempts,
        outcome = report.outcome.as_str(),
        reason = report.reason.as_str(),
        copy.method = report.method.map(CopyMethod::as_str),
        copy.proof = report.proof.map(Proof::as_str),
        copy.parts = report.parts,
        copy.parts_reused = report.parts_reused,
        copy.bytes_read = report.bytes_read,
        copy.bytes_sent = report.bytes_sent,
        copy.lost = (!report.lost.is_empty()).then(|| tracing::field::display(report.lost.join("; "))),
        duration_ms = report.milliseconds,
        failure.class = report.failure.map(tracing::field::display),
        source.request_id = report.requests.source.as_deref(),
        destination.request_id = report.requests.destination.as_deref(),
        },
        "object settled"
    );
}
