//! The commands for who looks after a fleet: how far it is, what is known of an object, lists, and what is not permitted.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::cluster::{ClusterArgs, PlaceArgs, RouteArgs};
use super::hinted::Hinted;
use super::{Flags, SideArgs, Surroundings, examples};
use crate::settings::FlagLayer;

/// Which fleet: its routes and services.
#[derive(Debug, Args)]
pub(crate) struct FleetArgs {
    #[command(flatten)]
    routes: RouteArgs,
    /// Only these of the configured routes (repeatable)
    #[arg(long = "route", value_name = "NAME", conflicts_with = "source", help_heading = "Routes")]
    pub(crate) only: Vec<String>,
    #[command(flatten)]
    cluster: ClusterArgs,
    /// Writes JSON on standard output
    #[arg(long)]
    pub(crate) json: bool,
    /// Whether s3://b/p means what lies under p/ (folder), or all keys that begin with p (raw)
    #[arg(long, value_name = "FORM", value_parser = Hinted(&["folder", "raw"]))]
    prefix_match: Option<String>,
    #[command(flatten)]
    pub(crate) sides: SideArgs,
    #[command(flatten)]
    pub(crate) surroundings: Surroundings,
}

impl Flags for FleetArgs {
    fn write_down(&self, layer: &mut FlagLayer) {
        self.routes.write_down(layer);
        self.cluster.write_down(layer);
        layer.text("selection.prefix_match", "--prefix-match", self.prefix_match.as_deref());
        self.sides.write_down(layer);
        self.surroundings.write_down(layer);
    }
}

/// Arguments of `longbow status`.
#[derive(Debug, Args)]
pub(crate) struct StatusArgs {
    #[command(flatten)]
    pub(crate) places: PlaceArgs,
    /// Only this transfer
    #[arg(long, value_name = "ID", conflicts_with = "last")]
    pub(crate) transfer: Option<String>,
    /// So many of the latest transfers
    #[arg(long, value_name = "N", default_value_t = 3)]
    pub(crate) last: usize,
    /// Looks at the queue and the notes of transfers only, and counts no objects: free of cost at any size
    #[arg(long)]
    pub(crate) quick: bool,
    /// Looks again after so many seconds, until it is stopped
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) watch: Option<u64>,
    #[command(flatten)]
    pub(crate) fleet: FleetArgs,
}

/// Arguments of `longbow jobs`.
#[derive(Debug, Args)]
pub(crate) struct JobsArgs {
    #[command(subcommand)]
    pub(crate) action: JobsAction,
}

#[derive(Debug, Subcommand)]
pub(crate) enum JobsAction {
    /// Shows what is known of one object, and both sides as they are now
    #[command(after_help = examples::JOBS)]
    Show(Box<JobShowArgs>),
}

impl JobsArgs {
    /// The fleet that the action is about.
    pub(crate) fn fleet(&self) -> &FleetArgs {
        match &self.action {
            JobsAction::Show(args) => &args.fleet,
        }
    }
}

/// Arguments of `longbow jobs show`.
#[derive(Debug, Args)]
pub(crate) struct JobShowArgs {
    /// The whole source key, or s3://BUCKET/KEY
    #[arg(value_name = "KEY")]
    pub(crate) key: String,
    #[command(flatten)]
    pub(crate) places: PlaceArgs,
    /// Also goes through the dead letters, which hides them from others for a moment
    #[arg(long)]
    pub(crate) dead_letters: bool,
    #[command(flatten)]
    pub(crate) fleet: FleetArgs,
}

/// How a list is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ListFormat {
    /// A heading and a line for each object, as RFC 4180 has it
    Csv,
    /// A JSON object for each
    Jsonl,
}

/// Arguments of `longbow report`.
#[derive(Debug, Args)]
pub(crate) struct ReportArgs {
    /// The transfer, as jobsender and status name it; all, for every object that is remembered
    #[arg(value_name = "TRANSFER")]
    pub(crate) transfer: String,
    #[command(flatten)]
    pub(crate) places: PlaceArgs,
    /// How it is written; --json means jsonl
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = ListFormat::Csv)]
    pub(crate) format: ListFormat,
    /// Writes to FILE instead of standard output
    #[arg(long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) fleet: FleetArgs,
}

/// Arguments of `longbow doctor`.
#[derive(Debug, Args)]
pub(crate) struct DoctorArgs {
    #[command(flatten)]
    pub(crate) places: PlaceArgs,
    /// Also tries rights that cannot be tried without a trace: begins an upload and aborts it, sends a trial message that
    /// workers ignore, and receives one
    #[arg(long)]
    pub(crate) write: bool,
    #[command(flatten)]
    pub(crate) fleet: FleetArgs,
}
