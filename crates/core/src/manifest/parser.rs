//! From bytes to entries: which form a manifest has, and what each record means.

use super::columns::heading;
use super::found::{Found, from_columns, from_json, some};
use super::record::{Cut, Cutter};
use super::seen::Seen;
use super::{Column, Folders, KeyEncoding, Layout, LineFault, ManifestEntry, ManifestOptions};
use crate::object::{Location, ObjectKey, VersionId, decode_percent};

/// As S3 documents version ids: at most 1,024 bytes.
const MAX_VERSION: usize = 1024;

/// What a manifest gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Item {
    /// An object.
    Entry(ManifestEntry),
    /// A line that gives none.
    Fault(LineFault),
}

/// What was seen so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ManifestCounts {
    /// Objects given.
    pub entries: u64,
    /// Lines that gave none for a fault.
    pub faults: u64,
    /// Folders left out.
    pub folders: u64,
    /// Objects left out since they had come before.
    pub duplicates: u64,
    /// Delete markers and old versions of an inventory, left out.
    pub not_current: u64,
}

/// Reads a manifest in chunks of any size.
#[derive(Debug)]
pub struct ManifestParser {
    options: ManifestOptions,
    /// The first bytes, until the form can be told.
    head: Vec<u8>,
    cutter: Option<Cutter>,
    /// The form, once it is known; a heading can change it.
    layout: Option<Layout>,
    first: bool,
    refused: bool,
    seen: Seen,
    counts: ManifestCounts,
}

/// So many bytes tell what kind of file it is.
const HEAD: usize = 4;

const OTHER_FILES: &[(&[u8], &str)] = &[
    (b"\x1f\x8b", "the manifest is compressed with gzip; uncompress it first"),
    (b"PK\x03\x04", "the manifest is a zip archive; unpack it first"),
    (b"PAR1", "the manifest is a Parquet file; CSV and JSON lines are read"),
    (b"ORC", "the manifest is an ORC file; CSV and JSON lines are read"),
    (b"\xff\xfe", "the manifest is UTF-16; save it as UTF-8"),
    (b"\xfe\xff", "the manifest is UTF-16; save it as UTF-8"),
];

impl ManifestParser {
    /// At the beginning of a manifest.
    pub fn new(options: ManifestOptions) -> Self {
        let seen = Seen::new(options.remember);
        Self {
            options,
            head: Vec::new(),
            cutter: None,
            layout: None,
            first: true,
            refused: false,
            seen,
            counts: ManifestCounts::default(),
        }
    }

    /// Takes the next bytes and appends what they complete.
    pub fn push(&mut self, chunk: &[u8], out: &mut Vec<Item>) {
        let mut rest = chunk;
        if self.cutter.is_none() && !self.refused {
            let taken = rest.len().min(HEAD.saturating_sub(self.head.len()));
            self.head.extend_from_slice(&rest[..taken]);
            rest = &rest[taken..];
            if self.head.len() < HEAD {
                return;
            }
            self.open(out);
        }
        self.feed(rest, out);
    }

    /// The end of the manifest: appends what is left, and says what was seen.
    pub fn finish(mut self, out: &mut Vec<Item>) -> ManifestCounts {
        if self.cutter.is_none() && !self.refused {
            self.open(out);
        }
        if let Some(cut) = self.cutter.as_mut().and_then(Cutter::finish) {
            self.take(cut, out);
        }
        self.counts
    }

    /// What was seen so far.
    pub fn counts(&self) -> ManifestCounts {
        self.counts
    }

