//! Walking both sides in step: what each name has on either side, in order, from start to end. Apart from what is
//! made of it, since `verify` asks the same question as the jobsender and sends no jobs.
//!
//! Which order the walk takes, and when it begins again in another, is decided by `order`; this file carries it out.

use std::path::PathBuf;
use std::sync::Arc;
use std::vec;

use async_trait::async_trait;
use longbow_core::diff::{Step, step};
use longbow_core::object::{KeyOrder, ObjectMeta};
use longbow_core::port::{ObjectStore, Observer, Side};
use longbow_core::route::Route;
use longbow_core::selection::KeySelection;
use tokio_util::sync::CancellationToken;

use crate::failure::{JobsenderError, side_name};
use crate::listing::{Item, Listing, SideSource, WalkError, Way};
use crate::order::{SideOrder, Walk, choose, in_bytes};
use crate::sort;
use crate::summary::{SHOWN_NAMES, SidesSummary};

/// Events that are handed on together at most.
const BATCH: usize = 1_000;

/// The two sides of a comparison.
pub struct Sides {
    /// Where objects come from.
    pub source: Arc<dyn ObjectStore>,
    /// Where they go.
    pub destination: Arc<dyn ObjectStore>,
    /// The prefixes of both.
    pub route: Route,
    /// Which names take part, on both sides.
    pub selection: KeySelection,
    /// The source's order as an earlier run found it; a promise of the store goes before it.
    pub source_order: Option<KeyOrder>,
    /// The same of the destination.
    pub destination_order: Option<KeyOrder>,
    /// The folder for sorting on disk. Made when it is needed.
    pub spill: PathBuf,
    /// Is told of listed keys and of what is unusual.
    pub observer: Arc<dyn Observer>,
}

/// What a name has on both sides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PairEvent {
    /// Both have it: the source's entry, the destination's entry.
    Both(ObjectMeta, ObjectMeta),
    /// Only the source has it.
    SourceOnly(ObjectMeta),
    /// Only the destination has it. True only of the moment of listing, and final only when the comparison has
    /// come to its end.
    DestinationOnly(ObjectMeta),
}

/// Takes what the comparison finds.
#[async_trait]
pub trait PairSink: Send {
    /// Takes pairs in order. The comparison goes on when this returns; the listings go on meanwhile.
    async fn pairs(&mut self, batch: Vec<PairEvent>) -> Result<(), JobsenderError>;

    /// The comparison begins again from the first name: what was taken so far is void.
    async fn restart(&mut self) -> Result<(), JobsenderError>;

    /// The comparison has to wait for a listing: a good moment to pass on what was gathered.
    async fn pause(&mut self) -> Result<(), JobsenderError> {
        Ok(())
    }

    /// The selection leaves this source object out.
    fn excluded(&mut self, source: &ObjectMeta, destination: Option<&ObjectMeta>) {
        let _ = (source, destination);
    }
}

/// Compares two sides from the first name to the last, in memory that does not depend on how many there are.
///
/// Names that the selection leaves out are no events on either side. The marker of the prefix itself (the key `p/`
/// under the prefix `p/`) is never a destination-only object; at the source it takes part where the destination can
/// hold it. A failed page, an entry outside the prefix and a failed sort are errors: what the sink was given then
/// says nothing about the names that did not come. On `stop` the answer has `stopped` set, and the same holds.
pub async fn compare_sides(
    sides: &Sides,
    stop: &CancellationToken,
    sink: &mut dyn PairSink,
) -> Result<SidesSummary, JobsenderError> {
    compare_planned(sides, stop, sink, WalkPlan::default()).await
}

/// How a comparison is walked, beside what it compares.
#[derive(Debug, Clone)]
pub(crate) struct WalkPlan {
    /// Memory for one sorted run, in bytes.
    pub(crate) run_bytes: usize,
    /// The name after which the comparison begins. Only where both stores promise byte order, and void as soon as one
    /// of them breaks it.
    pub(crate) after: Option<String>,
    /// The source is listed by versions, and both sides are walked in byte order, as records are kept.
    pub(crate) versions: bool,
    /// Requests at once for each listing whose store promises byte order.
    pub(crate) requests: usize,
}

impl Default for WalkPlan {
    fn default() -> Self {
        Self { run_bytes: sort::RUN_BYTES, after: None, versions: false, requests: 1 }
    }
}

