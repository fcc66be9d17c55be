//! The names of one folder, sorted, packed into one block of memory: a flat folder of a million files costs a few
//! dozen bytes a name.

use std::cmp::Ordering;
use std::io;

use cap_std::fs::{Dir, FileType, FileTypeExt};
use longbow_core::object::KeyOrder;

/// What a name stood for when the folder was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    File,
    Folder,
    Link,
    Socket,
    Pipe,
    Device,
}

impl Kind {
    const ALL: [Self; 6] = [Self::File, Self::Folder, Self::Link, Self::Socket, Self::Pipe, Self::Device];

    fn of(file_type: FileType) -> Option<Self> {
        if file_type.is_file() {
            Some(Self::File)
        } else if file_type.is_dir() {
            Some(Self::Folder)
        } else if file_type.is_symlink() {
            Some(Self::Link)
        } else if file_type.is_fifo() {
            Some(Self::Pipe)
        } else if file_type.is_socket() {
            Some(Self::Socket)
        } else if file_type.is_block_device() || file_type.is_char_device() {
            Some(Self::Device)
        } else {
            None
        }
    }
}

/// Sorted names, taken from the front.
pub(super) struct Entries {
    // Each entry: kind (1 byte), length (2 bytes), name.
    block: Vec<u8>,
    starts: Vec<usize>,
    next: usize,
}

const HEADER: usize = 3;

impl Entries {
    /// Reads the names of `dir` that `wanted` accepts and sorts them. An entry that cannot be read is an error.
    pub(super) fn read(
        dir: &Dir,
        order: KeyOrder,
        mut wanted: impl FnMut(&[u8], Kind) -> bool,
    ) -> io::Result<Self> {
        use std::os::unix::ffi::OsStrExt;
        let mut all = Self { block: Vec::new(), starts: Vec::new(), next: 0 };
        for entry in dir.entries()? {
            let entry = entry?;
            let name = entry.file_name();
            // Some file systems do not say the kind while listing.
            let kind = match Kind::of(entry.file_type()?) {
                Some(kind) => kind,
                None => match dir.symlink_metadata(&name) {
                    Ok(metadata) => Kind::of(metadata.file_type()).unwrap_or(Kind::Device),
                    Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                    Err(error) => return Err(error),
                },
            };
            if wanted(name.as_bytes(), kind) {
                all.push(name.as_bytes(), kind);
            }
        }
        all.sort(order);
        Ok(all)
    }

    fn push(&mut self, name: &[u8], kind: Kind) {
        // No system has names of 64 KiB; should one, it is cut and then not found, never mixed up.
        let length = u16::try_from(name.len()).unwrap_or(u16::MAX);
        self.starts.push(self.block.len());
        self.block.push(kind as u8);
        self.block.extend_from_slice(&length.to_le_bytes());
        self.block.extend_from_slice(&name[..usize::from(length)]);
    }

    fn sort(&mut self, order: KeyOrder) {
        let block = &self.block;
        self.starts.sort_unstable_by(|a, b| {
            let (a, b) = (at(block, *a), at(block, *b));
            compare_names(order, a, b)
        });
    }

    /// The next name and its kind, left in place.
    pub(super) fn peek(&self) -> Option<(&[u8], Kind)> {
        self.starts.get(self.next).map(|start| at(&self.block, *start))
    }

    /// Goes past the next name.
    pub(super) fn advance(&mut self) {
        self.next += 1;
    }

    /// Whether every name was taken.
    pub(super) fn is_done(&self) -> bool {
        self.next >= self.starts.len()
    }

    #[cfg(test)]
    fn bytes_held(&self) -> usize {
        self.block.capacity() + self.starts.capacity() * size_of::<usize>()
    }
}

fn at(block: &[u8], start: usize) -> (&[u8], Kind) {
    let length = usize::from(u16::from_le_bytes([block[start + 1], block[start + 2]]));
    let name = &block[start + HEADER..start + HEADER + length];
    (name, Kind::ALL[usize::from(block[start])])
}

/// Orders two names of one folder as the keys under them will be: in byte order a folder counts with its `/`.
fn compare_names(order: KeyOrder, a: (&[u8], Kind), b: (&[u8], Kind)) -> Ordering {
    match order {
        KeyOrder::Folders => a.0.cmp(b.0),
        KeyOrder::Bytes => {
            let shared = a.0.len().min(b.0.len());
            let after = |(name, kind): (&[u8], Kind)| match name.get(shared) {
                Some(byte) => Some(*byte),
                None => (kind == Kind::Folder).then_some(b'/'),
            };
            a.0[..shared]
                .cmp(&b.0[..shared])
                .then_with(|| after(a).cmp(&after(b)))
                .then_with(|| a.0.len().cmp(&b.0.len()))
        }
    }
}

/// Orders two keys that need not be UTF-8, as [`KeyOrder::compare`] does for those that are.
pub(super) fn compare_keys(order: KeyOrder, a: &[u8], b: &[u8]) -> Ordering {
    match order {
        KeyOrder::Bytes => a.cmp(b),
        KeyOrder::Folders => {
            let rank = |byte: &u8| if *byte == b'/' { 0 } else { u16::from(*byte) + 1 };
            a.iter().map(rank).cmp(b.iter().map(rank))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sorted(order: KeyOrder, names: &[(&str, Kind)]) -> Vec<String> {
        let mut all = Entries { block: Vec::new(), starts: Vec::new(), next: 0 };
        names.iter().for_each(|(name, kind)| all.push(name.as_bytes(), *kind));
        all.sort(order);
        let mut out = Vec::new();
        while let Some((name, kind)) = all.peek() {
            let slash = if kind == Kind::Folder { "/" } else { "" };
            out.push(format!("{}{slash}", String::from_utf8_lossy(name)));
            all.advance();
        }
        assert!(all.is_done());
        out
    }

    #[test]
    fn folders_sort_with_their_slash_in_byte_order_only() {
        let names = [
            ("a0", Kind::File),
            ("a", Kind::Folder),
            ("a.b", Kind::File),
            ("a-b", Kind::Folder),
            ("a-", Kind::File),
        ];
        assert_eq!(sorted(KeyOrder::Bytes, &names), ["a-", "a-b/", "a.b", "a/", "a0"]);
        assert_eq!(sorted(KeyOrder::Folders, &names), ["a/", "a-", "a-b/", "a.b", "a0"]);
    }

    #[test]
    fn keys_compare_as_core_says() {
        let keys = ["a", "a/", "a/b", "a-b", "a.b", "a0", "", "é", "a/b/c", "a/b-"];
        for order in [KeyOrder::Bytes, KeyOrder::Folders] {
            for a in keys {
                for b in keys {
                    assert_eq!(
                        compare_keys(order, a.as_bytes(), b.as_bytes()),
                        order.compare(a, b),
                        "{a} {b}"
                    );
                }
            }
        }
    }

    #[test]
    fn a_name_costs_at_most_a_hundred_bytes() {
        let mut all = Entries { block: Vec::new(), starts: Vec::new(), next: 0 };
        for n in 0..100_000 {
            all.push(format!("a-usual-file-name-{n:010}.txt").as_bytes(), Kind::File);
        }
        assert!(all.bytes_held() < 100 * 100_000, "{}", all.bytes_held());
    }
}
