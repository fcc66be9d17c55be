//! Pages of what each key has now, with versions: ListObjectVersions, asked only where a comparison is by version.
//!
//! The server's pages hold every version and every delete marker of a key, the newest first. What is not the newest, and a
//! key whose newest is a delete marker, is left out here; so a page of the server's may give nothing and not be the last.
//! What was written without versioning has the version `null`, which is none: asking for it by that name in a bucket that
//! has been given versioning since would get old bytes.

use aws_sdk_s3::operation::list_object_versions::ListObjectVersionsOutput;
use aws_sdk_s3::types::{EncodingType, ObjectVersion};
use longbow_core::failure::{StoreError, StoreErrorKind};
use longbow_core::object::{ObjectKey, Prefix, VersionId};
use longbow_core::port::ListPage;

use super::S3Store;
use super::list::{Listed, PAGE, Page, begins_after, decode, read_page};
use crate::attributes::{etag, storage_class, timestamp};
use crate::call::Call;
use crate::failure::{About, translate};

/// The name of what was written without versioning.
const NO_VERSION: &str = "null";

impl S3Store {
    pub(super) async fn versions_page(
        &self,
        prefix: &Prefix,
        after: Option<&ObjectKey>,
        page: Option<&str>,
    ) -> Result<ListPage, StoreError> {
        let about = self.about(Call::ListObjectVersions, None);
        let (key, version) = match page {
            Some(token) => {
                let (version, key) = token.split_once('\n').unwrap_or(("", token));
                (Some(key.to_owned()), Some(version.to_owned()).filter(|v| !v.is_empty()))
            }
            // A key without a version: what comes after all versions of it.
            None => (after.map(|key| key.as_str().to_owned()), None),
        };
        let text = Some(prefix.as_str()).filter(|p| !p.is_empty());
        let answer = self
            .clients
            .quick
            .list_object_versions()
            .bucket(&*self.bucket)
            .set_prefix(text.map(str::to_owned))
            .set_key_marker(key)
            .set_version_id_marker(version)
            .max_keys(PAGE)
            .encoding_type(EncodingType::Url)
            .set_request_payer(self.payer.clone())
            .set_expected_bucket_owner(self.owner.clone())
            .send()
            .await
            .map_err(|error| translate(&about, error))?;
        let found = read_page(&about, prefix, page, newest(&about, answer)?)?;
        match after {
            Some(after) => begins_after(found, after),
            None => Ok(found),
        }
    }
}

/// What each key of the answer has now.
fn newest(about: &About<'_>, answer: ListObjectVersionsOutput) -> Result<Page, StoreError> {
    let encoded = answer.encoding_type == Some(EncodingType::Url);
    let mut entries = Vec::new();
    for version in answer.versions.unwrap_or_default() {
        match version.is_latest {
            Some(true) => entries.push(version.into()),
            Some(false) => {}
            None => {
                let text = "the page holds a version without saying whether it is the newest";
                return Err(about.fault(StoreErrorKind::Transient, text));
            }
        }
    }
    // Keys may hold any character, versions no line feed.
    let next = match answer.next_key_marker.filter(|key| !key.is_empty()) {
        None => None,
        Some(key) => {
            let key = if encoded {
                decode(key).map_err(|why| about.fault(StoreErrorKind::Transient, &why))?
            } else {
                ObjectKey::new(key)
            };
            let version = answer.next_version_id_marker.unwrap_or_default();
            Some(format!("{version}\n{}", key.as_str()))
        }
    };
    Ok(Page { encoded, truncated: answer.is_truncated, next, entries })
}

impl From<ObjectVersion> for Listed {
    fn from(entry: ObjectVersion) -> Self {
        let class = entry.storage_class.as_ref().and_then(|class| storage_class(class.as_str()));
        Self {
            size: entry.size.and_then(|n| u64::try_from(n).ok()),
            etag: etag(entry.e_tag.as_deref()),
            modified: entry.last_modified.as_ref().and_then(timestamp),
            storage_class: class.map(Into::into),
            version: entry.version_id.filter(|id| !id.is_empty() && id != NO_VERSION).map(VersionId),
            key: entry.key,
        }
    }
}
