//! Values that several tables hold, to columns and back.

use longbow_core::object::{Checksums, ETag};
use rusqlite::Row;

/// A tag exactly as it was stored. [`ETag::new`] reads what servers send, and takes one pair of quotation marks off.
pub(crate) fn etag(stored: &str) -> ETag {
    ETag::new(&format!("\"{stored}\""))
}

/// The three columns of checksums; the widest as a signed number, which is all that SQLite has.
pub(crate) fn of_checksums(checksums: &Checksums) -> (Option<i64>, Option<u32>, Option<u32>) {
    let Checksums { crc64nvme, crc32c, crc32 } = checksums;
    (crc64nvme.map(u64::cast_signed), *crc32c, *crc32)
}

/// Reads the three columns of checksums from `first` on.
pub(crate) fn checksums(row: &Row<'_>, first: usize) -> rusqlite::Result<Checksums> {
    Ok(Checksums {
        crc64nvme: row.get::<_, Option<i64>>(first)?.map(i64::cast_unsigned),
        crc32c: row.get(first + 1)?,
        crc32: row.get(first + 2)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn odd_tags_come_back_as_they_were() {
        for text in ["x", "", " x ", "\"x\"", "\"", "W/\"x\""] {
            assert_eq!(etag(text).as_str(), text);
        }
    }
}
