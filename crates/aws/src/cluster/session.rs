//! From the settings of a cluster to clients of the queue, the table and the parameters.
//!
//! One identity, looked for once and refused at once when there is none; one pool of connections. It makes no
//! request to the services themselves.

use std::time::Duration;

use aws_config::imds::region::ImdsRegionProvider;
use aws_config::provider_config::ProviderConfig;
use aws_config::{BehaviorVersion, SdkConfig};
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_s3::config::retry::{RetryConfig, RetryPartition, TokenBucket};
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::config::{
    AppName, IdentityCache, SharedAsyncSleep, SharedHttpClient, StalledStreamProtectionConfig,
};
use aws_smithy_async::rt::sleep::TokioSleep;
use aws_smithy_async::time::SharedTimeSource;
use aws_types::region::Region;
use longbow_core::failure::{BackendError, StoreError, StoreErrorKind};

use crate::endpoint::{Endpoint, partition};
use crate::identity::{self, Identity, Surroundings};
use crate::session::{SideOptions, endpoint_of, http_client, stated_region};

/// How long a request may take before it is made again. Long polls get their waiting time on top.
const ANSWER: Duration = Duration::from_secs(10);

/// How the cluster's services are reached. Everything that is left out follows the AWS standard chain and environment
/// (`AWS_PROFILE`, `AWS_REGION`, `AWS_ENDPOINT_URL`, `AWS_ENDPOINT_URL_SQS`, …).
#[derive(Clone, Default)]
pub struct ClusterOptions {
    /// `http://HOST:PORT` of a server that speaks for all services.
    pub endpoint_url: Option<String>,
    /// The region.
    pub region: Option<String>,
    /// A profile of `~/.aws/config`. Wins over credentials in the environment.
    pub profile: Option<String>,
    /// An access key; needs the secret key.
    pub access_key: Option<String>,
    /// The secret key. Never shown.
    pub secret_key: Option<String>,
    /// The session token of temporary keys. Never shown.
    pub session_token: Option<String>,
    /// Ask other machines without TLS, where an endpoint begins with `http://`: by default nothing is sent to them.
    pub allow_http: bool,
}

impl std::fmt::Debug for ClusterOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ClusterOptions")
            .field("endpoint_url", &self.endpoint_url.as_deref().and_then(|url| url.rsplit('@').next()))
            .field("region", &self.region)
            .field("profile", &self.profile)
            .field("explicit_keys", &self.access_key.is_some())
            .finish_non_exhaustive()
    }
}

impl ClusterOptions {
    fn as_side(&self) -> SideOptions {
        SideOptions {
            endpoint_url: self.endpoint_url.clone(),
            region: self.region.clone(),
            profile: self.profile.clone(),
            access_key: self.access_key.clone(),
            secret_key: self.secret_key.clone(),
            session_token: self.session_token.clone(),
            allow_http: self.allow_http,
            ..SideOptions::default()
        }
    }
}

/// An identity and connections: what the adapters of the cluster are opened with. Clones share both.
#[derive(Clone)]
pub struct ClusterSession {
    config: SdkConfig,
    region: Option<Region>,
    retries: RetryPartition,
}

impl std::fmt::Debug for ClusterSession {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ClusterSession").field("region", &self.region).finish_non_exhaustive()
    }
}

/// Fills in what the clients of all three services have in common.
macro_rules! configure {
    ($builder:path, $session:expr, $region:expr, $answer:expr) => {
        <$builder>::from(&$session.config)
            .region($region)
            .sleep_impl(SharedAsyncSleep::new(TokioSleep::new()))
            .retry_partition($session.retries.clone())
            .retry_config(
                RetryConfig::standard()
                    .with_max_attempts(4)
                    .with_initial_backoff(Duration::from_millis(200))
                    .with_max_backoff(Duration::from_secs(5)),
            )
            .timeout_config(
                TimeoutConfig::builder()
                    .connect_timeout(Duration::from_millis(3100))
                    .operation_attempt_timeout($answer)
                    .build(),
            )
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
    };
}

impl ClusterSession {
    /// Finds the identity. Fails at once, and in words, when there is none or the endpoint is no URL. Must be called
    /// on the runtime that the adapters are used on.
    pub async fn open(options: &ClusterOptions) -> Result<Self, BackendError> {
        let http = http_client(&options.as_side()).map_err(backend)?;
        Self::open_over(options, http).await
    }

