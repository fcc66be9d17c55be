"""The broken workspace: a copy of the product with every breakage in it, each behind a switch that is read when it runs.

One copy for all, so that one build serves all. The module that reads the switch exists only in the copy: the product knows
nothing of any of this. What breaks and what catches it is not known here.
"""

import shutil
import tomllib
from pathlib import Path

from breakages import SWITCH, Breakage, ListFault

# The environment variable that names the one breakage that is on.
VARIABLE = "LONGBOW_BROKEN"
CORE = Path("crates/core")
SWITCH_MODULE = f"""//! Which breakage is on: made for the copy that tests of the tests are built from.

use std::sync::OnceLock;

/// Whether this one is.
pub fn is(name: &str) -> bool {{
    static ON: OnceLock<String> = OnceLock::new();
    ON.get_or_init(|| std::env::var("{VARIABLE}").unwrap_or_default()) == name
}}
"""


def texts(root: Path) -> dict[str, bytes]:
    """Every file that the build may read, by its path."""
    found = {}
    for top in sorted(root.iterdir()):
        if top.name.startswith(".") or top.name in ("target", "deploy", "packaging", "benches"):
            continue
        for path in [top] if top.is_file() else sorted(top.rglob("*")):
            parts = path.relative_to(root).parts
            if path.is_file() and not any(p.startswith(".") or p == "__pycache__" for p in parts):
                found["/".join(parts)] = path.read_bytes()
    return found


def members(files: dict[str, bytes]) -> dict[str, str]:
    """The packages of the workspace: the folder of each by its name."""
    found = {}
    for path, content in files.items():
        folder, _, name = path.rpartition("/")
        if name == "Cargo.toml" and folder and "/broken/" not in f"{folder}/":
            package = tomllib.loads(content.decode()).get("package")
            if package:
                found[package["name"]] = folder
    return found


def broken(files: dict[str, bytes], breakages: list[Breakage]) -> dict[str, bytes]:
    """The files with all breakages in them; raises with all the places that do not fit."""
    faults = []
    places: dict[str, list[tuple[int, int, str, str]]] = {}
    for breakage in breakages:
        for edit in breakage.edits:
            where = f"{breakage.origin}: {breakage.name}: {edit.file}"
            if edit.file not in files:
                faults.append(f"{where} is not there: the list is out of date")
                continue
            text = files[edit.file].decode()
            count = text.count(edit.old) if edit.old else 0
            if count != 1:
                faults.append(f"{where} has the old text {count} times and not once: the list is out of date")
                continue
            home = "crate" if edit.file.startswith(f"{CORE}/src/") else "::longbow_core"
            new = SWITCH.sub(f'{home}::broken::is("{breakage.name}")', edit.new)
            start = text.index(edit.old)
            places.setdefault(edit.file, []).append((start, start + len(edit.old), new, breakage.name))
    changed = dict(files)
    for file, edits in places.items():
        text, behind = files[file].decode(), None
        for start, end, new, name in sorted(edits, reverse=True):
            if behind is not None and end > behind[0]:
                faults.append(f"{name} and {behind[1]} change the same words of {file}")
            behind = (start, name)
            text = text[:start] + new + text[end:]
        changed[file] = text.encode()
    if faults:
        raise ListFault("\n".join(faults))
    return changed


def with_switch(files: dict[str, bytes], tested: set[str]) -> dict[str, bytes]:
    """The files with the module that reads the switch, and with a build that is quick rather than fast: little is optimised, and
    tests inside of libraries are built for the packages in `tested` only.

    Crates from the registry keep their profile, so that those that are compiled already are used as they are.
    """
    library = f"{CORE}/src/lib.rs"
    manifest = files["Cargo.toml"].decode()
    untested = {}
    for name, folder in members(files).items():
        table = f"[profile.release.package.{name}]"
        if table not in manifest:
            manifest += f"\n{table}\nopt-level = 1\n"
        of_member = files[f"{folder}/Cargo.toml"]
        if name not in tested and b"[lib]" not in of_member and f"{folder}/src/lib.rs" in files:
            untested[f"{folder}/Cargo.toml"] = of_member + b"\n[lib]\ntest = false\n"
    return files | untested | {
        f"{CORE}/src/broken.rs": SWITCH_MODULE.encode(),
        library: files[library] + b"\npub mod broken;\n",
        "Cargo.toml": manifest.encode(),
    }


def write(files: dict[str, bytes], to: Path) -> int:
    """Makes a folder hold these files and no others; what is the same already is not touched. Gives how many were."""
    to.mkdir(parents=True, exist_ok=True)
    for path in sorted(to.rglob("*"), reverse=True):
        name = path.relative_to(to).as_posix()
        if path.is_dir() and not path.is_symlink():
            if not any(file.startswith(f"{name}/") for file in files):
                shutil.rmtree(path, ignore_errors=True)
        elif name not in files:
            path.unlink()
    written = 0
    for name, content in files.items():
        path = to / name
        if not path.is_file() or path.read_bytes() != content:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
            written += 1
    return written
