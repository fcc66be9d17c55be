"""What a judge that nobody here wrote (checkov) says of the Terraform. Each waiver stands in the resource that it is about, with its reason."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from terraform import ROOT

HERE = Path(__file__).resolve().parent
VENV = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "checkov-venv"


@pytest.fixture(scope="session")
def checkov():
    """The program; installed at the first run."""
    wish, have = HERE / "requirements.txt", VENV / ".installed"
    if not (have.is_file() and have.read_text() == wish.read_text()):
        shutil.rmtree(VENV, ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", VENV], check=True)
        pip = [VENV / "bin/python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", wish]
        run = subprocess.run(pip, capture_output=True, text=True, timeout=500)
        if run.returncode:
            pytest.skip(f"checkov cannot be installed here: {run.stderr.strip().splitlines()[-1]}")
        shutil.copy(wish, have)
    return VENV / "bin" / "checkov"


@pytest.mark.no_terraform
def test_checkov_finds_nothing_that_is_not_waived_with_a_reason(checkov):
    command = [checkov, "-d", ROOT / "deploy", "--framework", "terraform", "--skip-download", "--compact", "-o", "json"]
    run = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "LOG_LEVEL": "ERROR"})
    found = json.loads(run.stdout)
    assert found["summary"]["parsing_errors"] == 0
    failed = {f"{c['check_id']} {c['check_name']}: {c['file_path']} {c['resource']}" for c in found["results"]["failed_checks"]}
    assert not failed, "\n".join(sorted(failed))
    assert found["summary"]["passed"] > 200


@pytest.mark.no_terraform
def test_every_waiver_has_a_reason():
    waivers = [
        line.strip() for path in (ROOT / "deploy").rglob("*.tf") for line in path.read_text().splitlines() if "checkov:skip" in line
    ]
    assert waivers
    for waiver in waivers:
        assert re.fullmatch(r"#checkov:skip=CKV2?_[A-Z]+_\d+:.{8,}", waiver), waiver
