//! A bucket as a process reaches it.

use std::sync::Arc;

use async_trait::async_trait;
use longbow_core::failure::StoreError;
use longbow_core::object::{ETag, ObjectHead, ObjectKey, Prefix, Tag, VersionId};
use longbow_core::port::{
    ByteRange, CompleteRequest, CopyRequest, CreateRequest, GetRequest, HeadRequest, ListPage, ListedPart,
    MultipartStore, ObjectBody, ObjectStore, PartRequest, PutBody, PutRequest, ReadPin, StoreTraits,
    UploadId, UploadsMarker, UploadsPage, WriteCondition, Written,
};
use longbow_core::transfer::PartPlan;
use longbow_testkit::fake::FakeStore;

use crate::body::{harmed, harmed_put, kept};
use crate::fault::Fault;
use crate::journal::{Call, Detail, Key, Place, What};
use crate::life::{Begun, Life};
use crate::world::World;

pub(crate) struct SimStore {
    life: Arc<Life>,
    place: Place,
    store: Arc<FakeStore>,
}

impl SimStore {
    pub(crate) fn source(life: &Arc<Life>) -> Arc<Self> {
        let store = Arc::clone(&life.world.source);
        Arc::new(Self { life: Arc::clone(life), place: Place::Source, store })
    }

    pub(crate) fn destination(life: &Arc<Life>) -> Arc<Self> {
        let store = Arc::clone(&life.world.destination);
        Arc::new(Self { life: Arc::clone(life), place: Place::Destination, store })
    }

    async fn begin(&self, call: Call, key: &ObjectKey, detail: Detail) -> Begun {
        let begun = self.life.begin(self.place, call, World::key_of(key), detail).await;
        let (world, who) = (&self.life.world, self.life.who);
        let known = begun.key != Key::NONE;
        match begun.fate.fault {
            Some(fault @ Fault::OverwrittenMidRead) if known => {
                world.struck(who, fault);
                world.overwrite(begun.key);
            }
            Some(fault @ Fault::RemovedMidRead) if known && world.has_source(begun.key) => {
                world.struck(who, fault);
                world.remove_source(begun.key);
            }
            Some(fault @ Fault::StrangerMidWrite) if known => {
                world.struck(who, fault);
                world.stranger_writes(begun.key);
            }
            Some(fault @ Fault::UploadAborted) if known && world.abort_some_upload(begun.key) => {
                world.struck(who, fault);
            }
            _ => {}
        }
        begun
    }

    /// Where a body of so many bytes comes to harm.
    fn place_in(&self, length: u64) -> u64 {
        self.life.world.dice(|dice| dice.below(length))
    }

    async fn sent(&self, begun: &Begun, body: PutBody) -> Result<PutBody, StoreError> {
        match begun.fate.fault {
            Some(fault @ Fault::FlippedWrite) if body.length() > 0 => {
                self.life.struck(fault);
                let at = self.place_in(body.length());
                harmed_put(body, at).await
            }
            Some(Fault::Late) => kept(body).await,
            _ => Ok(body),
        }
    }

    /// A wrong tag, where the call meets a liar.
    fn heard(&self, begun: &Begun, tag: &mut Option<ETag>) {
        if begun.meets(Fault::LyingTag) {
            self.life.struck(Fault::LyingTag);
            let word = self.life.world.dice(crate::dice::Dice::word);
            *tag = Some(ETag::new(&format!("{word:032x}")));
        }
    }
}

fn read(pin: &ReadPin, ranged: bool) -> Detail {
    Detail::Read { pinned: pin.etag.is_some() || pin.version.is_some(), ranged }
}

fn write(condition: &WriteCondition) -> Detail {
    Detail::Write { conditional: *condition != WriteCondition::Always }
}

/// The number in the name of an upload of the fake.
pub(crate) fn upload_number(upload: &UploadId) -> u32 {
    upload.0.rsplit('-').next().and_then(|digits| digits.parse().ok()).unwrap_or(0)
}

#[async_trait]
impl ObjectStore for SimStore {
    fn traits(&self) -> StoreTraits {
        let server_side = self.life.world.plan.server_side;
        StoreTraits {
            // The fake's own is an address of this process.
            copy_domain: server_side.then(|| "fake".to_owned()),
            ..self.store.traits()
        }
    }

