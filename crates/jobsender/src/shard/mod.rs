//! One listing read in several places at once, given out in order.
//!
//! The key space is cut into shards that tile it: each lists what comes after its lower end and drops what lies beyond its
//! upper end, so no boundary can lose a key or give it twice. Boundaries are not known before: an idle request cuts the
//! rest of the shard that the comparison waits for, so they come to lie where the keys are, with or without `/` in them.
//! A shard reads a few pages ahead and then waits, so memory does not grow with the listing.
//!
//! For stores in byte order that can begin a listing after a key; the others are read from start to end as ever. A
//! failed page anywhere fails the listing.

mod alphabet;
mod split;

use std::collections::VecDeque;
use std::sync::Arc;

use longbow_core::diff::{OrderCheck, OrderViolation};
use longbow_core::failure::StoreErrorKind;
use longbow_core::object::KeyOrder;
use longbow_core::port::ListPage;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use alphabet::Alphabet;
use split::{LONG, LastPage, between};

use crate::failure::JobsenderError;
use crate::listing::{Chunk, Item, Pages, Sender, SideSource, WalkError};

/// Pages that a shard holds at most, beside the one on its way.
const AHEAD: usize = 3;
/// Shards beyond the requests at once. Each cut halves what is left, so few shards lie far ahead.
const FAR: usize = 24;
/// Cuts that found nothing are a quarter of all pages at most, and these.
const FREE_MISSES: u64 = 12;

/// A shard that seems to be nearly at its end, and is not after so many pages, is cut all the same.
const WRONG: u32 = 3;
/// Names of a page that are looked at for their characters, about.
const SAMPLE: usize = 64;

/// A part of the listing: names after where its pages begin, up to `upto`.
struct Shard {
    id: u64,
    /// Absent while a page of it is on its way.
    pages: Option<Pages>,
    /// The last name that may come from it; `None` for all that follow.
    upto: Option<String>,
    /// The name read last, or the one that it begins after.
    last: Option<String>,
    ready: VecDeque<Chunk>,
    ended: bool,
    /// Made by a cut, and no page has come yet.
    unproved: bool,
    /// What its last page was like.
    page: Option<LastPage>,
    /// Pages that have come since it was cut last.
    since_cut: u32,
}

impl Shard {
    /// Whether more follows than the pages that come next, as far as can be guessed. Where it can, the shard may be cut
    /// as often as it is worth it; else once a page.
    fn is_worth_a_cut(&self) -> bool {
        let Some(page) = &self.page else { return false };
        if self.ended || self.ready.len() >= AHEAD {
            return false;
        }
        let upto = self.upto.as_deref();
        match upto.and_then(|upto| page.alphabet.pages_left(&page.first, &page.last, upto)) {
            Some(pages) => pages > LONG || self.since_cut >= WRONG,
            None => self.since_cut > 0,
        }
    }
}

struct Shards {
    source: SideSource,
    stop: CancellationToken,
    requests: usize,
    shards: VecDeque<Shard>,
    calls: JoinSet<(u64, Pages, Result<Option<ListPage>, JobsenderError>)>,
    next_id: u64,
    pages: u64,
    misses: u64,
    /// Whether the store can begin after a key, once that is known.
    can_begin: Option<bool>,
    /// For pages that the store has refused because there are too many.
    turn: Arc<Semaphore>,
}

/// Sends the listing as it comes, in order, with `requests` pages on their way at most.
pub(crate) async fn walk(
    source: SideSource,
    requests: usize,
    stop: CancellationToken,
    sender: &Sender,
) -> Result<(), WalkError> {
    run(Shards::new(source, requests, stop), sender).await
}

