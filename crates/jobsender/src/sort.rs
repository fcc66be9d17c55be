//! Sorting a listing that is in no usable order: bounded memory, sorted runs on disk, one merge.
//!
//! A listing that fits into one run never touches the disk. Calls block; the caller runs them where that is
//! allowed. How a run looks on disk is in `run_file`.

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::io;
use std::path::PathBuf;
use std::vec;

use longbow_core::object::{KeyOrder, ObjectMeta};

use tokio_util::sync::CancellationToken;

use crate::run_file::{Run, RunReader, RunWriter};

/// Memory for one run, about.
pub(crate) const RUN_BYTES: usize = 16 * 1024 * 1024;
/// So many runs are merged into one, so that open files and their buffers stay few: 64 runs of 64 KiB blocks are
/// 4 MiB, and 64 × 64 runs hold some 300 million keys.
const FAN_IN: usize = 64;
/// What an entry costs beside its texts: the entry, half as much again while it is sorted, and what the allocator
/// and the key's counters add.
const ENTRY_BYTES: usize = size_of::<ObjectMeta>() * 3 / 2 + 64;

/// Takes entries in any order.
pub(crate) struct Sorter {
    folder: PathBuf,
    order: KeyOrder,
    prefix: usize,
    run_bytes: usize,
    stop: CancellationToken,
    entries: Vec<ObjectMeta>,
    bytes: usize,
    /// Runs by age: all of level 1 are older than those of level 0.
    levels: Vec<Vec<Run>>,
}

impl Sorter {
    /// Sorts by the part of each key after its first `prefix` bytes. A merge that is under way fails when the stop
    /// comes, since a process cannot end before its blocking threads do.
    pub(crate) fn new(
        folder: PathBuf,
        order: KeyOrder,
        prefix: usize,
        run_bytes: usize,
        stop: CancellationToken,
    ) -> Self {
        Self { folder, order, prefix, run_bytes, stop, entries: Vec::new(), bytes: 0, levels: Vec::new() }
    }

    /// Takes entries; `true` when [`Sorter::spill`] is due.
    pub(crate) fn add(&mut self, entries: Vec<ObjectMeta>) -> bool {
        for entry in entries {
            let etag = entry.etag.as_ref().map_or(0, |e| e.as_str().len());
            let version = entry.version.as_ref().map_or(0, |v| v.0.len());
            self.bytes += ENTRY_BYTES + entry.key.as_str().len() + etag + version;
            self.entries.push(entry);
        }
        self.bytes >= self.run_bytes
    }

    /// Writes what memory holds to the disk.
    pub(crate) fn spill(&mut self) -> io::Result<()> {
        if self.entries.is_empty() {
            return Ok(());
        }
        self.sort();
        let mut writer = RunWriter::create(&self.folder)?;
        for entry in self.entries.drain(..) {
            writer.push(&entry)?;
        }
        self.bytes = 0;
        let mut run = writer.finish()?;
        for level in 0.. {
            if self.levels.len() == level {
                self.levels.push(Vec::new());
            }
            self.levels[level].push(run);
            if self.levels[level].len() < FAN_IN {
                break;
            }
            let full = std::mem::take(&mut self.levels[level]);
            let mut writer = RunWriter::create(&self.folder)?;
            let mut merge = Merge::new(self.order, self.prefix, full, Vec::new())?;
            while let Some(entry) = merge.next()? {
                if self.stop.is_cancelled() {
                    return Err(io::Error::new(io::ErrorKind::Interrupted, "stopped"));
                }
                writer.push(&entry)?;
            }
            run = writer.finish()?;
        }
        Ok(())
    }

    /// All entries in order.
    pub(crate) fn finish(mut self) -> io::Result<Merge> {
        self.sort();
        let runs = self.levels.into_iter().rev().flatten().collect();
        Merge::new(self.order, self.prefix, runs, self.entries)
    }

    fn sort(&mut self) {
        let (order, prefix) = (self.order, self.prefix);
        // Stable, so that the one listed last stays last among equals.
        self.entries.sort_by(|a, b| order.compare(&a.key.as_str()[prefix..], &b.key.as_str()[prefix..]));
        // A store may list a key twice while objects come and go; what it said last counts.
        self.entries.dedup_by(|later, earlier| {
            let same = later.key == earlier.key;
            if same {
                std::mem::swap(later, earlier);
            }
            same
        });
    }
}

/// The entries of all runs in order, each name once.
pub(crate) struct Merge {
    order: KeyOrder,
    prefix: usize,
    heads: BinaryHeap<Head>,
    inputs: Vec<Input>,
}

enum Input {
    Disk(RunReader),
    Memory(vec::IntoIter<ObjectMeta>),
}

impl Input {
    fn next(&mut self) -> io::Result<Option<ObjectMeta>> {
        match self {
            Self::Disk(reader) => reader.next(),
            Self::Memory(entries) => Ok(entries.next()),
        }
    }
}

