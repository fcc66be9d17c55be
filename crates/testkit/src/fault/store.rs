//! A store under a plan.

use std::sync::Arc;

use async_trait::async_trait;
use longbow_core::failure::StoreError;
use longbow_core::object::{ETag, ObjectHead, ObjectKey, Prefix, Tag, VersionId};
use longbow_core::port::{
    ByteRange, CompleteRequest, CopyRequest, CreateRequest, GetRequest, HeadRequest, ListPage, ListedPart,
    MultipartStore, ObjectBody, ObjectStore, PartRequest, PutBody, PutRequest, StoreTraits, UploadId,
    UploadsMarker, UploadsPage, Written,
};
use longbow_core::transfer::PartPlan;

use super::body::{harmed, harmed_put};
use super::plan::Faults;

/// Any store behind a [`Faults`] plan.
#[derive(Clone)]
pub struct FaultyStore {
    name: String,
    inner: Arc<dyn MultipartStore>,
    faults: Faults,
}

impl FaultyStore {
    /// Puts `inner` under the plan; `name` is what rules and the journal call it.
    pub fn new(name: &str, inner: Arc<dyn MultipartStore>, faults: &Faults) -> Arc<Self> {
        Arc::new(Self { name: name.to_owned(), inner, faults: faults.clone() })
    }
}

/// The tag of a liar.
fn lie(etag: &mut Option<ETag>) {
    *etag = Some(ETag::new("11111111111111111111111111111111"));
}

fn lie_written(written: &mut Written) {
    lie(&mut written.etag);
}

#[async_trait]
impl ObjectStore for FaultyStore {
    fn traits(&self) -> StoreTraits {
        self.inner.traits()
    }

    async fn list(&self, prefix: &Prefix, page: Option<&str>) -> Result<ListPage, StoreError> {
        let begun = self.faults.begin(&self.name, "list", prefix.as_str());
        let lie = |page: &mut ListPage| page.objects.iter_mut().for_each(|object| lie(&mut object.etag));
        self.faults.call(begun, self.inner.list(prefix, page), lie).await
    }

    async fn list_from(
        &self,
        prefix: &Prefix,
        after: Option<&ObjectKey>,
        page: Option<&str>,
    ) -> Result<ListPage, StoreError> {
        let begun = self.faults.begin(&self.name, "list", prefix.as_str());
        let lie = |page: &mut ListPage| page.objects.iter_mut().for_each(|object| lie(&mut object.etag));
        self.faults.call(begun, self.inner.list_from(prefix, after, page), lie).await
    }

    async fn list_versions(
        &self,
        prefix: &Prefix,
        after: Option<&ObjectKey>,
        page: Option<&str>,
    ) -> Result<ListPage, StoreError> {
        let begun = self.faults.begin(&self.name, "list_versions", prefix.as_str());
        let lie = |page: &mut ListPage| page.objects.iter_mut().for_each(|object| lie(&mut object.etag));
        self.faults.call(begun, self.inner.list_versions(prefix, after, page), lie).await
    }

    async fn head(&self, key: &ObjectKey, request: &HeadRequest) -> Result<ObjectHead, StoreError> {
        let begun = self.faults.begin(&self.name, "head", key.as_str());
        self.faults.call(begun, self.inner.head(key, request), |head| lie(&mut head.etag)).await
    }

    async fn get(&self, key: &ObjectKey, request: &GetRequest) -> Result<ObjectBody, StoreError> {
        let begun = self.faults.begin(&self.name, "get", key.as_str());
        let met = begun.faults.clone();
        let mut body =
            self.faults.call(begun, self.inner.get(key, request), |body| lie(&mut body.head.etag)).await?;
        body.stream = harmed(body.stream, &self.faults, &met);
        Ok(body)
    }

    async fn put(&self, key: &ObjectKey, body: PutBody, request: &PutRequest) -> Result<Written, StoreError> {
        let begun = self.faults.begin(&self.name, "put", key.as_str());
        let body = harmed_put(body, &self.faults, &begun.faults);
        self.faults.call(begun, self.inner.put(key, body, request), lie_written).await
    }

    async fn copy(&self, key: &ObjectKey, request: &CopyRequest) -> Result<Written, StoreError> {
        let begun = self.faults.begin(&self.name, "copy", key.as_str());
        self.faults.call(begun, self.inner.copy(key, request), lie_written).await
    }

    async fn delete(&self, key: &ObjectKey, if_match: Option<&ETag>) -> Result<(), StoreError> {
        let begun = self.faults.begin(&self.name, "delete", key.as_str());
        self.faults.call(begun, self.inner.delete(key, if_match), |()| ()).await
    }

    async fn tags(&self, key: &ObjectKey, version: Option<&VersionId>) -> Result<Vec<Tag>, StoreError> {
        let begun = self.faults.begin(&self.name, "tags", key.as_str());
        self.faults.call(begun, self.inner.tags(key, version), |_| ()).await
    }
}

#[async_trait]
impl MultipartStore for FaultyStore {
    async fn create_upload(&self, key: &ObjectKey, request: &CreateRequest) -> Result<UploadId, StoreError> {
        let begun = self.faults.begin(&self.name, "create_upload", key.as_str());
        self.faults.call(begun, self.inner.create_upload(key, request), |_| ()).await
    }

    async fn put_part(
        &self,
        key: &ObjectKey,
        upload: &UploadId,
        body: PutBody,
        request: &PartRequest,
    ) -> Result<Written, StoreError> {
        let begun = self.faults.begin(&self.name, "put_part", key.as_str());
        let body = harmed_put(body, &self.faults, &begun.faults);
        self.faults.call(begun, self.inner.put_part(key, upload, body, request), lie_written).await
    }

    async fn copy_part(
        &self,
        key: &ObjectKey,
        upload: &UploadId,
        number: u32,
        range: ByteRange,
        source: &CopyRequest,
    ) -> Result<Written, StoreError> {
        let begun = self.faults.begin(&self.name, "copy_part", key.as_str());
        self.faults.call(begun, self.inner.copy_part(key, upload, number, range, source), lie_written).await
    }

    async fn list_parts(
        &self,
        key: &ObjectKey,
        upload: &UploadId,
        plan: &PartPlan,
    ) -> Result<Vec<ListedPart>, StoreError> {
        let begun = self.faults.begin(&self.name, "list_parts", key.as_str());
        let wrong = |parts: &mut Vec<ListedPart>| {
            for part in parts {
                part.etag = ETag::new("11111111111111111111111111111111");
            }
        };
        self.faults.call(begun, self.inner.list_parts(key, upload, plan), wrong).await
    }

    async fn uploads_page(
        &self,
        prefix: &Prefix,
        page: Option<&UploadsMarker>,
    ) -> Result<UploadsPage, StoreError> {
        let begun = self.faults.begin(&self.name, "uploads_page", prefix.as_str());
        self.faults.call(begun, self.inner.uploads_page(prefix, page), |_| ()).await
    }

    async fn complete_upload(
        &self,
        key: &ObjectKey,
        upload: &UploadId,
        request: &CompleteRequest,
    ) -> Result<Written, StoreError> {
        let begun = self.faults.begin(&self.name, "complete_upload", key.as_str());
        self.faults.call(begun, self.inner.complete_upload(key, upload, request), lie_written).await
    }

    async fn abort_upload(&self, key: &ObjectKey, upload: &UploadId) -> Result<(), StoreError> {
        let begun = self.faults.begin(&self.name, "abort_upload", key.as_str());
        self.faults.call(begun, self.inner.abort_upload(key, upload), |()| ()).await
    }
}
