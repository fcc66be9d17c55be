//! How a manifest is to be read.

use super::Column;
use crate::object::Location;

/// The form of a manifest.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Layout {
    /// Told by the first record, and kept:
    ///
    /// | first record | form |
    /// |---|---|
    /// | begins with `{` | JSON lines |
    /// | names columns (`bucket,key,…`; a heading) | these columns |
    /// | first field is the source bucket, one or two more | `bucket,key[,versionId]` |
    /// | first field begins with the source bucket and `/` | `bucket/key[,versionId]` |
    /// | anything else | `path[,versionId]` |
    #[default]
    Auto,
    /// `path[,versionId]`, the path below the source prefix, as DataSync has it.
    Path,
    /// `bucket/key[,versionId]`.
    BucketPath,
    /// These columns, as S3 Batch Operations (`bucket,key[,versionId]`) and S3 Inventory have them.
    Columns(Vec<Column>),
    /// One JSON object a line: `key`, and if wanted `bucket`, `versionId`, `size`, `etag`.
    JsonLines,
}

/// How keys are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum KeyEncoding {
    /// Percent-encoded where a column names the bucket, as S3 Batch Operations and S3 Inventory have it; plain in all
    /// other forms.
    #[default]
    Auto,
    /// As they are.
    Plain,
    /// Percent-encoded once, with `+` for a space.
    Percent,
}

/// What to do with keys that end in `/`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Folders {
    /// They are left out and counted (DS-06).
    #[default]
    LeaveOut,
    /// They are objects like any other.
    Keep,
}

/// How a manifest is read.
#[derive(Debug, Clone)]
pub struct ManifestOptions {
    /// The source of the route: entries elsewhere are faults.
    pub source: Location,
    /// The form.
    pub layout: Layout,
    /// How keys are written.
    pub encoding: KeyEncoding,
    /// What becomes of folders.
    pub folders: Folders,
    /// How many objects are remembered to leave out those that come again (DS-07); 0 for none.
    pub remember: usize,
}

impl ManifestOptions {
    /// Everything by itself, for objects of this source; the last half million objects are remembered at least.
    pub fn of(source: Location) -> Self {
        let (layout, encoding) = (Layout::Auto, KeyEncoding::Auto);
        Self { source, layout, encoding, folders: Folders::LeaveOut, remember: 1_000_000 }
    }
}
