//! The lists that a run writes down: the jobs it made and the keys it left out (LB-27), as JSON lines, in a local file or
//! as an object.
//!
//! ```json
//! {"route":"r","status":"sent","subject":"r/a","job":{…the message…}}
//! {"route":"r","status":"unsent","subject":"r/b","reason":"…"}
//! {"route":"r","key":"p/x.tmp"}
//! ```
//!
//! Several routes share a list. Lines go to a file on disk as they come; only [`Lists::finish`] gives it its name, or makes
//! the object: so a list that is there is whole, whatever became of the run. A list that cannot be written ends the
//! routes that write to it.

mod file;
mod upload;

use std::path::PathBuf;
use std::sync::Arc;

use longbow_core::failure::{BackendError, StoreError};
use longbow_core::object::ObjectKey;
use longbow_core::port::{MultipartStore, OutgoingJob};
use longbow_core::routes::RouteName;
use serde_json::Value;

use super::RunRecord;
use file::ListFile;

/// Where a list goes.
#[derive(Clone)]
pub enum ListTarget {
    /// A file; its folder is made when it is missing, and a file of that name is replaced.
    File(PathBuf),
    /// An object; one of that key is replaced.
    Object {
        /// Its store.
        store: Arc<dyn MultipartStore>,
        /// Its key.
        key: ObjectKey,
    },
}

impl ListTarget {
    fn place(&self) -> String {
        match self {
            Self::File(path) => path.display().to_string(),
            Self::Object { store, key } => format!("{key} in {}", store.traits().name),
        }
    }
}

/// Which lists are written.
#[derive(Clone)]
pub struct ListPlan {
    /// The jobs.
    pub jobs: Option<ListTarget>,
    /// The source keys that the selection leaves out.
    pub ignored: Option<ListTarget>,
    /// The folder where lists wait that become objects; made when it is needed.
    pub spill: PathBuf,
}

/// A list that could not be written.
#[derive(Debug, thiserror::Error)]
pub enum ListError {
    /// On disk.
    #[error("the list {place} could not be written: {source}. Free some room, or write it elsewhere")]
    File {
        /// Where.
        place: String,
        /// The fault.
        source: std::io::Error,
    },
    /// As an object.
    #[error("the list {place} could not be stored: {source}. Mend the cause, or write it to a file")]
    Object {
        /// Where.
        place: String,
        /// The fault.
        source: StoreError,
    },
    /// Both lists would go to one place.
    #[error("both lists would be written to {0}; give them two places")]
    Same(String),
}

/// A list that was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrittenList {
    /// Where, as a user knows it.
    pub place: String,
    /// How many lines it has.
    pub lines: u64,
    /// How many bytes.
    pub bytes: u64,
}

/// The lists of a run, open for writing. Dropped without [`finish`](Self::finish), they leave nothing behind.
pub struct Lists {
    jobs: Option<Arc<ListFile>>,
    ignored: Option<Arc<ListFile>>,
}

impl Lists {
    /// Opens the files, so that a wrong place is told before anything is sent.
    ///
    /// # Errors
    /// [`ListError::File`] and [`ListError::Same`].
    pub fn open(plan: &ListPlan) -> Result<Self, ListError> {
        if let (Some(jobs), Some(ignored)) = (&plan.jobs, &plan.ignored)
            && jobs.place() == ignored.place()
        {
            return Err(ListError::Same(jobs.place()));
        }
        let open = |target: &Option<ListTarget>| match target {
            None => Ok(None),
            Some(target) => ListFile::open(target.clone(), &plan.spill).map(|file| Some(Arc::new(file))),
        };
        Ok(Self { jobs: open(&plan.jobs)?, ignored: open(&plan.ignored)? })
    }

    /// Takes the lists of one route.
    pub fn of_route(&self, route: &RouteName) -> Arc<dyn RunRecord> {
        Arc::new(RouteLists {
            route: quoted(route.as_str()),
            jobs: self.jobs.clone(),
            ignored: self.ignored.clone(),
        })
    }

    /// Writes out what is left and gives the lists their places. To be called when the run has ended, however it ended.
    ///
    /// # Errors
    /// The first list that could not be written; the other one is written all the same.
    pub async fn finish(self) -> Result<Vec<WrittenList>, ListError> {
        let mut written = Vec::new();
        let mut failed = None;
        for list in [self.jobs, self.ignored].into_iter().flatten() {
            match list.finish().await {
                Ok(list) => written.push(list),
                Err(error) => failed = failed.or(Some(error)),
            }
        }
        failed.map_or(Ok(written), Err)
    }
}

/// The lists of one route.
struct RouteLists {
    /// Its name as JSON.
    route: String,
    jobs: Option<Arc<ListFile>>,
    ignored: Option<Arc<ListFile>>,
}

fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

impl RunRecord for RouteLists {
    fn sent(&self, job: &OutgoingJob) -> Result<(), BackendError> {
        let Some(list) = &self.jobs else { return Ok(()) };
        let subject = quoted(job.subject.as_str());
        // A message is one JSON value; one that is none would break the line.
        let message = match job.body.contains('\n') || !job.body.starts_with('{') {
            true => quoted(&job.body),
            false => job.body.clone(),
        };
        list.write(&format!(
            "{{\"route\":{},\"status\":\"sent\",\"subject\":{subject},\"job\":{message}}}\n",
            self.route
        ))
    }

    fn unsent(&self, subject: &ObjectKey, reason: &str) -> Result<(), BackendError> {
        let Some(list) = &self.jobs else { return Ok(()) };
        let (subject, reason) = (quoted(subject.as_str()), quoted(reason));
        list.write(&format!(
            "{{\"route\":{},\"status\":\"unsent\",\"subject\":{subject},\"reason\":{reason}}}\n",
            self.route
        ))
    }

    fn ignored(&self, key: &ObjectKey) -> Result<(), BackendError> {
        let Some(list) = &self.ignored else { return Ok(()) };
        list.write(&format!("{{\"route\":{},\"key\":{}}}\n", self.route, quoted(key.as_str())))
    }
}

#[cfg(test)]
mod tests;