/// The same by a plan.
pub(crate) async fn compare_planned(
    sides: &Sides,
    stop: &CancellationToken,
    sink: &mut dyn PairSink,
    mut plan: WalkPlan,
) -> Result<SidesSummary, JobsenderError> {
    let mut source = SideOrder::new(sides.source.traits().order, sides.source_order);
    let mut destination = SideOrder::new(sides.destination.traits().order, sides.destination_order);
    let mut told = Vec::new();
    loop {
        let walk = match plan.versions {
            true => in_bytes(&source, &destination),
            false => choose(&source, &destination),
        };
        for text in notices(sides, walk, &source, &destination) {
            if !told.contains(&text) {
                sides.observer.notice(&text);
                told.push(text);
            }
        }
        let merge = Merge {
            source: Cursor::start(sides, Side::Source, walk, &plan, stop),
            destination: Cursor::start(sides, Side::Destination, walk, &plan, stop),
            sides,
            skipped_names: Vec::new(),
            skipped_count: 0,
            events: Vec::new(),
        };
        match merge.run(walk.order, stop, sink).await {
            Ok((merge, stopped)) => {
                return Ok(SidesSummary {
                    source_listed: merge.source.listed,
                    destination_listed: merge.destination.listed,
                    source_order: source.native(walk.order),
                    destination_order: destination.native(walk.order),
                    sorted_on_disk: [Side::Source, Side::Destination]
                        .into_iter()
                        .filter(|s| walk.sorts(*s))
                        .collect(),
                    skipped_names: merge.skipped_names,
                    skipped_count: merge.skipped_count,
                    stopped,
                });
            }
            Err(WalkError::Failed(error)) => return Err(error),
            Err(WalkError::Order(side, violation)) => {
                tracing::info!(?side, %violation, order = ?walk.order, "the comparison begins again");
                match side {
                    Side::Source => source.refute(walk.order, &violation),
                    Side::Destination => destination.refute(walk.order, &violation),
                }
                plan = WalkPlan { after: None, requests: 1, ..plan };
                sides.observer.comparison_restarted();
                sink.restart().await?;
            }
        }
    }
}

/// What is unusual about a walk, in words.
fn notices(sides: &Sides, walk: Walk, source: &SideOrder, destination: &SideOrder) -> Vec<String> {
    let both = [(Side::Source, &sides.source, source), (Side::Destination, &sides.destination, destination)];
    let mut texts = Vec::new();
    for (side, store, order) in both {
        let name = format!("the {} {}", side_name(side), store.traits().name);
        if walk.sorts(side) {
            let how = match (order.is_hopeless(), order.native(walk.order)) {
                (true, _) => "in no order that longbow knows",
                (false, KeyOrder::Folders) => "in folder order, which the other side does not share",
                (false, KeyOrder::Bytes) => "in byte order, which the other side does not share",
            };
            texts.push(format!(
                "{name} lists keys {how}; its listing is sorted before it is compared, on disk when it is long"
            ));
        } else if walk.order == KeyOrder::Folders && order.refuted(KeyOrder::Bytes) {
            texts.push(format!(
                "{name} lists keys in folder order (a/b before a-b), so both sides are compared in it"
            ));
        }
    }
    texts
}

/// One side of the walk: the chunk at hand and the listing behind it.
struct Cursor {
    listing: Listing,
    chunk: vec::IntoIter<ObjectMeta>,
    prefix: usize,
    listed: u64,
    ended: bool,
}

impl Cursor {
    fn start(sides: &Sides, side: Side, walk: Walk, plan: &WalkPlan, stop: &CancellationToken) -> Self {
        let (store, prefix) = match side {
            Side::Source => (&sides.source, sides.route.source_prefix()),
            Side::Destination => (&sides.destination, sides.route.destination_prefix()),
        };
        let way = if walk.sorts(side) {
            Way::Sorted { order: walk.order, folder: sides.spill.clone(), run_bytes: plan.run_bytes }
        } else {
            Way::Checked(walk.order)
        };
        let length = prefix.as_str().len();
        let after = plan.after.as_ref().map(|name| prefix.join(name));
        let versions = plan.versions && side == Side::Source;
        let source = SideSource { side, store: store.clone(), prefix, after, versions };
        let listing = Listing::start(source, way, plan.requests, stop.clone());
        Self { listing, chunk: Vec::new().into_iter(), prefix: length, listed: 0, ended: false }
    }

    /// The name of the next entry.
    fn name(&self) -> Option<&str> {
        self.chunk.as_slice().first().map(|entry| &entry.key.as_str()[self.prefix..])
    }

