//! The table: made, waited for, checked against the schema.

use std::hash::{BuildHasher as _, Hasher as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, GlobalSecondaryIndex, KeySchemaElement, KeyType,
    PointInTimeRecoverySpecification, Projection, ProjectionType, ScalarAttributeType, TableDescription,
    TableStatus, TimeToLiveSpecification,
};
use longbow_core::failure::BackendError;
use longbow_core::port::Clock;
use longbow_core::route::Route;
use tokio::time::Instant;

use super::calls::Calls;
use super::schema::TableSchema;
use super::store::DynamoState;
use crate::cluster::{ClusterSession, FaultKind, translate};

/// Between two looks at a table that is being made.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// How the table is used.
#[derive(Debug, Clone)]
pub struct TableOptions {
    /// Its name, or its ARN.
    pub table: String,
    /// Proofs of one upload's parts are written at most this often; what arrives meanwhile goes together. A part waits as
    /// long at most until it counts as remembered.
    pub part_rhythm: Duration,
    /// How long proofs of parts are kept that nobody forgets.
    pub parts_kept: Duration,
}

impl TableOptions {
    /// The defaults.
    pub fn new(table: impl Into<String>) -> Self {
        Self {
            table: table.into(),
            part_rhythm: Duration::from_millis(100),
            parts_kept: Duration::from_secs(30 * 86_400),
        }
    }
}

/// The state table of a cluster. Clones are handles to the same one.
#[derive(Clone)]
pub struct StateTable {
    pub(super) inner: Arc<Inner>,
}

pub(super) struct Inner {
    pub(super) calls: Calls,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) options: TableOptions,
    /// Tells the writes of this process from all others.
    process: u64,
    writes: AtomicU64,
}

impl std::fmt::Debug for StateTable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StateTable").field("table", &self.inner.calls.table).finish_non_exhaustive()
    }
}

impl Inner {
    /// A name for one write that no other has.
    pub(super) fn next_write(&self) -> String {
        format!("{:016x}-{:08}", self.process, self.writes.fetch_add(1, Ordering::Relaxed))
    }
}

