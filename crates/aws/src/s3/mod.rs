//! One bucket behind `ObjectStore` and `MultipartStore`: a file for each kind of call.

mod copy;
mod delete;
mod get;
mod head;
mod list;
mod multipart;
mod naming;
mod put;
mod tags;
mod versions;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_s3::Client;
use aws_sdk_s3::primitives::{DateTime, DateTimeFormat};
use aws_sdk_s3::types::{RequestPayer, ServerSideEncryption, StorageClass};
use longbow_core::backoff::Backoff;
use longbow_core::failure::{StoreError, StoreErrorKind};
use longbow_core::object::{ETag, Encryption, ObjectHead, ObjectKey, Prefix, Tag, Timestamp, VersionId};
use longbow_core::port::{
    ByteRange, CompleteRequest, CopyRequest, CreateRequest, GetRequest, HeadRequest, ListPage, ListedPart,
    MultipartStore, ObjectBody, ObjectStore, PartRequest, PutBody, PutRequest, StoreTraits, UploadId,
    UploadsMarker, UploadsPage, WriteCondition, Written,
};
use longbow_core::transfer::PartPlan;

use crate::body::Limits;
use crate::call::Call;
use crate::failure::{About, is_too_many};
use crate::identity::Keys;
use crate::lean::{Address, Lean, Signer, Transport, chance};
use crate::session::SideOptions;

pub(crate) use get::{Extent, check_extent, range_header};
pub(crate) use head::check_pin;
pub(crate) use list::{Listed, Page, read_page};

/// How often the first requests of a run are made again while the store has too many, and after which waits.
const LESS_TRIES: u32 = 5;
const LESS: Backoff = Backoff { first: Duration::from_millis(500), most: Duration::from_secs(5) };

/// The SDK's clients of one side. They share connections and credentials and differ in patience.
#[derive(Debug, Clone)]
pub(crate) struct Clients {
    /// For everything that is answered at once.
    pub(crate) quick: Client,
    /// For requests with large bodies, whose time cannot be limited beforehand.
    pub(crate) upload: Client,
    /// For work that the server does before it answers.
    pub(crate) patient: Client,
}

/// What every write of this side asks for.
#[derive(Debug, Clone, Default)]
pub(crate) struct Writing {
    pub(crate) storage_class: Option<StorageClass>,
    pub(crate) encryption: Option<Encryption>,
}

impl Writing {
    pub(crate) fn encryption(&self) -> (Option<ServerSideEncryption>, Option<String>) {
        match &self.encryption {
            Some(Encryption::S3) => (Some(ServerSideEncryption::Aes256), None),
            Some(Encryption::Kms { key }) => (Some(ServerSideEncryption::AwsKms), key.clone()),
            Some(Encryption::Other) | None => (None, None),
        }
    }
}

/// One bucket of Amazon S3 or of a store that speaks its protocol.
#[derive(Debug, Clone)]
pub struct S3Store {
    clients: Clients,
    keys: Option<Keys>,
    bucket: Arc<str>,
    region: String,
    place: String,
    traits: StoreTraits,
    writing: Writing,
    payer: Option<RequestPayer>,
    owner: Option<String>,
    /// Of the bucket that copies come from.
    source_owner: Option<String>,
    limits: Limits,
    lean: Option<Arc<Lean>>,
}

impl S3Store {
    pub(crate) fn new(
        clients: Clients,
        keys: Option<Keys>,
        traits: StoreTraits,
        (region, place): (String, String),
        options: &SideOptions,
        writing: Writing,
    ) -> Self {
        Self {
            clients,
            keys,
            bucket: traits.container.as_str().into(),
            region,
            place,
            traits,
            writing,
            payer: options.requester_pays.then_some(RequestPayer::Requester),
            owner: options.expected_bucket_owner.clone(),
            source_owner: options.copied_bucket_owner.clone(),
            limits: Limits { stall: options.stall_timeout, answer: options.read_timeout },
            lean: None,
        }
    }

