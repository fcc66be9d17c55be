"""What a machine does at its first start: the script is linted and run in a folder of its own, with stand-ins for what it calls."""

import base64
import hashlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from program import binary
from terraform import ROOT, Terraform

STAND_IN = '#!/bin/bash\necho "$(basename "$0") $*" >>"$CALLS"\n'
MACHINE = os.uname().machine
BODY = b"\x7fELF as far as this test goes"
SETTINGS = '[cluster]\nqueue_url = "jobs"\ntable = "longbow"\n'


@pytest.fixture(scope="module")
def scripts(tmp_path_factory):
    """Renders scripts for workers and jobsenders, with the right checksum and a wrong one; this asks AWS nothing."""
    terraform = Terraform(tmp_path_factory.mktemp("boot"))
    terraform.module = terraform.module / "boots"
    terraform.module.mkdir()
    calls, outputs = {}, {}
    for kind in ("worker", "jobsender"):
        for name, sha256 in ((kind, hashlib.sha256(BODY).hexdigest()), (f"wrong-{kind}", "0" * 64)):
            calls[name] = {
                "source": "../modules/boot", "name": "longbow", "kind": kind, "region": "us-east-1", "bucket": "artifacts",
                "settings": SETTINGS, "log_group": "/longbow/x", "boot_log_group": "/longbow/boot",
                "binaries": {MACHINE: {"key": f"longbow/{kind}", "sha256": sha256}},
            }  # fmt: skip
            outputs[name] = {"value": f"${{module.{name}}}"}
    (terraform.module / "main.tf.json").write_text(json.dumps({"module": calls, "output": outputs}))
    terraform.init()
    terraform("apply", "-auto-approve", "-input=false", "-no-color")
    return {name: found["value"] for name, found in terraform.json("output", "-json").items()}


@pytest.fixture
def machine(tmp_path):
    """A machine: a folder, and stand-ins for the programs of its system."""
    folder, calls = tmp_path / "bin", tmp_path / "calls"
    folder.mkdir()
    for name in ("systemctl", "systemd-sysusers", "systemd-tmpfiles", "sysctl", "modprobe", "dnf", "curl", "shutdown", "sleep"):
        (folder / name).write_text(STAND_IN)
    (folder / "curl").write_text(STAND_IN + "echo i-0123\n")
    (tmp_path / "body").write_bytes(BODY)
    # aws s3 cp --only-show-errors s3://… FILE
    copy = f'if [[ $1 == s3 ]]; then cp "{tmp_path}/body" "${{@: -1}}"; fi\n'
    (folder / "aws").write_text(STAND_IN + copy)
    for path in folder.iterdir():
        path.chmod(0o755)

    def run(script, **more):
        path = tmp_path / "boot.sh"
        path.write_text(script)
        environment = {
            "PATH": f"{folder}:{os.environ['PATH']}", "CALLS": str(calls), "LONGBOW_ROOT": str(tmp_path / "root"),
            "TMPDIR": str(tmp_path), **more,
        }  # fmt: skip
        ended = subprocess.run(["bash", path], env=environment, capture_output=True, text=True, timeout=60)
        return ended, calls.read_text().splitlines() if calls.exists() else [], tmp_path / "root"

    run.folder = folder
    return run


@pytest.mark.parametrize("kind", ["worker", "jobsender"])
def test_it_installs_and_starts(scripts, machine, kind):
    ended, calls, root = machine(scripts[kind]["script"])
    assert ended.returncode == 0, ended.stderr
    program = root / "usr/bin/longbow"
    assert program.read_bytes() == BODY and program.stat().st_mode & 0o777 == 0o755
    assert (root / "etc/longbow/longbow.toml").read_text() == SETTINGS
    unit = (root / f"etc/systemd/system/longbow-{kind}.service").read_text()
    assert unit == (ROOT / f"packaging/longbow-{kind}.service").read_text()
    assert (root / "usr/lib/longbow/longbow-instance").stat().st_mode & 0o111
    assert "bbr" in (root / "etc/sysctl.d/60-longbow.conf").read_text()
    assert any(f"longbow-{kind}.service" in call and call.startswith("systemctl") for call in calls), calls
    assert not any("autoscaling" in call for call in calls)
    # What a launch template takes at most, before base64.
    assert len(base64.b64decode(scripts[kind]["user_data"])) < 16384


@pytest.mark.parametrize(("kind", "wanted"), [("worker", "set-instance-health"), ("jobsender", "terminate-instance-in-auto-scaling-group")])
def test_a_binary_that_is_not_the_deployed_one_is_not_installed_and_the_machine_says_so(scripts, machine, kind, wanted):
    # The stand-in of longbow-instance's own tools is on the path as well.
    ended, calls, root = machine(scripts[f"wrong-{kind}"]["script"])
    assert ended.returncode == 1
    assert not (root / "usr/bin/longbow").exists()
    assert "not the one that was deployed" in ended.stderr
    assert any(wanted in call and "i-0123" in call for call in calls), calls
    assert not any(call.startswith("systemctl") for call in calls)


