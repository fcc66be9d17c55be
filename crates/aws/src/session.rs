//! From the settings of one side to a store that is ready to be asked.
//!
//! Apart, because everything about the SDK's behaviour is set here once: credentials, endpoint, region, timeouts,
//! retries, checksums, connections. It makes no request about objects.

use std::time::Duration;

use aws_config::environment::EnvironmentVariableRegionProvider;
use aws_config::imds::region::ImdsRegionProvider;
use aws_config::meta::region::RegionProviderChain;
use aws_config::profile::ProfileFileRegionProvider;
use aws_config::provider_config::ProviderConfig;
use aws_config::{BehaviorVersion, SdkConfig};
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::retry::{RetryConfig, RetryPartition, TokenBucket};
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::config::{
    AppName, Builder, IdentityCache, RequestChecksumCalculation, ResponseChecksumValidation,
    SharedAsyncSleep, SharedHttpClient, StalledStreamProtectionConfig,
};
use aws_smithy_async::rt::sleep::TokioSleep;
use aws_smithy_async::time::SharedTimeSource;
use aws_smithy_http_client::pool::{ConnectionPool, DriverSpawner, Partition, PartitionId};
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::Provider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_types::region::Region;
use aws_types::service_config::ServiceConfigKey;
use longbow_core::failure::{StoreError, StoreErrorKind};
use longbow_core::object::{Encryption, KeyOrder};
use longbow_core::port::StoreTraits;

use crate::endpoint::{Endpoint, partition, path_style};
use crate::identity::{self, Identity, Keys, RoleOptions, Stored, StoredKeys, Surroundings};
use crate::lean::{Address, Pool, Signer, Transport};
use crate::plain_http;
use crate::replies::SoundReplies;
use crate::s3::{Clients, S3Store, Writing};
use crate::too_many::NotWhenTooMany;

/// How one side of a route is reached. Everything that is left out follows the AWS standard chain and environment
/// (`AWS_PROFILE`, `AWS_REGION`, `AWS_ENDPOINT_URL`, `AWS_ENDPOINT_URL_S3`, …).
#[derive(Clone)]
pub struct SideOptions {
    /// `http://HOST:PORT` of a store that speaks S3's protocol.
    pub endpoint_url: Option<String>,
    /// The region; found out for Amazon's buckets, `us-east-1` for other stores.
    pub region: Option<String>,
    /// A profile of `~/.aws/config`. Wins over credentials in the environment.
    pub profile: Option<String>,
    /// Whether requests name the bucket in the path; by default where its name cannot stand before the host.
    pub path_style: Option<bool>,
    /// Send no credentials: for public buckets.
    pub anonymous: bool,
    /// An access key; needs the secret key.
    pub access_key: Option<String>,
    /// The secret key. Never shown.
    pub secret_key: Option<String>,
    /// The session token of temporary keys. Never shown.
    pub session_token: Option<String>,
    /// Keys in a parameter, read again as they are rotated, instead of those of a profile or of the chain. The region
    /// beside them is the side's, where none is given here.
    pub stored_keys: Option<StoredKeys>,
    /// A role that is taken on with the credentials that all the above lead to.
    pub role: Option<RoleOptions>,
    /// Agree to pay for requests to a requester-pays bucket.
    pub requester_pays: bool,
    /// The storage class of what is written.
    pub storage_class: Option<String>,
    /// The encryption of what is written; by default the bucket's own.
    pub encryption: Option<Encryption>,
    /// The account that must own the bucket: requests fail otherwise.
    pub expected_bucket_owner: Option<String>,
    /// The account that must own the bucket that this store copies from by itself.
    pub copied_bucket_owner: Option<String>,
    /// For a connection to be made.
    pub connect_timeout: Duration,
    /// For an answer to begin, counted from the end of the request's body.
    pub read_timeout: Duration,
    /// For a body to stand still, either way, because of the server.
    pub stall_timeout: Duration,
    /// For the server to put together an upload or to copy an object itself.
    pub server_side_timeout: Duration,
    /// Most connections to the store at once; unlimited by default, as the engine limits its requests. A limit sends all
    /// requests through the SDK.
    pub max_connections: Option<usize>,
    /// Send all requests through the SDK: for comparison, and in trouble.
    pub sdk_only: bool,
    /// Ask other machines without TLS, where an endpoint begins with `http://`: by default nothing is sent to them.
    pub allow_http: bool,
}

