//! What a jobsender reads instead of listings, and the lists that it writes: files, or objects of the cluster's own identity.

use std::path::PathBuf;
use std::sync::Arc;

use longbow_core::failure::BackendError;
use longbow_core::manifest::{Folders, Layout, ManifestOptions, columns_of_schema};
use longbow_core::object::{Location, ObjectKey};
use longbow_core::port::{MultipartStore, ObjectStore, OutgoingJob};
use longbow_jobsender::cluster::{
    ListPlan, ListTarget, Lists, Manifest, RunRecord, manifest_of_file, manifest_of_object,
};
use tokio_util::sync::CancellationToken;

use super::note::Note;
use crate::backend;
use crate::cli::ListArgs;
use crate::exit::CommandError;
use crate::settings::{Faults, Settings};

/// A file, or an object.
enum Place {
    File(PathBuf),
    Object(Arc<dyn MultipartStore>, ObjectKey),
}

/// Opens the lists that were asked for.
pub(super) async fn open(args: &ListArgs, settings: &Settings) -> Result<Lists, CommandError> {
    let target = async |flag: &'static str, text: &Option<String>| match text {
        None => Ok(None),
        Some(text) => place(flag, text, settings).await.map(|place| {
            Some(match place {
                Place::File(path) => ListTarget::File(path),
                Place::Object(store, key) => ListTarget::Object { store, key },
            })
        }),
    };
    let plan = ListPlan {
        jobs: target("--job-list", &args.job_list).await?,
        ignored: target("--ignored-list", &args.ignored_list).await?,
        spill: settings.state_dir.clone(),
    };
    Lists::open(&plan).map_err(|error| CommandError::Usage(error.to_string()))
}

/// Opens the manifest, if one is given.
pub(super) async fn manifest(
    args: &ListArgs,
    source: &Location,
    settings: &Settings,
    stop: CancellationToken,
) -> Result<Option<Manifest>, CommandError> {
    let Some(text) = &args.manifest else { return Ok(None) };
    let mut options = ManifestOptions::of(source.clone());
    if let Some(columns) = &args.manifest_columns {
        let columns = columns_of_schema(columns).map_err(|error| {
            let mut faults = Faults::default();
            faults.argument("--manifest-columns", columns, error.to_string());
            faults
        })?;
        options.layout = Layout::Columns(columns);
    }
    if args.manifest_folders {
        options.folders = Folders::Keep;
    }
    let bytes = match place("--manifest", text, settings).await? {
        Place::File(path) => manifest_of_file(&path)
            .await
            .map_err(|error| CommandError::Usage(format!("the manifest cannot be read: {error}")))?,
        Place::Object(store, key) => manifest_of_object(store as Arc<dyn ObjectStore>, key, stop),
    };
    Ok(Some(Manifest { options, bytes }))
}

async fn place(flag: &'static str, text: &str, settings: &Settings) -> Result<Place, CommandError> {
    let wrong = |remedy: String| {
        let mut faults = Faults::default();
        faults.argument(flag, text, remedy);
        CommandError::from(faults)
    };
    let location = Location::parse(text, true).map_err(|error| wrong(error.to_string()))?;
    let Location::S3 { bucket, prefix } = location else { return Ok(Place::File(PathBuf::from(text))) };
    if prefix.as_str().is_empty() || prefix.as_str().ends_with('/') {
        return Err(wrong("names no object: give s3://BUCKET/KEY, or a file".to_owned()));
    }
    let key = ObjectKey::new(prefix.as_str());
    Ok(Place::Object(backend::open_own_bucket(&bucket, settings).await?, key))
}

/// The note of a route's run and its lists, as one.
pub(super) struct Records {
    pub(super) note: Arc<Note>,
    pub(super) lists: Arc<dyn RunRecord>,
}

impl RunRecord for Records {
    fn sent(&self, job: &OutgoingJob) -> Result<(), BackendError> {
        self.note.sent(job)?;
        self.lists.sent(job)
    }

    fn unsent(&self, subject: &ObjectKey, reason: &str) -> Result<(), BackendError> {
        self.lists.unsent(subject, reason)
    }

    fn ignored(&self, key: &ObjectKey) -> Result<(), BackendError> {
        self.lists.ignored(key)
    }
}
