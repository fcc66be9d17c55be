//! Calls of the DynamoDB API that come in pieces: batches of which a part is left over, queries of many pages.
//!
//! Apart, because a piece forgotten is a record that seems not to exist. Translates and classifies; knows no records.

use std::collections::HashMap;
use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{AttributeValue, DeleteRequest, KeysAndAttributes, WriteRequest};
use futures_util::Stream;
use longbow_core::failure::BackendError;

use super::item::Item;
use super::schema::attribute;
use crate::cluster::About;

/// Most keys of BatchGetItem and most items of BatchWriteItem (API reference).
pub(super) const MOST_GETS: usize = 100;
const MOST_WRITES: usize = 25;

/// Most items of a page; a page has 1 MB at most as well.
const PAGE: i32 = 1000;

/// Tries of what a batch leaves over before it counts as throttled.
const TRIES: u32 = 8;

/// One table and the way to it.
#[derive(Clone)]
pub(super) struct Calls {
    pub(super) client: Client,
    pub(super) table: String,
    thing: String,
    if_missing: String,
}

/// What to read by a query.
#[derive(Debug, Clone)]
pub(super) struct Query {
    /// The partition key.
    pub(super) pk: String,
    /// An index, by the name of its partition key; the table itself otherwise.
    pub(super) index: Option<(&'static str, &'static str)>,
    /// Only these attributes.
    pub(super) only: &'static [&'static str],
    /// Sort keys above this one.
    pub(super) after: Option<String>,
    /// Sort keys that begin so; not together with `after`.
    pub(super) begins: Option<String>,
    /// From the greatest sort key down.
    pub(super) backwards: bool,
}

impl Query {
    /// All items under a partition key.
    pub(super) fn under(pk: String) -> Self {
        Self { pk, index: None, only: &[], after: None, begins: None, backwards: false }
    }
}

impl Calls {
    pub(super) fn new(client: Client, table: &str) -> Self {
        Self {
            client,
            table: table.to_owned(),
            thing: format!("the table {table}"),
            if_missing: format!(
                "there is no such table in this account and region: check --table and the region, or make it with \
                 \"longbow state create-table --table {table}\""
            ),
        }
    }

