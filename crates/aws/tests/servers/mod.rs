//! The servers that the tests run against, named by the environment.

#![allow(dead_code, reason = "each test program uses some of it")]

pub(crate) mod cluster;

use longbow_aws::{S3Store, SideOptions, connect};
use longbow_core::port::ObjectStore as _;

/// A running server and the keys to it.
pub(crate) struct Server {
    /// What the messages call it.
    pub(crate) name: &'static str,
    url: String,
    sdk_only: bool,
}

/// A server, or the reason why the test is skipped on the terminal.
fn server(name: &'static str, variable: &str) -> Option<Server> {
    match std::env::var(variable) {
        Ok(url) if !url.is_empty() => Some(Server { name, url, sdk_only: false }),
        _ => {
            eprintln!("skipped on {name}: {variable} does not name a running server (tests/run sets it)");
            None
        }
    }
}

/// SeaweedFS, which checks signatures and digests and lists in the order of folders.
pub(crate) fn seaweedfs() -> Option<Server> {
    server("SeaweedFS", "LONGBOW_TEST_SEAWEEDFS")
}

/// ministack, which takes nearly every key.
pub(crate) fn ministack() -> Option<Server> {
    server("ministack", "LONGBOW_TEST_MINISTACK")
}

/// All of them.
pub(crate) fn all() -> Vec<Server> {
    [seaweedfs(), ministack()].into_iter().flatten().collect()
}

impl Server {
    /// How the server is reached.
    pub(crate) fn options(&self) -> SideOptions {
        let variable = |name| std::env::var(name).ok().filter(|v| !v.is_empty());
        SideOptions {
            endpoint_url: Some(self.url.clone()),
            access_key: variable("LONGBOW_TEST_ACCESS_KEY"),
            secret_key: variable("LONGBOW_TEST_SECRET_KEY"),
            sdk_only: self.sdk_only,
            ..SideOptions::default()
        }
    }

    /// The same server, asked by the SDK alone.
    pub(crate) fn by_the_sdk(self) -> Self {
        Self { sdk_only: true, ..self }
    }

    /// A bucket that may not exist.
    pub(crate) async fn open(&self, bucket: &str) -> S3Store {
        connect(bucket, &self.options()).await.expect("the server's keys are given")
    }

    /// The same, which keeps versions.
    pub(crate) async fn versioned_bucket(&self, name: &str) -> S3Store {
        use aws_sdk_s3::types::{BucketVersioningStatus, VersioningConfiguration};
        let store = self.bucket(name).await;
        let keys = aws_sdk_s3::config::Credentials::new(
            self.options().access_key.unwrap_or_default(),
            self.options().secret_key.unwrap_or_default(),
            None,
            None,
            "tests",
        );
        let config = aws_sdk_s3::Config::builder()
            .behavior_version(aws_sdk_s3::config::BehaviorVersion::v2026_01_12())
            .region(aws_sdk_s3::config::Region::from_static("us-east-1"))
            .endpoint_url(self.url.clone())
            .force_path_style(true)
            .credentials_provider(keys)
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .build();
        let on = VersioningConfiguration::builder().status(BucketVersioningStatus::Enabled).build();
        aws_sdk_s3::Client::from_conf(config)
            .put_bucket_versioning()
            .bucket(store.traits().container)
            .versioning_configuration(on)
            .send()
            .await
            .expect("versioning can be switched on");
        store
    }

    /// A new bucket that no other run uses.
    pub(crate) async fn bucket(&self, name: &str) -> S3Store {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970");
        let store = self.open(&format!("lb-{name}-{:x}", now.as_nanos())).await;
        store.create_bucket().await.expect("a new bucket can be made");
        store
    }
}
