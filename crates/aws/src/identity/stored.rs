//! The other account's keys, where Longbow keeps them: in a parameter of Systems Manager (LB-04).
//!
//! Read again every few minutes, since they are rotated there (LBB-44): each reading is given an end, so that whoever keeps
//! the keys asks again. Apart from the parameters themselves, which do not know what their values mean.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, future};
use aws_smithy_async::time::SharedTimeSource;
use aws_types::region::Region;
use longbow_core::failure::{StoreError, StoreErrorKind};
use longbow_core::legacy::{OtherAccount, read_credentials};
use longbow_core::port::{Parameter, ParameterStore};

use super::Told;

/// The keys of one reading are used this long.
const REREAD: Duration = Duration::from_secs(5 * 60);

/// Keys in a parameter.
#[derive(Debug, Clone)]
pub struct StoredKeys {
    /// The account and region that have the parameter, and the identity that reads it.
    pub parameters: Arc<dyn ParameterStore>,
    /// The parameter's name, or its ARN.
    pub name: String,
}

/// Reads the keys, and uses the last ones on where they cannot be read.
#[derive(Debug)]
pub(crate) struct Stored {
    keys: StoredKeys,
    time: SharedTimeSource,
    last: Mutex<Last>,
}

/// The last reading.
#[derive(Debug)]
struct Last {
    account: OtherAccount,
    /// Whether it was said that it could not be repeated.
    warned: bool,
}

impl Stored {
    /// Reads the keys for the first time.
    pub(crate) async fn read(keys: &StoredKeys, time: SharedTimeSource) -> Result<Self, StoreError> {
        let (account, parameter) = read(keys).await.map_err(|told| {
            let kind = if told.transient { StoreErrorKind::Transient } else { StoreErrorKind::Credentials };
            StoreError::new(kind, told.text)
        })?;
        if !parameter.secure {
            tracing::warn!(
                "the parameter {} holds keys and is a plain String, which many may read: make it a SecureString",
                keys.name
            );
        }
        Ok(Self { keys: keys.clone(), time, last: Mutex::new(Last { account, warned: false }) })
    }

    /// The region that the parameter names.
    pub(crate) fn region(&self) -> Region {
        Region::new(self.last().account.region.clone())
    }

    /// Who the keys belong to, for others to compare.
    pub(super) fn name(&self) -> String {
        format!(
            "the parameter {}, {}",
            self.keys.name,
            super::name_of_key(&self.last().account.access_key_id)
        )
    }

    /// The last reading, as if it were new.
    pub(super) fn latest(&self) -> Credentials {
        let last = self.last();
        let account = &last.account;
        Credentials::new(
            &account.access_key_id,
            account.secret_access_key.expose(),
            account.session_token.as_ref().map(|token| token.expose().to_owned()),
            Some(self.time.now() + REREAD),
            "a parameter",
        )
    }

    fn last(&self) -> std::sync::MutexGuard<'_, Last> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn reread(&self) {
        match read(&self.keys).await {
            Ok((account, _)) => {
                let mut last = self.last();
                if account != last.account {
                    tracing::info!("the keys in the parameter {} have changed", self.keys.name);
                }
                *last = Last { account, warned: false };
            }
            Err(told) => {
                if !std::mem::replace(&mut self.last().warned, true) {
                    tracing::warn!("{}; those known so far are used on", told.text);
                }
            }
        }
    }
}

impl ProvideCredentials for Stored {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(async {
            self.reread().await;
            Ok::<_, CredentialsError>(self.latest())
        })
    }
}

async fn read(keys: &StoredKeys) -> Result<(OtherAccount, Parameter), Told> {
    let cannot = |transient, why: &str| Told {
        text: format!("the keys in the parameter {} cannot be read: {why}", keys.name),
        transient,
    };
    let parameter =
        keys.parameters.get(&keys.name).await.map_err(|error| cannot(error.transient, &error.message))?;
    let account = read_credentials(parameter.value.expose()).map_err(|faults| {
        let faults: Vec<String> = faults.iter().map(ToString::to_string).collect();
        let form = r#"it should be {"aws_access_key_id": …, "aws_secret_access_key": …, "region": …}"#;
        cannot(false, &format!("{}; {form}", faults.join(", ")))
    })?;
    Ok((account, parameter))
}