async fn run(mut shards: Shards, sender: &Sender) -> Result<(), WalkError> {
    let prefix = shards.source.prefix.as_str().len();
    let side = shards.source.side;
    let mut check = OrderCheck::new(KeyOrder::Bytes);
    loop {
        while shards.shards.front().is_some_and(|first| first.ended && first.ready.is_empty()) {
            shards.shards.pop_front();
        }
        if shards.shards.is_empty() {
            return Ok(());
        }
        shards.ask().await?;
        let waiting = shards.shards.front().is_some_and(|first| !first.ready.is_empty());
        tokio::select! {
            biased;
            room = sender.reserve(), if waiting => {
                // Nobody listens any more.
                let Ok(room) = room else { return Ok(()) };
                if let Some(chunk) = shards.shards.front_mut().and_then(|first| first.ready.pop_front()) {
                    for entry in &chunk.entries {
                        check
                            .next(&entry.key.as_str()[prefix..])
                            .map_err(|violation| WalkError::Order(side, violation))?;
                    }
                    room.send(Ok(Item::Chunk(chunk)));
                }
            }
            end = shards.calls.join_next(), if !shards.calls.is_empty() => match end {
                Some(Ok((id, pages, page))) => shards.take(id, pages, page)?,
                Some(Err(_)) => return Err(WalkError::Failed(shards.source.lost())),
                None => {}
            },
            else => return Err(WalkError::Failed(shards.source.lost())),
        }
    }
}

impl Shards {
    fn new(source: SideSource, requests: usize, stop: CancellationToken) -> Self {
        let turn = Arc::new(Semaphore::new(1));
        let prefix = &source.prefix;
        let last = source.after.as_ref().and_then(|key| key.strip(prefix)).map(str::to_owned);
        let whole = Shard {
            id: 0,
            pages: Some(Pages::beside(source.clone(), stop.clone(), &turn)),
            upto: None,
            last,
            ready: VecDeque::new(),
            ended: false,
            unproved: false,
            page: None,
            since_cut: 0,
        };
        Self {
            source,
            stop,
            requests,
            shards: VecDeque::from([whole]),
            calls: JoinSet::new(),
            next_id: 1,
            pages: 0,
            misses: 0,
            can_begin: None,
            turn,
        }
    }