    /// What a message says of a call, whose name is also the name of its right.
    pub(super) fn about<'a>(&'a self, call: &'a str, right: &'a str) -> About<'a> {
        About { call, thing: &self.thing, right, if_missing: &self.if_missing }
    }

    pub(super) fn thing(&self) -> &str {
        &self.thing
    }

    /// Reads up to a hundred different items by their keys, in any order, as they are at this moment.
    pub(super) async fn get_many(&self, keys: Vec<Item>) -> Result<Vec<Item>, BackendError> {
        let mut found = Vec::with_capacity(keys.len());
        let mut left = keys;
        for attempt in 0..TRIES {
            wait_before(attempt).await;
            let wanted = KeysAndAttributes::builder().set_keys(Some(left)).consistent_read(true).build();
            let wanted = wanted.map_err(|error| BackendError::fatal(error.to_string()))?;
            let answer = self.client.batch_get_item().request_items(&self.table, wanted).send().await;
            let answer = answer.map_err(|e| self.fault("BatchGetItem", "dynamodb:BatchGetItem", &e))?;
            found.extend(answer.responses.unwrap_or_default().into_values().flatten());
            left = answer.unprocessed_keys.unwrap_or_default().into_values().flat_map(|k| k.keys).collect();
            if left.is_empty() {
                return Ok(found);
            }
        }
        Err(self.left_over("BatchGetItem", left.len()))
    }

    /// Removes items by their keys.
    pub(super) async fn delete_many(&self, keys: Vec<Item>) -> Result<(), BackendError> {
        for batch in keys.chunks(MOST_WRITES) {
            let mut left = Vec::with_capacity(batch.len());
            for key in batch {
                let delete = DeleteRequest::builder().set_key(Some(key.clone())).build();
                let delete = delete.map_err(|error| BackendError::fatal(error.to_string()))?;
                left.push(WriteRequest::builder().delete_request(delete).build());
            }
            for attempt in 0..TRIES {
                wait_before(attempt).await;
                let request = self.client.batch_write_item().request_items(&self.table, left);
                let answer = request.send().await;
                let answer =
                    answer.map_err(|e| self.fault("BatchWriteItem", "dynamodb:BatchWriteItem", &e))?;
                left = answer.unprocessed_items.unwrap_or_default().into_values().flatten().collect();
                if left.is_empty() {
                    break;
                }
            }
            if !left.is_empty() {
                return Err(self.left_over("BatchWriteItem", left.len()));
            }
        }
        Ok(())
    }

    /// The pages of a query, to the last. Items of the table are as they are at this moment, those of an index as they were
    /// a moment ago.
    pub(super) fn pages(
        &self,
        query: Query,
    ) -> impl Stream<Item = Result<Vec<Item>, BackendError>> + Send + 'static {
        enum At {
            Start,
            After(Item),
            End,
        }
        let this = self.clone();
        futures_util::stream::try_unfold((this, query, At::Start), |(this, query, at)| async move {
            let start = match at {
                At::Start => None,
                At::After(key) => Some(key),
                At::End => return Ok(None),
            };
            let (items, last) = this.page(&query, start).await?;
            let at = last.map_or(At::End, At::After);
            Ok(Some((items, (this, query, at))))
        })
    }

    async fn page(
        &self,
        query: &Query,
        start: Option<Item>,
    ) -> Result<(Vec<Item>, Option<Item>), BackendError> {
        let hash = query.index.map_or(attribute::PK, |(_, hash)| hash);
        let (condition, bound) = match (&query.after, &query.begins) {
            (Some(after), _) => ("#pk = :pk AND #sk > :bound", Some(after)),
            (None, Some(begins)) => ("#pk = :pk AND begins_with(#sk, :bound)", Some(begins)),
            (None, None) => ("#pk = :pk", None),
        };
        let mut request = self
            .client
            .query()
            .table_name(&self.table)
            .key_condition_expression(condition)
            .expression_attribute_names("#pk", hash)
            .expression_attribute_values(":pk", AttributeValue::S(query.pk.clone()))
            .limit(PAGE)
            .scan_index_forward(!query.backwards)
            .set_exclusive_start_key(start);
        request = match query.index {
            Some((index, _)) => request.index_name(index),
            None => request.consistent_read(true),
        };
        if let Some(bound) = bound {
            request = request
                .expression_attribute_names("#sk", attribute::SK)
                .expression_attribute_values(":bound", AttributeValue::S(bound.clone()));
        }
        if !query.only.is_empty() {
            let names: HashMap<String, String> = query
                .only
                .iter()
                .enumerate()
                .map(|(n, name)| (format!("#a{n}"), (*name).to_owned()))
                .collect();
            let mut projection: Vec<&str> = names.keys().map(String::as_str).collect();
            projection.sort_unstable();
            request = request.projection_expression(projection.join(", "));
            for (placeholder, name) in names {
                request = request.expression_attribute_names(placeholder, name);
            }
        }
        let answer = request.send().await.map_err(|e| self.fault("Query", "dynamodb:Query", &e))?;
        Ok((answer.items.unwrap_or_default(), answer.last_evaluated_key.filter(|key| !key.is_empty())))
    }

    /// The fault of a call as core knows it.
    pub(super) fn fault<E>(
        &self,
        call: &str,
        right: &str,
        error: &aws_sdk_dynamodb::error::SdkError<E>,
    ) -> BackendError
    where
        E: aws_sdk_dynamodb::error::ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        crate::cluster::translate(&self.about(call, right), error).into()
    }

    fn left_over(&self, call: &str, items: usize) -> BackendError {
        BackendError::transient(format!(
            "{call} of {}: {items} items were left over {TRIES} times",
            self.thing
        ))
    }
}

/// A part of a batch is left over when the table is throttled: wait longer each time.
async fn wait_before(attempt: u32) {
    if attempt > 0 {
        tokio::time::sleep(Duration::from_millis(50) * 2u32.pow(attempt - 1)).await;
    }
}
