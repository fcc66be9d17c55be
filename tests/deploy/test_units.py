"""The units as systemd itself reads them: no line that it does not know, and little that they leave open.

Apart from test_boot.py because systemd is the judge here, not a reading of text; where it is not installed, that is said.
"""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from terraform import ROOT

ANALYZE = shutil.which("systemd-analyze")
BOOT = ROOT / "deploy/modules/boot/files"
UNITS = ["longbow-worker", "longbow-jobsender", "longbow-unhealthy"]
# Of 100. A unit without any hardening has 96; what is left here is the network and the folders that the program needs.
OPEN = 20

pytestmark = [
    pytest.mark.no_terraform,
    pytest.mark.skipif(not ANALYZE, reason="systemd-analyze is not installed here"),
]


@pytest.fixture(scope="module")
def system(tmp_path_factory):
    """The root of a machine on which everything is installed, with the additions for EC2."""
    root = tmp_path_factory.mktemp("system")
    units = root / "etc/systemd/system"
    targets = next(p for p in (Path("/usr/lib/systemd/system"), Path("/lib/systemd/system")) if p.is_dir())
    others = root / "usr/lib/systemd/system"
    others.mkdir(parents=True)
    for target in targets.glob("*.target"):
        shutil.copy(target, others, follow_symlinks=False)
    units.mkdir(parents=True)
    for unit in [*(ROOT / "packaging").glob("*.service"), BOOT / "longbow-unhealthy.service"]:
        shutil.copy(unit, units)
    for kind in ("worker", "jobsender"):
        (units / f"longbow-{kind}.service.d").mkdir()
        shutil.copy(BOOT / f"ec2-{kind}.conf", units / f"longbow-{kind}.service.d/ec2.conf")
    # Only that they are there and can be run is looked at.
    for path in ("usr/bin/longbow", "usr/lib/longbow/longbow-instance"):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).touch(mode=0o755)
    return root


def analyze(system, *arguments):
    """What it says, and its exit code."""
    run = subprocess.run(
        [ANALYZE, "--no-pager", f"--root={system}", *arguments], capture_output=True, text=True, timeout=60,
        env={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"},
    )  # fmt: skip
    return run.stdout + run.stderr, run.returncode


def complaints(system, unit):
    """Lines in which it complains of a unit of ours."""
    said, code = analyze(system, "verify", "--man=no", f"{unit}.service")
    found = [line for line in said.splitlines() if "longbow" in line]
    return found if found or code == 0 else said.splitlines()


@pytest.mark.parametrize("unit", UNITS)
def test_systemd_finds_nothing_wrong_with_the_units(system, unit):
    assert complaints(system, unit) == []


@pytest.mark.parametrize("unit", UNITS)
def test_the_units_leave_little_open(system, unit):
    said, code = analyze(system, "security", "--offline=true", f"--threshold={OPEN}", f"{unit}.service")
    assert code == 0 and "Overall exposure level" in said, said


@pytest.mark.parametrize("broken", ["NoNewPriviliges=yes\n", "Type=exec\nExecStart=/usr/bin/longbow twice\n", "SystemCallFilter=@everything\n"])
def test_systemd_would_see_a_fault(system, broken, tmp_path):
    root = tmp_path / "broken"
    shutil.copytree(system, root, symlinks=True)
    with (root / "etc/systemd/system/longbow-jobsender.service").open("a") as unit:
        unit.write(broken)
    assert complaints(root, "longbow-jobsender")
