//! One side's listing as a stream of checked chunks, fetched ahead by a task of its own.
//!
//! A listing ends with [`Item::End`] or it is incomplete: a failed page, a key outside the prefix, a page token
//! that leads round in circles and a lost task are errors, never an end. A token that the store no longer knows makes the
//! listing begin again, behind what it gave. The order is checked here; a side that is to be sorted goes through
//! [`Sorter`] first. Nothing is compared here.

use std::path::PathBuf;
use std::sync::Arc;

use longbow_core::diff::{OrderCheck, OrderViolation};
use longbow_core::failure::{FailureClass, StoreError, StoreErrorKind};
use longbow_core::object::{KeyOrder, ObjectKey, ObjectMeta, Prefix};
use longbow_core::port::{ListPage, ObjectStore, Side};
use tokio::sync::{Semaphore, mpsc};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::failure::JobsenderError;
use crate::patience::{self, Refusals};
use crate::shard;
use crate::sort::Sorter;

/// Chunks that wait for the comparison, beside the one being fetched and the one being compared.
const AHEAD: usize = 2;
/// Entries of a chunk that comes out of a sort: what a page of S3 has.
const SORTED_CHUNK: usize = 1_000;

/// Some entries of a side.
#[derive(Debug, Default)]
pub(crate) struct Chunk {
    /// Entries in the order asked for.
    pub(crate) entries: Vec<ObjectMeta>,
    /// Things that are no objects, with reasons.
    pub(crate) skipped: Vec<String>,
    /// Keys that the store has listed since the last chunk. While a side is being sorted, chunks hold only this.
    pub(crate) listed: u64,
}

/// What a listing yields.
#[derive(Debug)]
pub(crate) enum Item {
    /// More of it.
    Chunk(Chunk),
    /// All has been listed.
    End,
}

/// Why a walk over a side cannot go on.
#[derive(Debug)]
pub(crate) enum WalkError {
    /// It failed for good.
    Failed(JobsenderError),
    /// The side is in another order: to be walked in another way.
    Order(Side, OrderViolation),
}

/// What is listed.
#[derive(Clone)]
pub(crate) struct SideSource {
    /// Which side it is.
    pub(crate) side: Side,
    /// Its store.
    pub(crate) store: Arc<dyn ObjectStore>,
    /// What it lists.
    pub(crate) prefix: Prefix,
    /// The key that it begins after, for stores in byte order.
    pub(crate) after: Option<ObjectKey>,
    /// Ask for versions: what is listed without them costs less.
    pub(crate) versions: bool,
}

/// How it is listed.
pub(crate) enum Way {
    /// As the store lists it, which must be in this order.
    Checked(KeyOrder),
    /// Sorted into this order, in runs of so many bytes.
    Sorted {
        /// The order wanted.
        order: KeyOrder,
        /// Where runs are written.
        folder: PathBuf,
        /// Memory for one run.
        run_bytes: usize,
    },
}

/// A listing under way. Dropping it ends its task.
pub(crate) struct Listing {
    source: SideSource,
    items: mpsc::Receiver<Result<Item, WalkError>>,
    _task: AbortOnDropHandle<()>,
}

impl Listing {
    /// Begins to fetch.
    pub(crate) fn start(source: SideSource, way: Way, requests: usize, stop: CancellationToken) -> Self {
        let (sender, items) = mpsc::channel(AHEAD);
        let pages = Pages::new(source.clone(), stop);
        let promised = source.store.traits().order == Some(KeyOrder::Bytes);
        let task = tokio::spawn(async move {
            let end = match way {
                Way::Checked(KeyOrder::Bytes) if promised && requests > 1 => {
                    shard::walk(pages.source, requests, pages.stop, &sender).await
                }
                Way::Checked(order) => walk(pages, order, &sender).await,
                Way::Sorted { order, folder, run_bytes } => {
                    let prefix = pages.source.prefix.as_str().len();
                    let sorter = Sorter::new(folder.clone(), order, prefix, run_bytes, pages.stop.clone());
                    sort(pages, sorter, folder, &sender).await
                }
            };
            // Nobody listens when the comparison has ended before; then nobody needs to know.
            let _ = sender.send(end.map(|()| Item::End)).await;
        });
        Self { source, items, _task: AbortOnDropHandle::new(task) }
    }

    /// What has been fetched, if anything; does not wait.
    pub(crate) fn ready(&mut self) -> Option<Result<Item, WalkError>> {
        match self.items.try_recv() {
            Ok(item) => Some(item),
            Err(mpsc::error::TryRecvError::Empty) => None,
            Err(mpsc::error::TryRecvError::Disconnected) => Some(Err(self.lost())),
        }
    }

