//! The ways to tell: a bar above which lines appear, plain lines, JSON lines, or little at all.
//!
//! People's text goes to standard output when it is what the command is for (the header, the summary) and to standard
//! error when it is about the way there; machines get everything on standard output, one JSON value a line.

use std::io::IsTerminal as _;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use longbow_core::job::Report;
use serde_json::{Value, json};

use super::reading::{Rate, Reading};
use crate::screen::Screen;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Manner {
    /// A bar on standard error.
    Terminal,
    /// Lines on standard error.
    Lines,
    /// JSON lines on standard output.
    Json,
    /// Notices and failures only.
    Quiet,
}

/// What the user asked for.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct VoiceOptions {
    pub(crate) json: bool,
    pub(crate) quiet: bool,
}

/// Tells a user about a run.
#[derive(Clone)]
pub(crate) struct Voice {
    manner: Manner,
    screen: Screen,
    quiet: bool,
}

impl Voice {
    /// The voice that fits the options and the terminal.
    pub(crate) fn new(options: VoiceOptions, screen: Screen) -> Self {
        let manner = match options {
            VoiceOptions { json: true, .. } => Manner::Json,
            VoiceOptions { quiet: true, .. } => Manner::Quiet,
            _ if std::io::stderr().is_terminal() => Manner::Terminal,
            _ => Manner::Lines,
        };
        Self { manner, screen, quiet: options.quiet }
    }

    /// A voice that says only what it must.
    #[cfg(test)]
    pub(crate) fn silent(screen: Screen) -> Self {
        Self { manner: Manner::Quiet, screen, quiet: true }
    }

    /// How often progress is told.
    pub(crate) fn interval(&self) -> Option<Duration> {
        match self.manner {
            _ if self.quiet => None,
            Manner::Terminal => Some(Duration::from_millis(200)),
            Manner::Lines => Some(Duration::from_secs(5)),
            Manner::Json => Some(Duration::from_secs(1)),
            Manner::Quiet => None,
        }
    }

    /// Text that the command is for. Machines do not get it.
    pub(crate) fn text(&self, text: &str) {
        if self.manner != Manner::Json {
            self.screen.output_line(text);
        }
    }

    /// Text that `--quiet` leaves out.
    pub(crate) fn chatter(&self, text: &str) {
        if self.manner != Manner::Quiet {
            self.text(text);
        }
    }

    /// An event for machines.
    pub(crate) fn event(&self, event: &Value) {
        if self.manner == Manner::Json {
            self.screen.output_line(&event.to_string());
        }
    }

    /// Something to know once.
    pub(crate) fn notice(&self, text: &str) {
        match self.manner {
            Manner::Json => self.event(&json!({"event": "notice", "text": text})),
            _ => self.screen.error_line(&format!("note: {text}")),
        }
    }

    /// An object was given up. People are told of the first ones only, machines of all.
    pub(crate) fn failed(&self, report: &Report, one_of_the_first: bool) {
        match self.manner {
            Manner::Json => self.event(&json!({
                "event": "object",
                "outcome": "failed",
                "key": report.key,
                "destination_key": report.destination_key,
                "size": report.size,
                "attempts": report.attempts,
                "class": report.failure,
                "reason": report.reason,
            })),
            _ if one_of_the_first => {
                self.screen.error_line(&format!("failed: {}: {}", report.key, report.reason));
            }
            _ => {}
        }
    }

    /// Begins to show progress.
    pub(crate) fn begin(&self) {
        if self.manner != Manner::Terminal {
            return;
        }
        let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stderr());
        // The template is fixed and known to be one.
        if let Ok(style) = ProgressStyle::with_template("{bar:24} {msg}") {
            bar.set_style(style.progress_chars("█▌ "));
        }
        self.screen.show(Some(bar));
    }

    /// Shows progress.
    pub(crate) fn progress(&self, reading: &Reading, rate: Rate, elapsed: Duration) {
        match self.manner {
            Manner::Terminal => {
                if let Some(bar) = self.screen.bar() {
                    let by_bytes = reading.bytes_known > 0;
                    let (done, known) = match by_bytes {
                        true => (reading.bytes_done, reading.bytes_known),
                        false => (reading.objects_done, reading.objects_known),
                    };
                    bar.set_length(known.max(1));
                    bar.set_position(done);
                    bar.set_message(reading.line(rate));
                }
            }
            Manner::Lines => self.screen.error_line(&reading.line(rate)),
            Manner::Json => self.event(&reading.event(rate, elapsed)),
            Manner::Quiet => {}
        }
    }

    /// Shows progress no more.
    pub(crate) fn end(&self) {
        self.screen.show(None);
    }
}
