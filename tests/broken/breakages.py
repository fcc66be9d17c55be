"""The list of breakages: what each one is, read from `list/*.toml` and checked.

A breakage is a way to break one promise of longbow: texts of the product that are replaced, and the tests that must fail then. Apart
from the workspace that it is made in and from the tests that are run; nothing is changed here.
"""

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path

# Stands in the new text for "this breakage is on".
SWITCH = re.compile(r"\bBROKEN\b")
NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


class ListFault(Exception):
    """The list is not what it should be: each line of the text is one fault."""


@dataclass(frozen=True)
class Edit:
    """One place of the product: this text, which stands there exactly once, becomes that one."""

    file: str
    old: str
    new: str


@dataclass(frozen=True)
class Catcher:
    """What must fail: one test of a test binary (`package`, `target`, `test`), or a program of the workspace."""

    package: str
    target: str
    test: str = ""
    arguments: tuple[str, ...] = ()

    def __str__(self) -> str:
        words = [self.package.removeprefix("longbow-"), self.test] if self.test else [self.target, *self.arguments]
        return " ".join(words)


@dataclass(frozen=True)
class Breakage:
    """One way to break a promise."""

    name: str
    breaks: str
    edits: tuple[Edit, ...]
    caught_by: tuple[Catcher, ...]
    origin: str


def catcher(entry) -> Catcher:
    """`"PACKAGE TARGET TEST"`, where TARGET is `lib`, `bin` or the name of a test binary, or
    `{ package = …, program = …, arguments = [ … ] }`."""
    if isinstance(entry, str):
        package, target, test = entry.split(" ")
        return Catcher(package, target, test)
    if set(entry) != {"package", "program", "arguments"}:
        raise ValueError("a program has package, program and arguments")
    return Catcher(entry["package"], entry["program"], "", tuple(entry["arguments"]))


def read_one(entry: dict, origin: str) -> Breakage:
    if set(entry) != {"name", "breaks", "edit", "caught_by"}:
        raise ValueError(f"has {sorted(entry)} instead of name, breaks, edit and caught_by")
    if not NAME.fullmatch(entry["name"]):
        raise ValueError("is no name: small letters, digits and dashes")
    edits = tuple(Edit(**edit) for edit in entry["edit"])
    if not any(SWITCH.search(edit.new) for edit in edits):
        raise ValueError("never asks whether it is on: no new text has the word BROKEN")
    caught_by = tuple(catcher(one) for one in entry["caught_by"])
    if not caught_by:
        raise ValueError("names nothing that catches it")
    return Breakage(entry["name"], entry["breaks"], edits, caught_by, origin)


def read(folder: Path) -> list[Breakage]:
    """All breakages of a folder; raises with all faults together."""
    found: dict[str, Breakage] = {}
    faults = []
    for path in sorted(folder.glob("*.toml")):
        try:
            entries = tomllib.loads(path.read_text(encoding="utf-8"))["breakage"]
        except (tomllib.TOMLDecodeError, KeyError) as error:
            faults.append(f"{path.name}: {error}")
            continue
        for entry in entries:
            name = entry.get("name", "?")
            try:
                breakage = read_one(entry, path.name)
            except (ValueError, TypeError) as error:
                faults.append(f"{path.name}: {name}: {error}")
                continue
            if name in found:
                faults.append(f"{path.name}: {name} is there twice")
            found[name] = breakage
    if not found and not faults:
        faults.append(f"no breakage in {folder}")
    if faults:
        raise ListFault("\n".join(faults))
    return list(found.values())
