//! Queues, tables and sessions on a running server.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_sdk_sqs::types::QueueAttributeName;
use longbow_aws::{ClusterOptions, ClusterSession, SqsOptions, SqsQueue};

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
}
