//! What one record says, before it is held against the route.

use serde_json::Value;

use super::Column;
use crate::json::{Node, read_strict};
use crate::object::ETag;

/// What one record says, before it is checked.
pub(super) struct Found {
    pub(super) bucket: Option<String>,
    pub(super) key: String,
    pub(super) version: Option<String>,
    pub(super) size: Option<u64>,
    pub(super) etag: Option<ETag>,
    /// Whether it is an object as it is now: no delete marker and no old version.
    pub(super) current: bool,
}

impl Default for Found {
    fn default() -> Self {
        Self { bucket: None, key: String::new(), version: None, size: None, etag: None, current: true }
    }
}

pub(super) fn some(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

/// Reads the fields of a CSV record.
pub(super) fn from_columns(
    columns: &[Column],
    fields: &[&str],
    decode: impl Fn(&str) -> Result<String, String>,
) -> Result<Found, String> {
    if fields.len() > columns.len() {
        return Err(format!(
            "has {} fields, where {} columns are known; name the columns (the fileSchema of an inventory)",
            fields.len(),
            columns.len()
        ));
    }
    let mut found = Found::default();
    for (column, text) in columns.iter().zip(fields) {
        match column {
            Column::Bucket => found.bucket = Some((*text).to_owned()),
            Column::Key => found.key = decode(text)?,
            Column::VersionId => found.version = some(text),
            Column::Size if text.is_empty() => {}
            Column::Size => {
                found.size = Some(text.parse().map_err(|_| "the size is no whole number".to_owned())?)
            }
            Column::ETag => found.etag = some(text).map(|tag| ETag::new(&tag)),
            Column::IsLatest => found.current &= !text.eq_ignore_ascii_case("false"),
            Column::IsDeleteMarker => found.current &= !text.eq_ignore_ascii_case("true"),
            Column::Other => {}
        }
    }
    Ok(found)
}

/// Reads a line of JSON.
pub(super) fn from_json(
    line: &str,
    decode: impl Fn(&str) -> Result<String, String>,
) -> Result<Found, String> {
    let value: Value = read_strict(line).map_err(|fault| fault.to_string())?;
    let Some(fields) = value.as_object() else { return Err("is no JSON object with a `key`".to_owned()) };
    let mut found = Found::default();
    let mut given = Vec::new();
    for (name, value) in fields.iter().filter(|(_, value)| !value.is_null()) {
        let node = Node { value, path: format!("$.{name}") };
        let column = Column::of_name(name);
        // `key` and `Key`, or `key` and `path`: one of them would be passed over.
        if column != Column::Other && given.contains(&column) {
            return Err(format!(
                "$.{name}: says for the second time what the line is about; keep one of both"
            ));
        }
        given.push(column);
        let text = || node.text().map_err(|fault| fault.to_string());
        match column {
            Column::Bucket => found.bucket = some(text()?),
            Column::Key => found.key = decode(text()?)?,
            Column::VersionId => found.version = some(text()?),
            Column::Size => found.size = Some(node.whole().map_err(|fault| fault.to_string())?),
            Column::ETag => found.etag = some(text()?).map(|tag| ETag::new(&tag)),
            Column::IsLatest => found.current &= value != &Value::Bool(false),
            Column::IsDeleteMarker => found.current &= value != &Value::Bool(true),
            Column::Other => {}
        }
    }
    Ok(found)
}