impl Default for SideOptions {
    fn default() -> Self {
        Self {
            endpoint_url: None,
            region: None,
            profile: None,
            path_style: None,
            anonymous: false,
            access_key: None,
            secret_key: None,
            session_token: None,
            stored_keys: None,
            role: None,
            requester_pays: false,
            storage_class: None,
            encryption: None,
            expected_bucket_owner: None,
            copied_bucket_owner: None,
            connect_timeout: Duration::from_millis(3100),
            read_timeout: Duration::from_secs(60),
            stall_timeout: Duration::from_secs(30),
            server_side_timeout: Duration::from_secs(900),
            max_connections: None,
            sdk_only: false,
            allow_http: false,
        }
    }
}

impl std::fmt::Debug for SideOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SideOptions")
            .field("endpoint_url", &self.endpoint_url.as_deref().and_then(|url| url.rsplit('@').next()))
            .field("region", &self.region)
            .field("profile", &self.profile)
            .field("anonymous", &self.anonymous)
            .field("explicit_keys", &self.access_key.is_some())
            .field("stored_keys", &self.stored_keys.as_ref().map(|keys| &keys.name))
            .field("role", &self.role)
            .finish_non_exhaustive()
    }
}

/// Opens a bucket (or access point ARN). Fails at once, and in words, when there are no credentials or the
/// endpoint is no URL. Amazon's buckets are looked up once for their region; other stores are asked nothing, so
/// that it takes [`S3Store::check`] to know whether the bucket answers. Must be called on the runtime that the
/// store is used on.
pub async fn connect(bucket: &str, options: &SideOptions) -> Result<S3Store, StoreError> {
    connect_over(bucket, options, http_client(options)?, SharedTimeSource::default(), wire_to).await
}

/// The same over a given HTTP client, and over what is made of an address for the lean path.
pub(crate) async fn connect_over(
    bucket: &str,
    options: &SideOptions,
    http: SharedHttpClient,
    time: SharedTimeSource,
    lean: impl Fn(&Address, &SideOptions) -> Result<Transport, String>,
) -> Result<S3Store, StoreError> {
    if options.encryption == Some(Encryption::Other) {
        let text = "only SSE-S3 and SSE-KMS can be asked for";
        return Err(StoreError::new(StoreErrorKind::Permanent, text));
    }
    if let Some(url) = &options.endpoint_url {
        Endpoint::parse(url)?;
    }
    let provider_config = ProviderConfig::without_region().with_http_client(http.clone());
    let stored = match &options.stored_keys {
        Some(keys) => Some(Stored::read(keys, time.clone()).await?),
        None => None,
    };
    let stated = match &stored {
        // This machine's own region says nothing of another account's buckets.
        Some(stored) => Some(options.region.clone().map_or_else(|| stored.region(), Region::new)),
        None => stated_region(options, &provider_config).await,
    };
    let region = stated.clone().unwrap_or_else(default_region);
    let provider_config = provider_config.with_region(Some(region.clone()));
    let around = Surroundings { config: &provider_config, http: &http, time: &time, region: &region };
    let Identity { keys, name } = identity::find(options, stored, &around).await?;

    let mut loader = aws_config::defaults(BehaviorVersion::v2026_01_12())
        .http_client(http)
        .region(region.clone())
        // They are kept in one place, for both ways.
        .identity_cache(IdentityCache::no_cache())
        .app_name(AppName::new("longbow").map_err(internal)?);
    loader = match &keys {
        Some(keys) => loader.credentials_provider(SharedCredentialsProvider::new(keys.clone())),
        None => loader.no_credentials(),
    };
    if let Some(profile) = &options.profile {
        loader = loader.profile_name(profile);
    }
    if let Some(url) = &options.endpoint_url {
        loader = loader.endpoint_url(url);
    }
    let config = loader.load().await;
    let endpoint = endpoint_of(&config, "S3").map(|url| Endpoint::parse(&url)).transpose()?;
    let amazon = endpoint.as_ref().is_none_or(Endpoint::is_amazon);

    let mut region = region;
    if stated.is_none() && endpoint.is_none() && !bucket.starts_with("arn:") {
        let service = identity::metadata_service(&provider_config);
        let here = ImdsRegionProvider::builder().configure(&provider_config).imds_client(service).build();
        region = here.region().await.unwrap_or(region);
    }
    let parts = Parts { bucket, options, config: &config, endpoint: endpoint.as_ref(), keys: keys.as_ref() };
    let mut store = parts.store(&region, amazon, name.clone());
    // Directory buckets and access points say where they are themselves.
    let found_by_name = bucket.starts_with("arn:") || bucket.ends_with("--x-s3");
    if endpoint.is_none()
        && !found_by_name
        && let Some(there) = store.find_region().await?
        && there != region.as_ref()
    {
        tracing::debug!(bucket, region = there, "the bucket is in another region than configured");
        region = Region::new(there);
        store = parts.store(&region, amazon, name);
    }
    let endpoint = endpoint.as_ref().map(|endpoint| format!("{}/", endpoint.url));
    let found =
        Address::find(bucket, region.as_ref(), parts.path_style(), endpoint.as_deref(), &config).await;
    match found.and_then(|address| Ok((lean(&address, options)?, address))) {
        Ok((transport, address)) => {
            let signer = Signer::new(keys.clone(), &address.region, &address.service);
            Ok(store.with_lean(signer, address, transport))
        }
        Err(why) => {
            tracing::debug!(bucket, "all requests go by the SDK: {why}");
            Ok(store)
        }
    }
}

