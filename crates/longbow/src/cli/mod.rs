//! The command line: what can be written, and its help. Nothing is judged here: values that are settings stay text
//! and are resolved with the other layers, so that all faults are told at once.

mod cluster;
mod copying;
mod examples;
mod hinted;
mod operator;
mod selecting;
mod sides;
mod surroundings;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;

pub(crate) use cluster::{
    ClusterArgs, DlqAction, DlqArgs, JobsenderArgs, LetterArgs, ListArgs, PlaceArgs, RouteArgs, ServiceArgs,
    StateAction, StateArgs, WorkerArgs,
};
pub(crate) use copying::CopyArgs;
pub(crate) use operator::{
    DoctorArgs, FleetArgs, JobShowArgs, JobsAction, JobsArgs, ListFormat, ReportArgs, StatusArgs,
};
pub(crate) use selecting::SelectionArgs;
pub(crate) use sides::SideArgs;
pub(crate) use surroundings::Surroundings;

use crate::settings::FlagLayer;
use crate::telemetry::LogFormat;

/// Flags that are settings.
pub(crate) trait Flags {
    /// Writes down those that were given.
    fn write_down(&self, layer: &mut FlagLayer);
}

/// Copies and keeps in step objects between S3 buckets and folders, at any size.
///
/// A location is s3://BUCKET/PREFIX (any S3-compatible store) or a folder. Credentials come from the standard AWS
/// chain (environment, profiles, SSO, instance roles), or for one side from LONGBOW_SOURCE__ACCESS_KEY_ID,
/// LONGBOW_SOURCE__SECRET_ACCESS_KEY and LONGBOW_SOURCE__SESSION_TOKEN (the same with DESTINATION).
///
/// Exit codes: 0 done · 1 some objects failed, or the run could not go on · 2 usage or settings, or rights that doctor
/// misses · 3 differences found by verify · 4 refused for safety · 130/143 stopped by SIGINT/SIGTERM.
#[derive(Debug, Parser)]
#[command(name = "longbow", version, max_term_width = 110, after_help = examples::LONGBOW, arg_required_else_help = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
    /// How standard error is written: lines for people, or one JSON object a line, by default with a line for each
    /// object (see docs/LOGGING.md) [default: text, or what LONGBOW_LOG_FORMAT says]
    #[arg(long, global = true, value_enum, value_name = "FORMAT", help_heading = "General")]
    pub(crate) log_format: Option<LogFormat>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Copies what is missing or differs from SOURCE to DESTINATION, and verifies it
    #[command(after_help = examples::SYNC)]
    Sync(Box<SyncArgs>),
    /// Compares SOURCE and DESTINATION without copying; says how strong the evidence is
    #[command(after_help = examples::VERIFY)]
    Verify(Box<VerifyArgs>),
    /// Compares SOURCE and DESTINATION once and enqueues a job for each object to copy: for cron, beside workers
    #[command(after_help = examples::JOBSENDER)]
    Jobsender(Box<JobsenderArgs>),
    /// Copies what the jobs in a queue ask for, until it is stopped
    #[command(after_help = examples::WORKER)]
    Worker(Box<WorkerArgs>),
    /// Shows how far a fleet is: queue, transfers, failures by cause, rate and time left
    #[command(after_help = examples::STATUS)]
    Status(Box<StatusArgs>),
    /// Shows what is known of single objects
    #[command(after_help = examples::JOBS)]
    Jobs(JobsArgs),
    /// Lists every object of a transfer with how it ended
    #[command(after_help = examples::REPORT)]
    Report(Box<ReportArgs>),
    /// Tries each right that a fleet needs, and names those that are missing
    #[command(after_help = examples::DOCTOR)]
    Doctor(Box<DoctorArgs>),
    /// Makes the table that a cluster remembers in, or prints its schema
    #[command(after_help = examples::STATE)]
    State(StateArgs),
    /// Looks after the jobs that were given up
    #[command(after_help = examples::DLQ)]
    Dlq(DlqArgs),
    /// Prints every setting, its value and where it came from
    #[command(after_help = examples::SETTINGS)]
    Settings(Box<SettingsArgs>),
    /// Shows the whole trip on this machine without any account: copy, kill, resume, verify
    #[command(after_help = examples::DEMO)]
    Demo(DemoArgs),
    /// Writes a completion script for a shell
    #[command(after_help = examples::COMPLETIONS)]
    Completions {
        /// The shell to complete for
        shell: Shell,
    },
    /// Writes the manual pages
    #[command(after_help = examples::MAN)]
    Man {
        /// The command whose page is printed; without it the page of longbow itself
        command: Option<String>,
        /// Writes all pages into this folder instead
        #[arg(long, value_name = "FOLDER", conflicts_with = "command")]
        dir: Option<PathBuf>,
    },
}

