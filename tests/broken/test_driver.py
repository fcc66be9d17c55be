"""The driver of the broken builds, on a workspace of one small crate: what is not caught, or does not fit any more, is told."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent

MANIFEST = """
[workspace]
resolver = "3"
members = ["crates/core"]
"""
PACKAGE = """
[package]
name = "longbow-core"
version = "0.1.0"
edition = "2024"
"""
LOCK = """
version = 4

[[package]]
name = "longbow-core"
version = "0.1.0"
"""
LIBRARY = """
//! A crate.

/// The larger one.
pub fn larger(a: u32, b: u32) -> u32 {
    if a > b { a } else { b }
}

/// The smaller one.
pub fn smaller(a: u32, b: u32) -> u32 {
    if a < b { a } else { b }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_larger_one() {
        assert_eq!((larger(1, 2), larger(2, 1)), (2, 2));
    }

    #[test]
    fn equal_ones() {
        assert_eq!((larger(1, 1), smaller(1, 1)), (1, 1));
    }

    #[test]
    fn a_test_that_fails() {
        assert_eq!(larger(1, 2), 3);
    }
}
"""
PROGRAM = """
//! A program that looks for faults.

fn main() {
    assert_eq!(std::env::args().nth(1).as_deref(), Some("--seeds"));
    assert_eq!(longbow_core::larger(1, 2), 2, "a seed found something");
}
"""
LARGER = "if a > b { a } else { b }"
SMALLER = "if a < b { a } else { b }"


@pytest.fixture(scope="module")
def product(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("product")
    files = {
        "Cargo.toml": MANIFEST,
        "Cargo.lock": LOCK,
        "crates/core/Cargo.toml": PACKAGE,
        "crates/core/src/lib.rs": LIBRARY.lstrip(),
        "crates/core/src/bin/seeker.rs": PROGRAM.lstrip(),
    }
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return root


def breakage(name: str, old: str, new: str, *tests: str) -> str:
    caught_by = ", ".join(test if test.startswith("{") else f'"longbow-core lib tests::{test}"' for test in tests)
    return f"""
[[breakage]]
name = "{name}"
breaks = "something"
caught_by = [{caught_by}]
[[breakage.edit]]
file = "crates/core/src/lib.rs"
old = '''{old}'''
new = '''{new}'''
"""


def drive(product: Path, tmp_path: Path, *breakages: str, arguments: tuple[str, ...] = ()) -> tuple[int, str]:
    (tmp_path / "list.toml").write_text("".join(breakages), encoding="utf-8")
    before = {path: path.read_bytes() for path in product.rglob("*.rs") if "target" not in path.parts}
    command = [sys.executable, str(HERE / "run"), "--root", str(product), "--list", str(tmp_path), *arguments]
    environment = os.environ | {"CARGO_TARGET_DIR": str(product / "target"), "CARGO_NET_OFFLINE": "true"}
    done = subprocess.run(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=300
    )
    assert before == {path: path.read_bytes() for path in before}, "the product itself was changed"
    return done.returncode, done.stdout


def test_what_is_caught_is_told_with_what_caught_it(product, tmp_path):
    status, said = drive(
        product,
        tmp_path,
        breakage("wrong-way", LARGER, "if BROKEN { a } else if a > b { a } else { b }", "the_larger_one"),
    )
    assert status == 0, said
    assert "caught by core tests::the_larger_one" in said
    assert said.splitlines()[-1] == "1 broken builds, 0 not caught"


def test_what_is_not_caught_is_told_as_such(product, tmp_path):
    forever = "if BROKEN { loop { std::thread::park() } } else { if a > b { a } else { b } }"
    status, said = drive(
        product,
        tmp_path,
        breakage("harmless", SMALLER, "if BROKEN && a == b { b } else if a < b { a } else { b }", "equal_ones"),
        breakage("half", "(larger(1, 1), smaller(1, 1))", "(larger(1, 1), smaller(1, if BROKEN { 0 } else { 1 }))", "equal_ones", "the_larger_one"),
        breakage("forever", LARGER, forever, "the_larger_one"),
        breakage("abort", "    use super::*;\n", "    use super::*;\n    fn abort() { if BROKEN { std::process::abort() } }\n", "equal_ones"),
        breakage("abort-too", "fn equal_ones() {", "fn equal_ones() {\n        abort();\n        assert!(!BROKEN);", "equal_ones"),
        arguments=("--seconds", "3"),
    )
    assert status == 1, said
    line = {words[0]: " ".join(words[1:]) for words in map(str.split, said.splitlines()) if len(words) > 1}
    assert "NOT CAUGHT: tests::equal_ones does not fail" in line["harmless"]
    assert "NOT CAUGHT: tests::the_larger_one does not fail" in line["half"]
    assert "NOT CAUGHT: longbow-core lib was not done after 3 seconds" in line["forever"]
    assert "NOT CAUGHT: longbow-core lib ended with -6, which is no failed test" in line["abort"]
    assert "caught by" in line["abort-too"]
    assert said.splitlines()[-1] == "5 broken builds, 4 not caught"


def test_a_program_can_catch(product, tmp_path):
    seeker = '{ package = "longbow-core", program = "seeker", arguments = ["--seeds", "3"] }'
    new = "if BROKEN { 7 } else { if a > b { a } else { b } }"
    good = product / "target" / "release" / "seeker"
    good.parent.mkdir(parents=True, exist_ok=True)
    good.write_text("the good program", encoding="utf-8")
    status, said = drive(product, tmp_path, breakage("seven", LARGER, new, seeker))
    assert status == 0, said
    assert good.read_text(encoding="utf-8") == "the good program", "no broken program stays where a good one is looked for"
    assert "caught by seeker --seeds 3" in said
    new = "if BROKEN { b } else { if a < b { a } else { b } }"
    status, said = drive(product, tmp_path, breakage("unseen", SMALLER, new, seeker))
    assert status == 1 and "NOT CAUGHT: seeker found nothing" in said


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("if a >= b", "if BROKEN", "has the old text 0 times and not once: the list is out of date"),
        ("pub fn", "BROKEN pub fn", "has the old text 2 times and not once: the list is out of date"),
        ("", "BROKEN", "has the old text 0 times"),
        (LARGER, "b", "never asks whether it is on"),
        (LARGER, "if BROKEN { no such thing }", "does not build"),
    ],
)
def test_a_list_that_does_not_fit_is_told_as_such(product, tmp_path, old, new, told):
    status, said = drive(product, tmp_path, breakage("misfit", old, new, "the_larger_one"))
    assert status == 1 and told in said


def test_breakages_of_the_same_words_are_refused(product, tmp_path):
    status, said = drive(
        product,
        tmp_path,
        breakage("one", LARGER, "if BROKEN { a } else { b }", "the_larger_one"),
        breakage("two", "a > b", "a > b || BROKEN", "the_larger_one"),
    )
    assert status == 1 and "change the same words of crates/core/src/lib.rs" in said


@pytest.mark.parametrize(
    ("test", "told"),
    [
        ("no_such_test", "was not run: is there no such test any more?"),
        ("a_test_that_fails", "fails with no breakage on"),
    ],
)
def test_a_test_that_proves_nothing_is_told_as_such(product, tmp_path, test, told):
    status, said = drive(product, tmp_path, breakage("any", LARGER, "if BROKEN { a } else { b }", test))
    assert status == 1 and told in said
