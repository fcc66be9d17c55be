//! What a line of a manifest gives: an object, or a fault with its place.

use crate::excerpt::excerpt;
use crate::object::{ETag, ObjectKey, VersionId};

/// The most of a faulty line that is shown.
const SHOWN: usize = 120;

/// One object of a manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManifestEntry {
    /// The line on which it begins, from 1.
    pub line: u64,
    /// The full key in the source bucket.
    pub key: ObjectKey,
    /// The version that is meant, if the manifest names one.
    pub version: Option<VersionId>,
    /// Bytes, where stated.
    pub size: Option<u64>,
    /// The tag, where stated.
    pub etag: Option<ETag>,
}

/// A line that gives no object.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {what}{}", Excerpt(.text))]
pub struct LineFault {
    /// The line on which the record begins, from 1.
    pub line: u64,
    /// What is wrong, and what would be right.
    pub what: String,
    /// The beginning of the record, harmless to show.
    pub text: String,
}

struct Excerpt<'a>(&'a str);

impl std::fmt::Display for Excerpt<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.0.is_empty() { Ok(()) } else { write!(f, ": {}", self.0) }
    }
}

impl LineFault {
    pub(super) fn new(line: u64, what: impl Into<String>, record: &[u8]) -> Self {
        let head = &record[..record.len().min(4 * SHOWN + 4)];
        // What is wrong may repeat a part of the record, too.
        let what: String = what.into();
        Self { line, what: excerpt(&what, 3 * SHOWN), text: excerpt(&String::from_utf8_lossy(head), SHOWN) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_faulty_line_is_shown_short_and_harmless() {
        let fault = LineFault::new(7, "is wrong", b"a\x1b[2J,\xff");
        assert_eq!(fault.to_string(), "line 7: is wrong: a\\u{1b}[2J,\u{fffd}");
        assert!(LineFault::new(7, "is wrong", &vec![b'x'; 100_000]).to_string().len() < 200);
        let bucket = format!("names the bucket {:?}", "\u{1b}".repeat(60_000));
        assert!(LineFault::new(7, bucket, b"").to_string().len() < 500);
        assert_eq!(LineFault::new(1, "is wrong", b"").to_string(), "line 1: is wrong");
    }
}