    fn is_hungry(&self) -> bool {
        !self.ended && self.chunk.as_slice().is_empty()
    }
}

/// The walk over both sides.
struct Merge<'a> {
    source: Cursor,
    destination: Cursor,
    sides: &'a Sides,
    skipped_names: Vec<String>,
    skipped_count: u64,
    events: Vec<PairEvent>,
}

impl Merge<'_> {
    /// Walks to the end; `true` when stopped before it.
    async fn run(
        mut self,
        order: KeyOrder,
        stop: &CancellationToken,
        sink: &mut dyn PairSink,
    ) -> Result<(Self, bool), WalkError> {
        let everything = self.sides.selection.is_everything();
        // A source's own marker (an empty name) has no key where the destination's prefix is empty.
        let nameless_goes = !self.sides.route.destination_prefix().as_str().is_empty();
        loop {
            if !(self.feed(Side::Source, stop, sink).await?
                && self.feed(Side::Destination, stop, sink).await?)
            {
                return Ok((self, true));
            }
            if self.events.len() >= BATCH {
                self.flush(sink).await?;
            }
            let (left, right) = (self.source.name(), self.destination.name());
            let next = step(order, left, right);
            let name = match next {
                Step::End => break,
                Step::Source | Step::Both => left,
                Step::Destination => right,
            };
            let selected = everything || name.is_some_and(|name| self.sides.selection.selects_name(name));
            let nameless = name.is_some_and(str::is_empty);
            let source = if next == Step::Destination { None } else { self.source.chunk.next() };
            let destination = if next == Step::Source { None } else { self.destination.chunk.next() };
            match (source, destination) {
                (Some(source), _) if nameless && !nameless_goes => {
                    let why = "the marker of the source's own prefix has no name at the destination";
                    self.skip(format!("{}: {why}", source.key));
                }
                (Some(source), destination) if !selected => sink.excluded(&source, destination.as_ref()),
                (Some(source), Some(destination)) => self.events.push(PairEvent::Both(source, destination)),
                (Some(source), None) => self.events.push(PairEvent::SourceOnly(source)),
                (None, Some(destination)) if selected && !nameless => {
                    self.events.push(PairEvent::DestinationOnly(destination));
                }
                (None, _) => {}
            }
        }
        self.flush(sink).await?;
        Ok((self, false))
    }

    /// Makes sure that a side has a next entry or has ended; `false` when stopped.
    async fn feed(
        &mut self,
        side: Side,
        stop: &CancellationToken,
        sink: &mut dyn PairSink,
    ) -> Result<bool, WalkError> {
        while self.cursor(side).is_hungry() {
            if stop.is_cancelled() {
                return Ok(false);
            }
            let item = match self.cursor(side).listing.ready() {
                Some(item) => item,
                None => {
                    self.flush(sink).await?;
                    sink.pause().await.map_err(WalkError::Failed)?;
                    tokio::select! {
                        biased;
                        () = stop.cancelled() => return Ok(false),
                        item = self.cursor(side).listing.next() => item,
                    }
                }
            };
            // A retry that the stop cut short is no failure.
            if item.is_err() && stop.is_cancelled() {
                return Ok(false);
            }
            self.take(side, item?);
        }
        Ok(true)
    }

    fn cursor(&mut self, side: Side) -> &mut Cursor {
        match side {
            Side::Source => &mut self.source,
            Side::Destination => &mut self.destination,
        }
    }

    fn take(&mut self, side: Side, item: Item) {
        let observer = &self.sides.observer;
        match item {
            Item::End => {
                observer.listing_complete(side);
                self.cursor(side).ended = true;
            }
            Item::Chunk(chunk) => {
                if chunk.listed > 0 {
                    observer.listed(side, chunk.listed);
                }
                for text in chunk.skipped {
                    self.skip(text);
                }
                let cursor = self.cursor(side);
                cursor.listed += chunk.listed;
                cursor.chunk = chunk.entries.into_iter();
            }
        }
    }

    fn skip(&mut self, text: String) {
        self.skipped_count += 1;
        if self.skipped_names.len() < SHOWN_NAMES {
            self.skipped_names.push(text);
        }
    }

    async fn flush(&mut self, sink: &mut dyn PairSink) -> Result<(), WalkError> {
        if self.events.is_empty() {
            return Ok(());
        }
        sink.pairs(std::mem::take(&mut self.events)).await.map_err(WalkError::Failed)
    }
}
