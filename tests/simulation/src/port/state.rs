//! The state store of a process.

use std::sync::Arc;

use async_trait::async_trait;
use longbow_core::failure::BackendError;
use longbow_core::job::{ObjectRecord, RecordState};
use longbow_core::object::ObjectKey;
use longbow_core::port::{RecordStream, StateStore, Stored, SwapError, UploadId};
use longbow_core::transfer::PartProof;

use crate::journal::{Call, Detail, Key, Place, Stands, What};
use crate::life::{Begun, Life};
use crate::world::{World, serial_of_sequencer};

pub(crate) struct SimState(pub(crate) Arc<Life>);

impl SimState {
    async fn begin(&self, call: Call, subject: &ObjectKey) -> Begun {
        self.0.begin(Place::State, call, World::key_of(subject), Detail::None).await
    }
}

fn stands(state: &RecordState) -> Stands {
    match state {
        RecordState::Copying { .. } => Stands::Copying,
        RecordState::Waiting { .. } => Stands::Waiting,
        RecordState::Copied { .. } => Stands::Copied,
        RecordState::Failed { .. } => Stands::Failed,
        RecordState::Removed => Stands::Removed,
    }
}

#[async_trait]
impl StateStore for SimState {
    async fn load(&self, subject: &ObjectKey) -> Result<Option<Stored>, BackendError> {
        let begun = self.begin(Call::Load, subject).await;
        let (state, subject) = (Arc::clone(&self.0.world.state), subject.clone());
        self.0.call(&begun, async move { state.load(&subject).await }).await
    }

    async fn load_many(&self, subjects: Vec<ObjectKey>) -> Result<Vec<Option<Stored>>, BackendError> {
        let begun = self.0.begin(Place::State, Call::LoadMany, Key::NONE, Detail::None).await;
        let state = Arc::clone(&self.0.world.state);
        self.0.call(&begun, async move { state.load_many(subjects).await }).await
    }

    fn records_after(&self, after: Option<&ObjectKey>) -> Option<RecordStream> {
        let records = self.0.world.state.records_after(after)?;
        let life = Arc::clone(&self.0);
        let opened = async move {
            let begun = life.begin(Place::State, Call::Records, Key::NONE, Detail::None).await;
            life.call(&begun, async move { Ok::<_, BackendError>(records) }).await
        };
        Some(Box::pin(futures_util::TryStreamExt::try_flatten(futures_util::stream::once(opened))))
    }

    async fn swap(
        &self,
        subject: &ObjectKey,
        expected: Option<u64>,
        record: ObjectRecord,
    ) -> Result<u64, SwapError> {
        let begun = self.begin(Call::Swap, subject).await;
        let (life, subject, key) = (Arc::clone(&self.0), subject.clone(), begun.key);
        let effect = async move {
            let state = stands(&record.state);
            let serial = life.world.serial_of(key, &record.source);
            let event = record.sequencer.as_ref().map_or(0, serial_of_sequencer);
            let version = life.world.state.swap(&subject, expected, record).await?;
            life.note(What::Recorded(key, version, state, serial, event));
            Ok(version)
        };
        self.0.call(&begun, effect).await
    }

    async fn add_part(
        &self,
        subject: &ObjectKey,
        upload: &UploadId,
        proof: PartProof,
    ) -> Result<(), BackendError> {
        let begun = self.begin(Call::AddPart, subject).await;
        let (state, subject, upload) = (Arc::clone(&self.0.world.state), subject.clone(), upload.clone());
        self.0.call(&begun, async move { state.add_part(&subject, &upload, proof).await }).await
    }

    async fn parts(&self, subject: &ObjectKey, upload: &UploadId) -> Result<Vec<PartProof>, BackendError> {
        let begun = self.begin(Call::Parts, subject).await;
        let (state, subject, upload) = (Arc::clone(&self.0.world.state), subject.clone(), upload.clone());
        self.0.call(&begun, async move { state.parts(&subject, &upload).await }).await
    }

    async fn forget_parts(&self, subject: &ObjectKey, upload: &UploadId) -> Result<(), BackendError> {
        let begun = self.begin(Call::ForgetParts, subject).await;
        let (state, subject, upload) = (Arc::clone(&self.0.world.state), subject.clone(), upload.clone());
        self.0.call(&begun, async move { state.forget_parts(&subject, &upload).await }).await
    }
}
