//! `docs/PREDECESSORS.md`: every number of the predecessors has its line, and every test that a line names exists.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ lies in the workspace").to_path_buf()
}

/// The names of all functions in Rust and Python below a folder.
fn functions(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).expect("a readable folder") {
        let path = entry.expect("an entry").path();
        let is_code = path.extension().is_some_and(|e| e == "rs" || e == "py");
        if path.is_dir() {
            functions(&path, found);
        } else if is_code {
            let text = std::fs::read_to_string(&path).expect("a readable file");
            for line in text.lines() {
                let code = line.trim_start().trim_start_matches("pub ").trim_start_matches("async ");
                let name = code.strip_prefix("fn ").or_else(|| code.strip_prefix("def "));
                if let Some(name) = name {
                    let end = name.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(name.len());
                    found.insert(name[..end].to_owned());
                }
            }
        }
    }
}

/// Number and text of each row.
fn rows() -> Vec<(String, String)> {
    let text = std::fs::read_to_string(root().join("docs/PREDECESSORS.md")).expect("the document");
    let row = |line: &str| {
        let (number, rest) = line.strip_prefix("| ")?.split_once(" | ")?;
        number.contains('-').then(|| (number.to_owned(), rest.trim_end_matches(" |").to_owned()))
    };
    text.lines().filter_map(row).filter(|(number, _)| !number.starts_with("--")).collect()
}

#[test]
fn every_number_has_one_line() {
    let numbered = |prefix: &str, numbers: std::ops::RangeInclusive<u32>| -> Vec<String> {
        numbers.map(|n| format!("{prefix}-{n:02}")).collect()
    };
    let all =
        [numbered("LBB", 1..=54), numbered("LBB", 60..=68), numbered("LB", 1..=88), numbered("DTH", 1..=17)];
    let found: Vec<String> = rows().into_iter().map(|(number, _)| number).collect();
    assert_eq!(found, all.concat());
}

#[test]
fn every_test_that_is_named_exists_and_a_line_without_one_says_why() {
    let mut known = BTreeSet::new();
    functions(&root().join("crates"), &mut known);
    functions(&root().join("tests"), &mut known);
    assert!(known.contains("every_number_has_one_line"), "the functions were not found");
    for (number, text) in rows() {
        let names: Vec<&str> =
            text.split('`').skip(1).step_by(2).filter(|name| name.contains('_') && name.len() > 15).collect();
        let why = ["deploy", "not taken over: ", "not yet", "replaced"];
        let said = why.iter().any(|word| text.starts_with(word));
        assert!(said || !names.is_empty(), "{number} says neither a test nor why there is none");
        assert!(
            !text.starts_with("replaced") || !names.is_empty(),
            "{number}: nothing shows what replaced it"
        );
        for name in names
            .iter()
            .filter(|name| name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_'))
        {
            assert!(known.contains(*name), "{number} names the test {name}, which does not exist");
        }
    }
}
