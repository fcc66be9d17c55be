//! Locks in the table: one holder a name, for a time that it can extend.
//!
//! Each acquisition has a token, greater than all before it: what the holder does under the lock can be told from what an
//! earlier holder does late. Tokens outlive releases, so that they never repeat. Times are the clock's, with an allowance
//! for clocks that differ; a machine whose clock is further off could take a lock too early, and the token is
//! what tells then.

use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::{
    AttributeValue, ReturnValue, ReturnValuesOnConditionCheckFailure as OnFailure,
};
use longbow_core::failure::BackendError;
use longbow_core::object::Timestamp;
use longbow_core::port::{LockError, RunLease, RunLock};

use super::item::{self, Item};
use super::place;
use super::schema::attribute;
use super::table::StateTable;

/// How far clocks may differ: a lock is free so long after its end.
const SKEW: Duration = Duration::from_secs(15);

const HOLDER: &str = "holder";
const TOKEN: &str = "token";
const UNTIL: &str = "until";

#[async_trait]
impl RunLock for StateTable {
    async fn acquire(&self, name: &str, holder: &str, time: Duration) -> Result<RunLease, LockError> {
        let now = self.inner.clock.now();
        let until = now.plus(milliseconds(time));
        let free = now.plus(-milliseconds(SKEW));
        let write = self.inner.next_write();
        let request = self
            .update(name)
            .update_expression("SET #holder = :holder, #until = :until, #write = :write ADD #token :one")
            .condition_expression("attribute_not_exists(#until) OR #until < :free")
            .expression_attribute_names("#holder", HOLDER)
            .expression_attribute_names("#write", attribute::WRITE)
            .expression_attribute_names("#token", TOKEN)
            .expression_attribute_names("#until", UNTIL)
            .expression_attribute_values(":holder", AttributeValue::S(holder.to_owned()))
            .expression_attribute_values(":until", AttributeValue::N(until.0.to_string()))
            .expression_attribute_values(":free", AttributeValue::N(free.0.to_string()))
            .expression_attribute_values(":write", AttributeValue::S(write.clone()))
            .expression_attribute_values(":one", AttributeValue::N("1".to_owned()));
        let there = match self.ask(request).await? {
            Ok(written) => written,
            // Our own, written by a request whose answer was lost.
            Err(there) if item::text(&there, attribute::WRITE) == Some(&write) => there,
            Err(there) => return Err(held(name, &there)),
        };
        let token = item::number(&there, TOKEN).ok_or_else(|| {
            BackendError::fatal(format!("the lock {name} in the table has no token: remove its item"))
        })?;
        Ok(RunLease { name: name.to_owned(), holder: holder.to_owned(), token })
    }

    async fn renew(&self, lease: &RunLease, time: Duration) -> Result<(), LockError> {
        let until = self.inner.clock.now().plus(milliseconds(time));
        match self.ask(self.update_own(lease, "SET #until = :until", until)).await? {
            Ok(_) => Ok(()),
            Err(there) if there.is_empty() => Err(LockError::Backend(BackendError::fatal(format!(
                "the lock {} is no longer in the table: somebody has removed its item",
                lease.name
            )))),
            Err(there) => Err(held(&lease.name, &there)),
        }
    }

    async fn release(&self, lease: &RunLease) -> Result<(), BackendError> {
        // The next token, so that a renewal still on its way does not take the lock again.
        let request = self
            .update_own(lease, "SET #until = :until ADD #token :one", Timestamp(0))
            .expression_attribute_values(":one", AttributeValue::N("1".to_owned()));
        // Refused, it is somebody else's, or free already.
        self.ask(request).await.map(drop)
    }
}

impl StateTable {
    /// Changes the lock as long as it is this holder's.
    fn update_own(&self, lease: &RunLease, expression: &str, until: Timestamp) -> UpdateItemFluentBuilder {
        self.update(&lease.name)
            .update_expression(expression)
            .condition_expression("#token = :token")
            .expression_attribute_names("#until", UNTIL)
            .expression_attribute_names("#token", TOKEN)
            .expression_attribute_values(":until", AttributeValue::N(until.0.to_string()))
            .expression_attribute_values(":token", AttributeValue::N(lease.token.to_string()))
    }

    fn update(&self, name: &str) -> UpdateItemFluentBuilder {
        let calls = &self.inner.calls;
        calls
            .client
            .update_item()
            .table_name(&calls.table)
            .set_key(Some(item::key(&place::lock(name))))
            .return_values(ReturnValue::AllNew)
            .return_values_on_condition_check_failure(OnFailure::AllOld)
    }

    /// The item as written, or as it is where the condition does not hold.
    async fn ask(&self, request: UpdateItemFluentBuilder) -> Result<Result<Item, Item>, BackendError> {
        match request.send().await {
            Ok(answer) => Ok(Ok(answer.attributes.unwrap_or_default())),
            Err(error) => match error.as_service_error() {
                Some(UpdateItemError::ConditionalCheckFailedException(failed)) => {
                    Ok(Err(failed.item().cloned().unwrap_or_default()))
                }
                _ => Err(self.inner.calls.fault("UpdateItem", "dynamodb:UpdateItem", &error)),
            },
        }
    }
}

fn held(name: &str, there: &Item) -> LockError {
    let until = item::number(there, UNTIL).and_then(|n| i64::try_from(n).ok()).unwrap_or(0);
    LockError::Held {
        name: name.to_owned(),
        holder: item::text(there, HOLDER).unwrap_or("somebody else").to_owned(),
        until: Timestamp(until),
    }
}

fn milliseconds(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}
