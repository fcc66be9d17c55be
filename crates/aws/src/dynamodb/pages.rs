//! Reading many records of a route: all of them, those in order, those that were given up, and how many there are.
//!
//! By queries of each partition key, to the last page of each, so that a route pays for its own records only. A page that
//! cannot be read is an error and ends the stream: what is missing must not look like the end.

use std::collections::BTreeMap;
use std::pin::Pin;

use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;
use futures_util::{Stream, StreamExt as _, TryStreamExt as _, stream};
use longbow_core::failure::BackendError;
use longbow_core::object::ObjectKey;
use longbow_core::port::Stored;

use super::calls::Query;
use super::item::{self, Item};
use super::schema::{FAILED_INDEX, attribute};
use super::store::DynamoState;

/// Partition keys read at once.
const AT_ONCE: usize = 8;

/// A record with its subject.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// The source key without the route's prefix.
    pub subject: ObjectKey,
    /// The record and its version.
    pub stored: Stored,
}

/// How many records are in each state, and how many bytes were copied.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StateCount {
    /// Parts are on their way, or were when the worker ended.
    pub copying: u64,
    /// An attempt failed; another follows.
    pub waiting: u64,
    /// Verified at the destination.
    pub copied: u64,
    /// Given up.
    pub failed: u64,
    /// Removed at the source, and not at the destination any more.
    pub removed: u64,
    /// Bytes of the objects that are copied.
    pub copied_bytes: u64,
}

type Pages = BoxStream<'static, Result<Vec<Recorded>, BackendError>>;

impl DynamoState {
    /// All records of the route, page by page, in no order. A page may be empty.
    pub fn records(&self) -> Pages {
        self.read_all(Query::under, to_recorded)
    }

    /// The records of objects that were given up, page by page, in no order; as they were a moment ago.
    pub fn failed(&self) -> Pages {
        let query = |pk| Query { index: Some((FAILED_INDEX, attribute::FAILED)), ..Query::under(pk) };
        self.read_all(query, to_recorded)
    }

