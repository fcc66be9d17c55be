//! The command line of a cluster: its services, the jobsender, the workers, and what an operator looks after.

use clap::{Args, Subcommand};

use super::hinted::Hinted;
use super::{Flags, OutputArgs, Surroundings, TransferArgs, examples};
use crate::settings::FlagLayer;

/// Which queue and which table.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Cluster")]
pub(crate) struct ClusterArgs {
    /// The Amazon SQS queue of jobs: URL, ARN or name
    #[arg(long, value_name = "QUEUE")]
    queue_url: Option<String>,
    /// The queue for dead letters; by default the one that the queue's redrive policy names
    #[arg(long, value_name = "QUEUE")]
    dead_letter_queue_url: Option<String>,
    /// A parameter of Systems Manager with more settings and routes, as TOML or JSON
    #[arg(long, value_name = "PARAMETER")]
    settings_parameter: Option<String>,
    /// The DynamoDB table of the state
    #[arg(long, value_name = "TABLE")]
    table: Option<String>,
}

/// The one route of the command line, or some of those that are configured.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct PlaceArgs {
    /// Where objects come from: s3://BUCKET/PREFIX. Without it: the routes of the settings file and of --routes-parameter
    #[arg(value_name = "SOURCE", requires = "destination")]
    source: Option<String>,
    /// Where they go: s3://BUCKET/PREFIX
    #[arg(value_name = "DESTINATION")]
    destination: Option<String>,
}

impl PlaceArgs {
    /// Both places, if they are given.
    pub(crate) fn both(&self) -> Option<(&str, &str)> {
        Some((self.source.as_deref()?, self.destination.as_deref()?))
    }
}

/// Which routes, and whose keys.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Routes")]
pub(crate) struct RouteArgs {
    /// A parameter of Systems Manager that holds the routes: bucket pairs as Longbow has them, or routes by name
    #[arg(long, value_name = "PARAMETER")]
    routes_parameter: Option<String>,
    /// A SecureString of Systems Manager with the keys of the account that is not our own
    #[arg(long, value_name = "PARAMETER")]
    credentials_parameter: Option<String>,
    /// A parameter of Systems Manager with globs of keys to leave out, one a line
    #[arg(long, value_name = "PARAMETER")]
    ignore_parameter: Option<String>,
    /// Where objects go below a destination: without the source prefix (relative), or with their whole key (full-key)
    #[arg(long, value_name = "HOW", value_parser = Hinted(&["auto", "relative", "full-key"]))]
    key_mapping: Option<String>,
}

impl Flags for RouteArgs {
    fn write_down(&self, layer: &mut FlagLayer) {
        layer.text("cluster.routes_parameter", "--routes-parameter", self.routes_parameter.as_deref());
        let keys = self.credentials_parameter.as_deref();
        layer.text("cluster.credentials_parameter", "--credentials-parameter", keys);
        layer.text("selection.ignore_parameter", "--ignore-parameter", self.ignore_parameter.as_deref());
        layer.text("cluster.key_mapping", "--key-mapping", self.key_mapping.as_deref());
    }
}

impl Flags for ClusterArgs {
    fn write_down(&self, layer: &mut FlagLayer) {
        layer.text("cluster.queue_url", "--queue-url", self.queue_url.as_deref());
        let dead = self.dead_letter_queue_url.as_deref();
        layer.text("cluster.dead_letter_queue_url", "--dead-letter-queue-url", dead);
        let more = self.settings_parameter.as_deref();
        layer.text("cluster.settings_parameter", "--settings-parameter", more);
        layer.text("cluster.table", "--table", self.table.as_deref());
    }
}

/// Arguments of `longbow jobsender`.
#[derive(Debug, Args)]
pub(crate) struct JobsenderArgs {
    #[command(flatten)]
    pub(crate) places: PlaceArgs,
    #[command(flatten)]
    routes: RouteArgs,
    /// Only these of the configured routes (repeatable)
    #[arg(long = "route", value_name = "NAME", conflicts_with = "source", help_heading = "Routes")]
    pub(crate) only: Vec<String>,
    /// What to do while the queue holds an unfinished batch [default: refuse]
    #[arg(long, value_name = "HOW", value_parser = Hinted(&["refuse", "append"]), help_heading = "Cluster")]
    when_busy: Option<String>,
    /// Removes what only the destination has, once all jobs are sent: never from an incomplete listing, at most --max-delete
    #[arg(long, help_heading = "Cluster")]
    propagate_deletes: bool,
    /// Compares and counts; sends nothing, removes nothing
    #[arg(long, help_heading = "Cluster")]
    pub(crate) dry_run: bool,
    #[command(flatten)]
    pub(crate) lists: ListArgs,
    #[command(flatten)]
    pub(crate) cluster: ClusterArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
    #[command(flatten)]
    pub(crate) transfer: TransferArgs,
}