    fn open(&mut self, out: &mut Vec<Item>) {
        let head = std::mem::take(&mut self.head);
        if let Some((_, what)) = OTHER_FILES.iter().find(|(mark, _)| head.starts_with(mark)) {
            self.refused = true;
            self.fault(LineFault::new(1, *what, b""), out);
            return;
        }
        let text = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&head);
        let json = match self.options.layout {
            Layout::Auto => text.iter().find(|b| !b.is_ascii_whitespace()) == Some(&b'{'),
            Layout::JsonLines => true,
            _ => false,
        };
        if json {
            self.layout = Some(Layout::JsonLines);
        }
        self.cutter = Some(Cutter::new(!json));
        self.feed(text, out);
    }

    fn feed(&mut self, bytes: &[u8], out: &mut Vec<Item>) {
        for byte in bytes {
            let cut = self.cutter.as_mut().and_then(|cutter| cutter.push(*byte));
            if let Some(cut) = cut {
                self.take(cut, out);
            }
        }
    }

    fn fault(&mut self, fault: LineFault, out: &mut Vec<Item>) {
        self.counts.faults += 1;
        out.push(Item::Fault(fault));
    }

    fn take(&mut self, cut: Cut, out: &mut Vec<Item>) {
        let (line, fields) = match cut {
            Cut::Record { line, fields } => (line, fields),
            Cut::Fault { line, what, text } => return self.fault(LineFault::new(line, what, &text), out),
        };
        // An empty line is no object and no fault.
        if fields.len() == 1 && fields[0].is_empty() {
            return;
        }
        let shown = |what: String| LineFault::new(line, what, &fields.join(&b","[..]));
        let texts: Result<Vec<&str>, _> = fields.iter().map(|f| std::str::from_utf8(f)).collect();
        let read = match texts {
            Err(_) => Err(shown("is no UTF-8".to_owned())),
            Ok(texts) => {
                let first = std::mem::take(&mut self.first);
                if first && self.is_heading(&texts) {
                    return;
                }
                self.read(line, &texts).map_err(shown)
            }
        };
        match read {
            Err(fault) => self.fault(fault, out),
            Ok(None) => self.counts.not_current += 1,
            Ok(Some(entry)) => {
                if self.options.folders == Folders::LeaveOut && entry.key.as_str().ends_with('/') {
                    self.counts.folders += 1;
                } else if !self.seen.is_new(&entry.key, entry.version.as_ref()) {
                    self.counts.duplicates += 1;
                } else {
                    self.counts.entries += 1;
                    out.push(Item::Entry(entry));
                }
            }
        }
    }

    /// Whether the first record names the columns; in a form that is not fixed, they are taken from it.
    fn is_heading(&mut self, fields: &[&str]) -> bool {
        match (&self.options.layout, heading(fields)) {
            (Layout::Auto, Some(columns)) if self.layout.is_none() => {
                self.layout = Some(Layout::Columns(columns));
                true
            }
            (Layout::Columns(fixed), Some(named)) => {
                fixed.iter().zip(&named).take(2).all(|(a, b)| a == b) && fixed.contains(&Column::Key)
            }
            (Layout::Path, Some(columns)) => columns == [Column::Key, Column::VersionId],
            _ => false,
        }
    }

    fn bucket(&self) -> &str {
        match &self.options.source {
            Location::S3 { bucket, .. } => bucket,
            Location::Folder(_) => "",
        }
    }

    fn layout(&mut self, fields: &[&str]) -> Layout {
        if let Some(layout) = &self.layout {
            return layout.clone();
        }
        let layout = match &self.options.layout {
            Layout::Auto => {
                let bucket = self.bucket();
                let first = fields.first().copied().unwrap_or_default();
                if !bucket.is_empty() && first == bucket && fields.len() > 1 {
                    Layout::Columns(vec![Column::Bucket, Column::Key, Column::VersionId])
                } else if !bucket.is_empty() && first.strip_prefix(bucket).is_some_and(|r| r.starts_with('/'))
                {
                    Layout::BucketPath
                } else {
                    Layout::Path
                }
            }
            fixed => fixed.clone(),
        };
        self.layout = Some(layout.clone());
        layout
    }

    fn read(&mut self, line: u64, fields: &[&str]) -> Result<Option<ManifestEntry>, String> {
        let layout = self.layout(fields);
        let percent = match self.options.encoding {
            KeyEncoding::Auto => matches!(&layout, Layout::Columns(c) if c.contains(&Column::Bucket)),
            KeyEncoding::Plain => false,
            KeyEncoding::Percent => true,
        };
        let decode = |key: &str| {
            if percent { decode_percent(key).map_err(|error| error.to_string()) } else { Ok(key.to_owned()) }
        };
        let mut found = Found::default();
        match &layout {
            Layout::JsonLines => found = from_json(fields.first().copied().unwrap_or_default(), decode)?,
            Layout::Path | Layout::BucketPath | Layout::Auto => {
                let (path, version) = match fields {
                    [path] => (*path, ""),
                    [path, version] => (*path, *version),
                    _ => {
                        return Err(format!(
                            "has {} fields, where a path and a version are expected; a path with a comma is put in \
                             quotes",
                            fields.len()
                        ));
                    }
                };
                found.version = some(version);
                if layout == Layout::BucketPath {
                    let (bucket, key) = path.split_once('/').ok_or("has no `/` between bucket and key")?;
                    found.bucket = Some(bucket.to_owned());
                    found.key = decode(key)?;
                } else {
                    let path = decode(path)?;
                    // An empty path would name the prefix itself.
                    if path.is_empty() {
                        return Err("has no key".to_owned());
                    }
                    found.key = self.options.source.prefix().join(&path).as_str().to_owned();
                }
            }
            Layout::Columns(columns) => found = from_columns(columns, fields, decode)?,
        }
        if !found.current {
            return Ok(None);
        }
        self.entry(line, found).map(Some)
    }

    fn entry(&self, line: u64, found: Found) -> Result<ManifestEntry, String> {
        if let Some(bucket) = found.bucket.filter(|b| b != self.bucket()) {
            return Err(format!("names the bucket {bucket:?}; the route reads from {}", self.options.source));
        }
        let key = ObjectKey::from(found.key);
        key.check().map_err(|error| error.to_string())?;
        if key.strip(&self.options.source.prefix()).is_none() {
            return Err(format!("the key lies outside the route's source {}", self.options.source));
        }
        let version = found.version.filter(|v| v != "null");
        if version.as_ref().is_some_and(|v| v.contains(['/', ' ']) || v.len() > MAX_VERSION) {
            return Err(
                "the version id holds a `/` or a space, or is too long: is it a key? then the columns are \
                 bucket, key, version id, and the first must be the route's bucket"
                    .to_owned(),
            );
        }
        Ok(ManifestEntry { line, key, version: version.map(VersionId), size: found.size, etag: found.etag })
    }
}