    /// Sets off as many requests as there may be: the next pages first, then new shards.
    async fn ask(&mut self) -> Result<(), WalkError> {
        for shard in &mut self.shards {
            if self.calls.len() >= self.requests {
                return Ok(());
            }
            if shard.ready.len() < AHEAD
                && !shard.ended
                && let Some(mut pages) = shard.pages.take()
            {
                let id = shard.id;
                self.calls.spawn(async move {
                    let page = pages.next().await;
                    (id, pages, page)
                });
            }
        }
        while self.calls.len() < self.requests && self.shards.len() < self.requests + FAR {
            if !self.cut().await? {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Cuts the first shard that is worth it. `false` when there is none.
    async fn cut(&mut self) -> Result<bool, WalkError> {
        if self.can_begin == Some(false) || self.misses > FREE_MISSES + self.pages / 4 {
            return Ok(false);
        }
        // What lies far ahead is cut when its time comes.
        let Some(at) = self.shards.iter().take(self.requests).position(Shard::is_worth_a_cut) else {
            return Ok(false);
        };
        let shard = &mut self.shards[at];
        shard.since_cut = 0;
        let Some(boundary) = shard.page.as_ref().and_then(|page| between(page, shard.upto.as_deref())) else {
            // No name lies between: what its last page was like is of no more use.
            shard.page = None;
            return Ok(true);
        };
        let source = SideSource { after: Some(self.source.prefix.join(&boundary)), ..self.source.clone() };
        let mut behind = Shard {
            id: self.next_id,
            pages: Some(Pages::beside(source, self.stop.clone(), &self.turn)),
            upto: shard.upto.clone(),
            last: Some(boundary.clone()),
            ready: VecDeque::new(),
            ended: false,
            unproved: true,
            page: None,
            since_cut: 0,
        };
        self.next_id += 1;
        if self.can_begin.is_none() {
            // Asked for and answered before the shard in front gives anything up: a store that cannot begin after a key
            // loses nothing by the question.
            let Some(mut pages) = behind.pages.take() else { return Ok(false) };
            match pages.next().await {
                Ok(page) => {
                    self.can_begin = Some(true);
                    self.shards[at].upto = Some(boundary);
                    let id = behind.id;
                    self.shards.insert(at + 1, behind);
                    self.take(id, pages, Ok(page))?;
                    return Ok(true);
                }
                Err(JobsenderError::Listing { source, .. })
                    if matches!(source.kind, StoreErrorKind::Unsupported(_)) =>
                {
                    tracing::info!(
                        name = self.source.store.traits().name,
                        "the store lists from its first key only"
                    );
                    self.can_begin = Some(false);
                    return Ok(false);
                }
                Err(error) => return Err(WalkError::Failed(error)),
            }
        }
        self.shards[at].upto = Some(boundary);
        self.shards.insert(at + 1, behind);
        let id = self.next_id - 1;
        if let Some(mut pages) = self.shards[at + 1].pages.take() {
            self.calls.spawn(async move {
                let page = pages.next().await;
                (id, pages, page)
            });
        }
        Ok(true)
    }

    /// Takes a page of a shard.
    fn take(
        &mut self,
        id: u64,
        pages: Pages,
        page: Result<Option<ListPage>, JobsenderError>,
    ) -> Result<(), WalkError> {
        let page = page.map_err(WalkError::Failed)?;
        self.pages += 1;
        let Some(at) = self.shards.iter().position(|shard| shard.id == id) else { return Ok(()) };
        let prefix = self.source.prefix.as_str().len();
        let shard = &mut self.shards[at];
        let Some(mut page) = page else {
            shard.ended = true;
            return Ok(());
        };
        // Order is relied on for the ends of a shard, so it is looked at before anything is dropped.
        in_order(&page, shard.last.as_deref(), prefix)
            .map_err(|violation| WalkError::Order(self.source.side, violation))?;
        if let (Some(first), Some(last)) = (page.objects.first(), page.objects.last()) {
            let (first, last) = (&first.key.as_str()[prefix..], &last.key.as_str()[prefix..]);
            let shared = first.bytes().zip(last.bytes()).take_while(|(a, b)| a == b).count();
            let mut alphabet = Alphabet::default();
            for entry in page.objects.iter().step_by(1 + page.objects.len() / SAMPLE) {
                alphabet.see(entry.key.as_str().as_bytes().get(prefix + shared..).unwrap_or_default());
            }
            shard.last = Some(last.to_owned());
            shard.page = Some(LastPage { first: first.to_owned(), last: last.to_owned(), alphabet });
        }
        if let Some(upto) = &shard.upto {
            let kept = page.objects.partition_point(|o| &o.key.as_str()[prefix..] <= upto.as_str());
            shard.ended = kept < page.objects.len();
            page.objects.truncate(kept);
        }
        shard.ended |= pages.has_ended();
        let found = !page.objects.is_empty();
        let proving = std::mem::replace(&mut shard.unproved, false);
        shard.since_cut += 1;
        let listed = page.objects.len() as u64;
        if found || !page.skipped.is_empty() {
            shard.ready.push_back(Chunk { entries: page.objects, skipped: page.skipped, listed });
        }
        shard.pages = Some(pages);
        // A cut that found nothing has cost a request.
        self.misses += u64::from(proving && !found);
        Ok(())
    }
}

/// Whether a page's names are after `last` and in order.
fn in_order(page: &ListPage, last: Option<&str>, prefix: usize) -> Result<(), OrderViolation> {
    let mut before = last;
    for entry in &page.objects {
        let name = &entry.key.as_str()[prefix..];
        if before.is_some_and(|before| before >= name) {
            let before = before.unwrap_or_default().to_owned();
            return Err(OrderViolation { before, after: name.to_owned(), still_possible: None });
        }
        before = Some(name);
    }
    Ok(())
}

#[cfg(test)]
mod tests;
