//! Signatures (SigV4) with the side's credentials.
//!
//! Apart, because nothing else here sees credentials.

use std::sync::Arc;
use std::time::SystemTime;

use aws_sigv4::http_request::{
    PayloadChecksumKind, PercentEncodingMode, SessionTokenMode, SignableBody, SignableRequest,
    SigningSettings, UriPathNormalizationMode, sign,
};
use aws_sigv4::sign::v4;
use longbow_core::failure::{StoreError, StoreErrorKind};

use super::request::Headers;
use crate::failure::{About, credentials_fault};
use crate::identity::{Held, Keys};

/// Headers that a signature adds, and whose they are.
#[derive(Debug, Default)]
pub(crate) struct Signature {
    headers: Vec<(String, String)>,
    signer: Option<Arc<Held>>,
}

impl Signature {
    pub(super) fn len(&self) -> usize {
        self.headers.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()))
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

impl Signer {
    /// `None` signs nothing.
    pub(crate) fn new(keys: Option<Keys>, region: &str, service: &str) -> Self {
        let mut settings = SigningSettings::default();
        // S3's own rules: keys are encoded once and never normalised.
        settings.percent_encoding_mode = PercentEncodingMode::Single;
        settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
        settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
        settings.session_token_mode = SessionTokenMode::Include;
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
        let held = keys.current().await.map_err(|error| credentials_fault(about, &error))?;
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
        let headers =
            added.iter().map(|header| (header.name().to_owned(), header.value().to_owned())).collect();
        Ok(Signature { headers, signer: Some(held) })
    }

    /// The server has refused the credentials of a signature. Gives whether another one may have others.
    pub(super) fn refused(&self, signature: &Signature) -> bool {
        self.keys.as_ref().is_some_and(|keys| keys.refused(signature.signer.as_ref()))
    }
}