impl Flags for JobsenderArgs {
    fn write_down(&self, layer: &mut FlagLayer) {
        layer.text("cluster.when_busy", "--when-busy", self.when_busy.as_deref());
        let propagate = self.propagate_deletes.then_some("true");
        layer.text("cluster.propagate_deletes", "--propagate-deletes", propagate);
        self.routes.write_down(layer);
        self.cluster.write_down(layer);
        self.transfer.write_down(layer);
    }
}

/// Lists that a jobsender reads and writes: files, or objects (s3://BUCKET/KEY) of the queue's own account.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Lists")]
pub(crate) struct ListArgs {
    /// Sends a job for each object of this list instead of comparing listings: CSV of S3 Inventory, S3 Batch Operations or
    /// DataSync, or JSON lines
    #[arg(long, value_name = "FILE")]
    pub(crate) manifest: Option<String>,
    /// The columns of the manifest, where its first line does not name them, as "Bucket, Key, VersionId, Size"
    #[arg(long, value_name = "COLUMNS", requires = "manifest")]
    pub(crate) manifest_columns: Option<String>,
    /// Takes keys of the manifest that end in `/` for objects, too
    #[arg(long, requires = "manifest")]
    pub(crate) manifest_folders: bool,
    /// Writes a JSON line for each job, sent or not
    #[arg(long, value_name = "FILE")]
    pub(crate) job_list: Option<String>,
    /// Writes a JSON line for each key that the globs leave out
    #[arg(long, value_name = "FILE")]
    pub(crate) ignored_list: Option<String>,
}

/// Arguments of `longbow worker`.
#[derive(Debug, Args)]
pub(crate) struct WorkerArgs {
    #[command(flatten)]
    pub(crate) places: PlaceArgs,
    #[command(flatten)]
    routes: RouteArgs,
    /// Ends when the queue holds nothing any more, visible or not
    #[arg(long, help_heading = "Cluster")]
    pub(crate) exit_when_empty: bool,
    /// Carries removals at the source on, which events tell; never what the source still has
    #[arg(long, help_heading = "Cluster")]
    propagate_deletes: bool,
    #[command(flatten)]
    pub(crate) cluster: ClusterArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
    #[command(flatten)]
    pub(crate) transfer: TransferArgs,
}

impl Flags for WorkerArgs {
    fn write_down(&self, layer: &mut FlagLayer) {
        let propagate = self.propagate_deletes.then_some("true");
        layer.text("cluster.propagate_deletes", "--propagate-deletes", propagate);
        self.routes.write_down(layer);
        self.cluster.write_down(layer);
        self.transfer.write_down(layer);
    }
}

/// Arguments of `longbow state`.
#[derive(Debug, Args)]
pub(crate) struct StateArgs {
    #[command(subcommand)]
    pub(crate) action: StateAction,
}

#[derive(Debug, Subcommand)]
pub(crate) enum StateAction {
    /// Makes the table, if it is not there, and waits until it can be used
    #[command(after_help = examples::STATE)]
    CreateTable(ServiceArgs),
    /// Prints the table's schema as JSON, with the names of Terraform's aws_dynamodb_table
    #[command(after_help = examples::STATE)]
    Schema,
}

impl StateArgs {
    /// The services that the action needs.
    pub(crate) fn service(&self) -> Option<&ServiceArgs> {
        match &self.action {
            StateAction::CreateTable(service) => Some(service),
            StateAction::Schema => None,
        }
    }
}

/// Arguments of commands that need queue or table and no store.
#[derive(Debug, Args)]
pub(crate) struct ServiceArgs {
    #[command(flatten)]
    pub(crate) cluster: ClusterArgs,
    /// Writes JSON lines on standard output
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) surroundings: Surroundings,
}

impl Flags for ServiceArgs {
    fn write_down(&self, layer: &mut FlagLayer) {
        self.cluster.write_down(layer);
        self.surroundings.write_down(layer);
    }
}

/// Arguments of `longbow dlq`.
#[derive(Debug, Args)]
pub(crate) struct DlqArgs {
    #[command(subcommand)]
    pub(crate) action: DlqAction,
}

#[derive(Debug, Subcommand)]
pub(crate) enum DlqAction {
    /// Shows dead letters with their reasons; they stay where they are
    #[command(after_help = examples::DLQ)]
    List(LetterArgs),
    /// Sends dead letters to the queue again
    #[command(after_help = examples::DLQ)]
    Redrive(LetterArgs),
    /// Removes dead letters for good
    #[command(after_help = examples::DLQ)]
    Purge(LetterArgs),
}

impl DlqArgs {
    /// Which letters the action is about.
    pub(crate) fn letters(&self) -> &LetterArgs {
        match &self.action {
            DlqAction::List(letters) | DlqAction::Redrive(letters) | DlqAction::Purge(letters) => letters,
        }
    }
}

/// Which dead letters.
#[derive(Debug, Args)]
pub(crate) struct LetterArgs {
    /// Only letters whose reason holds this text, in any case
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: Option<String>,
    /// At most so many
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    pub(crate) limit: usize,
    #[command(flatten)]
    pub(crate) service: ServiceArgs,
}
