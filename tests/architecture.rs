//! The structure of the workspace, kept by machine: who imports whom, how long a file may be, what names are out.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ lies in the workspace").to_path_buf()
}

fn metadata(arguments: &[&str]) -> Value {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .current_dir(root())
        .args(["metadata", "--format-version", "1", "--locked", "--offline"])
        .args(arguments)
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("cargo metadata prints JSON")
}

/// The platform that the tests run on: what other platforms need may not have been downloaded.
fn host() -> String {
    let output = Command::new("rustc").arg("-vV").output().expect("rustc runs");
    let text = String::from_utf8(output.stdout).expect("text");
    let host = text.lines().find_map(|l| l.strip_prefix("host: ")).expect("a host line");
    host.to_owned()
}

fn text(value: &Value) -> &str {
    value.as_str().expect("a string")
}

/// Workspace package → its normal dependencies by name.
fn dependencies() -> BTreeMap<String, BTreeSet<String>> {
    let metadata = metadata(&["--no-deps"]);
    let packages = metadata["packages"].as_array().expect("packages");
    packages
        .iter()
        .map(|package| {
            let all = package["dependencies"].as_array().expect("dependencies");
            let normal =
                all.iter().filter(|d| d["kind"].is_null()).map(|d| text(&d["name"]).to_owned()).collect();
            (text(&package["name"]).to_owned(), normal)
        })
        .collect()
}

#[test]
fn crates_import_only_what_the_design_allows() {
    let allowed: BTreeMap<&str, &[&str]> = BTreeMap::from([
        ("longbow-core", &[][..]),
        ("longbow-aws", &["longbow-core"][..]),
        ("longbow-local", &["longbow-core"][..]),
        ("longbow-jobsender", &["longbow-core"][..]),
        ("longbow-worker", &["longbow-core"][..]),
        ("longbow-testkit", &["longbow-core"][..]),
        // The demo serves the strict store that the tests use: docs/decisions/0002.
        (
            "longbow",
            &[
                "longbow-aws",
                "longbow-core",
                "longbow-jobsender",
                "longbow-local",
                "longbow-testkit",
                "longbow-worker",
            ][..],
        ),
        ("acceptance", &[][..]),
        // docs/decisions/0021: without the SDK, so that it is built fast.
        ("simulation", &["longbow-core", "longbow-jobsender", "longbow-testkit", "longbow-worker"][..]),
        // Feeds the readers of all of them: docs/decisions/0025.
        (
            "longbow-fuzz",
            &["longbow", "longbow-aws", "longbow-core", "longbow-jobsender", "longbow-local"][..],
        ),
    ]);
    let found = dependencies();
    assert_eq!(
        found.keys().map(String::as_str).collect::<Vec<_>>(),
        allowed.keys().copied().collect::<Vec<_>>()
    );
    for (package, dependencies) in &found {
        for dependency in dependencies.iter().filter(|d| found.contains_key(*d)) {
            assert!(
                allowed[package.as_str()].contains(&dependency.as_str()),
                "{package} must not depend on {dependency}"
            );
        }
    }
}

#[test]
fn outside_libraries_stay_where_they_belong() {
    let found = dependencies();
    let users = |library: &str| -> Vec<&str> {
        let uses = |d: &&String| {
            d.as_str() == library || (library.ends_with('*') && d.starts_with(&library[..library.len() - 1]))
        };
        found.iter().filter(|(_, deps)| deps.iter().any(|d| uses(&d))).map(|(p, _)| p.as_str()).collect()
    };
    assert_eq!(users("aws-*"), ["longbow-aws"]);
    assert_eq!(users("rusqlite"), ["longbow-local"]);
    assert_eq!(users("clap"), ["longbow"]);
    assert_eq!(users("config"), ["longbow"]);
    for banned in ["tokio", "tracing", "config", "tokio-util", "futures-util"] {
        assert!(!found["longbow-core"].contains(banned), "the domain must not use {banned}");
    }
}

#[test]
fn every_dependency_comes_from_the_registry_under_a_licence_that_fits() {
    let deny = std::fs::read_to_string(root().join("deny.toml")).expect("deny.toml");
    let section = deny.split("[licenses]").nth(1).and_then(|s| s.split("\n[").next()).expect("a section");
    let allowed: BTreeSet<&str> = section.split('"').skip(1).step_by(2).collect();
    assert!(allowed.contains("Apache-2.0"));
    for package in metadata(&["--filter-platform", &host()])["packages"].as_array().expect("packages") {
        let name = text(&package["name"]);
        let Some(source) = package["source"].as_str() else { continue };
        assert!(source.starts_with("registry+"), "{name} comes from {source}");
        let licence = package["license"].as_str().unwrap_or("");
        // Any alternative of an OR may be taken; every term of an AND must fit. `A/B` is the old form of OR.
        let fits = licence.replace('/', " OR ").replace(['(', ')'], " ");
        let fits = fits.split(" AND ").all(|term| term.split(" OR ").any(|one| allowed.contains(one.trim())));
        assert!(fits, "{name} is licensed {licence:?}");
    }
}

fn sources() -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![root().join("crates"), root().join("tests")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("a readable folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") {
                found.push(path);
            }
        }
    }
    assert!(found.len() > 50, "the sources were not found");
    found
}

#[test]
fn every_file_says_what_it_is_and_none_is_long() {
    for path in sources() {
        let source = std::fs::read_to_string(&path).expect("a readable file");
        let name = path.display();
        assert!(source.lines().count() <= 500, "{name} has more than 500 lines: split it by noun or step");
        assert!(source.starts_with("//!"), "{name} does not begin with what it is");
        let stem = path.file_stem().and_then(|s| s.to_str()).unwrap_or("");
        assert!(
            !["util", "utils", "common", "helpers", "misc"].contains(&stem),
            "{name} is named after nothing"
        );
    }
}

#[test]
fn unsafe_code_is_kept_to_the_digest_kernel() {
    for path in sources() {
        let source = std::fs::read_to_string(&path).expect("a readable file");
        let uses = source.lines().any(|l| {
            let code = l.split("//").next().unwrap_or("");
            code.contains("unsafe {") || code.contains("unsafe fn") || code.contains("unsafe impl")
        });
        let excepted = [
            "worker/src/digest/kernel.rs",
            // What counts for the fuzzer: branches, which LLVM puts down in memory, and memory.
            "tests/fuzz/src/coverage.rs",
            "tests/fuzz/src/memory.rs",
            "tests/architecture.rs",
        ];
        let excepted = excepted.iter().any(|file| path.ends_with(file));
        assert!(!uses || excepted, "{} uses unsafe code", path.display());
    }
    // The compiler's own word for it, in all crates that have none.
    for path in sources() {
        let is_root = path.ends_with("src/lib.rs") || path.ends_with("src/main.rs");
        if is_root && !path.ends_with("worker/src/lib.rs") && !path.ends_with("tests/fuzz/src/lib.rs") {
            let source = std::fs::read_to_string(&path).expect("a readable file");
            assert!(source.contains("#![forbid(unsafe_code)]"), "{} allows unsafe code", path.display());
        }
    }
}
