//! Manifests as people and S3 write them, and what every line of them gives.

use longbow_core::manifest::{
    Column, Folders, Item, KeyEncoding, Layout, LineFault, ManifestCounts, ManifestEntry, ManifestOptions,
    ManifestParser, columns_of_schema,
};
use longbow_core::object::{ETag, Location, ObjectKey, VersionId};
use proptest::prelude::*;

fn options(source: &str) -> ManifestOptions {
    ManifestOptions::of(Location::parse(source, false).unwrap())
}

fn read(options: ManifestOptions, text: &[u8]) -> (Vec<ManifestEntry>, Vec<LineFault>, ManifestCounts) {
    let mut items = Vec::new();
    let mut parser = ManifestParser::new(options);
    parser.push(text, &mut items);
    let counts = parser.finish(&mut items);
    let (mut entries, mut faults) = (Vec::new(), Vec::new());
    for item in items {
        match item {
            Item::Entry(entry) => entries.push(entry),
            Item::Fault(fault) => faults.push(fault),
        }
    }
    (entries, faults, counts)
}

fn keys(entries: &[ManifestEntry]) -> Vec<(u64, &str, Option<&str>)> {
    entries.iter().map(|e| (e.line, e.key.as_str(), e.version.as_ref().map(|v| v.0.as_str()))).collect()
}

/// DS-06: folders are left out. DS-07: an object that comes again is given once. DS-08: paths below the prefix,
/// versions, quotes.
#[test]
fn ds_06_07_08_a_manifest_of_datasync() {
    let text = include_bytes!("../corpus/manifests/datasync.csv");
    let (entries, faults, counts) = read(options("s3://lab-results/p"), text);
    assert_eq!(faults, []);
    assert_eq!(
        keys(&entries),
        [
            (1, "p/raw/one.bin", None),
            (2, "p/raw/with,comma.bin", None),
            (3, "p/raw/two.bin", Some("IYV3p45BT0ac8hjHg1houSdS1a.Mro8e")),
            (5, "p/raw/with \"quotes\" and\r\ntwo lines.bin", Some("v2")),
            (9, "p/raw/100%+sure.bin", None),
        ]
    );
    assert_eq!(counts, ManifestCounts { entries: 5, folders: 1, duplicates: 1, ..ManifestCounts::default() });
    let all = ManifestOptions { folders: Folders::Keep, remember: 0, ..options("s3://lab-results/p") };
    assert_eq!(read(all, text).2.entries, 7);
}

/// S3 Batch Operations: columns, and keys percent-encoded once.
#[test]
fn a_manifest_of_s3_batch_operations() {
    let text = include_bytes!("../corpus/manifests/batch.csv");
    let (entries, faults, _) = read(options("s3://lab-results/raw"), text);
    assert_eq!(faults, []);
    assert_eq!(
        keys(&entries),
        [
            (1, "raw/one.bin", None),
            (2, "raw/red flower+100%.bin", Some("IYV3p45BT0ac8hjHg1houSdS1a.Mro8e")),
            (3, "raw/a,\"b\"\nc.bin", None),
        ]
    );
    let plain = ManifestOptions { encoding: KeyEncoding::Plain, ..options("s3://lab-results") };
    assert_eq!(keys(&read(plain, text).0)[1].1, "raw/red+flower%2B100%25.bin");
}

#[test]
fn an_inventory_gives_what_is_there_now() {
    let schema = "Bucket, Key, VersionId, IsLatest, IsDeleteMarker, Size, LastModifiedDate, ETag";
    let columns = Layout::Columns(columns_of_schema(schema).unwrap());
    let text = include_bytes!("../corpus/manifests/inventory.csv");
    let source = ManifestOptions { layout: columns, ..options("s3://lab-results") };
    let (entries, faults, counts) = read(source, text);
    assert_eq!(faults, []);
    assert_eq!(keys(&entries), [(1, "raw/one.bin", Some("v3")), (4, "raw/été 2026.bin", None)]);
    assert_eq!((entries[0].size, entries[1].size), (Some(1_048_577), Some(0)));
    assert_eq!(entries[0].etag, Some(ETag::new("9e107d9d372bb6826bd81d3542a419d6")));
    assert_eq!(counts.not_current, 2);
    // Without the schema nobody can know what the columns are.
    assert_eq!(read(options("s3://lab-results"), text).1.len(), 4);
}

