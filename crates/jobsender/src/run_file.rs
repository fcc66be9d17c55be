//! One sorted run of listing entries on disk: a compact form of our own, in blocks that are proved when read back.
//!
//! A block is its payload's length (4 bytes), a hash of the payload (8 bytes) and the payload: entries one after
//! the other, with lengths and numbers as LEB128. A run lives no longer than the process that wrote it, so the form
//! needs no version. This file knows nothing of orders and merging.

use std::fs::{self, File, OpenOptions};
use std::hash::Hasher;
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use longbow_core::object::{ETag, ObjectKey, ObjectMeta, Timestamp, VersionId};

const BLOCK: usize = 64 * 1024;
/// No block is larger: the longest entry holds a key and a tag of some kilobytes.
const MOST: usize = 16 * 1024 * 1024;
const HAS_ETAG: u8 = 1;
const HAS_MODIFIED: u8 = 2;
const HAS_CLASS: u8 = 4;
const HAS_VERSION: u8 = 8;

/// A finished run.
#[derive(Debug)]
pub(crate) struct Run {
    file: File,
    entries: u64,
    /// Kept only where a file in use cannot be unlinked.
    _name: Option<Named>,
}

/// Removes the file when dropped.
#[derive(Debug)]
struct Named(PathBuf);

impl Drop for Named {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_file(&self.0) {
            tracing::warn!(path = %self.0.display(), %error, "a file for sorting could not be removed");
        }
    }
}

/// Writes a run.
pub(crate) struct RunWriter {
    run: Run,
    block: Vec<u8>,
}