/// Connections of the lean path, where nothing stands between.
fn wire_to(address: &Address, options: &SideOptions) -> Result<Transport, String> {
    if Transport::is_proxied(address.origin()) {
        return Err("a proxy is set in the environment".into());
    }
    if options.sdk_only {
        return Err("the lean path is switched off".into());
    }
    if options.max_connections.is_some() {
        return Err("the number of connections is limited".into());
    }
    let pool = Pool::new(address.origin().clone(), options.connect_timeout).map_err(|e| e.to_string())?;
    Ok(Transport::Wire(pool.into()))
}

fn internal(error: impl std::fmt::Display) -> StoreError {
    StoreError::new(StoreErrorKind::Permanent, format!("the S3 client cannot be set up: {error}"))
}

fn default_region() -> Region {
    Region::from_static("us-east-1")
}

/// The region that the user, the environment or the profile names.
pub(crate) async fn stated_region(options: &SideOptions, config: &ProviderConfig) -> Option<Region> {
    let mut profile = ProfileFileRegionProvider::builder().configure(config);
    if let Some(name) = &options.profile {
        profile = profile.profile_name(name);
    }
    RegionProviderChain::first_try(options.region.clone().map(Region::new))
        .or_else(EnvironmentVariableRegionProvider::new())
        .or_else(profile.build())
        .region()
        .await
}

/// The endpoint of a service that the options, the environment or the profile name, in the SDK's own order.
pub(crate) fn endpoint_of(config: &SdkConfig, service: &str) -> Option<String> {
    if config.get_origin("endpoint_url").is_client_config() {
        return config.endpoint_url().map(str::to_owned);
    }
    let key = ServiceConfigKey::builder()
        .service_id(service)
        .env("AWS_ENDPOINT_URL")
        .profile("endpoint_url")
        .build()
        .ok()?;
    let own = config.service_config().and_then(|service| service.load_config(key));
    own.or_else(|| config.endpoint_url().map(str::to_owned))
}

/// One pool of connections a side. Idle ones are dropped before servers drop them (S3 after some 20 s), since a
/// streamed body that meets a dying connection cannot be sent again.
pub(crate) fn http_client(options: &SideOptions) -> Result<SharedHttpClient, StoreError> {
    let runtime = tokio::runtime::Handle::try_current().map_err(internal)?;
    let spawner = DriverSpawner::from_fn(move |task| drop(runtime.spawn(task)));
    let id = PartitionId::from_index(0);
    let mut pool = ConnectionPool::builder()
        .idle_timeout(Duration::from_secs(15))
        .tcp_keepalive(Duration::from_secs(60))
        .sleep_impl(TokioSleep::new())
        .partitions([Partition::new(id, spawner)])
        .proxy_config(ProxyConfig::from_env());
    pool.set_max_connections_per_host(options.max_connections);
    let pool = pool.tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https().map_err(internal)?;
    let client = aws_smithy_http_client::pool::Client::from_partition(&pool, id).map_err(internal)?;
    let client = SharedHttpClient::new(client);
    Ok(if options.allow_http { client } else { plain_http::refuse(client) })
}