#[test]
fn headings_paths_and_json_lines_are_told_by_the_first_line() {
    let (entries, faults, _) =
        read(options("s3://lab-results"), include_bytes!("../corpus/manifests/heading.csv"));
    assert_eq!(
        (keys(&entries), faults),
        (vec![(2, "raw/one.bin", None), (3, "raw/two three.bin", Some("v2"))], vec![])
    );

    let (entries, faults, _) =
        read(options("s3://lab-results/raw"), include_bytes!("../corpus/manifests/paths.csv"));
    assert_eq!(keys(&entries), [(1, "raw/one.bin", None), (2, "raw/a//b", Some("v2"))]);
    assert_eq!(faults.iter().map(|f| f.line).collect::<Vec<_>>(), [3, 4]);

    let (entries, faults, counts) =
        read(options("s3://lab-results"), include_bytes!("../corpus/manifests/lines.jsonl"));
    assert_eq!(faults, []);
    assert_eq!(keys(&entries), [(1, "raw/one.bin", None), (2, "raw/a+b %41.bin", Some("v2"))]);
    assert_eq!(entries[1].etag, Some(ETag::new("900150983cd24fb0d6963f7d28e17f72")));
    assert_eq!(counts.duplicates, 1);
}

#[test]
fn headings_of_fixed_forms_are_skipped_and_keys_called_key_are_not() {
    let columns = Layout::Columns(vec![Column::Bucket, Column::Key]);
    let source = ManifestOptions { layout: columns, ..options("s3://lab-results") };
    assert_eq!(keys(&read(source, b"bucket,key\nlab-results,x\n").0), [(2, "x", None)]);
    let path = || ManifestOptions { layout: Layout::Path, ..options("s3://lab-results") };
    assert_eq!(keys(&read(path(), b"key,versionId\nx,v\n").0), [(2, "x", Some("v"))]);
    assert_eq!(keys(&read(path(), b"key\nx\n").0), [(1, "key", None), (2, "x", None)]);
    assert_eq!(keys(&read(path(), b"key,v1").0), [(1, "key", Some("v1"))]);
    assert_eq!(keys(&read(path(), b"  ").0), [(1, "  ", None)]);
}

#[test]
fn wrong_lines_are_reported_by_number_and_cost_nothing_else() {
    let text = include_bytes!("../corpus/manifests/wrong.csv");
    let (entries, faults, counts) = read(options("s3://lab-results/raw"), text);
    assert_eq!(keys(&entries), [(1, "raw/one.bin", None), (11, "raw/last.bin", None)]);
    let expected = [
        (2, "not percent-encoded"),
        (3, "names the bucket \"lab-public\""),
        (4, "has 4 fields"),
        (5, "must not be empty"),
        (6, "no UTF-8"),
        (7, "outside the route's source s3://lab-results/raw/"),
        (8, "follows a closing quote"),
        (9, "the version id holds"),
        (10, "names the bucket \"\""),
    ];
    assert_eq!(faults.len(), expected.len(), "{faults:#?}");
    for (fault, (line, what)) in faults.iter().zip(expected) {
        assert_eq!(fault.line, line, "{fault}");
        assert!(fault.what.contains(what), "{fault}");
    }
    assert_eq!(faults[0].to_string().lines().count(), 1);
    assert_eq!((counts.faults, counts.entries), (9, 2));
}

