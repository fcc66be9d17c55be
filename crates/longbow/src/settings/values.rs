//! The settings as values that hold: every number in its bounds, every choice an enum.

use std::fmt;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use longbow_core::diff::Comparison;
use longbow_core::job::{AttemptsPolicy, WhenBusy};
use longbow_core::legacy::JobType;
use longbow_core::object::Encryption;
use longbow_core::routes::KeyMapping;
use longbow_core::transfer::MethodPolicy;
use longbow_worker::RecordPolicy;

/// All settings of a run.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) selection: SelectionSettings,
    /// `None`: the strongest that listings allow.
    pub(crate) compare: Option<Comparison>,
    pub(crate) delete: bool,
    pub(crate) max_delete: u64,
    pub(crate) method: MethodPolicy,
    pub(crate) tags: bool,
    /// Where state files are kept.
    pub(crate) state_dir: PathBuf,
    pub(crate) worker: WorkerSettings,
    pub(crate) cluster: ClusterSettings,
    /// How much of an object's progress a worker of a cluster writes down.
    pub(crate) record: RecordPolicy,
    pub(crate) metrics: MetricsSettings,
    pub(crate) allow_http: bool,
    pub(crate) source: SideSettings,
    pub(crate) destination: DestinationSettings,
}

impl Settings {
    /// The fleet's name in metrics: as it was given, or that of the queue of jobs, whose URL, ARN or name it is.
    pub(crate) fn fleet_name(&self) -> String {
        let queue = || {
            let queue = self.cluster.queue.as_deref().unwrap_or_default();
            queue.rsplit(['/', ':']).next().unwrap_or_default().to_owned()
        };
        self.metrics.fleet.clone().unwrap_or_else(queue)
    }
}

/// Which keys take part.
#[derive(Debug, Clone)]
pub(crate) struct SelectionSettings {
    pub(crate) include: Vec<String>,
    pub(crate) exclude: Vec<String>,
    pub(crate) ignore_file: Option<PathBuf>,
    /// A list of the same kind in Systems Manager.
    pub(crate) ignore_parameter: Option<String>,
    /// Prefixes are taken as S3 takes them, not as folders.
    pub(crate) raw_prefix: bool,
}

/// How much is done at once, and how patiently.
#[derive(Debug, Clone)]
pub(crate) struct WorkerSettings {
    pub(crate) part_size: u64,
    pub(crate) whole_up_to: u64,
    pub(crate) max_objects: NonZeroUsize,
    pub(crate) max_requests: NonZeroUsize,
    pub(crate) memory_bytes: u64,
    pub(crate) attempts: AttemptsPolicy,
    pub(crate) visibility: Duration,
}

/// What is told to machines about a worker or a jobsender.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MetricsSettings {
    /// CloudWatch's lines on standard output.
    pub(crate) emf: bool,
    pub(crate) interval: Duration,
    /// The dimension's value. `None`: the queue's name.
    pub(crate) fleet: Option<String>,
    /// Of loopback.
    pub(crate) listen: Option<SocketAddr>,
}

/// The services that a fleet shares.
#[derive(Debug, Clone)]
pub(crate) struct ClusterSettings {
    pub(crate) queue: Option<String>,
    pub(crate) dead_letter_queue: Option<String>,
    pub(crate) table: Option<String>,
    pub(crate) region: Option<String>,
    pub(crate) profile: Option<String>,
    pub(crate) endpoint_url: Option<String>,
    /// Whether its services may be reached by plain http on another machine.
    pub(crate) allow_http: bool,
    pub(crate) when_busy: WhenBusy,
    /// The longest wait between attempts.
    pub(crate) retry_most: Duration,
    /// Removals at the source are carried on.
    pub(crate) propagate_deletes: bool,
    /// For what is in work when a worker has to stop.
    pub(crate) drain_within: Duration,
    /// Where more settings are kept.
    pub(crate) settings_parameter: Option<String>,
    /// How often a worker looks for changed parameters. `None`: never.
    pub(crate) reload_every: Option<Duration>,
    /// Where routes are kept.
    pub(crate) routes_parameter: Option<String>,
    /// Where the keys of the other account are kept.
    pub(crate) credentials_parameter: Option<String>,
    /// Which side is the other account's.
    pub(crate) job_type: JobType,
    /// `None`: as the form of a route has it.
    pub(crate) key_mapping: Option<KeyMapping>,
    /// Pages of one listing at once.
    pub(crate) listing_requests: NonZeroUsize,
    /// Routes compared at once.
    pub(crate) routes_at_once: NonZeroUsize,
    /// The age of an own upload that nobody goes on with. `None`: they are left.
    pub(crate) sweep_uploads_after: Option<Duration>,
    pub(crate) auto_scaling_group: Option<String>,
    pub(crate) lifecycle_hook: Option<String>,
}

/// How one side's store is reached.
#[derive(Debug, Clone)]
pub(crate) struct SideSettings {
    pub(crate) endpoint_url: Option<String>,
    pub(crate) region: Option<String>,
    pub(crate) profile: Option<String>,
    /// `None`: by itself for addresses and localhost.
    pub(crate) path_style: Option<bool>,
    pub(crate) credentials: Credentials,
    /// A role that these credentials assume.
    pub(crate) role: Option<RoleSettings>,
    pub(crate) requester_pays: bool,
    pub(crate) expected_bucket_owner: Option<String>,
}

/// A role to assume.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RoleSettings {
    pub(crate) arn: String,
    pub(crate) external_id: Option<String>,
}

/// The destination has more to say.
#[derive(Debug, Clone)]
pub(crate) struct DestinationSettings {
    pub(crate) side: SideSettings,
    pub(crate) storage_class: Option<String>,
    pub(crate) encryption: Option<Encryption>,
}

/// Who asks.
#[derive(Clone)]
pub(crate) enum Credentials {
    /// The standard AWS chain.
    Chain,
    /// Nobody: requests are not signed.
    Anonymous,
    /// A pair of keys of this side alone.
    Keys { id: String, secret: String, token: Option<String> },
    /// Keys in a parameter of Systems Manager, read again when they change.
    Stored { parameter: String },
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Chain => "Chain",
            Self::Anonymous => "Anonymous",
            Self::Keys { .. } => "Keys(hidden)",
            Self::Stored { .. } => "Stored",
        })
    }
}
