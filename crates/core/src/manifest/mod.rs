//! Manifests: lists of objects given by a person or by S3, instead of a listing of the source.
//!
//! A parser over chunks of bytes, in memory that does not depend on the size of the list; it reads no file. CSV as
//! DataSync, S3 Batch Operations and S3 Inventory have it, and JSON lines. Whatever cannot be understood is reported
//! with its line, and nothing of it is guessed.

mod columns;
mod entry;
mod found;
mod options;
mod parser;
mod record;
mod seen;

pub use columns::{Column, ColumnsError, columns_of_schema};
pub use entry::{LineFault, ManifestEntry};
pub use options::{Folders, KeyEncoding, Layout, ManifestOptions};
pub use parser::{Item, ManifestCounts, ManifestParser};