impl Merge {
    /// `runs` from the oldest; `newest` is sorted already.
    fn new(order: KeyOrder, prefix: usize, runs: Vec<Run>, newest: Vec<ObjectMeta>) -> io::Result<Self> {
        let mut inputs = Vec::with_capacity(runs.len() + 1);
        for run in runs {
            inputs.push(Input::Disk(RunReader::open(run)?));
        }
        inputs.push(Input::Memory(newest.into_iter()));
        let mut merge = Self { order, prefix, heads: BinaryHeap::with_capacity(inputs.len()), inputs };
        for input in 0..merge.inputs.len() {
            merge.refill(input)?;
        }
        Ok(merge)
    }

    fn refill(&mut self, input: usize) -> io::Result<()> {
        if let Some(entry) = self.inputs[input].next()? {
            self.heads.push(Head { entry, input, order: self.order, prefix: self.prefix });
        }
        Ok(())
    }

    /// The next entry.
    pub(crate) fn next(&mut self) -> io::Result<Option<ObjectMeta>> {
        let Some(mut head) = self.heads.pop() else { return Ok(None) };
        self.refill(head.input)?;
        // Of equal names the oldest comes first, and the newest counts.
        while self.heads.peek().is_some_and(|other| other.entry.key == head.entry.key) {
            let Some(newer) = self.heads.pop() else { break };
            self.refill(newer.input)?;
            head = newer;
        }
        Ok(Some(head.entry))
    }

    /// Up to `count` entries; none at the end.
    pub(crate) fn take(&mut self, count: usize) -> io::Result<Vec<ObjectMeta>> {
        let mut entries = Vec::with_capacity(count);
        while entries.len() < count {
            let Some(entry) = self.next()? else { break };
            entries.push(entry);
        }
        Ok(entries)
    }
}

/// The first entry of an input. The heap gives out its greatest, so the order is turned round.
struct Head {
    entry: ObjectMeta,
    input: usize,
    order: KeyOrder,
    prefix: usize,
}

impl Head {
    fn name(&self) -> &str {
        &self.entry.key.as_str()[self.prefix..]
    }
}

impl Ord for Head {
    fn cmp(&self, other: &Self) -> Ordering {
        self.order.compare(other.name(), self.name()).then(other.input.cmp(&self.input))
    }
}

impl PartialOrd for Head {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Head {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Head {}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn entry(key: &str, size: u64) -> ObjectMeta {
        ObjectMeta { key: key.into(), size, etag: None, modified: None, storage_class: None, version: None }
    }

    fn sorted(entries: Vec<ObjectMeta>, order: KeyOrder, run_bytes: usize) -> (Vec<ObjectMeta>, bool) {
        let folder = tempfile::tempdir().unwrap();
        let mut sorter =
            Sorter::new(folder.path().join("made"), order, 2, run_bytes, CancellationToken::new());
        for entry in entries {
            if sorter.add(vec![entry]) {
                sorter.spill().unwrap();
            }
        }
        let mut merge = sorter.finish().unwrap();
        let (mut out, mut some) = (Vec::new(), merge.take(3).unwrap());
        while !some.is_empty() {
            out.append(&mut some);
            some = merge.take(3).unwrap();
        }
        let on_disk = folder.path().join("made").exists();
        if on_disk {
            assert_eq!(std::fs::read_dir(folder.path().join("made")).unwrap().count(), 0);
        }
        (out, on_disk)
    }

    #[test]
    fn thousands_of_runs_are_merged_in_steps() {
        let count = 5_000u64;
        let scrambled = (0..count).map(|i| entry(&format!("p/{:05}", i * 7_919 % count), i)).collect();
        let (out, on_disk) = sorted(scrambled, KeyOrder::Bytes, 1);
        assert!(on_disk);
        let keys: Vec<_> = out.iter().map(|e| e.key.as_str().to_owned()).collect();
        assert_eq!(keys, (0..count).map(|i| format!("p/{i:05}")).collect::<Vec<_>>());
    }

    #[test]
    fn a_small_listing_never_touches_the_disk() {
        let (out, on_disk) = sorted(vec![entry("p/b", 1), entry("p/a", 2)], KeyOrder::Bytes, RUN_BYTES);
        assert_eq!(out, [entry("p/a", 2), entry("p/b", 1)]);
        assert!(!on_disk);
    }

    proptest! {
        #[test]
        fn sorts_and_keeps_what_was_listed_last(
            names in proptest::collection::vec("[ab/-]{0,3}", 0..200),
            run_bytes in 1usize..3_000,
            folders: bool,
        ) {
            let order = if folders { KeyOrder::Folders } else { KeyOrder::Bytes };
            let entries: Vec<_> =
                names.iter().zip(0u64..).map(|(n, i)| entry(&format!("p/{n}"), i)).collect();
            let mut expected: Vec<_> =
                entries.iter().map(|e| (e.key.as_str(), e.clone())).collect::<BTreeMap<_, _>>().into_values().collect();
            expected.sort_by(|a, b| order.compare(&a.key.as_str()[2..], &b.key.as_str()[2..]));
            prop_assert_eq!(sorted(entries.clone(), order, run_bytes).0, expected);
        }
    }
}
