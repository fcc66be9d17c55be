//! Manifests: the same in any chunks, line numbers that are right, and every line accounted for.

use longbow_core::manifest::{
    Column, Folders, Item, KeyEncoding, Layout, ManifestCounts, ManifestOptions, ManifestParser,
};
use longbow_core::object::{Location, MAX_KEY_BYTES};

use super::{Target, USUAL, bounds};
use crate::{Form, Random};

pub(super) const TARGET: Target = Target {
    name: "manifest",
    form: Form::Lines,
    tokens: &[
        "src",
        "src/p/x",
        "src,p/x",
        "src,p/x,v1",
        "p/x",
        "p/y,v2",
        "bucket,key",
        "bucket,key,versionid",
        "Bucket,Key,Size,IsLatest,IsDeleteMarker,ETag",
        "path",
        "\"p/a,b\"",
        "\"\"",
        "\"",
        ",",
        "\r",
        "\r\n",
        "%2C",
        "%",
        "+",
        "{\"key\":\"p/x\"}",
        "{\"bucket\":\"src\",\"key\":\"p/x\",\"versionId\":\"v\",\"size\":1}",
        "true",
        "false",
        "null",
        "p/dir/",
        "\u{feff}",
        "\u{1f}\u{8b}",
        "PAR1",
        "ORC",
        "PK\u{3}\u{4}",
    ],
    folders: &["crates/core/tests/corpus/manifests"],
    large,
    // What is remembered against duplicates: half a million objects at most.
    memory: 2 * 1024 * 1024,
    run,
    ..USUAL
};

fn large() -> Vec<Vec<u8>> {
    vec![
        "src,p/x\n".repeat(8_000).into_bytes(),
        (0..6_000).flat_map(|n| format!("p/{n}\r\n").into_bytes()).collect(),
        [b"p/a\n\"".to_vec(), b"line\n".repeat(14_000)].concat(),
        vec![b'x'; 70_000],
        vec![b'\n'; 70_000],
        vec![b','; 64 * 1024],
        [b"{\"key\":\"p/x\",\"a\":".to_vec(), vec![b'['; 60_000]].concat(),
    ]
}

fn options(input: &[u8]) -> ManifestOptions {
    let source = Location::parse("s3://src/p", false).expect("a place");
    // The length chooses, so that every input is read in several ways when it is changed a little.
    let layouts = [
        Layout::Auto,
        Layout::Auto,
        Layout::Path,
        Layout::BucketPath,
        Layout::Columns(vec![Column::Bucket, Column::Key, Column::VersionId]),
        Layout::JsonLines,
    ];
    let n = input.len();
    ManifestOptions {
        layout: layouts[n % layouts.len()].clone(),
        encoding: [KeyEncoding::Auto, KeyEncoding::Plain, KeyEncoding::Percent][n / 7 % 3],
        folders: if (n / 3).is_multiple_of(2) { Folders::LeaveOut } else { Folders::Keep },
        ..ManifestOptions::of(source)
    }
}

fn read<'a>(chunks: impl Iterator<Item = &'a [u8]>, options: ManifestOptions) -> (Vec<Item>, ManifestCounts) {
    let (mut parser, mut items) = (ManifestParser::new(options), Vec::new());
    for chunk in chunks {
        parser.push(chunk, &mut items);
    }
    let counts = parser.finish(&mut items);
    (items, counts)
}

fn run(input: &[u8]) {
    let options = options(input);
    let (items, counts) = read(std::iter::once(input), options.clone());
    let mut random = Random::new(u64::try_from(input.len()).unwrap_or(0));
    let most = 1 + random.below(40);
    let mut rest = input;
    let cut = std::iter::from_fn(|| {
        let (chunk, left) = rest.split_at(random.below(most + 1).min(rest.len()));
        let ended = rest.is_empty();
        rest = left;
        (!ended).then_some(chunk)
    });
    assert_eq!(read(cut, options.clone()), (items.clone(), counts), "chunks change what is read");
    accounted(input, &items, counts, &options);
}

fn accounted(input: &[u8], items: &[Item], counts: ManifestCounts, options: &ManifestOptions) {
    let entries = items.iter().filter(|item| matches!(item, Item::Entry(_))).count() as u64;
    assert_eq!(counts.entries, entries);
    assert_eq!(counts.faults, items.len() as u64 - entries);
    let lines = 1 + input.iter().filter(|b| **b == b'\n').count() as u64;
    let records = counts.entries + counts.faults + counts.folders + counts.duplicates + counts.not_current;
    assert!(records <= lines, "{records} records in {lines} lines");
    let starts: Vec<usize> = std::iter::once(0)
        .chain((0..input.len()).filter(|&at| input[at] == b'\n').map(|at| at + 1))
        .collect();
    let mut last = 0;
    for item in items {
        let line = match item {
            Item::Entry(entry) => {
                assert!(entry.key.strip(&options.source.prefix()).is_some(), "{} is outside", entry.key);
                assert!(entry.key.check().is_ok() && entry.key.as_str().len() <= MAX_KEY_BYTES);
                let version = entry.version.as_ref().map_or("v", |v| v.0.as_str());
                assert!(!version.is_empty() && version != "null");
                plain_key_stands_on_its_line(input, &starts, entry.line, entry.key.as_str());
                entry.line
            }
            Item::Fault(fault) => {
                bounds::showable(fault);
                fault.line
            }
        };
        assert!((1..=lines).contains(&line), "line {line} of {lines}");
        assert!(line > last, "line {line} after line {last}");
        last = line;
    }
}

/// A key of letters alone is written without quotes or escapes: its end must stand on the line that is named.
fn plain_key_stands_on_its_line(input: &[u8], starts: &[usize], line: u64, key: &str) {
    let name = key.rsplit('/').next().unwrap_or_default().as_bytes();
    if name.is_empty() || !name.iter().all(u8::is_ascii_alphabetic) {
        return;
    }
    let index = usize::try_from(line - 1).expect("a line");
    let from = starts[index];
    // A percent-encoded or escaped letter may stand for one of the key.
    let text = &input[from..starts.get(index + 1).copied().unwrap_or(input.len())];
    let coded = text.iter().any(|b| matches!(b, b'%' | b'\\' | b'"'));
    assert!(coded || text.windows(name.len()).any(|w| w == name), "{key:?} does not stand on line {line}");
}
