//! Removing an object.

use longbow_core::failure::{StoreError, StoreErrorKind};
use longbow_core::object::{ETag, ObjectKey};

use super::S3Store;
use super::head::check_key;
use super::naming::named;
use crate::call::Call;
use crate::failure::translate;

impl S3Store {
    pub(super) async fn delete_object(
        &self,
        key: &ObjectKey,
        if_match: Option<&ETag>,
    ) -> Result<(), StoreError> {
        check_key(&self.about(Call::DeleteObject, Some(key)), key)?;
        let Some(tag) = if_match else { return gone(self.delete_now(key, None).await) };
        if self.traits.amazon {
            match self.delete_now(key, Some(tag)).await {
                // Directory buckets of some regions still lack it: look first, which is less.
                Err(error) if matches!(error.kind, StoreErrorKind::Unsupported(_)) => {}
                outcome => return gone(outcome),
            }
        }
        match self.observe(key).await? {
            None => Ok(()),
            Some(found) if found.as_ref() == Some(tag) => gone(self.delete_now(key, None).await),
            Some(_) => {
                let about = self.about(Call::DeleteObject, Some(key));
                Err(about.fault(StoreErrorKind::PreconditionFailed, "the object has changed"))
            }
        }
    }

    async fn delete_now(&self, key: &ObjectKey, if_match: Option<&ETag>) -> Result<(), StoreError> {
        let about = self.about(Call::DeleteObject, Some(key));
        let call = self
            .clients
            .quick
            .delete_object()
            .bucket(&*self.bucket)
            .set_if_match(if_match.map(ETag::quoted))
            .set_request_payer(self.payer.clone())
            .set_expected_bucket_owner(self.owner.clone());
        named!(call, key).send().await.map(drop).map_err(|error| translate(&about, error))
    }
}

/// What is gone already is as good as removed.
fn gone(outcome: Result<(), StoreError>) -> Result<(), StoreError> {
    match outcome {
        Err(error) if error.kind == StoreErrorKind::NotFound => Ok(()),
        outcome => outcome,
    }
}