#[test]
fn other_files_are_refused_at_once() {
    for (text, what) in [
        (&b"\x1f\x8b\x08\x00abc\ndef\n"[..], "gzip"),
        (b"\xff\xfea\0\n\0", "UTF-16"),
        (b"PAR1\n\n", "Parquet"),
        (b"ORC", "ORC"),
    ] {
        let (entries, faults, _) = read(options("s3://lab-results"), text);
        assert!(entries.is_empty());
        assert_eq!(faults.len(), 1);
        assert!(faults[0].what.contains(what), "{:?}", faults[0]);
    }
    let (entries, faults, _) = read(options("s3://lab-results"), b"caf\xe9.bin\nok.bin\n");
    assert_eq!((keys(&entries), faults.len()), (vec![(2, "ok.bin", None)], 1));
    for empty in [&b""[..], b"\xef\xbb\xbf", b"\n", b"\r\n\r\n"] {
        assert_eq!(read(options("s3://lab-results"), empty).2, ManifestCounts::default());
    }
}

#[test]
fn json_lines_name_what_is_wrong() {
    let text = b"{\"key\":\"a\"}\n{\"key\":7}\n{}\n[1]\n{\"key\":\"x\",\"key\":\"y\"}\n{\"key\":\"a\",\"size\":-1}\nx\n{\"key\":\"a\",\"path\":\"b\"}\n";
    let (entries, faults, _) = read(options("s3://lab-results"), text);
    assert_eq!(entries.len(), 1);
    assert_eq!(faults.iter().map(|f| f.line).collect::<Vec<_>>(), [2, 3, 4, 5, 6, 7, 8]);
    assert!(faults[0].what.contains("$.key"));
    // One of them would be passed over.
    assert!(faults[6].what.contains("second time"), "{}", faults[6]);
}

/// Memory does not grow with the list: what is kept is one record and the objects remembered.
#[test]
fn a_long_list_is_read_as_it_comes() {
    let mut parser = ManifestParser::new(ManifestOptions { remember: 1000, ..options("s3://lab-results") });
    let mut items = Vec::new();
    for n in 0..200_000u32 {
        parser.push(format!("raw/{n}\n").as_bytes(), &mut items);
        assert!(items.len() <= 1);
        items.clear();
    }
    assert_eq!(parser.counts().entries, 200_000);
}

proptest! {
    #[test]
    fn chunks_do_not_matter(
        text in prop::collection::vec(prop::sample::select(b"ab,\"\r\n{}:/%+\xef\xbb\xbf\xff".to_vec()), 0..80),
        chunk in 1usize..9,
    ) {
        let whole = read(options("s3://lab-results"), &text);
        let mut items = Vec::new();
        let mut parser = ManifestParser::new(options("s3://lab-results"));
        for piece in text.chunks(chunk) {
            parser.push(piece, &mut items);
        }
        let counts = parser.finish(&mut items);
        prop_assert_eq!(counts, whole.2);
        prop_assert_eq!(items.len(), whole.0.len() + whole.1.len());
        prop_assert_eq!(counts.entries + counts.faults, u64::try_from(items.len()).unwrap());
    }

    #[test]
    fn every_key_survives_every_form(key in "\\PC{1,30}|[,\"%+a-c /\r\n]{1,30}") {
        let quoted = |t: &str| format!("\"{}\"", t.replace('"', "\"\""));
        let encoded: String = key.bytes().map(|b| format!("%{b:02X}")).collect();
        let json = serde_json::json!({"key": key}).to_string();
        let forms = [
            (Layout::Path, quoted(&key)),
            (Layout::BucketPath, quoted(&format!("lab-results/{key}"))),
            (Layout::Columns(vec![Column::Bucket, Column::Key]), format!("lab-results,{encoded}")),
            (Layout::JsonLines, json),
        ];
        for (layout, text) in forms {
            let source = ManifestOptions { layout: layout.clone(), folders: Folders::Keep, ..options("s3://lab-results") };
            let (entries, faults, _) = read(source, text.as_bytes());
            prop_assert_eq!(&faults, &[], "{:?}", layout);
            prop_assert_eq!(&entries[0].key, &ObjectKey::from(key.as_str()), "{:?}", layout);
        }
    }

    #[test]
    fn versions_survive(version in "[a-zA-Z0-9._-]{1,40}") {
        prop_assume!(version != "null");
        let (entries, _, _) = read(options("s3://lab-results"), format!("raw/x,{version}").as_bytes());
        prop_assert_eq!(&entries[0].version, &Some(VersionId(version)));
    }
}
