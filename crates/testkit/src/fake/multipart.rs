//! One bucket of the fake service behind the port of multipart uploads.

use async_trait::async_trait;
use longbow_core::failure::{StoreError, StoreErrorKind};
use longbow_core::object::{Checksums, ETag, ObjectKey, Prefix};
use longbow_core::port::{
    ByteRange, CompleteRequest, CopyRequest, CreateRequest, ListedPart, MultipartStore, PartRequest, PutBody,
    UploadId, UploadsMarker, UploadsPage, Written,
};
use longbow_core::transfer::PartPlan;

use super::bucket::Bucket;
use super::digest::Claims;
use super::journal::{Call, Reply};
use super::object::NewObject;
use super::store::FakeStore;
use super::upload::Completion;

#[async_trait]
impl MultipartStore for FakeStore {
    async fn create_upload(&self, key: &ObjectKey, request: &CreateRequest) -> Result<UploadId, StoreError> {
        self.pause().await;
        let (attributes, tags) = (request.attributes.clone(), request.tags.clone());
        let new = self.new_object(NewObject { attributes, tags, ..NewObject::default() });
        self.act(
            key,
            Call::CreateUpload,
            |bucket, now| bucket.create_upload(key, new, request.crc64nvme, now),
            |upload| Reply { etag: Some(ETag::new(&upload.0)), ..Reply::default() },
        )
    }

    async fn put_part(
        &self,
        key: &ObjectKey,
        upload: &UploadId,
        body: PutBody,
        request: &PartRequest,
    ) -> Result<Written, StoreError> {
        self.pause().await;
        let size = body.length();
        let call = Call::PutPart { upload: upload.0.clone(), number: request.number, size };
        let claims = Claims { md5: request.md5, checksums: Checksums::default() };
        let body = self.receive(key, call.clone(), body, claims).await?;
        let put = |bucket: &mut Bucket, now| bucket.put_part(key, upload, request.number, body, now);
        self.act(key, call, put, Reply::written(size))
    }

    async fn copy_part(
        &self,
        key: &ObjectKey,
        upload: &UploadId,
        number: u32,
        range: ByteRange,
        source: &CopyRequest,
    ) -> Result<Written, StoreError> {
        self.pause().await;
        self.copy_to_part(key, upload, number, Some(range), source).await
    }

    async fn list_parts(
        &self,
        key: &ObjectKey,
        upload: &UploadId,
        _plan: &PartPlan,
    ) -> Result<Vec<ListedPart>, StoreError> {
        self.pause().await;
        let call = Call::ListParts { upload: upload.0.clone() };
        let list = |bucket: &mut Bucket, _| bucket.list_parts(key, upload);
        let parts =
            self.act(key, call, list, |parts| Reply { size: parts.len() as u64, ..Reply::default() })?;
        Ok(parts.into_iter().map(|(part, _)| part).collect())
    }

    async fn uploads_page(
        &self,
        prefix: &Prefix,
        page: Option<&UploadsMarker>,
    ) -> Result<UploadsPage, StoreError> {
        self.pause().await;
        self.act(
            &ObjectKey::from(""),
            Call::ListUploads { prefix: prefix.as_str().to_owned() },
            |bucket, _| Ok(bucket.uploads_page(prefix.as_str(), page)),
            |page| Reply { size: page.uploads.len() as u64, ..Reply::default() },
        )
    }

    async fn complete_upload(
        &self,
        key: &ObjectKey,
        upload: &UploadId,
        request: &CompleteRequest,
    ) -> Result<Written, StoreError> {
        self.pause().await;
        let completion = Completion {
            parts: request.parts.clone(),
            condition: request.condition.clone(),
            checksums: request.checksums,
            size: Some(request.size),
        };
        let call = Call::Complete {
            upload: upload.0.clone(),
            parts: u32::try_from(request.parts.len()).unwrap_or(u32::MAX),
            condition: request.condition.clone(),
        };
        let complete = |bucket: &mut Bucket, now| bucket.complete_upload(key, upload, &completion, now);
        self.act(key, call, complete, Reply::written(request.size))
    }

    async fn abort_upload(&self, key: &ObjectKey, upload: &UploadId) -> Result<(), StoreError> {
        self.pause().await;
        let call = Call::Abort { upload: upload.0.clone() };
        let abort = |bucket: &mut Bucket, _| bucket.abort_upload(key, upload);
        match self.act(key, call, abort, |()| Reply::default()) {
            // The port's rule: an upload that is gone already is no error.
            Err(error) if error.kind == StoreErrorKind::NoSuchUpload => Ok(()),
            other => other,
        }
    }
}
