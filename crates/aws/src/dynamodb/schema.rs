//! The table's schema as data: made from here, checked against this, and compared with what `deploy/` makes.

use serde_json::{Value, json};

/// Names of attributes with a meaning for the table itself.
pub(super) mod attribute {
    /// The partition key.
    pub(crate) const PK: &str = "pk";
    /// The sort key.
    pub(crate) const SK: &str = "sk";
    /// The partition key again, on records of objects that were given up, and on no others: the index holds only these.
    pub(crate) const FAILED: &str = "failed";
    /// When an item may be removed, in seconds since 1970.
    pub(crate) const EXPIRES: &str = "expires";
    /// Grows with every swap of a record.
    pub(crate) const VERSION: &str = "version";
    /// Names the write that made a record what it is.
    pub(crate) const WRITE: &str = "write";
    /// The subject of a record whose sort key is not its subject.
    pub(crate) const SUBJECT: &str = "subject";
    /// The proofs of an item of parts.
    pub(crate) const PROOFS: &str = "proofs";
}

/// The index of the objects that were given up.
pub(super) const FAILED_INDEX: &str = "failed";

/// The type of a key attribute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AttributeType {
    /// Text.
    String,
}

impl AttributeType {
    /// As the API and Terraform write it.
    pub fn letter(self) -> &'static str {
        match self {
            Self::String => "S",
        }
    }
}

/// A global secondary index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndexSchema {
    /// Its name.
    pub name: &'static str,
    /// Its partition key. Items without this attribute are not in the index and cost it nothing.
    pub hash_key: &'static str,
    /// Its sort key.
    pub range_key: &'static str,
    /// Which attributes it holds (`ALL`).
    pub projection: &'static str,
}

/// The schema of longbow's state table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableSchema {
    /// The partition key.
    pub hash_key: &'static str,
    /// The sort key.
    pub range_key: &'static str,
    /// Every key attribute of table and indexes, with its type, by name.
    pub attributes: Vec<(&'static str, AttributeType)>,
    /// The indexes.
    pub indexes: Vec<IndexSchema>,
    /// How it is paid for.
    pub billing_mode: &'static str,
    /// The attribute that says when an item may be removed.
    pub ttl_attribute: &'static str,
    /// Whether the table can be brought back as it was at any moment of the last 35 days.
    pub point_in_time_recovery: bool,
}

impl TableSchema {
    /// The one that this release uses.
    pub fn current() -> Self {
        Self {
            hash_key: attribute::PK,
            range_key: attribute::SK,
            attributes: vec![
                (attribute::FAILED, AttributeType::String),
                (attribute::PK, AttributeType::String),
                (attribute::SK, AttributeType::String),
            ],
            indexes: vec![IndexSchema {
                name: FAILED_INDEX,
                hash_key: attribute::FAILED,
                range_key: attribute::SK,
                projection: "ALL",
            }],
            billing_mode: "PAY_PER_REQUEST",
            ttl_attribute: attribute::EXPIRES,
            point_in_time_recovery: true,
        }
    }

    /// The same as JSON, with the names of the Terraform resource `aws_dynamodb_table`.
    pub fn to_json(&self) -> Value {
        let attributes: Vec<Value> = self
            .attributes
            .iter()
            .map(|(name, kind)| json!({ "name": name, "type": kind.letter() }))
            .collect();
        let index = |index: &IndexSchema| {
            json!({
                "name": index.name,
                "hash_key": index.hash_key,
                "range_key": index.range_key,
                "projection_type": index.projection,
            })
        };
        json!({
            "hash_key": self.hash_key,
            "range_key": self.range_key,
            "attribute": attributes,
            "global_secondary_index": self.indexes.iter().map(index).collect::<Vec<Value>>(),
            "billing_mode": self.billing_mode,
            "ttl": { "attribute_name": self.ttl_attribute, "enabled": true },
            "point_in_time_recovery": { "enabled": self.point_in_time_recovery },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_attribute_is_declared_once() {
        let schema = TableSchema::current();
        let mut used = vec![schema.hash_key, schema.range_key];
        used.extend(schema.indexes.iter().flat_map(|index| [index.hash_key, index.range_key]));
        used.sort_unstable();
        used.dedup();
        let declared: Vec<&str> = schema.attributes.iter().map(|(name, _)| *name).collect();
        assert_eq!(used, declared);
        assert_eq!(schema.to_json()["global_secondary_index"][0]["hash_key"], "failed");
    }
}
