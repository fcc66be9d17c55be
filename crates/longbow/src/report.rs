//! The report file: a JSON line for each object, as it ends. What was written stays when the run is killed.

use std::fs::File;
use std::io::{BufWriter, Seek as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use serde::Serialize;

use crate::exit::CommandError;

/// Writes lines from many tasks.
pub(crate) struct ReportFile {
    path: PathBuf,
    state: Mutex<State>,
}

struct State {
    out: BufWriter<File>,
    fault: Option<String>,
}

impl ReportFile {
    /// Begins an empty report. An older one of this name is gone.
    pub(crate) fn create(path: &Path) -> Result<Self, CommandError> {
        let file = File::create(path).map_err(|e| {
            CommandError::Usage(format!(
                "failed to write the report {}: {e}; give --report a file in a folder that can be written",
                path.display()
            ))
        })?;
        let state = State { out: BufWriter::with_capacity(1 << 16, file), fault: None };
        Ok(Self { path: path.to_owned(), state: Mutex::new(state) })
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Writes one line. A fault is kept for [`ReportFile::finish`]: a full disk must not stop the copying.
    pub(crate) fn write(&self, line: &impl Serialize) {
        let mut state = self.lock();
        if state.fault.is_some() {
            return;
        }
        let written = serde_json::to_string(line)
            .map_err(std::io::Error::from)
            .and_then(|text| writeln!(state.out, "{text}"));
        if let Err(error) = written {
            state.fault = Some(error.to_string());
        }
    }

    /// Begins anew: what was written is void.
    pub(crate) fn restart(&self) {
        self.flush();
        let mut state = self.lock();
        let file = state.out.get_mut();
        if let Err(error) = file.set_len(0).and_then(|()| file.rewind()) {
            state.fault.get_or_insert_with(|| error.to_string());
        }
    }

    /// Gives what was written to the operating system, where a kill cannot take it away.
    pub(crate) fn flush(&self) {
        let mut state = self.lock();
        if let Err(error) = state.out.flush() {
            state.fault.get_or_insert_with(|| error.to_string());
        }
    }

    /// Writes everything to the disk, and says whether the report is whole.
    pub(crate) fn finish(&self) -> Result<(), String> {
        self.flush();
        let mut state = self.lock();
        if let Err(error) = state.out.get_ref().sync_all() {
            // Pipes and terminals cannot be synchronised; they are no disks.
            if error.kind() != std::io::ErrorKind::InvalidInput {
                state.fault.get_or_insert_with(|| error.to_string());
            }
        }
        match &state.fault {
            None => Ok(()),
            Some(fault) => Err(format!("the report {} is incomplete: {fault}", self.path.display())),
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use longbow_core::job::{Report, ReportOutcome};

    use super::*;
    use crate::ledger::tests::report;

    #[test]
    fn a_line_an_object_and_the_older_report_is_gone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("report.jsonl");
        std::fs::write(&path, "older\nlines\nof another run\n").unwrap();
        let file = ReportFile::create(&path).unwrap();
        file.write(&report("a\nb", ReportOutcome::Copied));
        file.write(&report("c", ReportOutcome::Failed));
        file.flush();
        let text = std::fs::read_to_string(&path).unwrap();
        let lines: Vec<Report> = text.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
        assert_eq!(lines[0].key.as_str(), "a\nb");
        assert_eq!(lines[1].outcome, ReportOutcome::Failed);
        assert_eq!(file.finish(), Ok(()));
    }

    #[test]
    fn a_disk_that_is_full_is_told_at_the_end() {
        let Ok(file) = ReportFile::create(Path::new("/dev/full")) else { return };
        file.write(&report("a", ReportOutcome::Copied));
        assert!(file.finish().unwrap_err().contains("incomplete"));
    }

    #[test]
    fn a_report_that_cannot_be_written_is_refused_at_once() {
        assert!(ReportFile::create(Path::new("/nowhere/report.jsonl")).is_err());
    }
}