    async fn list(&self, prefix: &Prefix, page: Option<&str>) -> Result<ListPage, StoreError> {
        self.list_from(prefix, None, page).await
    }

    async fn list_from(
        &self,
        prefix: &Prefix,
        after: Option<&ObjectKey>,
        page: Option<&str>,
    ) -> Result<ListPage, StoreError> {
        let begun = self.begin(Call::List, &ObjectKey::from(""), Detail::None).await;
        let (store, prefix) = (Arc::clone(&self.store), prefix.clone());
        let (after, page) = (after.cloned(), page.map(str::to_owned));
        let effect = async move { store.list_from(&prefix, after.as_ref(), page.as_deref()).await };
        self.life.call(&begun, effect).await
    }

    async fn list_versions(
        &self,
        prefix: &Prefix,
        after: Option<&ObjectKey>,
        page: Option<&str>,
    ) -> Result<ListPage, StoreError> {
        let begun = self.begin(Call::ListVersions, &ObjectKey::from(""), Detail::None).await;
        let (store, prefix) = (Arc::clone(&self.store), prefix.clone());
        let (after, page) = (after.cloned(), page.map(str::to_owned));
        let effect = async move { store.list_versions(&prefix, after.as_ref(), page.as_deref()).await };
        self.life.call(&begun, effect).await
    }

    async fn head(&self, key: &ObjectKey, request: &HeadRequest) -> Result<ObjectHead, StoreError> {
        let begun = self.begin(Call::Head, key, read(&request.pin, false)).await;
        let (store, key, request) = (Arc::clone(&self.store), key.clone(), request.clone());
        let mut head = self.life.call(&begun, async move { store.head(&key, &request).await }).await?;
        self.heard(&begun, &mut head.etag);
        Ok(head)
    }

    async fn get(&self, key: &ObjectKey, request: &GetRequest) -> Result<ObjectBody, StoreError> {
        let begun = self.begin(Call::Get, key, read(&request.pin, request.range.is_some())).await;
        let (store, key, request) = (Arc::clone(&self.store), key.clone(), request.clone());
        let mut body = self.life.call(&begun, async move { store.get(&key, &request).await }).await?;
        self.heard(&begun, &mut body.head.etag);
        if let Some(fault @ (Fault::FlippedRead | Fault::CutRead | Fault::BrokenRead)) = begun.fate.fault
            && body.length > 0
        {
            self.life.struck(fault);
            let at = self.place_in(body.length);
            body.stream = harmed(body.stream, fault, at).await?;
        }
        Ok(body)
    }

    async fn put(&self, key: &ObjectKey, body: PutBody, request: &PutRequest) -> Result<Written, StoreError> {
        let begun = self.begin(Call::Put, key, write(&request.condition)).await;
        let body = self.sent(&begun, body).await?;
        let (life, store, key, request) =
            (Arc::clone(&self.life), Arc::clone(&self.store), key.clone(), request.clone());
        let effect = async move {
            let written = store.put(&key, body, &request).await?;
            life.world.look(life.who, &key);
            Ok(written)
        };
        let mut written: Written = self.life.call(&begun, effect).await?;
        self.heard(&begun, &mut written.etag);
        Ok(written)
    }

    async fn copy(&self, key: &ObjectKey, request: &CopyRequest) -> Result<Written, StoreError> {
        let begun = self.begin(Call::Copy, key, write(&request.condition)).await;
        let (life, store, key, request) =
            (Arc::clone(&self.life), Arc::clone(&self.store), key.clone(), request.clone());
        let effect = async move {
            let written = store.copy(&key, &request).await?;
            life.world.look(life.who, &key);
            Ok(written)
        };
        let mut written: Written = self.life.call(&begun, effect).await?;
        self.heard(&begun, &mut written.etag);
        Ok(written)
    }

    async fn delete(&self, key: &ObjectKey, if_match: Option<&ETag>) -> Result<(), StoreError> {
        let detail = Detail::Write { conditional: if_match.is_some() };
        let begun = self.begin(Call::Delete, key, detail).await;
        let (life, store, key, if_match) =
            (Arc::clone(&self.life), Arc::clone(&self.store), key.clone(), if_match.cloned());
        let effect = async move {
            store.delete(&key, if_match.as_ref()).await?;
            life.world.look(life.who, &key);
            Ok(())
        };
        self.life.call(&begun, effect).await
    }