impl StateTable {
    /// Names the table; asks nothing, so that it takes [`StateTable::check`] to know whether it is there. Must be called
    /// on the runtime that the table is used on.
    pub fn open(
        session: &ClusterSession,
        options: TableOptions,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, BackendError> {
        if options.table.trim().is_empty() {
            return Err(BackendError::fatal("no state table is named: give --table NAME"));
        }
        Ok(Self::over(session.dynamodb()?, options, clock))
    }

    pub(super) fn over(client: Client, options: TableOptions, clock: Arc<dyn Clock>) -> Self {
        let calls = Calls::new(client, options.table.trim());
        // The hasher's random keys differ in every call.
        let process = std::collections::hash_map::RandomState::new().build_hasher().finish();
        Self { inner: Arc::new(Inner { calls, clock, options, process, writes: AtomicU64::new(0) }) }
    }

    /// The records of one route. `endpoints` are those of its source and of its destination where they are not Amazon's:
    /// bucket names are unique within one store only.
    pub fn state(&self, route: &Route, endpoints: [Option<&str>; 2]) -> DynamoState {
        DynamoState::new(self.clone(), route, endpoints)
    }

    /// Makes the table, or checks the one that is there, and waits until it can be used. Gives whether it was made.
    /// Point-in-time recovery is tried: a policy may forbid it, and other servers lack it.
    pub async fn create(&self, patience: Duration) -> Result<bool, BackendError> {
        let calls = &self.inner.calls;
        let schema = TableSchema::current();
        let made = match self.request(&schema)?.send().await {
            Ok(_) => true,
            Err(error) => {
                let fault = translate(&calls.about("CreateTable", "dynamodb:CreateTable"), &error);
                if !fault.code.ends_with("ResourceInUseException") {
                    return Err(fault.into());
                }
                false
            }
        };
        self.wait(patience).await?;
        if made {
            self.expire(&schema).await?;
            self.recover().await;
        }
        Ok(made)
    }

    /// Waits until the table is there and can be used, and checks it. Tables that do not exist are waited for.
    pub async fn wait(&self, patience: Duration) -> Result<(), BackendError> {
        let end = Instant::now() + patience;
        loop {
            let (waits, error) = match self.look().await {
                Ok(()) => return Ok(()),
                Err(found) => found,
            };
            if !waits || Instant::now() >= end {
                return Err(error);
            }
            tracing::debug!(%error, "waiting for the table");
            tokio::time::sleep(LOOK_AGAIN.min(end.saturating_duration_since(Instant::now()))).await;
        }
    }

    /// Whether the table is there, can be used and has the schema. All differences are told at once.
    pub async fn check(&self) -> Result<(), BackendError> {
        self.look().await.map_err(|(_, error)| error)
    }

    /// The fault, and whether it may pass by waiting.
    async fn look(&self) -> Result<(), (bool, BackendError)> {
        let calls = &self.inner.calls;
        let answer = calls.client.describe_table().table_name(&calls.table).send().await;
        let description = answer.map_err(|error| {
            let fault = translate(&calls.about("DescribeTable", "dynamodb:DescribeTable"), &error);
            (
                matches!(fault.kind, FaultKind::Missing | FaultKind::Denied) || fault.kind.may_pass(),
                fault.into(),
            )
        })?;
        let Some(table) = description.table else {
            return Err((
                true,
                BackendError::transient(format!("DescribeTable of {}: no answer", calls.thing())),
            ));
        };
        let usable = matches!(table.table_status, Some(TableStatus::Active | TableStatus::Updating));
        if !usable {
            let status = table.table_status.as_ref().map_or("unknown", TableStatus::as_str);
            let text = format!("{} cannot be used yet: its status is {status}", calls.thing());
            return Err((true, BackendError::transient(text)));
        }
        let wrong = differences(&TableSchema::current(), &table);
        if wrong.is_empty() {
            return Ok(());
        }
        let text = format!(
            "{} is no state table of this release: {}; make another one with \"longbow state create-table\"",
            calls.thing(),
            wrong.join(", ")
        );
        Err((false, BackendError::fatal(text)))
    }

    fn request(
        &self,
        schema: &TableSchema,
    ) -> Result<aws_sdk_dynamodb::operation::create_table::builders::CreateTableFluentBuilder, BackendError>
    {
        let calls = &self.inner.calls;
        let wrong = |error: aws_sdk_dynamodb::error::BuildError| BackendError::fatal(error.to_string());
        let keys = |hash: &str, range: &str| {
            [(hash, KeyType::Hash), (range, KeyType::Range)]
                .into_iter()
                .map(|(name, kind)| KeySchemaElement::builder().attribute_name(name).key_type(kind).build())
                .collect::<Result<Vec<_>, _>>()
        };
        let mut request = calls.client.create_table().table_name(&calls.table);
        for (name, kind) in &schema.attributes {
            let kind = ScalarAttributeType::from(kind.letter());
            let definition =
                AttributeDefinition::builder().attribute_name(*name).attribute_type(kind).build();
            request = request.attribute_definitions(definition.map_err(wrong)?);
        }
        for index in &schema.indexes {
            let projection =
                Projection::builder().projection_type(ProjectionType::from(index.projection)).build();
            let index = GlobalSecondaryIndex::builder()
                .index_name(index.name)
                .set_key_schema(Some(keys(index.hash_key, index.range_key).map_err(wrong)?))
                .projection(projection)
                .build();
            request = request.global_secondary_indexes(index.map_err(wrong)?);
        }
        let keys = keys(schema.hash_key, schema.range_key).map_err(wrong)?;
        Ok(request.set_key_schema(Some(keys)).billing_mode(BillingMode::from(schema.billing_mode)))
    }

    async fn expire(&self, schema: &TableSchema) -> Result<(), BackendError> {
        let calls = &self.inner.calls;
        let ttl =
            TimeToLiveSpecification::builder().enabled(true).attribute_name(schema.ttl_attribute).build();
        let ttl = ttl.map_err(|error| BackendError::fatal(error.to_string()))?;
        let request =
            calls.client.update_time_to_live().table_name(&calls.table).time_to_live_specification(ttl);
        let answer = request.send().await;
        answer.map(drop).map_err(|e| calls.fault("UpdateTimeToLive", "dynamodb:UpdateTimeToLive", &e))
    }

    async fn recover(&self) {
        let calls = &self.inner.calls;
        let wanted = PointInTimeRecoverySpecification::builder().point_in_time_recovery_enabled(true).build();
        let Ok(wanted) = wanted else { return };
        let request = calls.client.update_continuous_backups().table_name(&calls.table);
        if let Err(error) = request.point_in_time_recovery_specification(wanted).send().await {
            let error = calls.fault("UpdateContinuousBackups", "dynamodb:UpdateContinuousBackups", &error);
            tracing::warn!(%error, "the table has no point-in-time recovery");
        }
    }
}

/// What of a table is not as the schema says. Further indexes and attributes do no harm.
fn differences(schema: &TableSchema, table: &TableDescription) -> Vec<String> {
    let keys = |found: &[KeySchemaElement]| -> Vec<String> {
        let name = |kind: KeyType| {
            found.iter().find(|key| key.key_type == kind).map_or("none", |key| key.attribute_name.as_str())
        };
        vec![name(KeyType::Hash).to_owned(), name(KeyType::Range).to_owned()]
    };
    let mut wrong = Vec::new();
    let mut compare = |what: &str, found: Vec<String>, expected: [&str; 2]| {
        if found != expected {
            wrong.push(format!("{what} is {} and should be {}", found.join(" + "), expected.join(" + ")));
        }
    };
    compare("its key", keys(table.key_schema()), [schema.hash_key, schema.range_key]);
    for index in &schema.indexes {
        let found = table.global_secondary_indexes().iter().find(|i| i.index_name() == Some(index.name));
        let what = format!("the key of its index {}", index.name);
        compare(
            &what,
            found.map_or_else(|| vec!["missing".to_owned()], |index| keys(index.key_schema())),
            [index.hash_key, index.range_key],
        );
    }
    for (name, kind) in &schema.attributes {
        let found = table.attribute_definitions().iter().find(|d| d.attribute_name == *name);
        if let Some(found) = found
            && found.attribute_type.as_str() != kind.letter()
        {
            let found = found.attribute_type.as_str();
            wrong
                .push(format!("the type of its attribute {name} is {found} and should be {}", kind.letter()));
        }
    }
    wrong
}
