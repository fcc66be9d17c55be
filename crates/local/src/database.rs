//! One SQLite file for one route: the queue, the records of objects, and what else is worth remembering.
//!
//! Apart from the tables, which have a file each: here is who owns the connections. One process at a time has the
//! file (a lock of the operating system, gone with the process); in it, one thread writes and one reads, so that
//! no caller ever blocks on the disk. Anybody may read the file with `sqlite3` meanwhile.

mod fault;
mod lane;
mod open;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use longbow_core::failure::BackendError;
use longbow_core::port::Clock;
use tokio::sync::Notify;

pub use fault::OpenError;
pub(crate) use lane::{Group, WeakLane};

use crate::deletions::DeletionList;
use crate::notes::Notes;
use crate::queue::{Receipts, SqliteQueue};
use crate::state::SqliteState;
use crate::transfers::{self, Transfer};
use lane::{Access, Lane, LaneParts};
use open::Opened;

/// An open state file. Clones are handles to the same one; it is closed with [`Database::close`] or with the last
/// handle, the adapters made from it included.
#[derive(Clone)]
pub struct Database(Arc<Inner>);

struct Inner {
    file: PathBuf,
    clock: Arc<dyn Clock>,
    arrived: Arc<Notify>,
    receipts: Arc<Receipts>,
    previous: Option<Transfer>,
    // In this order: the writer closes last, and so tidies the write-ahead log away.
    reader: Lane,
    writer: Lane,
}

impl Database {
    /// Opens the state file of a route, making it and its folders when they are missing. Blocks for as long as
    /// the disk takes, a moment even with millions of objects.
    ///
    /// All that an earlier, killed process held is free again: its jobs are visible at once. The state tells
    /// visibility by `clock.elapsed()`, and dates by `clock.now()`.
    pub fn open(file: &Path, route: &str, clock: Arc<dyn Clock>) -> Result<Self, OpenError> {
        let Opened { writer, reader, lock, counts, run } = open::open(file, route)?;
        let previous = transfers::last(&writer).map_err(|e| OpenError::of_sqlite(file, &e))?;
        let arrived = Arc::new(Notify::new());
        let parts = |connection, access, keep| LaneParts {
            connection,
            access,
            file: file.to_path_buf(),
            counts,
            arrived: Arc::clone(&arrived),
            keep,
        };
        let of_io = |error| OpenError::of_io(file, &error);
        let reader = Lane::start("state-read", parts(reader, Access::Read, None)).map_err(of_io)?;
        let writer = Lane::start("state-write", parts(writer, Access::Write, Some(lock))).map_err(of_io)?;
        let file = file.to_path_buf();
        let receipts = Arc::new(Receipts::of_run(run));
        Ok(Self(Arc::new(Inner { file, clock, arrived, receipts, previous, reader, writer })))
    }

    /// The queue of jobs.
    pub fn queue(&self) -> SqliteQueue {
        SqliteQueue::new(self.clone())
    }

    /// The records of objects.
    pub fn state(&self) -> SqliteState {
        SqliteState::new(self.clone())
    }

    /// What is to be deleted at the destination.
    pub fn deletions(&self) -> DeletionList {
        DeletionList::new(self.clone())
    }

    /// Small facts about the two stores.
    pub fn notes(&self) -> Notes {
        Notes::new(self.clone())
    }

    /// Where the state lies.
    pub fn file(&self) -> &Path {
        &self.0.file
    }

    /// The transfer that an earlier process began and did not finish, as of opening: that process was killed.
    pub fn interrupted_before(&self) -> Option<&Transfer> {
        self.0.previous.as_ref().filter(|transfer| transfer.finished.is_none())
    }

    /// Ends both threads after what is queued, and closes and unlocks the file, also when other handles remain:
    /// what those ask from then on is refused.
    pub async fn close(&self) {
        for lane in [&self.0.reader, &self.0.writer] {
            lane.stop().await;
            if let Some(thread) = lane.take_thread() {
                // Only a panic of the thread, which its askers have seen, is lost here.
                let _ = tokio::task::spawn_blocking(move || thread.join()).await;
            }
        }
    }

    /// Changes something, together with whatever else is asked for at the moment. Returns after the commit.
    pub(crate) async fn write<T, F>(&self, work: F) -> Result<T, BackendError>
    where
        T: Send + 'static,
        F: FnOnce(&mut Group<'_>) -> rusqlite::Result<T> + Send + 'static,
    {
        self.0.writer.ask(work).await
    }

    /// Reads something; sees every change whose call has returned.
    pub(crate) async fn read<T, F>(&self, work: F) -> Result<T, BackendError>
    where
        T: Send + 'static,
        F: FnOnce(&mut Group<'_>) -> rusqlite::Result<T> + Send + 'static,
    {
        self.0.reader.ask(work).await
    }

    /// The writer, for those who must not keep the file open.
    pub(crate) fn weak_writer(&self) -> WeakLane {
        self.0.writer.weak()
    }

    /// Told of after each commit that made a job visible.
    pub(crate) fn arrived(&self) -> &Notify {
        &self.0.arrived
    }

    /// The clock that the file was opened with.
    pub(crate) fn clock(&self) -> &Arc<dyn Clock> {
        &self.0.clock
    }

    /// Issues and reads the receipts of this run.
    pub(crate) fn receipts(&self) -> &Arc<Receipts> {
        &self.0.receipts
    }
}
