//! Flags that say what is copied, how, and with how much effort.

use clap::Args;

use super::Flags;
use super::hinted::Hinted;
use crate::settings::FlagLayer;

#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Copying")]
pub(crate) struct CopyArgs {
    /// How objects are compared; by default the strongest that the two sides allow from listings alone
    #[arg(long, value_name = "HOW", value_parser = Hinted(&["auto", "size", "size-mtime", "etag", "checksum", "version"]))]
    compare: Option<String>,
    /// Removes what only the destination has, after the copies; never from an incomplete listing
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true",
          value_parser = Hinted(&["true", "false"]))]
    delete: Option<String>,
    /// Refuses to remove more objects than this, with exit code 4 [default: 1000]
    #[arg(long, value_name = "N")]
    max_delete: Option<String>,
    /// Which way the bytes go: inside the store where one store holds both sides (auto, server-side), or through
    /// this machine
    #[arg(long, value_name = "METHOD", value_parser = Hinted(&["auto", "stream", "server-side"]))]
    method: Option<String>,
    /// Storage class of the copies; by default STANDARD
    #[arg(long, value_name = "CLASS")]
    storage_class: Option<String>,
    /// Encryption at rest of the copies; by default the destination bucket's own
    #[arg(long, value_name = "ALGORITHM", value_parser = Hinted(&["AES256", "aws:kms"]))]
    sse: Option<String>,
    /// The KMS key for --sse aws:kms
    #[arg(long, value_name = "KEY")]
    sse_kms_key_id: Option<String>,
    /// Copies no tags: where the right to read or write them is missing
    #[arg(long)]
    no_tags: bool,
    /// The folder for state files, one a route [default: $XDG_STATE_HOME/longbow or ~/.local/state/longbow]
    #[arg(long, value_name = "FOLDER")]
    state_dir: Option<String>,
    /// Bytes of a part where the source's own boundaries cannot be kept, as 16MiB
    #[arg(long, value_name = "SIZE")]
    part_size: Option<String>,
    /// Requests in flight at most; what is used adapts below it
    #[arg(long, value_name = "N")]
    max_requests: Option<String>,
    /// Memory for bytes on their way, as 48MiB; never more than half the limit of the control group
    #[arg(long, value_name = "SIZE")]
    memory: Option<String>,
    /// Attempts before an object is given up
    #[arg(long, value_name = "N")]
    max_attempts: Option<String>,
}

impl Flags for CopyArgs {
    fn write_down(&self, layer: &mut FlagLayer) {
        layer.text("sync.compare", "--compare", self.compare.as_deref());
        layer.text("sync.delete", "--delete", self.delete.as_deref());
        layer.text("sync.max_delete", "--max-delete", self.max_delete.as_deref());
        layer.text("sync.method", "--method", self.method.as_deref());
        layer.text("destination.storage_class", "--storage-class", self.storage_class.as_deref());
        layer.text("destination.sse", "--sse", self.sse.as_deref());
        layer.text("destination.sse_kms_key_id", "--sse-kms-key-id", self.sse_kms_key_id.as_deref());
        layer.text("sync.tags", "--no-tags", self.no_tags.then_some("false"));
        layer.text("sync.state_dir", "--state-dir", self.state_dir.as_deref());
        layer.text("worker.part_size", "--part-size", self.part_size.as_deref());
        layer.text("worker.max_requests", "--max-requests", self.max_requests.as_deref());
        layer.text("worker.memory", "--memory", self.memory.as_deref());
        layer.text("worker.max_attempts", "--max-attempts", self.max_attempts.as_deref());
    }
}