    async fn tags(&self, key: &ObjectKey, version: Option<&VersionId>) -> Result<Vec<Tag>, StoreError> {
        let begun = self.begin(Call::Tags, key, Detail::None).await;
        let (store, key, version) = (Arc::clone(&self.store), key.clone(), version.cloned());
        self.life.call(&begun, async move { store.tags(&key, version.as_ref()).await }).await
    }
}

#[async_trait]
impl MultipartStore for SimStore {
    async fn create_upload(&self, key: &ObjectKey, request: &CreateRequest) -> Result<UploadId, StoreError> {
        let begun = self.begin(Call::CreateUpload, key, Detail::None).await;
        let (life, store, key, request) =
            (Arc::clone(&self.life), Arc::clone(&self.store), key.clone(), request.clone());
        let effect = async move {
            let upload = store.create_upload(&key, &request).await?;
            life.note(What::UploadBegun(World::key_of(&key), upload_number(&upload)));
            Ok(upload)
        };
        self.life.call(&begun, effect).await
    }

    async fn put_part(
        &self,
        key: &ObjectKey,
        upload: &UploadId,
        body: PutBody,
        request: &PartRequest,
    ) -> Result<Written, StoreError> {
        let begun = self.begin(Call::PutPart, key, Detail::Upload(upload_number(upload))).await;
        let body = self.sent(&begun, body).await?;
        let (store, key, upload, request) =
            (Arc::clone(&self.store), key.clone(), upload.clone(), request.clone());
        let effect = async move { store.put_part(&key, &upload, body, &request).await };
        let mut written: Written = self.life.call(&begun, effect).await?;
        self.heard(&begun, &mut written.etag);
        Ok(written)
    }

    async fn copy_part(
        &self,
        key: &ObjectKey,
        upload: &UploadId,
        number: u32,
        range: ByteRange,
        source: &CopyRequest,
    ) -> Result<Written, StoreError> {
        let begun = self.begin(Call::CopyPart, key, Detail::Upload(upload_number(upload))).await;
        let (store, key, upload, source) =
            (Arc::clone(&self.store), key.clone(), upload.clone(), source.clone());
        let effect = async move { store.copy_part(&key, &upload, number, range, &source).await };
        let mut written: Written = self.life.call(&begun, effect).await?;
        self.heard(&begun, &mut written.etag);
        Ok(written)
    }

    async fn list_parts(
        &self,
        key: &ObjectKey,
        upload: &UploadId,
        plan: &PartPlan,
    ) -> Result<Vec<ListedPart>, StoreError> {
        let begun = self.begin(Call::ListParts, key, Detail::Upload(upload_number(upload))).await;
        let (store, key, upload, plan) = (Arc::clone(&self.store), key.clone(), upload.clone(), *plan);
        self.life.call(&begun, async move { store.list_parts(&key, &upload, &plan).await }).await
    }

    async fn uploads_page(
        &self,
        prefix: &Prefix,
        page: Option<&UploadsMarker>,
    ) -> Result<UploadsPage, StoreError> {
        let begun = self.begin(Call::ListUploads, &ObjectKey::from(""), Detail::None).await;
        let (store, prefix, page) = (Arc::clone(&self.store), prefix.clone(), page.cloned());
        self.life.call(&begun, async move { store.uploads_page(&prefix, page.as_ref()).await }).await
    }

    async fn complete_upload(
        &self,
        key: &ObjectKey,
        upload: &UploadId,
        request: &CompleteRequest,
    ) -> Result<Written, StoreError> {
        let begun = self.begin(Call::Complete, key, write(&request.condition)).await;
        let (life, store, key, upload, request) =
            (Arc::clone(&self.life), Arc::clone(&self.store), key.clone(), upload.clone(), request.clone());
        let effect = async move {
            let written = store.complete_upload(&key, &upload, &request).await?;
            life.world.look(life.who, &key);
            Ok(written)
        };
        let mut written: Written = self.life.call(&begun, effect).await?;
        self.heard(&begun, &mut written.etag);
        Ok(written)
    }

    async fn abort_upload(&self, key: &ObjectKey, upload: &UploadId) -> Result<(), StoreError> {
        let begun = self.begin(Call::Abort, key, Detail::Upload(upload_number(upload))).await;
        let (store, key, upload) = (Arc::clone(&self.store), key.clone(), upload.clone());
        self.life.call(&begun, async move { store.abort_upload(&key, &upload).await }).await
    }
}
