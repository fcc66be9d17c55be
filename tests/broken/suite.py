"""The tests of the broken workspace: built once, run as often as there are breakages.

A test is run by its exact name, so that one that is gone is noticed. What counts as caught is a test that fails; one that takes too long
or ends its process in another way is told apart.
"""

import json
import os
import re
import signal
import subprocess
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from breakages import Catcher
from workspace import VARIABLE, members

RESULT = re.compile(r"^test (\S+)(?: - should panic)? \.\.\. (ok|FAILED|ignored)", re.MULTILINE)


class BuildFault(Exception):
    """The tests could not be built."""


@dataclass(frozen=True)
class Binary:
    """A test binary or a program, and the folder that it is run in."""

    path: Path
    folder: Path


@dataclass
class Outcome:
    """What became of some tests of one binary."""

    seconds: float
    status: int | None
    passed: set[str] = field(default_factory=set)
    failed: set[str] = field(default_factory=set)
    output: str = ""

    @property
    def timed_out(self) -> bool:
        return self.status is None


@dataclass
class Suite:
    """What was built, by package and target."""

    binaries: dict[tuple[str, str], Binary]
    seconds: float


def target_of(artifact: dict) -> str:
    kind = artifact["target"]["kind"]
    if "test" in kind:
        return artifact["target"]["name"]
    return "bin" if "bin" in kind else "lib"


def option_of(catcher: Catcher) -> tuple[str, ...]:
    """How cargo is told to build the binary of a test."""
    if catcher.target == "lib":
        return ("--lib",)
    return ("--bin", catcher.package) if catcher.target == "bin" else ("--test", catcher.target)


def build(root: Path, files: dict[str, bytes], catchers: set[Catcher], target: Path) -> Suite:
    """Builds the test binaries that the catchers are in.

    For the whole workspace at once, as the tests themselves are built: only then do crates from the registry have the same features,
    and are not compiled again.
    """
    began = time.monotonic()
    which = {option_of(one) for one in catchers if one.test}
    calls = [["test", "--no-run", *(word for words in sorted(which) for word in words)]] if which else []
    programs = sorted({c.target for c in catchers if not c.test})
    if programs:
        # With a test beside them, since crates that only tests need add their features, too.
        beside = sorted(words for words in which if words[0] == "--test")[:1]
        calls.append(["build", *(word for words in beside for word in words)])
        calls[-1] += [word for name in programs for word in ("--bin", name)]
    folders = {str(root / folder / "Cargo.toml"): (name, root / folder) for name, folder in members(files).items()}
    binaries = {}
    with put_aside([target / "release" / name for name in programs], root.parent / "good"):
        for call in calls:
            for artifact in cargo(call, root, target):
                if not artifact.get("executable") or artifact["manifest_path"] not in folders:
                    continue
                package, folder = folders[artifact["manifest_path"]]
                executable = Path(artifact["executable"])
                if call[0] == "test" and artifact["profile"]["test"]:
                    binaries[package, target_of(artifact)] = Binary(executable, folder)
                elif call[0] == "build" and artifact["target"]["name"] in programs:
                    name = artifact["target"]["name"]
                    binaries[package, name] = Binary(executable.rename(root.parent / name), folder)
    return Suite(binaries, time.monotonic() - began)


def cargo(call: list[str], root: Path, target: Path) -> list[dict]:
    """Runs cargo in the broken workspace. Gives the artifacts of which it tells."""
    command = [os.environ.get("CARGO", "cargo"), *call, "--release", "--workspace", "--locked"]
    command.append("--message-format=json-render-diagnostics")
    environment = os.environ | {"CARGO_TARGET_DIR": str(target)}
    done = subprocess.run(command, cwd=root, env=environment, stdout=subprocess.PIPE, text=True)
    if done.returncode != 0:
        raise BuildFault(f"the broken workspace does not build: {' '.join(command)} in {root}")
    messages = map(json.loads, done.stdout.splitlines())
    return [message for message in messages if message.get("reason") == "compiler-artifact"]


@contextmanager
def put_aside(paths: list[Path], folder: Path):
    """Keeps files elsewhere meanwhile: nobody shall take a broken program for the good one of its name."""
    folder.mkdir(parents=True, exist_ok=True)
    kept = [path for path in paths if path.exists()]
    for path in kept:
        path.rename(folder / path.name)
    try:
        yield
    finally:
        for path in kept:
            (folder / path.name).rename(path)


def execute(binary: Binary, arguments: list[str], breakage: str, seconds: float) -> Outcome:
    """Runs one binary with a breakage on (or none: the empty name), in a process group of its own that ends with it."""
    began = time.monotonic()
    environment = {name: value for name, value in os.environ.items() if name != VARIABLE}
    environment |= {VARIABLE: breakage, "RUST_BACKTRACE": "0", "NO_COLOR": "1"}
    process = subprocess.Popen(
        [str(binary.path), *arguments],
        cwd=binary.folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
    )
    status: int | None
    try:
        output, _ = process.communicate(timeout=seconds)
        status = process.returncode
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        output, _ = process.communicate()
        status = None
    outcome = Outcome(time.monotonic() - began, status, output=output)
    for name, result in RESULT.findall(output):
        (outcome.failed if result == "FAILED" else outcome.passed if result == "ok" else set()).add(name)
    return outcome


def run_tests(binary: Binary, tests: list[str], breakage: str, seconds: float) -> Outcome:
    """Runs tests by their exact names."""
    return execute(binary, ["--exact", *tests], breakage, seconds)