/// Arguments of `longbow sync`.
#[derive(Debug, Args)]
pub(crate) struct SyncArgs {
    /// Where objects come from: s3://BUCKET/PREFIX or a folder
    #[arg(value_name = "SOURCE")]
    pub(crate) source: String,
    /// Where they go: s3://BUCKET/PREFIX or a folder
    #[arg(value_name = "DESTINATION")]
    pub(crate) destination: String,
    /// Shows counts and bytes by decision, deletions included, and writes nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
    #[command(flatten)]
    pub(crate) transfer: TransferArgs,
}

/// The flags of everything that copies.
#[derive(Debug, Args)]
pub(crate) struct TransferArgs {
    #[command(flatten)]
    selection: SelectionArgs,
    #[command(flatten)]
    copy: CopyArgs,
    #[command(flatten)]
    sides: SideArgs,
    #[command(flatten)]
    pub(crate) surroundings: Surroundings,
}

impl Flags for TransferArgs {
    fn write_down(&self, layer: &mut FlagLayer) {
        self.selection.write_down(layer);
        self.copy.write_down(layer);
        self.sides.write_down(layer);
        self.surroundings.write_down(layer);
    }
}

/// Arguments of `longbow verify`.
#[derive(Debug, Args)]
pub(crate) struct VerifyArgs {
    /// The side that is right: s3://BUCKET/PREFIX or a folder
    #[arg(value_name = "SOURCE")]
    pub(crate) source: String,
    /// The side that is looked at: s3://BUCKET/PREFIX or a folder
    #[arg(value_name = "DESTINATION")]
    pub(crate) destination: String,
    /// Reads both sides whole and compares the bytes' checksums: the strongest evidence
    #[arg(long)]
    pub(crate) read: bool,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
    #[command(flatten)]
    pub(crate) selection: SelectionArgs,
    /// The folder with state files of earlier runs, which are evidence too
    #[arg(long, value_name = "FOLDER", help_heading = "Comparing")]
    pub(crate) state_dir: Option<String>,
    /// Requests in flight at most, both sides together
    #[arg(long, value_name = "N", help_heading = "Comparing")]
    pub(crate) max_requests: Option<String>,
    #[command(flatten)]
    pub(crate) sides: SideArgs,
    #[command(flatten)]
    pub(crate) surroundings: Surroundings,
}

/// Arguments of `longbow settings`: every flag that is a setting, to see what it would do.
#[derive(Debug, Args)]
pub(crate) struct SettingsArgs {
    #[command(flatten)]
    routes: RouteArgs,
    #[command(flatten)]
    cluster: ClusterArgs,
    #[command(flatten)]
    pub(crate) transfer: TransferArgs,
}

/// Arguments of `longbow demo`.
#[derive(Debug, Args)]
pub(crate) struct DemoArgs {
    /// Keeps the demo's folder (state file, reports) to look at
    #[arg(long)]
    pub(crate) keep: bool,
}

/// What a run writes for its user.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Output")]
pub(crate) struct OutputArgs {
    /// Writes events as JSON lines on standard output
    #[arg(long)]
    pub(crate) json: bool,
    /// Writes a JSON line for each object to FILE
    #[arg(long, value_name = "FILE")]
    pub(crate) report: Option<PathBuf>,
    /// Shows no progress, only faults and the summary
    #[arg(long, short)]
    pub(crate) quiet: bool,
}

impl Flags for SyncArgs {
    fn write_down(&self, layer: &mut FlagLayer) {
        self.transfer.write_down(layer);
    }
}

impl Flags for VerifyArgs {
    fn write_down(&self, layer: &mut FlagLayer) {
        self.selection.write_down(layer);
        layer.text("sync.state_dir", "--state-dir", self.state_dir.as_deref());
        layer.text("worker.max_requests", "--max-requests", self.max_requests.as_deref());
        self.sides.write_down(layer);
        self.surroundings.write_down(layer);
    }
}

impl Flags for SettingsArgs {
    fn write_down(&self, layer: &mut FlagLayer) {
        self.routes.write_down(layer);
        self.cluster.write_down(layer);
        self.transfer.write_down(layer);
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_holds_together() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_help_ends_with_examples() {
        let mut root = Cli::command();
        root.build();
        let mut seen = 0;
        for command in std::iter::once(&mut root.clone()).chain(root.get_subcommands_mut()) {
            if command.get_name() == "help" {
                continue;
            }
            seen += 1;
            let help = command.render_long_help().to_string();
            let examples = help.split("Examples:\n").nth(1).unwrap_or_else(|| panic!("{help}"));
            assert!(examples.contains("longbow"), "{help}");
            assert!(!examples.contains("Options:"), "the examples end the help: {help}");
        }
        assert_eq!(seen, 15);
    }

    #[test]
    fn no_flag_takes_a_secret() {
        let mut root = Cli::command();
        root.build();
        for command in root.get_subcommands() {
            for argument in command.get_arguments() {
                let name = argument.get_long().unwrap_or_default();
                assert!(!name.contains("secret") && !name.contains("token") && !name.contains("access-key"));
            }
        }
    }
}