    /// The same over a given HTTP client.
    pub(crate) async fn open_over(
        options: &ClusterOptions,
        http: SharedHttpClient,
    ) -> Result<Self, BackendError> {
        if let Some(url) = &options.endpoint_url {
            Endpoint::parse(url).map_err(backend)?;
        }
        let side = options.as_side();
        let provider_config = ProviderConfig::without_region().with_http_client(http.clone());
        let mut region = stated_region(&side, &provider_config).await;
        if region.is_none() && options.endpoint_url.is_none() {
            let service = identity::metadata_service(&provider_config);
            let here = ImdsRegionProvider::builder().configure(&provider_config).imds_client(service).build();
            region = here.region().await;
        }
        let for_identity = region.clone().unwrap_or_else(|| Region::from_static("us-east-1"));
        let provider_config = provider_config.with_region(Some(for_identity.clone()));
        let around = Surroundings {
            config: &provider_config,
            http: &http,
            time: &SharedTimeSource::default(),
            region: &for_identity,
        };
        let Identity { keys, .. } = identity::find(&side, None, &around).await.map_err(backend)?;
        let mut loader = aws_config::defaults(BehaviorVersion::v2026_01_12())
            .http_client(http)
            .identity_cache(IdentityCache::no_cache())
            .region(for_identity)
            .app_name(AppName::new("longbow").map_err(|e| BackendError::fatal(e.to_string()))?);
        if let Some(keys) = keys {
            loader = loader.credentials_provider(SharedCredentialsProvider::new(keys));
        }
        if let Some(profile) = &options.profile {
            loader = loader.profile_name(profile);
        }
        if let Some(url) = &options.endpoint_url {
            loader = loader.endpoint_url(url);
        }
        // Buckets of tokens shared by a whole client run dry in a storm of throttling and then fail every request at
        // once; the adapters bound their tries, the queue bounds the jobs'.
        let retries =
            RetryPartition::custom("longbow-cluster").token_bucket(TokenBucket::unlimited()).build();
        Ok(Self { config: loader.load().await, region, retries })
    }

    /// A client of the queue, in the region that the queue's address names. `poll` is the longest wait of a request
    /// that waits. An address of a server that is not Amazon's is its endpoint, where none is configured.
    pub(crate) fn sqs(
        &self,
        region: Option<&str>,
        origin: Option<&str>,
        poll: Duration,
    ) -> Result<aws_sdk_sqs::Client, BackendError> {
        let region = self.region_for(region, "the queue")?;
        let mut builder = configure!(aws_sdk_sqs::config::Builder, self, region, ANSWER + poll);
        if let Some(origin) = origin
            && !self.has_endpoint("SQS")
        {
            builder = builder.endpoint_url(origin);
        }
        Ok(aws_sdk_sqs::Client::from_conf(builder.build()))
    }

    /// A client of the table.
    pub(crate) fn dynamodb(&self) -> Result<aws_sdk_dynamodb::Client, BackendError> {
        let region = self.region_for(None, "the table")?;
        let builder = configure!(aws_sdk_dynamodb::config::Builder, self, region, ANSWER);
        Ok(aws_sdk_dynamodb::Client::from_conf(builder.build()))
    }

    /// A client of the parameter store.
    pub(crate) fn ssm(&self) -> Result<aws_sdk_ssm::Client, BackendError> {
        let region = self.region_for(None, "the parameters")?;
        let builder = configure!(aws_sdk_ssm::config::Builder, self, region, ANSWER);
        Ok(aws_sdk_ssm::Client::from_conf(builder.build()))
    }

    fn region_for(&self, named: Option<&str>, what: &str) -> Result<Region, BackendError> {
        if let Some(named) = named {
            return Ok(Region::new(named.to_owned()));
        }
        if let Some(region) = &self.region {
            return Ok(region.clone());
        }
        // A server that is not Amazon's takes any.
        if ["SQS", "DynamoDB", "SSM"].iter().any(|service| self.has_endpoint(service)) {
            return Ok(Region::from_static("us-east-1"));
        }
        Err(BackendError::fatal(format!(
            "no region is configured for {what}: give --region, or AWS_REGION in the environment"
        )))
    }

    /// What a request to Auto Scaling needs, for which there is no client.
    pub(crate) fn autoscaling(&self) -> Result<Direct, BackendError> {
        let region = self.region_for(None, "the Auto Scaling group")?;
        let endpoint = endpoint_of(&self.config, "Auto Scaling").unwrap_or_else(|| {
            // Domains of the partitions (AWS General Reference, "AWS service endpoints").
            let domain = match partition(region.as_ref()) {
                "aws-cn" => "amazonaws.com.cn",
                "aws-iso" => "c2s.ic.gov",
                "aws-iso-b" => "sc2s.sgov.gov",
                "aws-eusc" => "amazonaws.eu",
                _ => "amazonaws.com",
            };
            format!("https://autoscaling.{region}.{domain}")
        });
        let missing = || BackendError::fatal("no credentials are configured");
        Ok(Direct {
            credentials: self.config.credentials_provider().ok_or_else(missing)?,
            http: self.config.http_client().ok_or_else(missing)?,
            region,
            endpoint,
        })
    }

    fn has_endpoint(&self, service: &str) -> bool {
        endpoint_of(&self.config, service).is_some()
    }
}

/// The parts of a session, for a request that no client makes.
pub(crate) struct Direct {
    pub(crate) credentials: SharedCredentialsProvider,
    pub(crate) http: SharedHttpClient,
    pub(crate) region: Region,
    pub(crate) endpoint: String,
}

const REMEDY: &str = "give --profile NAME, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in the environment, or run \
                      with the role of an EC2 instance or a container";

fn backend(error: StoreError) -> BackendError {
    let message = match error.kind {
        // The sides' own remedy names flags of the sides.
        StoreErrorKind::Credentials => error.message.replace(identity::REMEDY, REMEDY),
        _ => error.message.replace("the S3 client", "the client"),
    };
    StoreError { message, ..error }.into()
}
