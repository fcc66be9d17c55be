//! Who asks: credentials for one side, found at once or refused at once.
//!
//! Apart, because two sides of one run often have two identities, and because a missing one must be told in
//! words rather than by a request that hangs on an address that only EC2 has.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use aws_config::default_provider::credentials::DefaultCredentialsChain;
use aws_config::imds;
use aws_config::profile::ProfileFileCredentialsProvider;
use aws_config::provider_config::ProviderConfig;
use aws_credential_types::Credentials;
use aws_credential_types::provider::{self, ProvideCredentials, SharedCredentialsProvider, future};
use aws_types::region::Region;
use longbow_core::failure::{StoreError, StoreErrorKind};

use crate::failure::chain;
use crate::session::SideOptions;

/// How long finding credentials may take; a login program or STS may be slow.
const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) const REMEDY: &str = "give --profile NAME, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in the environment \
                      (for one side: --source-profile, --destination-profile), or, for a public bucket, \
                      --source-anonymous";

/// The metadata service of EC2, asked once and for a second: everywhere else its address leads nowhere.
pub(crate) fn metadata_service(config: &ProviderConfig) -> imds::Client {
    let second = Duration::from_secs(1);
    imds::Client::builder()
        .configure(config)
        .max_attempts(1)
        .connect_timeout(second)
        .read_timeout(second)
        .operation_timeout(second)
        .build()
}

/// An identity that is known to exist.
pub(crate) struct Identity {
    /// `None` for anonymous requests.
    pub(crate) provider: Option<SharedCredentialsProvider>,
    /// Equal for sides with the same identity; `None` for nobody.
    pub(crate) name: Option<String>,
}

/// Finds the credentials of a side: those given, those of the profile given, or those of the standard chain.
///
/// A profile that the user names wins over the environment, as in the AWS CLI.
pub(crate) async fn find(
    options: &SideOptions,
    config: &ProviderConfig,
    region: &Region,
) -> Result<Identity, StoreError> {
    if options.anonymous {
        return Ok(Identity { provider: None, name: None });
    }
    let missing = |what: String| StoreError::new(StoreErrorKind::Credentials, format!("{what}; {REMEDY}"));
    let (provider, tried, name) = match (&options.access_key, &options.secret_key, &options.profile) {
        (Some(access_key), Some(secret_key), _) => {
            let keys = Credentials::new(
                access_key,
                secret_key,
                options.session_token.clone(),
                None,
                "longbow settings",
            );
            // Only compared, and not to be read back from a log.
            let mut digest = DefaultHasher::new();
            access_key.hash(&mut digest);
            let name = Some(format!("the key {:016x}", digest.finish()));
            return Ok(Identity { provider: Some(SharedCredentialsProvider::new(keys)), name });
        }
        (Some(_), None, _) => return Err(missing("an access key is given without its secret key".into())),
        (None, Some(_), _) => return Err(missing("a secret key is given without its access key".into())),
        (None, None, Some(profile)) => {
            let provider =
                ProfileFileCredentialsProvider::builder().configure(config).profile_name(profile).build();
            let tried = format!("the profile {profile:?} of ~/.aws/config and ~/.aws/credentials");
            (SharedCredentialsProvider::new(provider), tried, format!("profile {profile}"))
        }
        (None, None, None) => {
            let chain = DefaultCredentialsChain::builder()
                .imds_client(metadata_service(config))
                .region(region.clone())
                .configure(config.clone())
                .build()
                .await;
            let tried =
                "the environment, the profile (AWS_PROFILE or \"default\"), web identity, and the roles \
                         of containers and of EC2 instances"
                    .to_owned();
            (SharedCredentialsProvider::new(chain), tried, "the default chain".to_owned())
        }
    };
    match tokio::time::timeout(PATIENCE, provider.provide_credentials()).await {
        Ok(Ok(first)) => {
            let found = Found { first, left: AtomicUsize::new(CACHES), provider };
            Ok(Identity { provider: Some(SharedCredentialsProvider::new(found)), name: Some(name) })
        }
        Ok(Err(error)) => {
            let why = chain(&error);
            Err(missing(format!("no credentials were found: {tried} had none or could not be read ({why})")))
        }
        Err(_) => Err(missing(format!(
            "no credentials were found within {} seconds: tried {tried}",
            PATIENCE.as_secs()
        ))),
    }
}

/// Who caches credentials: the SDK and the lean path.
const CACHES: usize = 2;

/// A provider that hands out what was found at the start, once to each that keeps it, before it asks again, so that
/// nobody has to log in twice.
#[derive(Debug)]
struct Found {
    first: Credentials,
    left: AtomicUsize,
    provider: SharedCredentialsProvider,
}

impl ProvideCredentials for Found {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        let left = |left: usize| left.checked_sub(1);
        match self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, left) {
            Ok(_) => future::ProvideCredentials::ready(provider::Result::Ok(self.first.clone())),
            Err(_) => self.provider.provide_credentials(),
        }
    }

    fn fallback_on_interrupt(&self) -> Option<Credentials> {
        self.provider.fallback_on_interrupt()
    }
}