    /// What comes next. Dropping the future loses nothing.
    pub(crate) async fn next(&mut self) -> Result<Item, WalkError> {
        match self.items.recv().await {
            Some(item) => item,
            None => Err(self.lost()),
        }
    }

    fn lost(&self) -> WalkError {
        WalkError::Failed(self.source.lost())
    }
}

impl SideSource {
    /// The task that fetches is gone.
    pub(crate) fn lost(&self) -> JobsenderError {
        let error = StoreError::new(StoreErrorKind::Permanent, "the task that fetched the listing has died");
        self.fault(0, 1, error)
    }

    fn fault(&self, page: u64, attempts: u32, source: StoreError) -> JobsenderError {
        let name = self.store.traits().name;
        JobsenderError::Listing { side: self.side, name, page, attempts, source }
    }
}

/// The pages of one side, one after the other.
pub(crate) struct Pages {
    source: SideSource,
    token: Option<String>,
    number: u64,
    ended: bool,
    stop: CancellationToken,
    /// While the store has too many requests, one page at a time is asked for again.
    turn: Arc<Semaphore>,
    /// The last key that came.
    last: Option<ObjectKey>,
    /// The last key at the time when the listing began again.
    again_at: Option<ObjectKey>,
    /// How often it began again at its first key.
    rounds: u64,
}

impl Pages {
    pub(crate) fn new(source: SideSource, stop: CancellationToken) -> Self {
        Self::beside(source, stop, &Arc::new(Semaphore::new(1)))
    }

    /// The same, taking turns with other pages of the same listing.
    pub(crate) fn beside(source: SideSource, stop: CancellationToken, turn: &Arc<Semaphore>) -> Self {
        let turn = Arc::clone(turn);
        Self {
            source,
            token: None,
            number: 0,
            ended: false,
            stop,
            turn,
            last: None,
            again_at: None,
            rounds: 0,
        }
    }

    /// Whether the last page has come.
    pub(crate) fn has_ended(&self) -> bool {
        self.ended
    }

    /// The next page, proved to lie under the prefix; `None` after the last.
    pub(crate) async fn next(&mut self) -> Result<Option<ListPage>, JobsenderError> {
        if self.ended {
            return Ok(None);
        }
        self.number += 1;
        let mut page = loop {
            match self.fetch().await {
                Err(JobsenderError::Listing { source, .. }) if self.begin_again(&source) => {}
                page => break page?,
            }
        };
        if let Some(stray) = page.objects.iter().find(|o| o.key.strip(&self.source.prefix).is_none()) {
            let text = format!(
                "the store listed {}, which does not lie under {:?}",
                stray.key,
                self.source.prefix.as_str()
            );
            return Err(self.source.fault(self.number, 1, StoreError::new(StoreErrorKind::Permanent, text)));
        }
        match page.next.take() {
            Some(next) if self.token.as_ref() == Some(&next) => {
                let text =
                    "the store names the same page as the next one again, so the listing would never end";
                return Err(self.source.fault(
                    self.number,
                    1,
                    StoreError::new(StoreErrorKind::Permanent, text),
                ));
            }
            Some(next) => self.token = Some(next),
            None => self.ended = true,
        }
        self.last = page.objects.last().map(|entry| entry.key.clone()).or(self.last.take());
        Ok(Some(page))
    }

    /// Whether the listing begins again, since its token is not known any more: behind the last key where byte order is
    /// promised; elsewhere that place says nothing of what is to come, so at its first key. Not twice at one place.
    fn begin_again(&mut self, error: &StoreError) -> bool {
        let known = self.token.is_none() || self.last.is_none() || self.last == self.again_at;
        if error.kind != StoreErrorKind::NoSuchPage || known {
            return false;
        }
        tracing::warn!(side = ?self.source.side, page = self.number, %error, "the listing begins again");
        self.token = None;
        self.again_at.clone_from(&self.last);
        if self.source.store.traits().order == Some(KeyOrder::Bytes) {
            self.source.after.clone_from(&self.last);
        } else {
            self.rounds += 1;
        }
        true
    }