    /// Makes the requests that every object costs by the lean path.
    pub(crate) fn with_lean(mut self, signer: Signer, address: Address, transport: Transport) -> Self {
        self.lean = Some(Arc::new(Lean {
            address,
            signer,
            transport,
            answer: self.limits.answer,
            stall: self.limits.stall,
            owner: self.owner.clone(),
            pays: self.payer.is_some(),
            writing: self.writing.clone(),
        }));
        self
    }

    /// Whether the bucket is there and can be listed, by one cheap request; for the start of a run, where a wrong
    /// name, key, endpoint or policy is best told.
    pub async fn check(&self) -> Result<(), StoreError> {
        self.check_under(&Prefix::default()).await
    }

    /// The same, listing under a prefix only, as far as a policy allows.
    ///
    /// A store that has too many requests is asked some more times: nobody else stands behind this one.
    pub async fn check_under(&self, prefix: &Prefix) -> Result<(), StoreError> {
        let mut tries = 0;
        loop {
            match self.list_page(prefix, None, None, 1).await {
                Err(error) if error.kind == StoreErrorKind::Throttled && tries < LESS_TRIES => {
                    tokio::time::sleep(LESS.delay(tries, chance())).await;
                    tries += 1;
                }
                answer => return answer.map(drop),
            }
        }
    }

    /// Where the bucket is, as any reply about it says, also one that refuses. Only the lack of a reply is an error.
    pub(crate) async fn find_region(&self) -> Result<Option<String>, StoreError> {
        let mut tries = 0;
        loop {
            let call = self.clients.quick.head_bucket().bucket(&*self.bucket);
            let outcome = call.set_expected_bucket_owner(self.owner.clone()).send().await;
            let error = match outcome {
                Ok(found) => return Ok(found.bucket_region),
                Err(error) => error,
            };
            match error.raw_response().map(|reply| reply.status().as_u16()) {
                Some(status) if is_too_many(status) && tries < LESS_TRIES => {
                    tokio::time::sleep(LESS.delay(tries, chance())).await;
                    tries += 1;
                }
                Some(_) => return Ok(crate::failure::bucket_region(&error)),
                None => {
                    return Err(crate::failure::translate(&self.about(Call::HeadBucket, None), error));
                }
            }
        }
    }

    /// The store's clock, by a HEAD of a key that nobody has; `None` where the answer does not tell.
    pub async fn server_time(&self, nobodys: &ObjectKey) -> Option<Timestamp> {
        let call = self.clients.quick.head_object().bucket(&*self.bucket).key(nobodys.as_str());
        let answer = call.set_expected_bucket_owner(self.owner.clone()).send().await.err()?;
        let date = answer.raw_response()?.headers().get("date")?.to_owned();
        let date = DateTime::from_str(&date, DateTimeFormat::HttpDate).ok()?;
        crate::attributes::timestamp(&date)
    }

    /// Makes the bucket; one that is there already, and ours, is no error. For tests and the demo.
    #[doc(hidden)]
    pub async fn create_bucket(&self) -> Result<(), StoreError> {
        let about = self.about(Call::CreateBucket, None);
        match self.clients.quick.create_bucket().bucket(&*self.bucket).send().await {
            Ok(_) => Ok(()),
            Err(error) => match crate::failure::translate(&about, error) {
                there if there.code.as_deref() == Some("BucketAlreadyOwnedByYou") => Ok(()),
                error => Err(error),
            },
        }
    }

    /// Keys that were refused are asked for again, whichever way the request went.
    fn noted<T>(&self, outcome: Result<T, StoreError>) -> Result<T, StoreError> {
        if let (Err(error), Some(keys)) = (&outcome, &self.keys)
            && error.kind == StoreErrorKind::Credentials
        {
            keys.refused(None);
        }
        outcome
    }

    fn about<'a>(&'a self, call: Call, key: Option<&'a ObjectKey>) -> About<'a> {
        About { call, bucket: &self.bucket, region: &self.region, place: &self.place, key, condition: None }
    }

    fn about_write<'a>(&'a self, call: Call, key: &'a ObjectKey, condition: &'a WriteCondition) -> About<'a> {
        About { condition: Some(condition), ..self.about(call, Some(key)) }
    }
}

