//! Tries each right that a fleet needs on the table, without a trace: reads of a key that nobody has, and writes on a
//! condition that cannot hold. DynamoDB looks at the condition after the right, so that its failure is the proof.

use aws_sdk_dynamodb::types::{AttributeValue, DeleteRequest, KeysAndAttributes, WriteRequest};
use longbow_core::failure::BackendError;

use super::item;
use super::place::Place;
use super::schema::{FAILED_INDEX, attribute};
use super::table::StateTable;
use crate::rights::Tried;

/// Holds for no item, be it there or not.
const NEVER: &str = "attribute_exists(#pk) AND attribute_not_exists(#pk)";

/// What DynamoDB says when a condition does not hold.
const HELD_NOT: Option<&str> = Some("ConditionalCheckFailedException");

impl StateTable {
    /// Tries all rights that jobsender, workers and operators need on the table.
    pub async fn try_rights(&self) -> Vec<Tried> {
        let calls = &self.inner.calls;
        let (client, table) = (&calls.client, &calls.table);
        let key = item::key(&Place { pk: "d#doctor".to_owned(), sk: "nothing".to_owned() });
        let name = |action: &'static str| action.strip_prefix("dynamodb:").unwrap_or(action);
        let mut tried = Vec::new();

        let action = "dynamodb:DescribeTable";
        let answer = client.describe_table().table_name(table).send().await;
        tried.push(Tried::of(&calls.about(name(action), action), action, answer, None));

        let action = "dynamodb:GetItem";
        let answer = client.get_item().table_name(table).set_key(Some(key.clone())).send().await;
        tried.push(Tried::of(&calls.about(name(action), action), action, answer, None));

        let action = "dynamodb:BatchGetItem";
        match KeysAndAttributes::builder().keys(key.clone()).build() {
            Ok(keys) => {
                let answer = client.batch_get_item().request_items(table, keys).send().await;
                tried.push(Tried::of(&calls.about(name(action), action), action, answer, None));
            }
            Err(error) => tried.push(unmade(action, calls.thing(), &error)),
        }

        let action = "dynamodb:Query";
        for index in [None, Some((FAILED_INDEX, attribute::FAILED))] {
            let answer = client
                .query()
                .table_name(table)
                .set_index_name(index.map(|(index, _)| index.to_owned()))
                .key_condition_expression("#pk = :pk")
                .expression_attribute_names("#pk", index.map_or(attribute::PK, |(_, hash)| hash))
                .expression_attribute_values(":pk", AttributeValue::S("d#doctor".to_owned()))
                .limit(1)
                .send()
                .await;
            let mut found = Tried::of(&calls.about(name(action), action), action, answer, None);
            if index.is_some() {
                found.thing.push_str(" (index failed)");
            }
            tried.push(found);
        }

        let action = "dynamodb:PutItem";
        let put = client.put_item().table_name(table).set_item(Some(key.clone()));
        let answer =
            put.condition_expression(NEVER).expression_attribute_names("#pk", attribute::PK).send().await;
        tried.push(Tried::of(&calls.about(name(action), action), action, answer, HELD_NOT));

        let action = "dynamodb:UpdateItem";
        let update = client
            .update_item()
            .table_name(table)
            .set_key(Some(key.clone()))
            .update_expression("SET #write = :write")
            .expression_attribute_names("#write", attribute::WRITE)
            .expression_attribute_values(":write", AttributeValue::S("doctor".to_owned()));
        let answer =
            update.condition_expression(NEVER).expression_attribute_names("#pk", attribute::PK).send().await;
        tried.push(Tried::of(&calls.about(name(action), action), action, answer, HELD_NOT));

        let action = "dynamodb:DeleteItem";
        let delete = client.delete_item().table_name(table).set_key(Some(key.clone()));
        let answer =
            delete.condition_expression(NEVER).expression_attribute_names("#pk", attribute::PK).send().await;
        tried.push(Tried::of(&calls.about(name(action), action), action, answer, HELD_NOT));

        // A batch has no conditions: it removes what is not there.
        let action = "dynamodb:BatchWriteItem";
        match DeleteRequest::builder().set_key(Some(key)).build() {
            Ok(delete) => {
                let write = WriteRequest::builder().delete_request(delete).build();
                let answer = client.batch_write_item().request_items(table, vec![write]).send().await;
                tried.push(Tried::of(&calls.about(name(action), action), action, answer, None));
            }
            Err(error) => tried.push(unmade(action, calls.thing(), &error)),
        }
        tried
    }
}

fn unmade(action: &'static str, thing: &str, error: &impl ToString) -> Tried {
    Tried::failed(action, thing, BackendError::fatal(error.to_string()))
}
