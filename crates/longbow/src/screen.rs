//! The terminal as a thing that several write to: lines of text and log records go above the progress bar.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

use indicatif::ProgressBar;
use tracing_subscriber::fmt::MakeWriter;

use crate::telemetry::{LogFormat, console_line};

/// Standard output and error, and the bar that must not be torn, if there is one.
#[derive(Clone, Default)]
pub(crate) struct Screen {
    bar: Arc<Mutex<Option<ProgressBar>>>,
    format: LogFormat,
}

impl Screen {
    /// The terminal, with standard error in this format.
    pub(crate) fn of(format: LogFormat) -> Self {
        Self { format, ..Self::default() }
    }

    /// Shows a bar, or none.
    pub(crate) fn show(&self, bar: Option<ProgressBar>) {
        let before = std::mem::replace(&mut *self.lock(), bar);
        if let Some(before) = before {
            before.finish_and_clear();
        }
    }

    /// The bar that is shown.
    pub(crate) fn bar(&self) -> Option<ProgressBar> {
        self.lock().clone()
    }

    /// A line on standard error for people; where a collector reads it, a log record of its own.
    pub(crate) fn error_line(&self, text: &str) {
        match self.format {
            LogFormat::Text => self.raw_error_line(text),
            LogFormat::Json => self.raw_error_line(&console_line(text)),
        }
    }

    /// A line on standard error. A closed pipe is no reason to stop copying: the failure to write is passed over.
    fn raw_error_line(&self, text: &str) {
        self.suspended(|| {
            let _ = writeln!(io::stderr().lock(), "{text}");
        });
    }

    /// A line on standard output, passed over in the same way.
    pub(crate) fn output_line(&self, text: &str) {
        self.suspended(|| {
            let mut out = io::stdout().lock();
            let _ = writeln!(out, "{text}").and_then(|()| out.flush());
        });
    }

    fn suspended(&self, write: impl FnOnce()) {
        match self.bar() {
            Some(bar) => bar.suspend(write),
            None => write(),
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<ProgressBar>> {
        self.bar.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<'a> MakeWriter<'a> for Screen {
    type Writer = LogLine;

    fn make_writer(&'a self) -> LogLine {
        LogLine { screen: self.clone(), text: Vec::new() }
    }
}

/// One log record on its way to the screen.
pub(crate) struct LogLine {
    screen: Screen,
    text: Vec<u8>,
}

impl Write for LogLine {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.text.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for LogLine {
    fn drop(&mut self) {
        if !self.text.is_empty() {
            self.screen.raw_error_line(String::from_utf8_lossy(&self.text).trim_end());
        }
    }
}
