//! The credentials of one side: kept, asked for again before they end, and when a server refuses them.
//!
//! Apart, because both ways to S3 sign with them. There is one cache, so that nobody has to log in twice and what one way
//! learns of a refusal is known on the other. Where credentials come from is not known here.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{self, ProvideCredentials, SharedCredentialsProvider, future};
use aws_smithy_async::time::SharedTimeSource;
use aws_smithy_runtime_api::client::identity::Identity;
use tokio::sync::Mutex;

use crate::failure::chain;

/// How long finding credentials may take; a login program or STS may be slow.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);

/// Credentials are renewed this long before they end, if they last that long: time for another try or two.
const EARLY: Duration = Duration::from_secs(60);

/// Not asked for more often, whatever servers say of them.
const BETWEEN: Duration = Duration::from_secs(10);

/// Credentials without an end are asked for again after this time, as the SDK does: files and programs change.
const ENDLESS: Duration = Duration::from_secs(15 * 60);

/// Credentials that are renewed. Clones are the same ones.
#[derive(Debug, Clone)]
pub(crate) struct Keys {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    provider: SharedCredentialsProvider,
    time: SharedTimeSource,
    held: RwLock<Option<Arc<Held>>>,
    renewing: Mutex<()>,
}

/// Credentials at hand.
pub(crate) struct Held {
    credentials: Credentials,
    /// The same, to sign with.
    pub(crate) identity: Identity,
    obtained: SystemTime,
    ask_again: SystemTime,
    refused: bool,
}

impl std::fmt::Debug for Held {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Held").field("ask_again", &self.ask_again).finish_non_exhaustive()
    }
}

impl Held {
    fn new(credentials: Credentials, now: SystemTime) -> Self {
        let ask_again = match credentials.expiry() {
            Some(until) => (until.checked_sub(EARLY).unwrap_or(until)).max(now + BETWEEN).min(until),
            None => now + ENDLESS,
        };
        let identity = credentials.clone().into();
        Self { credentials, identity, obtained: now, ask_again, refused: false }
    }

    fn is_due(&self, now: SystemTime) -> bool {
        self.refused || self.ask_again <= now
    }

    fn lasts(&self, now: SystemTime) -> bool {
        self.credentials.expiry().is_none_or(|until| until > now)
    }

    fn changed(&self, change: impl FnOnce(&mut Self)) -> Self {
        let mut held = Self {
            credentials: self.credentials.clone(),
            identity: self.identity.clone(),
            obtained: self.obtained,
            ask_again: self.ask_again,
            refused: self.refused,
        };
        change(&mut held);
        held
    }
}

impl Keys {
    pub(super) fn new(provider: SharedCredentialsProvider, time: SharedTimeSource) -> Self {
        let (held, renewing) = (RwLock::new(None), Mutex::new(()));
        Self { inner: Arc::new(Inner { provider, time, held, renewing }) }
    }

    /// Begins with these, which the provider has just given.
    pub(super) fn holding(self, first: Credentials) -> Self {
        self.hold(Held::new(first, self.inner.time.now()));
        self
    }

    /// The credentials of this moment.
    pub(crate) async fn current(&self) -> Result<Arc<Held>, CredentialsError> {
        let now = self.inner.time.now();
        let held = self.held();
        let _one_at_a_time = match held {
            Some(held) if !held.is_due(now) => return Ok(held),
            // Good for a while: one request asks, and the others go on.
            Some(held) if !held.refused && held.lasts(now) => match self.inner.renewing.try_lock() {
                Ok(guard) => guard,
                Err(_) => return Ok(held),
            },
            _ => self.inner.renewing.lock().await,
        };
        let held = self.held();
        if let Some(held) = &held
            && !held.is_due(self.inner.time.now())
        {
            return Ok(Arc::clone(held));
        }
        let asked = tokio::time::timeout(PATIENCE, self.inner.provider.provide_credentials()).await;
        let now = self.inner.time.now();
        match (asked.unwrap_or_else(|_| Err(CredentialsError::provider_timed_out(PATIENCE))), held) {
            (Ok(found), _) => Ok(self.hold(Held::new(found, now))),
            (Err(error), Some(held)) if held.lasts(now) => {
                tracing::warn!("the credentials could not be renewed and are used on: {}", chain(&error));
                Ok(self.hold(held.changed(|held| {
                    held.refused = false;
                    held.obtained = now;
                    held.ask_again = now + BETWEEN;
                })))
            }
            (Err(error), _) => Err(error),
        }
    }

    /// A server has refused what was signed with `used`, if that is known. Gives whether another attempt may have other
    /// credentials.
    pub(crate) fn refused(&self, used: Option<&Arc<Held>>) -> bool {
        let mut place = self.inner.held.write().unwrap_or_else(PoisonError::into_inner);
        let Some(held) = place.as_ref() else { return true };
        if used.is_some_and(|used| !Arc::ptr_eq(used, held)) {
            return true;
        }
        if self.inner.time.now() < held.obtained + BETWEEN {
            return false;
        }
        let refused = held.changed(|held| held.refused = true);
        *place = Some(Arc::new(refused));
        true
    }

    fn held(&self) -> Option<Arc<Held>> {
        self.inner.held.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn hold(&self, held: Held) -> Arc<Held> {
        let held = Arc::new(held);
        *self.inner.held.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&held));
        held
    }
}

impl ProvideCredentials for Keys {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(async {
            let held = self.current().await?;
            provider::Result::Ok(held.credentials.clone())
        })
    }
}

#[cfg(test)]
mod tests;
