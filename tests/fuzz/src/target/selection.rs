//! Globs and ignore lists: any list is read or refused line by line, and any key is answered in time.

use longbow_core::object::{Location, ObjectKey};
use longbow_core::selection::KeySelection;

use super::{Target, USUAL, bounds};
use crate::Form;

pub(super) const TARGET: Target = Target {
    name: "selection",
    form: Form::Lines,
    tokens: &[
        "*",
        "**",
        "?",
        "[a-z]",
        "[!a]",
        "[",
        "]",
        "[]]",
        "[[]",
        "#",
        "src/p/x",
        "p/x",
        "x",
        "*/*/*/*",
        "*a*a*a*a*",
        "aaaaaaaaaaaaaaaa",
        "////////",
        "\\",
        "é",
        "\u{feff}",
        "\r",
    ],
    large,
    run,
    ..USUAL
};

fn large() -> Vec<Vec<u8>> {
    let stars = |n: usize, key: &str| format!("{}b\n\n{}", "*a".repeat(n), key.repeat(1024)).into_bytes();
    vec![
        stars(4, "a"),
        stars(12, "a"),
        stars(60, "a"),
        format!("{}\n\n{}", "*?".repeat(200), "x".repeat(1024)).into_bytes(),
    ]
}

/// The first lines are a list, the last one is a key.
fn run(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let (list, name) = text.rsplit_once('\n').unwrap_or((text, text));
    // An ignore list has thousands of lines at most, and a key has 1,024 bytes.
    let list: String = list.lines().take(50).fold(String::new(), |list, line| list + line + "\n");
    let name: String = name.chars().take(1024).collect();
    let source = Location::parse("s3://src/p", false).expect("a place");
    let mut selection = KeySelection::of(&source);
    if let Err(faults) = selection.ignore_file("list", &list) {
        assert!(!faults.is_empty(), "refused without a reason");
        for fault in &faults {
            assert!(fault.origin.starts_with("list:"));
            bounds::showable(&fault.why);
        }
    }
    let key = ObjectKey::from(format!("p/{name}"));
    assert_eq!(selection.selects(&key), selection.selects_name(&name), "a key and its name differ");
    // A glob without any special character is a name, and takes that name alone.
    if !name.is_empty() && !name.contains(['*', '?', '[', ']', '\n', '\r', '#']) && !name.trim().is_empty() {
        let mut exact = KeySelection::of(&source);
        exact.exclude(&name).expect("a name is a glob");
        assert!(!exact.selects(&key), "a name does not match itself");
        assert!(exact.selects_name(&format!("{name}x")), "a name matches another");
    }
}