/// `If-Match` and `If-None-Match` of a write.
pub(crate) fn condition_headers(condition: &WriteCondition) -> (Option<String>, Option<String>) {
    match condition {
        WriteCondition::Always => (None, None),
        WriteCondition::Absent => (None, Some("*".to_owned())),
        WriteCondition::Matches(tag) => (Some(tag.quoted()), None),
    }
}

#[async_trait]
impl ObjectStore for S3Store {
    fn traits(&self) -> StoreTraits {
        self.traits.clone()
    }

    async fn list(&self, prefix: &Prefix, page: Option<&str>) -> Result<ListPage, StoreError> {
        self.noted(self.list_page(prefix, None, page, list::PAGE).await)
    }

    async fn list_from(
        &self,
        prefix: &Prefix,
        after: Option<&ObjectKey>,
        page: Option<&str>,
    ) -> Result<ListPage, StoreError> {
        let found = self.noted(self.list_page(prefix, after, page, list::PAGE).await)?;
        match after {
            Some(after) => list::begins_after(found, after),
            None => Ok(found),
        }
    }

    async fn list_versions(
        &self,
        prefix: &Prefix,
        after: Option<&ObjectKey>,
        page: Option<&str>,
    ) -> Result<ListPage, StoreError> {
        self.noted(self.versions_page(prefix, after, page).await)
    }

    async fn head(&self, key: &ObjectKey, request: &HeadRequest) -> Result<ObjectHead, StoreError> {
        self.noted(self.head_object(key, request).await)
    }

    async fn get(&self, key: &ObjectKey, request: &GetRequest) -> Result<ObjectBody, StoreError> {
        self.noted(self.get_object(key, request).await)
    }

    async fn put(&self, key: &ObjectKey, body: PutBody, request: &PutRequest) -> Result<Written, StoreError> {
        self.noted(self.put_object(key, body, request).await)
    }

    async fn copy(&self, key: &ObjectKey, request: &CopyRequest) -> Result<Written, StoreError> {
        self.noted(self.copy_object(key, request).await)
    }

    async fn delete(&self, key: &ObjectKey, if_match: Option<&ETag>) -> Result<(), StoreError> {
        self.noted(self.delete_object(key, if_match).await)
    }

    async fn tags(&self, key: &ObjectKey, version: Option<&VersionId>) -> Result<Vec<Tag>, StoreError> {
        self.noted(self.object_tags(key, version).await)
    }
}

#[async_trait]
impl MultipartStore for S3Store {
    async fn create_upload(&self, key: &ObjectKey, request: &CreateRequest) -> Result<UploadId, StoreError> {
        self.noted(self.create_multipart(key, request).await)
    }

    async fn put_part(
        &self,
        key: &ObjectKey,
        upload: &UploadId,
        body: PutBody,
        request: &PartRequest,
    ) -> Result<Written, StoreError> {
        self.noted(self.upload_part(key, upload, body, request).await)
    }

    async fn copy_part(
        &self,
        key: &ObjectKey,
        upload: &UploadId,
        number: u32,
        range: ByteRange,
        source: &CopyRequest,
    ) -> Result<Written, StoreError> {
        self.noted(self.upload_part_copy(key, upload, number, range, source).await)
    }

    async fn list_parts(
        &self,
        key: &ObjectKey,
        upload: &UploadId,
        _: &PartPlan,
    ) -> Result<Vec<ListedPart>, StoreError> {
        self.noted(self.parts(key, upload).await)
    }

    async fn uploads_page(
        &self,
        prefix: &Prefix,
        page: Option<&UploadsMarker>,
    ) -> Result<UploadsPage, StoreError> {
        self.noted(self.uploads(prefix, page).await)
    }

    async fn complete_upload(
        &self,
        key: &ObjectKey,
        upload: &UploadId,
        request: &CompleteRequest,
    ) -> Result<Written, StoreError> {
        self.noted(self.complete_multipart(key, upload, request).await)
    }

    async fn abort_upload(&self, key: &ObjectKey, upload: &UploadId) -> Result<(), StoreError> {
        self.noted(self.abort_multipart(key, upload).await)
    }
}

#[cfg(test)]
mod tests;
