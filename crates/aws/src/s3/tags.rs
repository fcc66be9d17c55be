//! The tags of an object.

use longbow_core::failure::StoreError;
use longbow_core::object::{ObjectKey, Tag, VersionId};

use super::S3Store;
use super::head::check_key;
use super::naming::named;
use crate::call::Call;
use crate::failure::translate;

impl S3Store {
    pub(super) async fn object_tags(
        &self,
        key: &ObjectKey,
        version: Option<&VersionId>,
    ) -> Result<Vec<Tag>, StoreError> {
        let about = self.about(Call::GetObjectTagging, Some(key));
        check_key(&about, key)?;
        let call = self
            .clients
            .quick
            .get_object_tagging()
            .bucket(&*self.bucket)
            .set_version_id(version.map(|v| v.0.clone()))
            .set_request_payer(self.payer.clone())
            .set_expected_bucket_owner(self.owner.clone());
        match named!(call, key).send().await.map_err(|error| translate(&about, error)) {
            Ok(answer) => {
                Ok(answer.tag_set.into_iter().map(|tag| Tag { key: tag.key, value: tag.value }).collect())
            }
            // What Ceph and others say of an object without tags.
            Err(error) if error.code.as_deref() == Some("NoSuchTagSet") => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }
}
