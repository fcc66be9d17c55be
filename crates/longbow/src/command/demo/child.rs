//! One run of the real program, as a user would start it: in a process of its own, which can be killed.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus};
use std::time::Duration;

use serde_json::Value;

use crate::exit::CommandError;

/// The demo's own credentials, for its own server.
pub(super) const ACCESS_KEY: &str = "longbow-demo";
pub(super) const SECRET_KEY: &str = "longbow-demo-secret";

/// A run. Killed when it is dropped.
pub(super) struct Run {
    child: Child,
    out: PathBuf,
    err: PathBuf,
}

impl Run {
    /// Starts `longbow ARGUMENTS` in a folder of the demo. Nothing of the user's own settings takes part.
    pub(super) fn start(folder: &Path, name: &str, arguments: &[&str]) -> Result<Self, CommandError> {
        let cannot = |e: std::io::Error| CommandError::Failed(format!("failed to start longbow itself: {e}"));
        let (out, err) = (folder.join(format!("{name}.out")), folder.join(format!("{name}.err")));
        let program = std::env::current_exe().map_err(cannot)?;
        let child = Command::new(program)
            .args(arguments)
            .env_clear()
            .env("HOME", folder)
            .env("TMPDIR", folder)
            .env("AWS_ACCESS_KEY_ID", ACCESS_KEY)
            .env("AWS_SECRET_ACCESS_KEY", SECRET_KEY)
            .env("AWS_REGION", "us-east-1")
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .stdin(std::process::Stdio::null())
            .stdout(File::create(&out).map_err(cannot)?)
            .stderr(File::create(&err).map_err(cannot)?)
            .spawn()
            .map_err(cannot)?;
        Ok(Self { child, out, err })
    }

    /// Ends the run as a power cut would: SIGKILL.
    pub(super) fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Whether it has ended, and how.
    pub(super) fn ended(&mut self) -> Result<Option<ExitStatus>, CommandError> {
        self.child
            .try_wait()
            .map_err(|e| CommandError::Failed(format!("failed to wait for longbow itself: {e}")))
    }

    /// Waits for its end.
    pub(super) async fn wait(&mut self) -> Result<ExitStatus, CommandError> {
        loop {
            if let Some(status) = self.ended()? {
                return Ok(status);
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// What it wrote to standard output.
    pub(super) fn output(&self) -> String {
        std::fs::read_to_string(&self.out).unwrap_or_default()
    }

    /// What it wrote to standard error.
    pub(super) fn errors(&self) -> String {
        std::fs::read_to_string(&self.err).unwrap_or_default()
    }

    /// Its summary, with `--json`.
    pub(super) fn summary(&self) -> Option<Value> {
        let output = self.output();
        let last = output.lines().next_back()?;
        serde_json::from_str::<Value>(last).ok().filter(|event| event["event"] == "summary")
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        if let Ok(None) = self.child.try_wait() {
            self.kill();
        }
    }
}
