//! One list on its way to disk: buffered lines in a file that has no name of its own until the list is whole.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Seek as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use longbow_core::failure::BackendError;

use super::upload::upload;
use super::{ListError, ListTarget, WrittenList};

/// Bytes that wait for the disk.
const BUFFER: usize = 64 * 1024;

/// A list that is being written.
pub(super) struct ListFile {
    target: ListTarget,
    /// The file as it is called until then; removed when the list is dropped before.
    partial: PathBuf,
    state: Mutex<State>,
}

enum State {
    Open {
        writer: BufWriter<File>,
        lines: u64,
        bytes: u64,
    },
    /// A line could not be written: the list is of no use.
    Failed(String),
    Finished,
}

impl ListFile {
    pub(super) fn open(target: ListTarget, spill: &Path) -> Result<Self, ListError> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let process = std::process::id();
        let partial = match &target {
            // Beside its place, so that it can get its name in one step.
            ListTarget::File(path) => {
                let name = path.file_name().unwrap_or_default().to_string_lossy();
                path.with_file_name(format!(".{name}.{process}-{number}.partial"))
            }
            ListTarget::Object { .. } => spill.join(format!("list-{process}-{number}.partial")),
        };
        let fault = |source| ListError::File { place: target.place(), source };
        if let ListTarget::File(path) = &target
            && (path.file_name().is_none() || path.is_dir())
        {
            return Err(fault(io::Error::new(io::ErrorKind::IsADirectory, "it is no name of a file")));
        }
        if let Some(folder) = partial.parent() {
            fs::create_dir_all(folder).map_err(fault)?;
        }
        let mut options = OpenOptions::new();
        // One that a killed process of the same number has left is of no use.
        let file =
            options.read(true).write(true).create(true).truncate(true).open(&partial).map_err(fault)?;
        Ok(Self::on(file, target, partial))
    }

    pub(super) fn on(file: File, target: ListTarget, partial: PathBuf) -> Self {
        let writer = BufWriter::with_capacity(BUFFER, file);
        Self { target, partial, state: Mutex::new(State::Open { writer, lines: 0, bytes: 0 }) }
    }

    /// Appends a line. After one that failed, all fail.
    pub(super) fn write(&self, line: &str) -> Result<(), BackendError> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let why = match &mut *state {
            State::Open { writer, lines, bytes } => match writer.write_all(line.as_bytes()) {
                Ok(()) => {
                    *lines += 1;
                    *bytes += line.len() as u64;
                    return Ok(());
                }
                Err(source) => ListError::File { place: self.target.place(), source }.to_string(),
            },
            State::Failed(why) => why.clone(),
            State::Finished => format!("the list {} is finished", self.target.place()),
        };
        if let State::Open { writer, .. } = std::mem::replace(&mut *state, State::Failed(why.clone())) {
            // What waits in the buffer would only fail once more.
            drop(writer.into_parts());
        }
        Err(BackendError::fatal(why))
    }

    /// Makes the list what it is to be.
    pub(super) async fn finish(&self) -> Result<WrittenList, ListError> {
        let state = {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::replace(&mut *state, State::Finished)
        };
        let fault = |source| ListError::File { place: self.target.place(), source };
        let (mut writer, lines, bytes) = match state {
            State::Open { writer, lines, bytes } => (writer, lines, bytes),
            State::Failed(why) => return Err(fault(io::Error::other(why))),
            State::Finished => return Err(fault(io::Error::other("it is finished already"))),
        };
        let (partial, target) = (self.partial.clone(), self.target.clone());
        let place = target.place();
        let file = blocking(move || {
            writer.flush()?;
            let mut file = writer.into_inner().map_err(io::IntoInnerError::into_error)?;
            match target {
                ListTarget::File(path) => {
                    file.sync_all()?;
                    fs::rename(partial, path)?;
                }
                ListTarget::Object { .. } => file.rewind()?,
            }
            Ok(file)
        })
        .await
        .map_err(fault)?;
        if let ListTarget::Object { store, key } = &self.target {
            upload(store.as_ref(), key, file, bytes).await.map_err(|error| error.at(&place))?;
        }
        Ok(WrittenList { place, lines, bytes })
    }
}

impl Drop for ListFile {
    fn drop(&mut self) {
        match fs::remove_file(&self.partial) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                tracing::warn!(path = %self.partial.display(), %error, "an unfinished list could not be removed");
            }
            _ => {}
        }
    }
}

/// Runs what blocks on a thread made for it.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(end) => end,
        Err(error) => Err(io::Error::other(error)),
    }
}