def test_a_bucket_that_does_not_answer_is_asked_again_and_then_given_up(scripts, machine):
    (machine.folder / "aws").write_text(STAND_IN + "[[ $1 != s3 ]]\n")
    ended, calls, _ = machine(scripts["worker"]["script"])
    assert ended.returncode == 1
    assert sum(call.startswith("aws s3 cp") for call in calls) == 5
    assert any("set-instance-health" in call for call in calls)


def test_logs_that_cannot_be_shipped_do_not_stop_the_machine(scripts, machine):
    (machine.folder / "dnf").write_text(STAND_IN + "exit 1\n")
    (machine.folder / "modprobe").write_text(STAND_IN + "exit 1\n")
    ended, calls, _ = machine(scripts["worker"]["script"])
    assert ended.returncode == 0, ended.stderr
    assert any("longbow-worker.service" in call for call in calls)


@pytest.mark.no_terraform
@pytest.mark.parametrize(
    ("result", "system", "told"),
    [("success", "running", True), ("success", "degraded", True), ("success", "stopping", False), ("exit-code", "running", False)],
)
def test_a_machine_whose_worker_has_drained_is_replaced_unless_it_ends_anyway(machine, result, system, told):
    (machine.folder / "systemctl").write_text(STAND_IN + f"echo {system}\n")
    script = (ROOT / "deploy/modules/boot/files/longbow-instance").read_text()
    # Nothing but the argument differs from how the unit calls it.
    ended, calls, _ = machine("set -- drained\n" + script, SERVICE_RESULT=result)
    assert ended.returncode == 0, ended.stderr
    assert any("set-instance-health" in call and "Unhealthy" in call for call in calls) == told


def shellcheck():
    """The linter of the test environment."""
    beside = Path(sys.executable).parent / "shellcheck"
    return beside if beside.exists() else "shellcheck"


def test_the_scripts_pass_shellcheck(scripts, tmp_path):
    path = tmp_path / "boot.sh"
    path.write_text(scripts["worker"]["script"])
    for script in (path, ROOT / "deploy/modules/boot/files/longbow-instance"):
        run = subprocess.run([shellcheck(), "-s", "bash", script], capture_output=True, text=True)
        assert run.returncode == 0, run.stdout


def seconds(unit, key):
    """A time of a unit file."""
    return int(re.search(rf"^{key}=(\d+)s$", unit, re.M)[1])


@pytest.mark.no_terraform
def test_the_unit_leaves_a_drain_its_time_and_does_not_start_what_has_drained():
    unit = (ROOT / "packaging/longbow-worker.service").read_text()
    limit = re.search(r"variable \"drain_seconds\".*?drain_seconds <= (\d+)", (ROOT / "deploy/variables_fleet.tf").read_text(), re.S)
    assert seconds(unit, "TimeoutStopSec") > int(limit[1])
    assert "Restart=on-failure\n" in unit
    for wanted in ("NoNewPrivileges=yes", "ProtectSystem=strict", "User=longbow", "CapabilityBoundingSet=\n", "SystemCallFilter="):
        assert wanted in unit


@pytest.mark.no_terraform
@pytest.mark.parametrize("kind", ["worker", "jobsender"])
def test_no_unit_leaves_a_core_dump_behind(kind):
    assert "\nLimitCORE=1\n" in (ROOT / f"packaging/longbow-{kind}.service").read_text()


@pytest.mark.no_terraform
@pytest.mark.parametrize("kind", ["worker", "jobsender"])
def test_the_units_call_the_program_as_it_wants_to_be_called(kind, tmp_path):
    unit = (ROOT / f"packaging/longbow-{kind}.service").read_text()
    [line] = re.findall(r"^ExecStart=/usr/bin/longbow (.*)$", unit, re.M)
    (tmp_path / "longbow.toml").write_text(SETTINGS)
    arguments = line.replace("/etc/longbow", str(tmp_path)).split()
    environment = {
        "PATH": os.environ["PATH"], "HOME": str(tmp_path), "AWS_EC2_METADATA_DISABLED": "true", "AWS_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "y",
    }  # fmt: skip
    run = subprocess.run([binary(), *arguments], env=environment, capture_output=True, text=True, timeout=60)
    # The flags are taken; what is missing is a route.
    assert run.returncode == 2 and "--routes-parameter" in run.stderr + run.stdout, run.stderr + run.stdout