/// What stores are made of.
struct Parts<'a> {
    bucket: &'a str,
    options: &'a SideOptions,
    config: &'a SdkConfig,
    endpoint: Option<&'a Endpoint>,
    keys: Option<&'a Keys>,
}

impl Parts<'_> {
    fn store(&self, region: &Region, amazon: bool, identity: Option<String>) -> S3Store {
        let options = self.options;
        let place = match self.endpoint {
            Some(endpoint) => endpoint.shown.clone(),
            None => region.to_string(),
        };
        let realm = if amazon { partition(region.as_ref()).to_owned() } else { place.clone() };
        let payer = if options.requester_pays { " paying" } else { "" };
        let traits = StoreTraits {
            name: format!("s3://{} at {place}", self.bucket),
            order: (amazon && !self.bucket.ends_with("--x-s3")).then_some(KeyOrder::Bytes),
            folder: false,
            amazon,
            encryption: options.encryption.clone(),
            copy_domain: identity.map(|identity| format!("{realm} as {identity}{payer}")),
            container: self.bucket.to_owned(),
        };
        let writing = Writing {
            storage_class: options.storage_class.as_deref().map(Into::into),
            encryption: options.encryption.clone(),
        };
        let clients = self.clients(region);
        S3Store::new(clients, self.keys.cloned(), traits, (region.to_string(), place), options, writing)
    }

    fn path_style(&self) -> bool {
        self.options.path_style.unwrap_or_else(|| path_style(self.bucket, self.endpoint))
    }

    fn clients(&self, region: &Region) -> Clients {
        let options = self.options;
        let stalled = StalledStreamProtectionConfig::enabled().grace_period(options.stall_timeout).build();
        // A bucket of tokens shared by the whole client would run dry in a storm of 503s and then fail every
        // request at once; the engine's own limits do the slowing down.
        let retries = RetryPartition::custom("longbow").token_bucket(TokenBucket::unlimited()).build();
        let path_style = self.path_style();
        // A path without a slash at its end would run into the bucket's name.
        let endpoint = self.endpoint.map(|endpoint| format!("{}/", endpoint.url));
        let base = || {
            let mut builder = Builder::from(self.config);
            builder.set_endpoint_url(endpoint.clone().or(self.config.endpoint_url().map(str::to_owned)));
            builder
                .region(region.clone())
                .force_path_style(path_style)
                .use_arn_region(true)
                .sleep_impl(SharedAsyncSleep::new(TokioSleep::new()))
                .retry_partition(retries.clone())
                .interceptor(SoundReplies)
                .retry_classifier(NotWhenTooMany)
                // Off unless the protocol insists: by default the SDK adds a CRC-32 of its own, and to streams as
                // a trailer, which other stores refuse.
                .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
                .response_checksum_validation(ResponseChecksumValidation::WhenRequired)
        };
        let limited = |limit: Option<Duration>| {
            let timeouts = TimeoutConfig::builder().connect_timeout(options.connect_timeout);
            match limit {
                Some(limit) => timeouts.operation_attempt_timeout(limit).build(),
                None => timeouts.build(),
            }
        };
        let attempts =
            |n| RetryConfig::standard().with_max_attempts(n).with_max_backoff(Duration::from_secs(5));
        let build = |builder: Builder| {
            let builder = if options.anonymous { builder.allow_no_auth() } else { builder };
            Client::from_conf(builder.build())
        };
        Clients {
            quick: build(
                base()
                    .retry_config(attempts(3))
                    .timeout_config(limited(Some(options.read_timeout)))
                    .stalled_stream_protection(stalled.clone()),
            ),
            upload: build(
                base()
                    .retry_config(attempts(2))
                    .timeout_config(limited(None))
                    .stalled_stream_protection(stalled),
            ),
            patient: build(
                base()
                    .retry_config(attempts(2))
                    .timeout_config(limited(Some(options.server_side_timeout)))
                    .stalled_stream_protection(StalledStreamProtectionConfig::disabled()),
            ),
        }
    }
}

#[cfg(test)]
mod tests;
