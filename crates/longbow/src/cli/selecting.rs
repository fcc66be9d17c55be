//! Flags that choose which keys take part.

use clap::Args;

use super::Flags;
use super::hinted::Hinted;
use crate::settings::FlagLayer;

#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Selecting")]
pub(crate) struct SelectionArgs {
    /// Takes only keys that match (repeatable); matched against the key without the prefix, `*` also crosses `/`
    #[arg(long, value_name = "GLOB")]
    include: Vec<String>,
    /// Leaves out keys that match (repeatable); wins over --include
    #[arg(long, value_name = "GLOB")]
    exclude: Vec<String>,
    /// Leaves out keys that match a line of this file: a glob, or BUCKET/GLOB for the full key
    #[arg(long, value_name = "FILE")]
    ignore_file: Option<String>,
    /// Whether s3://b/p means what lies under p/ (folder), or all keys that begin with p (raw)
    #[arg(long, value_name = "FORM", value_parser = Hinted(&["folder", "raw"]))]
    prefix_match: Option<String>,
}

impl Flags for SelectionArgs {
    fn write_down(&self, layer: &mut FlagLayer) {
        layer.list("selection.include", "--include", &self.include);
        layer.list("selection.exclude", "--exclude", &self.exclude);
        layer.text("selection.ignore_file", "--ignore-file", self.ignore_file.as_deref());
        layer.text("selection.prefix_match", "--prefix-match", self.prefix_match.as_deref());
    }
}
