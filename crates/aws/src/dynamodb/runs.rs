//! Notes of the jobsender's runs: an item a transfer and route, all under one partition key, in the order of their names.
//!
//! There are few of them (a thousand a second would be too many, and a fleet has one a minute), so that one partition key
//! does, and the latest are read by one query. They expire, which records do not.

use async_trait::async_trait;
use aws_sdk_dynamodb::types::AttributeValue;
use futures_util::TryStreamExt as _;
use longbow_core::failure::BackendError;
use longbow_core::job::{TransferId, TransferRun};
use longbow_core::port::TransferLog;
use serde_json::Value;

use super::calls::Query;
use super::item::{self, Item};
use super::place::{self, RUNS};
use super::schema::attribute;
use super::table::StateTable;

/// Days that a note is kept.
const KEPT: i64 = 400;

const DAY: i64 = 86_400;

#[async_trait]
impl TransferLog for StateTable {
    async fn note(&self, run: &TransferRun) -> Result<(), BackendError> {
        let calls = &self.inner.calls;
        let place = place::run(&run.transfer, run.route.as_str());
        let mut item = match serde_json::to_value(run) {
            Ok(Value::Object(fields)) => item::of_fields(fields),
            other => return Err(BackendError::fatal(format!("a note of a run has no JSON form: {other:?}"))),
        };
        item.extend(item::key(&place));
        let expires = run.began.second().saturating_add(KEPT * DAY);
        item.insert(attribute::EXPIRES.into(), AttributeValue::N(expires.to_string()));
        let answer = calls.client.put_item().table_name(&calls.table).set_item(Some(item)).send().await;
        answer.map(drop).map_err(|error| calls.fault("PutItem", "dynamodb:PutItem", &error))
    }

    async fn get(&self, transfer: &TransferId) -> Result<Vec<TransferRun>, BackendError> {
        let query = Query { begins: Some(place::runs_of(transfer)), ..Query::under(RUNS.to_owned()) };
        let mut pages = Box::pin(self.inner.calls.pages(query));
        let mut found = Vec::new();
        while let Some(page) = pages.try_next().await? {
            for item in page {
                found.push(read(item)?);
            }
        }
        Ok(found)
    }

    async fn latest(&self, most: usize) -> Result<Vec<TransferRun>, BackendError> {
        let mut found = Vec::new();
        let query = Query { backwards: true, ..Query::under(RUNS.to_owned()) };
        let mut pages = Box::pin(self.inner.calls.pages(query));
        while found.len() < most
            && let Some(page) = pages.try_next().await?
        {
            for item in page.into_iter().take(most - found.len()) {
                found.push(read(item)?);
            }
        }
        Ok(found)
    }
}

fn read(mut item: Item) -> Result<TransferRun, BackendError> {
    let name = item::text(&item, attribute::SK).unwrap_or("?").to_owned();
    for own in [attribute::PK, attribute::SK, attribute::EXPIRES] {
        item.remove(own);
    }
    let unreadable = |why: String| {
        BackendError::fatal(format!(
            "the note of the run {name} in the table cannot be read: {why}; another release may have written it"
        ))
    };
    let fields = item::to_fields(item).map_err(&unreadable)?;
    serde_json::from_value(Value::Object(fields)).map_err(|error| unreadable(error.to_string()))
}
