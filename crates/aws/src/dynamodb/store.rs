//! The records of one route, behind core's port.
//!
//! A swap is one conditional PutItem. Its answer may get lost, and the SDK then asks again and is told that the condition
//! does not hold: a record therefore names the write that made it, and our own is no conflict.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use async_trait::async_trait;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValuesOnConditionCheckFailure as OnFailure};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use longbow_core::failure::BackendError;
use longbow_core::job::ObjectRecord;
use longbow_core::object::ObjectKey;
use longbow_core::port::{RecordStream, StateStore, Stored, SwapError, UploadId};
use longbow_core::route::Route;
use longbow_core::transfer::PartProof;

use super::calls::MOST_GETS;
use super::item;
use super::parts::Parts;
use super::place::RouteId;
use super::schema::attribute;
use super::table::StateTable;

/// Batches of reads on their way at once.
const READS: usize = 8;

/// One route's records and parts in the state table. Clones are handles to the same ones.
#[derive(Clone)]
pub struct DynamoState {
    pub(super) table: StateTable,
    pub(super) route: RouteId,
    parts: Arc<Parts>,
}

impl std::fmt::Debug for DynamoState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DynamoState").field("table", &self.table).field("route", &self.route).finish()
    }
}

impl DynamoState {
    pub(super) fn new(table: StateTable, route: &Route, endpoints: [Option<&str>; 2]) -> Self {
        let parts = Arc::new(Parts::new(Arc::clone(&table.inner)));
        Self { route: RouteId::of(route, endpoints), table, parts }
    }
}

#[async_trait]
impl StateStore for DynamoState {
    async fn load(&self, subject: &ObjectKey) -> Result<Option<Stored>, BackendError> {
        let calls = &self.table.inner.calls;
        let key = item::key(&self.route.record(subject));
        let request =
            calls.client.get_item().table_name(&calls.table).set_key(Some(key)).consistent_read(true);
        let answer = request.send().await;
        let answer = answer.map_err(|e| calls.fault("GetItem", "dynamodb:GetItem", &e))?;
        answer.item.map(item::to_record).transpose()
    }

    async fn load_many(&self, subjects: Vec<ObjectKey>) -> Result<Vec<Option<Stored>>, BackendError> {
        // One request must not name an item twice.
        let mut places: HashMap<_, Vec<usize>> = HashMap::new();
        for (at, subject) in subjects.iter().enumerate() {
            places.entry(self.route.record(subject)).or_default().push(at);
        }
        let keys: Vec<_> = places.keys().map(item::key).collect();
        let batches: Vec<_> = keys.chunks(MOST_GETS).map(<[_]>::to_vec).collect();
        let reads = batches.into_iter().map(|keys| self.table.inner.calls.get_many(keys));
        let mut answers = stream::iter(reads).buffer_unordered(READS);
        let mut found = vec![None; subjects.len()];
        while let Some(items) = answers.try_next().await? {
            for item in items {
                let asked = places.get(&self.route.record(&item::subject(&item)?));
                let stored = item::to_record(item)?;
                for at in asked.into_iter().flatten() {
                    found[*at] = Some(stored.clone());
                }
            }
        }
        Ok(found)
    }

    fn records_after(&self, after: Option<&ObjectKey>) -> Option<RecordStream> {
        let records = self.in_order(after);
        Some(Box::pin(records.map_ok(|recorded| (recorded.subject, recorded.stored))))
    }

    async fn swap(
        &self,
        subject: &ObjectKey,
        expected: Option<u64>,
        record: ObjectRecord,
    ) -> Result<u64, SwapError> {
        let inner = &self.table.inner;
        let calls = &inner.calls;
        // A first record is of the moment: should the item have been removed in between, no older attempt takes this one
        // for its own.
        let version = match expected {
            Some(expected) => expected.saturating_add(1),
            None => u64::try_from(inner.clock.now().0).unwrap_or(0).max(1),
        };
        let write = inner.next_write();
        let item = item::of_record(&self.route.record(subject), subject, version, &write, &record)?;
        let request = calls.client.put_item().table_name(&calls.table).set_item(Some(item));
        let request = match expected {
            Some(expected) => request
                .condition_expression("#version = :expected")
                .expression_attribute_names("#version", attribute::VERSION)
                .expression_attribute_values(":expected", AttributeValue::N(expected.to_string())),
            None => request
                .condition_expression("attribute_not_exists(#pk)")
                .expression_attribute_names("#pk", attribute::PK),
        };
        let request = request.return_values_on_condition_check_failure(OnFailure::AllOld);
        let error = match request.send().await {
            Ok(_) => return Ok(version),
            Err(error) => error,
        };
        match error.as_service_error() {
            Some(PutItemError::ConditionalCheckFailedException(failed)) => {
                let there = failed.item().and_then(|item| item::text(item, attribute::WRITE));
                if there == Some(write.as_str()) { Ok(version) } else { Err(SwapError::Conflict) }
            }
            _ => Err(SwapError::Backend(calls.fault("PutItem", "dynamodb:PutItem", &error))),
        }
    }

    async fn add_part(
        &self,
        subject: &ObjectKey,
        upload: &UploadId,
        proof: PartProof,
    ) -> Result<(), BackendError> {
        self.parts.add(self.route.parts(subject, upload), proof).await
    }

    async fn parts(&self, subject: &ObjectKey, upload: &UploadId) -> Result<Vec<PartProof>, BackendError> {
        // A part sent again is remembered again: the last counts.
        let mut parts = BTreeMap::new();
        for proof in self.parts.read(self.route.parts(subject, upload)).await? {
            parts.insert(proof.number, proof);
        }
        Ok(parts.into_values().collect())
    }

    async fn forget_parts(&self, subject: &ObjectKey, upload: &UploadId) -> Result<(), BackendError> {
        self.parts.forget(self.route.parts(subject, upload)).await
    }
}
