//! The keys of a role, which another identity takes on (STS, AssumeRole).
//!
//! Apart, because a role that cannot be taken on has more causes than keys that are missing, and each has its remedy.

use std::time::Duration;

use aws_config::sts::AssumeRoleProvider;
use aws_config::{BehaviorVersion, SdkConfig};
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider, future};
use aws_sdk_s3::config::{AppName, SharedHttpClient};
use aws_types::region::Region;
use longbow_core::failure::{StoreError, StoreErrorKind};

use super::keys::Keys;
use super::{Told, is_unreachable};
use crate::endpoint::{Endpoint, partition};
use crate::failure::chain;
use crate::session::{SideOptions, endpoint_of};

/// How long STS may take, with the SDK's own tries.
const ANSWER: Duration = Duration::from_secs(15);

/// A role that a side takes on.
#[derive(Clone, PartialEq, Eq)]
pub struct RoleOptions {
    /// `arn:aws:iam::ACCOUNT:role/NAME`.
    pub arn: String,
    /// What the role's account asks for besides, where it does. Never shown.
    pub external_id: Option<String>,
    /// What the role's account sees in its logs: 2 to 64 letters, digits and `_+=,.@-`.
    pub session_name: String,
}

impl std::fmt::Debug for RoleOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RoleOptions")
            .field("arn", &self.arn)
            .field("session_name", &self.session_name)
            .field("external_id", &self.external_id.is_some())
            .finish()
    }
}

impl RoleOptions {
    /// Both would only be refused by a server far away.
    fn check(&self) -> Result<(), StoreError> {
        let wrong = |text: String| Err(StoreError::new(StoreErrorKind::Permanent, text));
        let parts: Vec<&str> = self.arn.splitn(6, ':').collect();
        let is_role = matches!(parts[..], ["arn", _, "iam", "", _, name] if name.starts_with("role/"));
        if !is_role {
            return wrong(format!(
                "{:?} is no role: write its ARN, arn:aws:iam::ACCOUNT:role/NAME",
                self.arn
            ));
        }
        let plain = |c: char| c.is_ascii_alphanumeric() || "_+=,.@-".contains(c);
        if !(2..=64).contains(&self.session_name.len()) || !self.session_name.chars().all(plain) {
            return wrong(format!(
                "{:?} is no name of a session: it has 2 to 64 letters, digits and _+=,.@-",
                self.session_name
            ));
        }
        Ok(())
    }

    /// Where STS is asked: in the region of the side, if the role can be known there.
    fn region(&self, region: &Region) -> Region {
        let own = self.arn.split(':').nth(1).unwrap_or("aws");
        if partition(region.as_ref()) == own {
            return region.clone();
        }
        Region::from_static(match own {
            "aws-cn" => "cn-north-1",
            "aws-us-gov" => "us-gov-west-1",
            "aws-eusc" => "eusc-de-east-1",
            "aws" => "us-east-1",
            _ => return region.clone(),
        })
    }
}

/// Takes on a role with other keys.
#[derive(Debug)]
pub(super) struct Role {
    arn: String,
    base: Keys,
    provider: AssumeRoleProvider,
}

impl Role {
    /// Asks nothing yet.
    pub(super) async fn new(
        role: &RoleOptions,
        base: Keys,
        options: &SideOptions,
        http: &SharedHttpClient,
        region: &Region,
    ) -> Result<Self, StoreError> {
        role.check()?;
        let region = role.region(region);
        let config = configuration(options, http, &region).await?;
        let mut builder = AssumeRoleProvider::builder(&role.arn)
            .configure(&config)
            .region(region)
            .session_name(&role.session_name);
        if let Some(id) = &role.external_id {
            builder = builder.external_id(id);
        }
        let provider = builder.build_from_provider(SharedCredentialsProvider::new(base.clone())).await;
        Ok(Self { arn: role.arn.clone(), base, provider })
    }

    fn told(&self, error: &CredentialsError) -> CredentialsError {
        let why = chain(error);
        let transient = is_unreachable(error);
        let has = |codes: &[&str]| codes.iter().any(|code| why.contains(code));
        let remedy = if transient {
            "; can STS be reached from here (AWS_ENDPOINT_URL_STS), and is the region right?"
        } else if has(&["AccessDenied"]) {
            "; the identity that asks needs the right sts:AssumeRole on the role, and the role's trust policy must name \
             that identity and the external id, if it has one"
        } else if has(&[
            "InvalidClientTokenId",
            "ExpiredToken",
            "SignatureDoesNotMatch",
            "UnrecognizedClient",
        ]) {
            self.base.refused(None);
            "; the keys of the identity that asks have expired or are not valid: renew them"
        } else if has(&["RegionDisabled"]) {
            "; the role's account must enable STS in this region, or the side must name another region"
        } else {
            ""
        };
        let text = format!("the role {} cannot be assumed: {why}{remedy}", self.arn);
        CredentialsError::provider_error(Told { text, transient })
    }
}

impl ProvideCredentials for Role {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(async {
            // Without them, the reason is theirs.
            self.base.current().await?;
            let asked = tokio::time::timeout(ANSWER, self.provider.provide_credentials()).await;
            let answered = asked.unwrap_or_else(|_| Err(CredentialsError::provider_timed_out(ANSWER)));
            answered.map_err(|error| self.told(&error))
        })
    }
}

/// How STS is reached: as environment and profile say, else at the side's own endpoint where that is not Amazon's, since
/// stores of others that have roles answer for them themselves.
async fn configuration(
    options: &SideOptions,
    http: &SharedHttpClient,
    region: &Region,
) -> Result<SdkConfig, StoreError> {
    let name =
        AppName::new("longbow").map_err(|e| StoreError::new(StoreErrorKind::Permanent, e.to_string()))?;
    let mut loader = aws_config::defaults(BehaviorVersion::v2026_01_12())
        .http_client(http.clone())
        .region(region.clone())
        .app_name(name)
        .no_credentials();
    if let Some(profile) = &options.profile {
        loader = loader.profile_name(profile);
    }
    let config = loader.load().await;
    if let Some(url) = &options.endpoint_url
        && endpoint_of(&config, "STS").is_none()
        && let endpoint = Endpoint::parse(url)?
        && !endpoint.is_amazon()
    {
        return Ok(config.into_builder().endpoint_url(endpoint.url).build());
    }
    Ok(config)
}
