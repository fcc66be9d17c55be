//! Signatures (SigV4) with the credentials of the SDK's chain.
//!
//! Apart, because credentials expire, and because nothing else here sees them. They are asked for before they end, by
//! one request at a time.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_credential_types::provider::{ProvideCredentials as _, SharedCredentialsProvider};
use aws_sigv4::http_request::{
    PayloadChecksumKind, PercentEncodingMode, SessionTokenMode, SignableBody, SignableRequest,
    SigningSettings, UriPathNormalizationMode, sign,
};
use aws_sigv4::sign::v4;
use aws_smithy_runtime_api::client::identity::Identity;
use longbow_core::failure::{StoreError, StoreErrorKind};
use tokio::sync::Mutex;

use super::request::Headers;
use crate::failure::{About, credentials_fault};

/// Credentials are renewed this long before they end. The SDK's own cache takes ten seconds; a signature must also last
/// until the server has read it.
const EARLY: Duration = Duration::from_secs(20);

/// Headers that a signature adds.
#[derive(Debug, Default)]
pub(crate) struct Signature(Vec<(String, String)>);

impl Signature {
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

/// Signs requests for one bucket, or, for anonymous access, does not.
#[derive(Debug)]
pub(crate) struct Signer {
    keys: Option<Keys>,
    region: String,
    service: String,
    settings: SigningSettings,
}

#[derive(Debug)]
struct Keys {
    provider: SharedCredentialsProvider,
    held: RwLock<Option<Arc<Held>>>,
    renewing: Mutex<()>,
}

struct Held {
    identity: Identity,
    until: Option<SystemTime>,
}

impl std::fmt::Debug for Held {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Held").field("until", &self.until).finish_non_exhaustive()
    }
}

impl Signer {
    /// `None` signs nothing.
    pub(crate) fn new(provider: Option<SharedCredentialsProvider>, region: &str, service: &str) -> Self {
        let mut settings = SigningSettings::default();
        // S3's own rules: keys are encoded once and never normalised.
        settings.percent_encoding_mode = PercentEncodingMode::Single;
        settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
        settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
        settings.session_token_mode = SessionTokenMode::Include;
        let keys =
            provider.map(|provider| Keys { provider, held: RwLock::new(None), renewing: Mutex::new(()) });
        Self { keys, region: region.to_owned(), service: service.to_owned(), settings }
    }

    /// What is to be added to the headers of a request. The payload is not signed: its digests are compared.
    pub(super) async fn sign(
        &self,
        about: &About<'_>,
        method: &str,
        uri: &str,
        headers: &Headers,
    ) -> Result<Signature, StoreError> {
        let Some(keys) = &self.keys else { return Ok(Signature::default()) };
        let held = keys.current(about).await?;
        let cannot = |why: &dyn std::fmt::Display| {
            about.fault(StoreErrorKind::Permanent, &format!("the request cannot be signed: {why}"))
        };
        let params = v4::SigningParams::builder()
            .identity(&held.identity)
            .region(&self.region)
            .name(&self.service)
            .time(SystemTime::now())
            .settings(self.settings.clone())
            .build()
            .map_err(|error| cannot(&error))?
            .into();
        let request = SignableRequest::new(method, uri, headers.iter(), SignableBody::UnsignedPayload)
            .map_err(|error| cannot(&error))?;
        let (instructions, _) = sign(request, &params).map_err(|error| cannot(&error))?.into_parts();
        let (added, _) = instructions.into_parts();
        Ok(Signature(
            added.iter().map(|header| (header.name().to_owned(), header.value().to_owned())).collect(),
        ))
    }

    /// Forgets the credentials at hand: the server calls them expired.
    pub(super) fn renew(&self) {
        if let Some(keys) = &self.keys {
            *keys.held.write().unwrap_or_else(PoisonError::into_inner) = None;
        }
    }
}

impl Keys {
    fn held(&self) -> Option<Arc<Held>> {
        let held = self.held.read().unwrap_or_else(PoisonError::into_inner).clone()?;
        let lasts = held.until.is_none_or(|until| until > SystemTime::now() + EARLY);
        lasts.then_some(held)
    }

    async fn current(&self, about: &About<'_>) -> Result<Arc<Held>, StoreError> {
        if let Some(held) = self.held() {
            return Ok(held);
        }
        let _one_at_a_time = self.renewing.lock().await;
        if let Some(held) = self.held() {
            return Ok(held);
        }
        let found: Credentials =
            self.provider.provide_credentials().await.map_err(|error| credentials_fault(about, &error))?;
        let until = found.expiry();
        let held = Arc::new(Held { identity: found.into(), until });
        *self.held.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&held));
        Ok(held)
    }
}