    /// All records whose subjects come after `after`, in byte order, for a comparison with listings. Holds a page of each
    /// partition key in memory: some tens of megabytes. Subjects that DynamoDB cannot sort by (longer than 1,024 bytes) are
    /// read before all others and kept.
    pub fn in_order(&self, after: Option<&ObjectKey>) -> BoxStream<'static, Result<Recorded, BackendError>> {
        let this = self.clone();
        let after = after.cloned();
        Box::pin(stream::once(this.merge(after)).try_flatten())
    }

    /// How many records are in each state. Reads them all.
    pub async fn count(&self) -> Result<StateCount, BackendError> {
        const ONLY: &[&str] = &[attribute::PK, attribute::SK, "state", "source"];
        let query = |pk| Query { only: ONLY, ..Query::under(pk) };
        let pages = self.read_all(query, |item| Ok(Part::of(&item)));
        pages
            .try_fold(StateCount::default(), |mut count, page| async move {
                for Part { state, size } in page {
                    match state.as_deref() {
                        Some("copying") => count.copying += 1,
                        Some("waiting") => count.waiting += 1,
                        Some("copied") => {
                            count.copied += 1;
                            count.copied_bytes = count.copied_bytes.saturating_add(size);
                        }
                        Some("failed") => count.failed += 1,
                        Some("removed") => count.removed += 1,
                        other => {
                            let other = other.unwrap_or("none");
                            let text =
                                format!("a record in the table has a state that is not known: {other}");
                            return Err(BackendError::fatal(text));
                        }
                    }
                }
                Ok(count)
            })
            .await
    }

    fn read_all<T: Send + 'static>(
        &self,
        query: impl Fn(String) -> Query,
        read: fn(Item) -> Result<T, BackendError>,
    ) -> BoxStream<'static, Result<Vec<T>, BackendError>> {
        let calls = &self.table.inner.calls;
        let shards: Vec<_> = self.route.shards().map(|pk| Box::pin(calls.pages(query(pk)))).collect();
        let pages = stream::iter(shards).flatten_unordered(AT_ONCE);
        Box::pin(pages.map(move |page| page?.into_iter().map(read).collect()))
    }

    async fn merge(
        self,
        after: Option<ObjectKey>,
    ) -> Result<impl Stream<Item = Result<Recorded, BackendError>> + Send + 'static, BackendError> {
        let calls = &self.table.inner.calls;
        let mut odd = Vec::new();
        let mut pages = Box::pin(calls.pages(Query::under(self.route.odd())));
        while let Some(page) = pages.try_next().await? {
            for item in page {
                odd.push(to_recorded(item)?);
            }
        }
        odd.retain(|recorded| after.as_ref().is_none_or(|after| recorded.subject > *after));
        odd.sort_unstable_by(|a, b| a.subject.cmp(&b.subject));
        let mut sources: Vec<Source> = vec![Box::pin(stream::iter(odd.into_iter().map(Ok)))];
        let odd_key = self.route.odd();
        // A longer text is no sort key; whatever is above it is above its first 1,024 bytes too.
        let from = after.as_ref().map(|after| cut(after.as_str())).filter(|after| !after.is_empty());
        for pk in self.route.shards().filter(|pk| *pk != odd_key) {
            let items = calls.pages(Query { after: from.clone(), ..Query::under(pk) });
            let items = items.map_ok(|page| stream::iter(page.into_iter().map(to_recorded))).try_flatten();
            sources.push(Box::pin(items));
        }
        let mut merge = Merge { sources, heads: BTreeMap::new() };
        // The first page of every partition key, some at a time.
        let mut firsts: Vec<BoxFuture<'static, First>> = Vec::new();
        for source in std::mem::take(&mut merge.sources) {
            firsts.push(Box::pin(with_first(source)));
        }
        let mut firsts = stream::iter(firsts).buffered(AT_ONCE);
        while let Some((source, first)) = firsts.next().await {
            if let Some(first) = first? {
                merge.heads.insert(first.subject.clone(), (first, merge.sources.len()));
            }
            merge.sources.push(source);
        }
        Ok(stream::try_unfold(
            merge,
            |mut merge| async move { Ok(merge.next().await?.map(|next| (next, merge))) },
        )
        .try_filter(move |recorded| {
            let wanted = after.as_ref().is_none_or(|after| recorded.subject > *after);
            std::future::ready(wanted)
        }))
    }
}

type Source = Pin<Box<dyn Stream<Item = Result<Recorded, BackendError>> + Send>>;

type First = (Source, Result<Option<Recorded>, BackendError>);

async fn with_first(mut source: Source) -> First {
    let first = source.try_next().await;
    (source, first)
}

/// Streams in order, as one in order. No subject lies in two of them.
struct Merge {
    sources: Vec<Source>,
    heads: BTreeMap<ObjectKey, (Recorded, usize)>,
}

impl Merge {
    async fn next(&mut self) -> Result<Option<Recorded>, BackendError> {
        let Some((_, (least, at))) = self.heads.pop_first() else { return Ok(None) };
        if let Some(next) = self.sources[at].try_next().await? {
            self.heads.insert(next.subject.clone(), (next, at));
        }
        Ok(Some(least))
    }
}

fn to_recorded(item: Item) -> Result<Recorded, BackendError> {
    Ok(Recorded { subject: item::subject(&item)?, stored: item::to_record(item)? })
}

/// The first 1,024 bytes, at a character's border.
fn cut(text: &str) -> String {
    let mut end = text.len().min(longbow_core::object::MAX_KEY_BYTES);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text[..end].to_owned()
}

/// What counting needs.
struct Part {
    state: Option<String>,
    size: u64,
}

impl Part {
    fn of(item: &Item) -> Self {
        let source = item.get("source").and_then(|source| source.as_m().ok());
        Self {
            state: item::text(item, "state").map(str::to_owned),
            size: source.and_then(|source| item::number(source, "size")).unwrap_or(0),
        }
    }
}
