//! Documents that name tests: each test that a row names exists, and the tables are as whole as they say.
//!
//! One reader for all of them. What the words in a row are worth is for people to judge; that a test was renamed or removed
//! is found here.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ lies in the workspace").to_path_buf()
}

/// The names of all tests below a folder: functions after `#[test]` and its kin in Rust, `test_…` in Python.
fn tests_below(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).expect("a readable folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            tests_below(&path, found);
            continue;
        }
        let is_rust = path.extension().is_some_and(|e| e == "rs");
        let is_python = path.extension().is_some_and(|e| e == "py");
        if !is_rust && !is_python {
            continue;
        }
        let text = std::fs::read_to_string(&path).expect("a readable file");
        let mut is_test = false;
        for line in text.lines().map(str::trim_start) {
            let code = line.trim_start_matches("pub ").trim_start_matches("async ");
            if let Some(name) =
                code.strip_prefix("def ").filter(|name| is_python && name.starts_with("test_"))
            {
                found.insert(word(name));
            } else if let Some(name) = code.strip_prefix("fn ").filter(|_| is_rust) {
                if is_test {
                    found.insert(word(name));
                }
                is_test = false;
            } else if is_rust && line.starts_with("any_") && line.ends_with("\",") {
                // Of a macro that makes a test of each line (tests/fuzz).
                found.insert(word(line));
            } else if line.starts_with("#[test]") || line.starts_with("#[tokio::test") {
                is_test = true;
            }
        }
    }
}

fn word(text: &str) -> String {
    text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

fn all_tests() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    tests_below(&root().join("crates"), &mut found);
    tests_below(&root().join("tests"), &mut found);
    assert!(found.contains("every_number_has_one_line"), "the tests were not found");
    found
}

/// A line of a table: its number, and all that follows it.
struct Row {
    number: String,
    text: String,
}

impl Row {
    /// What stands in backticks and looks like a test.
    fn tests(&self) -> Vec<&str> {
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        let quoted = self.text.split('`').skip(1).step_by(2);
        let is_test = |name: &&str| name.starts_with("test_") || (name.contains('_') && name.len() > 15);
        quoted.filter(is_test).filter(|name| name.chars().all(plain)).collect()
    }
}

/// The rows of a document whose numbers begin so.
fn rows(document: &str, numbers: &str) -> Vec<Row> {
    let text = std::fs::read_to_string(root().join("docs").join(document)).expect("the document");
    let row = |line: &str| {
        let (number, rest) = line.strip_prefix("| ")?.split_once(" | ")?;
        let numbered = number.strip_prefix(numbers)?.starts_with(|c: char| c.is_ascii_digit());
        let text = rest.trim_end_matches(" |").to_owned();
        numbered.then(|| Row { number: number.to_owned(), text })
    };
    text.lines().filter_map(row).collect()
}

fn assert_tests_exist(rows: &[Row], known: &BTreeSet<String>) {
    for row in rows {
        for name in row.tests() {
            assert!(known.contains(name), "{} names the test {name}, which does not exist", row.number);
        }
    }
}

fn numbered(prefix: &str, numbers: std::ops::RangeInclusive<u32>) -> Vec<String> {
    numbers.map(|n| format!("{prefix}{n:02}")).collect()
}

#[test]
fn every_number_has_one_line() {
    let all = [
        numbered("LBB-", 1..=54),
        numbered("LBB-", 60..=68),
        numbered("LB-", 1..=88),
        numbered("DTH-", 1..=17),
    ];
    let kinds = ["LBB-", "LB-", "DTH-"];
    let found = kinds.into_iter().flat_map(|kind| rows("PREDECESSORS.md", kind));
    let found: Vec<String> = found.map(|row| row.number).collect();
    assert_eq!(found, all.concat());
}

#[test]
fn every_test_that_is_named_exists_and_a_line_without_one_says_why() {
    let known = all_tests();
    for kind in ["LBB-", "LB-", "DTH-"] {
        let rows = rows("PREDECESSORS.md", kind);
        assert_tests_exist(&rows, &known);
        for row in &rows {
            let (Row { number, text }, shown) = (row, !row.tests().is_empty());
            let why = ["deploy", "not taken over: ", "not yet", "replaced"];
            let said = why.iter().any(|word| text.starts_with(word));
            assert!(said || shown, "{number} says neither a test nor why there is none");
            assert!(!text.starts_with("replaced") || shown, "{number}: nothing shows what replaced it");
        }
    }
}

/// At least so many faults are shown by tests; a row without one belongs to what no test shows.
const FAULTS: usize = 110;

#[test]
fn every_fault_has_its_invariants_and_a_test_that_exists() {
    let known = all_tests();
    let faults = rows("RELIABILITY.md", "F-");
    assert!(faults.len() >= FAULTS, "only {} faults", faults.len());
    assert_tests_exist(&faults, &known);
    let invariants: BTreeSet<String> =
        rows("RELIABILITY.md", "I").into_iter().map(|row| row.number).collect();
    assert_eq!(invariants.len(), 22);
    let mut used = BTreeSet::new();
    for (n, row) in faults.iter().enumerate() {
        assert_eq!(row.number, format!("F-{:02}", n + 1), "numbered without gaps");
        assert!(!row.tests().is_empty(), "{} names no test", row.number);
        let cells: Vec<&str> = row.text.split(" | ").collect();
        assert_eq!(cells.len(), 4, "{} has other cells", row.number);
        for invariant in cells[2].split(", ") {
            assert!(invariants.contains(invariant), "{} names {invariant}", row.number);
            used.insert(invariant.to_owned());
        }
    }
    // What the output may hold is judged for every run; the threats say by which tests.
    assert_eq!(invariants.difference(&used).count(), 0, "an invariant that no fault tries");
}

#[test]
fn every_threat_says_what_stops_it_and_names_tests_that_exist() {
    let known = all_tests();
    let threats = rows("THREATS.md", "T");
    assert!(threats.len() >= 14, "only {} threats", threats.len());
    assert_tests_exist(&threats, &known);
    for row in &threats {
        assert!(!row.tests().is_empty() || row.text.contains("not yet"), "{} names no test", row.number);
    }
}

#[test]
fn every_quirk_has_a_row_of_servers_and_a_test_that_exists_or_says_what_is_lost() {
    let known = all_tests();
    let quirks = rows("QUIRKS.md", "Q-");
    assert!(quirks.len() >= 40, "only {} quirks", quirks.len());
    assert_tests_exist(&quirks, &known);
    for row in &quirks {
        let cells = row.text.split(" | ").count();
        assert_eq!(cells, 6, "{} has other cells", row.number);
        assert!(
            !row.tests().is_empty() || row.text.contains("Not survived: "),
            "{} names no test",
            row.number
        );
    }
    let numbers: Vec<&str> = quirks.iter().map(|row| row.number.as_str()).collect();
    assert!(numbers.is_sorted(), "{numbers:?}");
}