impl RunWriter {
    /// A new file in `folder`, which is made if it is missing. The file loses its name at once where the system
    /// allows that, so that not even a killed process leaves it behind.
    pub(crate) fn create(folder: &Path) -> io::Result<Self> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        fs::create_dir_all(folder)?;
        let (file, path) = loop {
            let number = NEXT.fetch_add(1, Ordering::Relaxed);
            let path = folder.join(format!("sort-{}-{number}.run", std::process::id()));
            match OpenOptions::new().read(true).write(true).create_new(true).open(&path) {
                Ok(file) => break (file, path),
                // A process of the same id was killed here once.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        };
        let name = match fs::remove_file(&path) {
            Ok(()) => None,
            Err(_) => Some(Named(path)),
        };
        Ok(Self { run: Run { file, entries: 0, _name: name }, block: Vec::with_capacity(BLOCK) })
    }

    /// Appends an entry.
    pub(crate) fn push(&mut self, entry: &ObjectMeta) -> io::Result<()> {
        encode(entry, &mut self.block);
        self.run.entries += 1;
        if self.block.len() >= BLOCK { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> io::Result<()> {
        let length = u32::try_from(self.block.len()).map_err(io::Error::other)?;
        self.run.file.write_all(&length.to_le_bytes())?;
        self.run.file.write_all(&hash(&self.block).to_le_bytes())?;
        self.run.file.write_all(&self.block)?;
        self.block.clear();
        Ok(())
    }

    /// The whole run.
    pub(crate) fn finish(mut self) -> io::Result<Run> {
        if !self.block.is_empty() {
            self.flush()?;
        }
        Ok(self.run)
    }
}

/// Reads a run from its start.
pub(crate) struct RunReader {
    run: Run,
    left: u64,
    block: Vec<u8>,
    at: usize,
}

impl RunReader {
    /// A reader at the first entry.
    pub(crate) fn open(mut run: Run) -> io::Result<Self> {
        run.file.rewind()?;
        let left = run.entries;
        Ok(Self { run, left, block: Vec::new(), at: 0 })
    }

    /// The next entry. A run that is shorter than it was written, or changed, is an error.
    pub(crate) fn next(&mut self) -> io::Result<Option<ObjectMeta>> {
        if self.left == 0 {
            return Ok(None);
        }
        if self.at == self.block.len() {
            self.fill()?;
        }
        let mut rest = &self.block[self.at..];
        let entry = decode(&mut rest).ok_or_else(|| damaged("an entry cannot be read"))?;
        self.at = self.block.len() - rest.len();
        self.left -= 1;
        Ok(Some(entry))
    }

    fn fill(&mut self) -> io::Result<()> {
        let short = |error: io::Error| match error.kind() {
            io::ErrorKind::UnexpectedEof => damaged("it is shorter than it was written"),
            _ => error,
        };
        let mut head = [0; 12];
        self.run.file.read_exact(&mut head).map_err(short)?;
        let (length, sum) = head.split_at(4);
        let length = length.iter().rev().fold(0usize, |n, b| (n << 8) | usize::from(*b));
        if length == 0 || length > MOST {
            return Err(damaged("a block has an impossible length"));
        }
        self.block.resize(length, 0);
        self.at = 0;
        self.run.file.read_exact(&mut self.block).map_err(short)?;
        if hash(&self.block).to_le_bytes() != *sum {
            return Err(damaged("its bytes have changed"));
        }
        Ok(())
    }
}

fn damaged(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("a file for sorting is damaged: {what}"))
}

fn hash(bytes: &[u8]) -> u64 {
    // Fixed keys: the same bytes have the same hash as long as the process lives.
    let mut hasher = std::hash::DefaultHasher::new();
    hasher.write(bytes);
    hasher.finish()
}

fn encode(entry: &ObjectMeta, out: &mut Vec<u8>) {
    let mut flags = 0;
    for (flag, present) in [
        (HAS_ETAG, entry.etag.is_some()),
        (HAS_MODIFIED, entry.modified.is_some()),
        (HAS_CLASS, entry.storage_class.is_some()),
        (HAS_VERSION, entry.version.is_some()),
    ] {
        if present {
            flags |= flag;
        }
    }
    out.push(flags);
    put_text(out, entry.key.as_str());
    put_number(out, entry.size);
    if let Some(etag) = &entry.etag {
        put_text(out, etag.as_str());
    }
    if let Some(modified) = entry.modified {
        out.extend_from_slice(&modified.0.to_le_bytes());
    }
    if let Some(class) = &entry.storage_class {
        put_text(out, class);
    }
    if let Some(VersionId(version)) = &entry.version {
        put_text(out, version);
    }
}

fn decode(rest: &mut &[u8]) -> Option<ObjectMeta> {
    let flags = take(rest, 1)?[0];
    if flags & !(HAS_ETAG | HAS_MODIFIED | HAS_CLASS | HAS_VERSION) != 0 {
        return None;
    }
    let key = ObjectKey::new(take_text(rest)?);
    let size = take_number(rest)?;
    let etag = if flags & HAS_ETAG != 0 { Some(ETag::new(take_text(rest)?)) } else { None };
    let modified = if flags & HAS_MODIFIED != 0 {
        Some(Timestamp(i64::from_le_bytes(take(rest, 8)?.try_into().ok()?)))
    } else {
        None
    };
    let storage_class = if flags & HAS_CLASS != 0 { Some(take_text(rest)?.into()) } else { None };
    let version = if flags & HAS_VERSION != 0 { Some(VersionId(take_text(rest)?.to_owned())) } else { None };
    Some(ObjectMeta { key, size, etag, modified, storage_class, version })
}

fn put_number(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

fn put_text(out: &mut Vec<u8>, text: &str) {
    put_number(out, text.len() as u64);
    out.extend_from_slice(text.as_bytes());
}

fn take<'a>(rest: &mut &'a [u8], count: usize) -> Option<&'a [u8]> {
    let (taken, left) = rest.split_at_checked(count)?;
    *rest = left;
    Some(taken)
}

fn take_number(rest: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let byte = take(rest, 1)?[0];
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

fn take_text<'a>(rest: &mut &'a [u8]) -> Option<&'a str> {
    let length = usize::try_from(take_number(rest)?).ok()?;
    std::str::from_utf8(take(rest, length)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn write(folder: &Path, entries: &[ObjectMeta]) -> Run {
        let mut writer = RunWriter::create(folder).unwrap();
        for entry in entries {
            writer.push(entry).unwrap();
        }
        writer.finish().unwrap()
    }
    fn read(run: Run) -> io::Result<Vec<ObjectMeta>> {
        let mut reader = RunReader::open(run)?;
        let mut entries = Vec::new();
        while let Some(entry) = reader.next()? {
            entries.push(entry);
        }
        Ok(entries)
    }
    fn many(count: usize) -> Vec<ObjectMeta> {
        let entry = |i: usize| ObjectMeta {
            key: format!("folder/{i:08}").into(),
            size: i as u64,
            etag: Some(ETag::new("d41d8cd98f00b204e9800998ecf8427e")),
            modified: None,
            storage_class: None,
            version: None,
        };
        (0..count).map(entry).collect()
    }

    #[test]
    fn many_blocks_come_back_and_no_file_is_left() {
        let folder = tempfile::tempdir().unwrap();
        let entries = many(5_000);
        let run = write(folder.path(), &entries);
        assert!(run.file.metadata().unwrap().len() > 3 * BLOCK as u64);
        assert_eq!(read(run).unwrap(), entries);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_short_or_changed_file_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        for cut in [1, 11, 12, 40, 70_000, 200_000] {
            let run = write(folder.path(), &many(5_000));
            let length = run.file.metadata().unwrap().len();
            run.file.set_len(length - cut).unwrap();
            let error = read(run).unwrap_err();
            assert!(error.to_string().contains("damaged"), "{cut}: {error}");
        }
        for at in [0, 5, 13, 70_000] {
            let mut run = write(folder.path(), &many(5_000));
            run.file.seek(io::SeekFrom::Start(at)).unwrap();
            let mut byte = [0];
            run.file.read_exact(&mut byte).unwrap();
            run.file.seek(io::SeekFrom::Start(at)).unwrap();
            run.file.write_all(&[byte[0] ^ 0x41]).unwrap();
            let error = read(run).unwrap_err();
            assert!(error.to_string().contains("damaged"), "{at}: {error}");
        }
    }

    proptest! {
        #[test]
        fn every_entry_survives(
            key in any::<String>(),
            size in any::<u64>(),
            etag in proptest::option::of("[a-z0-9-]{0,40}"),
            modified in proptest::option::of(any::<i64>()),
            class in proptest::option::of(any::<String>()),
            version in proptest::option::of(any::<String>()),
        ) {
            let entry = ObjectMeta {
                key: key.into(),
                size,
                etag: etag.map(|e| ETag::new(&e)),
                modified: modified.map(Timestamp),
                storage_class: class.map(Into::into),
                version: version.map(VersionId),
            };
            let mut bytes = Vec::new();
            encode(&entry, &mut bytes);
            let mut rest = bytes.as_slice();
            prop_assert_eq!(decode(&mut rest), Some(entry));
            prop_assert!(rest.is_empty());
        }

        #[test]
        fn any_bytes_are_read_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = decode(&mut bytes.as_slice());
        }
    }
}
