//! What the state file remembers of earlier runs over the same route, and the name of this one.

use longbow_core::failure::BackendError;
use longbow_core::job::TransferId;
use longbow_core::object::{KeyOrder, Timestamp};
use longbow_core::port::JobQueue as _;
use longbow_jobsender::JobsenderSummary;
use longbow_local::Database;

use crate::command::route::Sides;
use crate::exit::CommandError;

const SOURCE_ORDER: &str = "source-order";
const DESTINATION_ORDER: &str = "destination-order";

/// What is left of earlier runs.
pub(super) struct Memory {
    /// Jobs that wait.
    pub(super) jobs: u64,
    /// The run that left them: its name is kept, so that the comparison makes the very same jobs again, which the queue
    /// then knows.
    pub(super) transfer: Option<TransferId>,
    /// When the run began that did not come to its end.
    pub(super) interrupted: Option<Timestamp>,
    /// Orders of listings, as found out.
    pub(super) source_order: Option<KeyOrder>,
    pub(super) destination_order: Option<KeyOrder>,
}

impl Memory {
    /// Whether objects have to be told apart to be counted once: jobs are left over, or the comparison may begin
    /// again since the order of a listing is not known.
    pub(super) fn needs_tracking(&self, sides: &Sides) -> bool {
        let source = sides.source.traits.order.or(self.source_order);
        let destination = sides.destination.traits.order.or(self.destination_order);
        self.jobs > 0 || source.is_none() || destination.is_none()
    }
}

/// Recalls what is there, and lets folders list in the order of the other side.
pub(super) async fn recall(database: &Database, sides: &mut Sides) -> Result<Memory, CommandError> {
    let notes = database.notes();
    let depth = database.queue().depth().await.map_err(failed)?;
    let order = async |name| {
        let text = notes.get(name).await.map_err(failed)?;
        Ok::<_, CommandError>(text.and_then(|t| serde_json::from_value::<KeyOrder>(t.into()).ok()))
    };
    let jobs = depth.visible + depth.in_flight + depth.delayed;
    let last = if jobs > 0 { database.last_transfer().await.map_err(failed)? } else { None };
    let memory = Memory {
        jobs,
        transfer: last.map(|t| t.id),
        interrupted: database.interrupted_before().map(|t| t.started),
        source_order: order(SOURCE_ORDER).await?,
        destination_order: order(DESTINATION_ORDER).await?,
    };
    if let Some(order) =
        sides.source.traits.order.filter(|_| !sides.source.traits.folder).or(memory.source_order)
    {
        sides.destination.list_in(order);
    }
    let destination = &sides.destination.traits;
    if let Some(order) = destination.order.filter(|_| !destination.folder).or(memory.destination_order) {
        sides.source.list_in(order);
    }
    Ok(memory)
}

/// Notes what this run found out. A failure costs the next run a little time, no more.
pub(super) async fn remember(database: &Database, sides: &Sides, summary: &JobsenderSummary) {
    let notes = database.notes();
    for (name, side, order) in [
        (SOURCE_ORDER, &sides.source, summary.source_order),
        (DESTINATION_ORDER, &sides.destination, summary.destination_order),
    ] {
        // A folder lists in any order, and a promise need not be remembered.
        if side.traits.order.is_some() {
            continue;
        }
        let text = serde_json::to_value(order).ok().and_then(|v| v.as_str().map(str::to_owned));
        if let Err(error) = notes.set(name, &text.unwrap_or_default()).await {
            tracing::warn!("the order of a listing could not be noted: {error}");
        }
    }
}

/// A failure of the state that ends the run.
#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
pub(super) fn failed(error: BackendError) -> CommandError {
    CommandError::Failed(format!("the state file failed: {error}"))
}
