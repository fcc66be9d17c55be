//! Checkpoints of comparisons in the table, one item a route.
//!
//! Apart from the records of objects, which nothing here touches. They have an end, so that those of routes that nobody
//! compares any more go away by themselves; whether one is fresh enough to go on from is decided by who reads it.

use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_dynamodb::types::AttributeValue;
use longbow_core::failure::BackendError;
use longbow_core::object::Timestamp;
use longbow_core::port::{Checkpoint, CheckpointStore};
use longbow_core::routes::RouteName;

use super::item::{self, Item};
use super::place;
use super::schema::attribute;
use super::table::StateTable;

/// How long a checkpoint is kept that nobody replaces or clears.
const KEPT: Duration = Duration::from_secs(30 * 86_400);

const UPTO: &str = "upto";
const ABOUT: &str = "about";
const BEGAN: &str = "began";

/// The checkpoints of one scope of the table.
#[derive(Debug, Clone)]
pub struct DynamoCheckpoints {
    table: StateTable,
    scope: String,
}

impl StateTable {
    /// The checkpoints of one scope. Names of routes are unique within one configuration only, so that the scope is what
    /// tells two configurations apart that share the table: the address of their queue.
    pub fn checkpoints(&self, scope: &str) -> DynamoCheckpoints {
        DynamoCheckpoints { table: self.clone(), scope: scope.to_owned() }
    }
}

impl DynamoCheckpoints {
    fn key(&self, route: &RouteName) -> Item {
        item::key(&place::checkpoint(&self.scope, route))
    }

    fn now(&self) -> Timestamp {
        self.table.inner.clock.now()
    }
}

#[async_trait]
impl CheckpointStore for DynamoCheckpoints {
    async fn load(&self, route: &RouteName) -> Result<Option<Checkpoint>, BackendError> {
        let calls = &self.table.inner.calls;
        let request = calls.client.get_item().table_name(&calls.table).set_key(Some(self.key(route)));
        let answer = request.consistent_read(true).send().await;
        let answer = answer.map_err(|e| calls.fault("GetItem", "dynamodb:GetItem", &e))?;
        let Some(there) = answer.item else { return Ok(None) };
        // DynamoDB removes items some days after their end.
        let ends = item::number(&there, attribute::EXPIRES).unwrap_or(u64::MAX);
        if ends <= seconds(self.now()) {
            return Ok(None);
        }
        read(&there).map(Some).ok_or_else(|| {
            BackendError::fatal(format!(
                "the checkpoint of route {route} in the table cannot be read; another release may have written it: \
                 remove the item"
            ))
        })
    }

    async fn save(&self, route: &RouteName, checkpoint: &Checkpoint) -> Result<(), BackendError> {
        let kept = i64::try_from(KEPT.as_millis()).unwrap_or(i64::MAX);
        let expires = seconds(self.now().plus(kept));
        let mut item = self.key(route);
        item.insert(UPTO.into(), AttributeValue::S(checkpoint.upto.clone()));
        item.insert(ABOUT.into(), AttributeValue::S(checkpoint.about.clone()));
        item.insert(BEGAN.into(), AttributeValue::N(checkpoint.began.0.to_string()));
        item.insert(attribute::EXPIRES.into(), AttributeValue::N(expires.to_string()));
        let calls = &self.table.inner.calls;
        let answer = calls.client.put_item().table_name(&calls.table).set_item(Some(item)).send().await;
        answer.map(drop).map_err(|e| calls.fault("PutItem", "dynamodb:PutItem", &e))
    }

    async fn clear(&self, route: &RouteName) -> Result<(), BackendError> {
        let calls = &self.table.inner.calls;
        let request = calls.client.delete_item().table_name(&calls.table).set_key(Some(self.key(route)));
        request.send().await.map(drop).map_err(|e| calls.fault("DeleteItem", "dynamodb:DeleteItem", &e))
    }
}

fn read(there: &Item) -> Option<Checkpoint> {
    let began = match there.get(BEGAN) {
        Some(AttributeValue::N(text)) => text.parse().ok()?,
        _ => return None,
    };
    Some(Checkpoint {
        upto: item::text(there, UPTO)?.to_owned(),
        about: item::text(there, ABOUT)?.to_owned(),
        began: Timestamp(began),
    })
}

fn seconds(time: Timestamp) -> u64 {
    u64::try_from(time.0 / 1000).unwrap_or(0)
}