    /// One page, asked for again from the same token while the fault may pass.
    async fn fetch(&self) -> Result<ListPage, JobsenderError> {
        let SideSource { store, prefix, after, versions, .. } = &self.source;
        let (after, token) = (after.as_ref(), self.token.as_deref());
        let (mut attempts, mut retries) = (1, 0);
        let (mut refusals, mut turn) = (Refusals::default(), None);
        loop {
            let page = match versions {
                true => store.list_versions(prefix, after, token).await,
                false => store.list_from(prefix, after, token).await,
            };
            let error = match page {
                Ok(page) => return Ok(page),
                Err(error) => error,
            };
            tracing::debug!(side = ?self.source.side, page = self.number, attempts, %error, "a page failed");
            let again = match error.class() {
                FailureClass::Throttled if turn.is_none() && refusals.may_wait() => {
                    match self.turn.try_acquire() {
                        Ok(first) => {
                            turn = Some(first);
                            refusals.wait(&self.stop).await
                        }
                        // Whoever has the turn waits for better times: after that, no more waiting.
                        Err(_) => {
                            turn = tokio::select! {
                                biased;
                                () = self.stop.cancelled() => None,
                                turn = self.turn.acquire() => turn.ok(),
                            };
                            turn.is_some()
                        }
                    }
                }
                FailureClass::Throttled => refusals.wait(&self.stop).await,
                FailureClass::Transient if retries + 1 < patience::ATTEMPTS => {
                    retries += 1;
                    patience::wait(patience::delay(retries - 1, false), &self.stop).await
                }
                _ => false,
            };
            if !again {
                return Err(self.source.fault(self.number, attempts, error));
            }
            attempts += 1;
        }
    }
}

pub(crate) type Sender = mpsc::Sender<Result<Item, WalkError>>;

/// Sends pages as they come, as long as they are in order.
async fn walk(mut pages: Pages, order: KeyOrder, sender: &Sender) -> Result<(), WalkError> {
    let mut check = OrderCheck::new(order);
    let prefix = pages.source.prefix.as_str().len();
    // A store that does not begin where it was asked to is in another order than it promised.
    if let Some(after) = pages.source.after.as_ref().and_then(|key| key.strip(&pages.source.prefix)) {
        check.next(after).map_err(|violation| WalkError::Order(pages.source.side, violation))?;
    }
    let (mut round, mut given) = (0, None::<ObjectKey>);
    while let Some(mut page) = pages.next().await.map_err(WalkError::Failed)? {
        if pages.rounds != round {
            round = pages.rounds;
            check = OrderCheck::new(order);
        }
        for entry in &page.objects {
            check
                .next(&entry.key.as_str()[prefix..])
                .map_err(|violation| WalkError::Order(pages.source.side, violation))?;
        }
        // All of a listing that began again is in order: what is not behind the last key was given before.
        if let Some(given) = given.as_ref().filter(|_| round > 0) {
            let given = &given.as_str()[prefix..];
            page.objects.retain(|entry| order.compare(&entry.key.as_str()[prefix..], given).is_gt());
        }
        given = page.objects.last().map(|entry| entry.key.clone()).or(given);
        let listed = page.objects.len() as u64;
        let chunk = Chunk { entries: page.objects, skipped: page.skipped, listed };
        if sender.send(Ok(Item::Chunk(chunk))).await.is_err() {
            break;
        }
    }
    Ok(())
}

/// Takes in the whole listing, then sends it sorted.
async fn sort(
    mut pages: Pages,
    mut sorter: Sorter,
    folder: PathBuf,
    sender: &Sender,
) -> Result<(), WalkError> {
    let sort_fault = |source| WalkError::Failed(JobsenderError::Sort { folder: folder.clone(), source });
    let mut untold = Chunk::default();
    let (mut round, mut came, mut told) = (0, 0, 0);
    while let Some(page) = pages.next().await.map_err(WalkError::Failed)? {
        // What comes again is sorted beside itself, and taken once.
        if pages.rounds != round {
            (round, came) = (pages.rounds, 0);
        }
        came += page.objects.len() as u64;
        untold.listed += came.saturating_sub(told);
        told = told.max(came);
        untold.skipped.extend(page.skipped);
        if sorter.add(page.objects) {
            sorter = blocking(move || sorter.spill().map(|()| sorter)).await.map_err(sort_fault)?;
        }
        // Must not wait: the comparison may be waiting for the other side.
        if let Ok(room) = sender.try_reserve() {
            room.send(Ok(Item::Chunk(std::mem::take(&mut untold))));
        }
    }
    let mut merge = blocking(move || sorter.finish()).await.map_err(sort_fault)?;
    loop {
        let (entries, rest) =
            blocking(move || merge.take(SORTED_CHUNK).map(|e| (e, merge))).await.map_err(sort_fault)?;
        merge = rest;
        let last = entries.is_empty();
        let chunk = Chunk { entries, ..std::mem::take(&mut untold) };
        if sender.send(Ok(Item::Chunk(chunk))).await.is_err() || last {
            return Ok(());
        }
    }
}

/// Runs what blocks on a thread made for it.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> std::io::Result<T> + Send + 'static,
) -> std::io::Result<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(end) => end,
        Err(error) => Err(std::io::Error::other(error)),
    }
}
