//! Queues, tables and sessions on a running server.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_sdk_sqs::types::QueueAttributeName;
use longbow_aws::{ClusterOptions, ClusterSession, SqsOptions, SqsQueue, StateTable, TableOptions};
use longbow_core::object::Location;
use longbow_core::port::Clock;
use longbow_core::route::Route;

use super::Server;

/// A name that no other run uses.
pub(crate) fn fresh(name: &str) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    format!("lb-{name}-{:x}", now.as_nanos())
}

impl Server {
    pub(crate) fn cluster_options(&self) -> ClusterOptions {
        let side = self.options();
        ClusterOptions {
            endpoint_url: side.endpoint_url,
            access_key: side.access_key,
            secret_key: side.secret_key,
            ..ClusterOptions::default()
        }
    }

    /// `HOST:PORT`.
    pub(crate) fn host(&self) -> String {
        let url = self.options().endpoint_url.unwrap_or_default();
        url.trim_start_matches("http://").trim_end_matches('/').to_owned()
    }

    pub(crate) async fn session(&self) -> ClusterSession {
        ClusterSession::open(&self.cluster_options()).await.expect("the server's keys are given")
    }

    /// The SDK's own client: what tests see with other eyes than the adapter's.
    pub(crate) fn sqs(&self) -> aws_sdk_sqs::Client {
        let options = self.options();
        let keys = aws_sdk_sqs::config::Credentials::new(
            options.access_key.unwrap_or_default(),
            options.secret_key.unwrap_or_default(),
            None,
            None,
            "tests",
        );
        let config = aws_sdk_sqs::Config::builder()
            .behavior_version(aws_sdk_sqs::config::BehaviorVersion::v2026_01_12())
            .region(aws_sdk_sqs::config::Region::from_static("us-east-1"))
            .endpoint_url(options.endpoint_url.unwrap_or_default())
            .credentials_provider(keys)
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .build();
        aws_sdk_sqs::Client::from_conf(config)
    }

    /// The same for tables.
    pub(crate) fn dynamodb(&self) -> aws_sdk_dynamodb::Client {
        let options = self.options();
        let keys = aws_sdk_dynamodb::config::Credentials::new(
            options.access_key.unwrap_or_default(),
            options.secret_key.unwrap_or_default(),
            None,
            None,
            "tests",
        );
        let config = aws_sdk_dynamodb::Config::builder()
            .behavior_version(aws_sdk_dynamodb::config::BehaviorVersion::v2026_01_12())
            .region(aws_sdk_dynamodb::config::Region::from_static("us-east-1"))
            .endpoint_url(options.endpoint_url.unwrap_or_default())
            .credentials_provider(keys)
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .build();
        aws_sdk_dynamodb::Client::from_conf(config)
    }

    /// A new queue, with a queue for its dead letters if wanted. Gives the URLs.
    pub(crate) async fn make_queue(&self, name: &str, dead_letters: bool) -> (String, Option<String>) {
        let client = self.sqs();
        let name = fresh(name);
        let mut request = client.create_queue().queue_name(&name);
        let mut dead_url = None;
        if dead_letters {
            let dead =
                client.create_queue().queue_name(format!("{name}-dead")).send().await.expect("a queue");
            let dead = dead.queue_url.expect("a URL");
            let asked = client.get_queue_attributes().queue_url(&dead);
            let attributes =
                asked.attribute_names(QueueAttributeName::QueueArn).send().await.expect("attributes");
            let arn = attributes.attributes.expect("attributes")[&QueueAttributeName::QueueArn].clone();
            let policy = format!(r#"{{"deadLetterTargetArn": "{arn}", "maxReceiveCount": "1000"}}"#);
            request = request.attributes(QueueAttributeName::RedrivePolicy, policy);
            dead_url = Some(dead);
        }
        let url = request.send().await.expect("a queue").queue_url.expect("a URL");
        (url, dead_url)
    }

    /// A new queue as longbow opens it.
    pub(crate) async fn queue(&self, name: &str) -> SqsQueue {
        let (queue, _) = self.make_queue(name, true).await;
        self.open_queue(&queue).await
    }

    pub(crate) async fn open_queue(&self, queue: &str) -> SqsQueue {
        let options = SqsOptions { queue: queue.to_owned(), dead_letters: None, patience: Duration::ZERO };
        SqsQueue::connect(&self.session().await, &options).await.expect("the queue exists")
    }

    /// A new state table.
    pub(crate) async fn table(&self, name: &str, clock: Arc<dyn Clock>) -> StateTable {
        let table = self.open_table(&fresh(name), clock).await;
        assert!(table.create(Duration::from_secs(60)).await.expect("a new table can be made"));
        table
    }

    /// A table that is not longbow's.
    pub(crate) async fn make_foreign_table(&self, name: &str) {
        use aws_sdk_dynamodb::types::{
            AttributeDefinition, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType,
        };
        let attribute = AttributeDefinition::builder()
            .attribute_name("Key")
            .attribute_type(ScalarAttributeType::S)
            .build();
        let key = KeySchemaElement::builder().attribute_name("Key").key_type(KeyType::Hash).build();
        let request =
            self.dynamodb().create_table().table_name(name).billing_mode(BillingMode::PayPerRequest);
        let request = request.attribute_definitions(attribute.expect("a definition"));
        request.key_schema(key.expect("a key")).send().await.expect("a table");
    }

    /// A table that may not exist. Parts are remembered without waiting for others.
    pub(crate) async fn open_table(&self, name: &str, clock: Arc<dyn Clock>) -> StateTable {
        let options = TableOptions { part_rhythm: Duration::from_millis(1), ..TableOptions::new(name) };
        StateTable::open(&self.session().await, options, clock).expect("the table has a name")
    }
}

/// A route between buckets.
pub(crate) fn route(source: &str, destination: &str) -> Route {
    let parse = |text| Location::parse(text, false).expect("a location");
    Route { source: parse(source), destination: parse(destination) }
}
