//! The columns of a manifest, by the names that S3 Inventory, S3 Batch Operations and people give them.

/// What a column of a CSV manifest holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Column {
    /// The bucket.
    Bucket,
    /// The full key.
    Key,
    /// The version.
    VersionId,
    /// Bytes.
    Size,
    /// The tag.
    ETag,
    /// Whether the version is the newest of its key.
    IsLatest,
    /// Whether the version is a delete marker.
    IsDeleteMarker,
    /// Anything else.
    Other,
}

/// Why a list of columns is of no use.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ColumnsError {
    /// No key.
    #[error(
        "no column is called `Key`; the columns are named as in the `fileSchema` of an inventory's manifest.json"
    )]
    NoKey,
    /// A column that must be there once at most.
    #[error("the column {0:?} is there twice")]
    Twice(Column),
}

impl Column {
    /// The column of this name; case, `_`, `-` and spaces do not matter.
    pub fn of_name(name: &str) -> Self {
        let plain: String =
            name.chars().filter(|c| !matches!(c, '_' | '-' | ' ')).map(|c| c.to_ascii_lowercase()).collect();
        match plain.as_str() {
            "bucket" | "bucketname" => Self::Bucket,
            "key" | "keyname" | "path" => Self::Key,
            "versionid" | "version" => Self::VersionId,
            "size" => Self::Size,
            "etag" => Self::ETag,
            "islatest" => Self::IsLatest,
            "isdeletemarker" => Self::IsDeleteMarker,
            _ => Self::Other,
        }
    }
}

/// Reads the `fileSchema` of an inventory's `manifest.json`: `"Bucket, Key, VersionId, IsLatest, Size"`.
pub fn columns_of_schema(schema: &str) -> Result<Vec<Column>, ColumnsError> {
    let columns: Vec<Column> = schema.split(',').map(|name| Column::of_name(name.trim())).collect();
    check(&columns)?;
    Ok(columns)
}

pub(super) fn check(columns: &[Column]) -> Result<(), ColumnsError> {
    for (i, column) in columns.iter().enumerate() {
        if *column != Column::Other && columns[..i].contains(column) {
            return Err(ColumnsError::Twice(*column));
        }
    }
    if columns.contains(&Column::Key) { Ok(()) } else { Err(ColumnsError::NoKey) }
}

/// The columns that a first record names, if it is a line of headings: every field is a known name, `Key` is one of
/// them, and it is not alone (an object may be called `key`).
pub(super) fn heading(fields: &[&str]) -> Option<Vec<Column>> {
    let columns: Vec<Column> = fields.iter().map(|name| Column::of_name(name.trim())).collect();
    let known = columns.len() > 1 && columns[..2].iter().all(|c| *c != Column::Other);
    (known && check(&columns).is_ok()).then_some(columns)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schemas_and_headings_are_read() {
        use Column::{Bucket, ETag, IsDeleteMarker, IsLatest, Key, Other, Size, VersionId};
        assert_eq!(
            columns_of_schema(
                "Bucket, Key, VersionId, IsLatest, IsDeleteMarker, Size, LastModifiedDate, ETag"
            ),
            Ok(vec![Bucket, Key, VersionId, IsLatest, IsDeleteMarker, Size, Other, ETag])
        );
        assert_eq!(columns_of_schema("Bucket, Size"), Err(ColumnsError::NoKey));
        assert_eq!(columns_of_schema("Key, key"), Err(ColumnsError::Twice(Key)));
        assert_eq!(heading(&["bucket", "key"]), Some(vec![Bucket, Key]));
        assert_eq!(heading(&["Key", "Version_Id", "Colour"]), Some(vec![Key, VersionId, Other]));
        assert_eq!(heading(&["key"]), None);
        assert_eq!(heading(&["lab-results", "raw/x"]), None);
    }
}
