//! Who asks: credentials for one side, found at once or refused at once.
//!
//! Apart, because two sides of one run often have two identities, and because a missing one must be told in
//! words rather than by a request that hangs on an address that only EC2 has.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::time::Duration;

use aws_config::default_provider::credentials::DefaultCredentialsChain;
use aws_config::imds;
use aws_config::profile::ProfileFileCredentialsProvider;
use aws_config::provider_config::ProviderConfig;
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_s3::config::SharedHttpClient;
use aws_smithy_async::time::SharedTimeSource;
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_types::region::Region;
use longbow_core::failure::{StoreError, StoreErrorKind};

use crate::failure::{chain, sources};
use crate::session::SideOptions;

mod keys;
mod role;
mod stored;

use keys::PATIENCE;
pub(crate) use keys::{Held, Keys};
use role::Role;
pub use role::RoleOptions;
pub(crate) use stored::Stored;
pub use stored::StoredKeys;

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
    pub(crate) keys: Option<Keys>,
    /// Equal for sides with the same identity; `None` for nobody.
    pub(crate) name: Option<String>,
}

/// What an identity is looked for with.
pub(crate) struct Surroundings<'a> {
    pub(crate) config: &'a ProviderConfig,
    pub(crate) http: &'a SharedHttpClient,
    pub(crate) time: &'a SharedTimeSource,
    pub(crate) region: &'a Region,
}

/// Why there are no credentials, in the words for the user.
#[derive(Debug)]
pub(crate) struct Told {
    text: String,
    /// Whether it may pass by itself.
    pub(crate) transient: bool,
}

impl std::fmt::Display for Told {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for Told {}

/// Finds the credentials of a side: those of a role that is taken on with others, or those others: given, stored in a
/// parameter, of the profile given, or of the standard chain.
///
/// A profile that the user names wins over the environment, as in the AWS CLI.
pub(crate) async fn find(
    options: &SideOptions,
    stored: Option<Stored>,
    around: &Surroundings<'_>,
) -> Result<Identity, StoreError> {
    let contrary = |text: &str| Err(StoreError::new(StoreErrorKind::Permanent, text));
    if options.anonymous {
        if options.role.is_some() || stored.is_some() {
            return contrary("anonymous requests have no role and no stored keys: choose one");
        }
        return Ok(Identity { keys: None, name: None });
    }
    let (base, name) = match stored {
        Some(_) if options.access_key.is_some() || options.secret_key.is_some() => {
            return contrary("keys are given and stored in a parameter too: choose one");
        }
        Some(stored) => {
            let (first, name) = (stored.latest(), stored.name());
            let provider = SharedCredentialsProvider::new(stored);
            (Keys::new(provider, around.time.clone()).holding(first), name)
        }
        None => base(options, around).await?,
    };
    let Some(role) = &options.role else {
        return Ok(Identity { keys: Some(base), name: Some(name) });
    };
    let provider = Role::new(role, base, options, around.http, around.region).await?;
    let keys = Keys::new(SharedCredentialsProvider::new(provider), around.time.clone());
    match keys.current().await {
        Ok(_) => Ok(Identity { keys: Some(keys), name: Some(format!("the role {}", role.arn)) }),
        Err(error) => {
            let kind = if may_pass(&error) { StoreErrorKind::Transient } else { StoreErrorKind::Credentials };
            Err(StoreError::new(kind, chain(&error)))
        }
    }
}

/// The credentials given, of the profile given, or of the chain.
async fn base(options: &SideOptions, around: &Surroundings<'_>) -> Result<(Keys, String), StoreError> {
    let missing = |what: String| StoreError::new(StoreErrorKind::Credentials, format!("{what}; {REMEDY}"));
    let (provider, tried, name) = match (&options.access_key, &options.secret_key, &options.profile) {
        (Some(access_key), Some(secret_key), _) => {
            let token = options.session_token.clone();
            let keys = Credentials::new(access_key, secret_key, token, None, "longbow settings");
            (SharedCredentialsProvider::new(keys), "those given".to_owned(), name_of_key(access_key))
        }
        (Some(_), None, _) => return Err(missing("an access key is given without its secret key".into())),
        (None, Some(_), _) => return Err(missing("a secret key is given without its access key".into())),
        (None, None, Some(profile)) => {
            let provider = ProfileFileCredentialsProvider::builder()
                .configure(around.config)
                .profile_name(profile)
                .build();
            let tried = format!("the profile {profile:?} of ~/.aws/config and ~/.aws/credentials");
            (SharedCredentialsProvider::new(provider), tried, format!("profile {profile}"))
        }
        (None, None, None) => {
            let chain = DefaultCredentialsChain::builder()
                .imds_client(metadata_service(around.config))
                .region(around.region.clone())
                .configure(around.config.clone())
                .build()
                .await;
            let tried =
                "the environment, the profile (AWS_PROFILE or \"default\"), web identity, and the roles \
                         of containers and of EC2 instances"
                    .to_owned();
            (SharedCredentialsProvider::new(chain), tried, "the default chain".to_owned())
        }
    };
    let keys = Keys::new(provider, around.time.clone());
    match keys.current().await {
        Ok(_) => Ok((keys, name)),
        Err(CredentialsError::ProviderTimedOut(_)) => Err(missing(format!(
            "no credentials were found within {} seconds: tried {tried}",
            PATIENCE.as_secs()
        ))),
        Err(error) => {
            let why = chain(&error);
            Err(missing(format!("no credentials were found: {tried} had none or could not be read ({why})")))
        }
    }
}

/// Only compared, and not to be read back from a log.
fn name_of_key(access_key: &str) -> String {
    let mut digest = DefaultHasher::new();
    access_key.hash(&mut digest);
    format!("the key {:016x}", digest.finish())
}

/// Whether credentials that are missing may be there later without anybody's doing.
pub(crate) fn may_pass(error: &(dyn std::error::Error + 'static)) -> bool {
    sources(error).any(|e| e.downcast_ref::<Told>().is_some_and(|told| told.transient))
}

/// Whether a service gave no answer at all.
fn is_unreachable(error: &CredentialsError) -> bool {
    matches!(error, CredentialsError::ProviderTimedOut(_))
        || sources(error).any(|e| e.downcast_ref::<ConnectorError>().is_some())
}

#[cfg(test)]
mod tests;
