//! A store at its pace: requests that show nothing to anybody wait for their turn and are made again where they stand.
//!
//! Apart from the stages, so that none of them has to think of it. The four requests that change what others see (`put`,
//! `copy`, `complete_upload`, `delete`) pass through untouched: between the wait and the request the lease has to be looked
//! at, which only the stages can (`copy::write`). A streamed part passes once; its stage reads it again.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use futures_util::StreamExt as _;
use longbow_core::failure::StoreError;
use longbow_core::object::{ETag, ObjectHead, ObjectKey, Prefix, Tag, VersionId};
use longbow_core::port::{
    ByteRange, CompleteRequest, CopyRequest, CreateRequest, GetRequest, HeadRequest, ListPage, ListedPart,
    MultipartStore, ObjectBody, ObjectStore, PartRequest, PutBody, PutRequest, StoreTraits, UploadId,
    UploadsMarker, UploadsPage, Written,
};
use longbow_core::transfer::PartPlan;

use super::Pace;

/// Any store and its pace.
pub(crate) struct PacedStore {
    inner: Arc<dyn MultipartStore>,
    pace: Arc<Pace>,
}

impl PacedStore {
    pub(crate) fn new(inner: Arc<dyn MultipartStore>, pace: Arc<Pace>) -> Self {
        Self { inner, pace }
    }
}

#[async_trait]
impl ObjectStore for PacedStore {
    fn traits(&self) -> StoreTraits {
        self.inner.traits()
    }

    async fn list(&self, prefix: &Prefix, page: Option<&str>) -> Result<ListPage, StoreError> {
        self.pace.ask(|| self.inner.list(prefix, page)).await
    }

    async fn list_from(
        &self,
        prefix: &Prefix,
        after: Option<&ObjectKey>,
        page: Option<&str>,
    ) -> Result<ListPage, StoreError> {
        self.pace.ask(|| self.inner.list_from(prefix, after, page)).await
    }

    async fn list_versions(
        &self,
        prefix: &Prefix,
        after: Option<&ObjectKey>,
        page: Option<&str>,
    ) -> Result<ListPage, StoreError> {
        self.pace.ask(|| self.inner.list_versions(prefix, after, page)).await
    }

    async fn head(&self, key: &ObjectKey, request: &HeadRequest) -> Result<ObjectHead, StoreError> {
        self.pace.ask(|| self.inner.head(key, request)).await
    }

    async fn get(&self, key: &ObjectKey, request: &GetRequest) -> Result<ObjectBody, StoreError> {
        self.pace.ask(|| self.inner.get(key, request)).await
    }

    async fn put(&self, key: &ObjectKey, body: PutBody, request: &PutRequest) -> Result<Written, StoreError> {
        self.inner.put(key, body, request).await
    }

    async fn copy(&self, key: &ObjectKey, request: &CopyRequest) -> Result<Written, StoreError> {
        self.inner.copy(key, request).await
    }

    async fn delete(&self, key: &ObjectKey, if_match: Option<&ETag>) -> Result<(), StoreError> {
        self.inner.delete(key, if_match).await
    }

    async fn tags(&self, key: &ObjectKey, version: Option<&VersionId>) -> Result<Vec<Tag>, StoreError> {
        self.pace.ask(|| self.inner.tags(key, version)).await
    }
}

#[async_trait]
impl MultipartStore for PacedStore {
    async fn create_upload(&self, key: &ObjectKey, request: &CreateRequest) -> Result<UploadId, StoreError> {
        self.pace.ask(|| self.inner.create_upload(key, request)).await
    }

    async fn put_part(
        &self,
        key: &ObjectKey,
        upload: &UploadId,
        body: PutBody,
        request: &PartRequest,
    ) -> Result<Written, StoreError> {
        match body {
            PutBody::Kept(frames) => {
                let send = || self.inner.put_part(key, upload, PutBody::Kept(frames.clone()), request);
                self.pace.ask(send).await
            }
            PutBody::Streamed { length, stream } => {
                let pass = self.pace.pass(&mut None).await?;
                let broken = Arc::new(AtomicBool::new(false));
                let noted = Arc::clone(&broken);
                let stream = stream.inspect(move |frame| {
                    if frame.is_err() {
                        noted.store(true, Ordering::Relaxed);
                    }
                });
                let body = PutBody::Streamed { length, stream: Box::pin(stream) };
                let answer = self.inner.put_part(key, upload, body, request).await;
                // What broke the source's body is not this store's word.
                if broken.load(Ordering::Relaxed) { answer } else { pass.answer(answer) }
            }
        }
    }

    async fn copy_part(
        &self,
        key: &ObjectKey,
        upload: &UploadId,
        number: u32,
        range: ByteRange,
        source: &CopyRequest,
    ) -> Result<Written, StoreError> {
        self.pace.ask(|| self.inner.copy_part(key, upload, number, range, source)).await
    }

    async fn list_parts(
        &self,
        key: &ObjectKey,
        upload: &UploadId,
        plan: &PartPlan,
    ) -> Result<Vec<ListedPart>, StoreError> {
        self.pace.ask(|| self.inner.list_parts(key, upload, plan)).await
    }

    async fn uploads_page(
        &self,
        prefix: &Prefix,
        page: Option<&UploadsMarker>,
    ) -> Result<UploadsPage, StoreError> {
        self.pace.ask(|| self.inner.uploads_page(prefix, page)).await
    }

    async fn complete_upload(
        &self,
        key: &ObjectKey,
        upload: &UploadId,
        request: &CompleteRequest,
    ) -> Result<Written, StoreError> {
        self.inner.complete_upload(key, upload, request).await
    }

    async fn abort_upload(&self, key: &ObjectKey, upload: &UploadId) -> Result<(), StoreError> {
        self.pace.ask(|| self.inner.abort_upload(key, upload)).await
    }
}
