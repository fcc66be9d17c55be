//! Keys as paths: reversible or refused, and never outside the folder.

use std::path::{Component, Path};

use longbow_core::object::ObjectKey;
use longbow_local::directory::names_of_key;

use super::{Target, USUAL, bounds};
use crate::Form;

pub(super) const TARGET: Target = Target {
    name: "key-path",
    form: Form::Bytes,
    tokens: &[
        "/",
        "//",
        ".",
        "..",
        "../",
        "/..",
        "./",
        "\0",
        "\\",
        "~",
        ".longbow-0123456789abcdef.tmp",
        ".longbow-0123456789abcdef-x.part",
        "C:",
        "%2e%2e",
        "%2F",
        "\u{202e}",
        "é",
        "e\u{301}",
        "\u{fffd}",
    ],
    large: || vec![b"a/".repeat(4_000), vec![b'x'; 300], b"../".repeat(10_000), vec![b'/'; 60_000]],
    run,
    ..USUAL
};

fn run(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    match names_of_key(&ObjectKey::from(text)) {
        Ok(names) => {
            assert_eq!(names.join("/"), text, "another path than the key");
            let path: &Path = Path::new(text);
            assert!(path.components().all(|c| matches!(c, Component::Normal(_))), "{path:?} leads elsewhere");
            assert_eq!(path.components().count(), names.len());
            for name in &names {
                assert!(
                    !name.is_empty() && name.len() <= 255 && !name.contains(['/', '\0']),
                    "{name:?} is no name"
                );
            }
        }
        Err(error) => bounds::showable_with(&error, text.len()),
    }
}
