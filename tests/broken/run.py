#!/usr/bin/env python3
"""The tests of the tests: builds longbow with every breakage of `list/` in it, each behind a switch, and sees each one caught.

    tests/broken/run.py                 all of them
    tests/broken/run.py NAME…           these
    tests/broken/run.py --find NAME…    what else would catch these: runs every test that was built

First the tests run with no breakage on, and have to pass: else a failure would prove nothing. Then each breakage is switched on by itself,
and each test that the list names for it has to fail, within a minute. It needs Python 3.11 and the Rust toolchain.

The last line says how many breakages there are and how many were not caught. The exit status is 0 when all were caught, 1 when not, or
when the list does not fit the product any more.
"""

import argparse
import os
import sys
import time
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import suite  # noqa: E402
import workspace  # noqa: E402
from breakages import Breakage, Catcher, ListFault, read  # noqa: E402

# Breakages at once: tests have threads of their own.
AT_ONCE = 2
# For the tests of one binary without a breakage.
BASELINE_SECONDS = 300


def say(line: str) -> None:
    print(line, flush=True)


def by_binary(catchers) -> dict[tuple[str, str], list[Catcher]]:
    found = defaultdict(list)
    for one in catchers:
        found[one.package, one.target].append(one)
    return dict(found)


def missing(built: suite.Suite, catchers) -> list[str]:
    """The catchers whose binary does not exist."""
    return [f"{one}: no such target was built" for one in catchers if (one.package, one.target) not in built.binaries]


def sound(built: suite.Suite, catchers: set[Catcher]) -> list[str]:
    """What is wrong with the catchers when nothing is broken."""

    def check(group: tuple[tuple[str, str], list[Catcher]]) -> list[str]:
        key, ones = group
        binary = built.binaries[key]
        tests = sorted({one.test for one in ones if one.test})
        faults = []
        if tests:
            outcome = suite.run_tests(binary, tests, "", BASELINE_SECONDS)
            if outcome.timed_out:
                faults.append(f"{' '.join(key)}: not done after {BASELINE_SECONDS} seconds")
            for test in tests:
                if test in outcome.failed:
                    faults.append(f"{' '.join(key)} {test} fails with no breakage on")
                elif test not in outcome.passed and not outcome.timed_out:
                    faults.append(f"{' '.join(key)} {test} was not run: is there no such test any more?")
        for arguments in sorted({one.arguments for one in ones if not one.test}):
            outcome = suite.execute(binary, list(arguments), "", BASELINE_SECONDS)
            if outcome.status != 0:
                faults.append(f"{key[1]} {' '.join(arguments)} ends with {outcome.status} and no breakage on")
        return faults

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return [fault for faults in pool.map(check, by_binary(catchers).items()) for fault in faults]


def judge(built: suite.Suite, breakage: Breakage, most: float) -> tuple[float, list[str]]:
    """Switches one breakage on, for so many seconds. Gives how many it took, and why it does not count as caught."""
    began, escaped = time.monotonic(), []
    for key, ones in by_binary(breakage.caught_by).items():
        binary, tests = built.binaries[key], [one.test for one in ones if one.test]
        runs = [(tests, suite.run_tests(binary, tests, breakage.name, most))] if tests else []
        for one in ones:
            if not one.test:
                runs.append(([], suite.execute(binary, list(one.arguments), breakage.name, most)))
        for named, outcome in runs:
            if outcome.timed_out:
                escaped.append(f"{' '.join(key)} was not done after {most:.0f} seconds")
            elif named and outcome.status not in (0, 101):
                escaped.append(f"{' '.join(key)} ended with {outcome.status}, which is no failed test")
            elif not named and outcome.status == 0:
                escaped.append(f"{key[1]} found nothing")
            else:
                escaped += [f"{test} does not fail" for test in named if test not in outcome.failed]
    seconds = time.monotonic() - began
    if seconds > most:
        escaped.append(f"it took {seconds:.0f} seconds")
    return seconds, escaped


def find(built: suite.Suite, breakages: list[Breakage]) -> int:
    """Says for each breakage which tests of all that were built fail by it."""
    failing: dict[tuple[str, str], set[str]] = {}
    for key, binary in sorted(built.binaries.items()):
        failing[key] = suite.execute(binary, [], "", BASELINE_SECONDS).failed
    for breakage in breakages:
        say(f"{breakage.name}:")
        for key, binary in sorted(built.binaries.items()):
            outcome = suite.execute(binary, [], breakage.name, BASELINE_SECONDS)
            late = ", not done in time" if outcome.timed_out else ""
            for test in sorted(outcome.failed - failing[key]):
                say(f"    {' '.join(key)} {test}")
            if late or (outcome.status not in (0, 101)):
                say(f"    {' '.join(key)} ended with {outcome.status}{late}")
    return 0


def run(options: argparse.Namespace) -> int:
    breakages = read(options.list)
    unknown = set(options.names) - {breakage.name for breakage in breakages}
    if unknown:
        raise ListFault("\n".join(f"no breakage is called {name}" for name in sorted(unknown)))
    chosen = [breakage for breakage in breakages if not options.names or breakage.name in options.names]
    target = Path(os.environ.get("CARGO_TARGET_DIR", options.root / "target")).resolve()
    root = target / "broken-builds" / "src"
    files = workspace.texts(options.root)
    # All of them, whichever are asked for: so that another choice needs no other build.
    every = {one for breakage in breakages for one in breakage.caught_by}
    tested = {one.package for one in every if one.target == "lib"}
    files = workspace.with_switch(workspace.broken(files, breakages), tested)
    workspace.write(files, root)
    say(f"{len(breakages)} breakages of {len({e.file for b in breakages for e in b.edits})} files: building")
    built = suite.build(root, files, every, target)
    say(f"built in {built.seconds:.0f} s")
    if options.find:
        return find(built, chosen)
    catchers = {one for breakage in chosen for one in breakage.caught_by}
    began = time.monotonic()
    faults = missing(built, catchers) or sound(built, catchers)
    if faults:
        raise ListFault("\n".join(faults))
    say(f"with no breakage on, all {len(catchers)} pass, in {time.monotonic() - began:.0f} s")
    escapes = 0
    width = max(len(breakage.name) for breakage in chosen)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for breakage, (seconds, escaped) in zip(chosen, pool.map(lambda b: judge(built, b, options.seconds), chosen)):
            escapes += bool(escaped)
            told = f"NOT CAUGHT: {'; '.join(escaped)}" if escaped else f"caught by {', '.join(map(str, breakage.caught_by))}"
            say(f"{breakage.name:{width}} {seconds:5.1f} s  {told}")
    say(f"{len(chosen)} broken builds, {escapes} not caught")
    return 1 if escapes else 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--find", action="store_true", help="run every test that was built")
    parser.add_argument("--root", type=Path, default=HERE.parent.parent, help="the workspace to break")
    parser.add_argument("--list", type=Path, default=HERE / "list", help="the folder of breakages")
    parser.add_argument("--seconds", type=float, default=60, help="how long the tests of one breakage may take (60)")
    try:
        return run(parser.parse_args())
    except (ListFault, suite.BuildFault) as fault:
        print(fault, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
