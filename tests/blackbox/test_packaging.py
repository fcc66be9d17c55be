"""The Debian package: it unpacks into a scratch root, and the program in it runs."""

import gzip
import hashlib
import shutil
import subprocess
from pathlib import Path

import pytest

from program import binary

ROOT = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.skipif(not shutil.which("dpkg-deb"), reason="dpkg-deb is not installed")


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    """The package of the program under test."""
    return build(tmp_path_factory.mktemp("deb"))


def build(out):
    """Makes the package."""
    command = [ROOT / "packaging" / "build-deb", "--binary", binary(), "--out", out]
    made = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert made.returncode == 0, made.stderr
    return Path(made.stdout.strip())


def output(*command):
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout


def test_the_package_unpacks_and_its_program_runs(package, tmp_path):
    scratch = tmp_path / "root"
    output("dpkg-deb", "-x", package, scratch)
    told = output(scratch / "usr/bin/longbow", "--version").split()
    assert told[0] == "longbow"
    fields = dict(line.split(": ", 1) for line in output("dpkg-deb", "-f", package).splitlines() if ": " in line)
    assert (fields["Package"], fields["Version"]) == ("longbow", told[1])
    assert "libc6 (>= 2." in fields["Depends"] and "ca-certificates" in fields["Depends"]
    assert package.name == f"longbow_{told[1]}_{fields['Architecture']}.deb"

    listing = output("dpkg-deb", "-c", package).splitlines()
    assert all(" root/root " in line for line in listing), "everything belongs to root"
    assert not [line for line in listing if line[5] == "w" or line[8] == "w"], "nobody else writes"
    page = gzip.decompress((scratch / "usr/share/man/man1/longbow-worker.1.gz").read_bytes()).decode()
    assert "exit-when-empty" in page.replace("\\", "")
    completions = (
        "bash-completion/completions/longbow",
        "zsh/vendor-completions/_longbow",
        "fish/vendor_completions.d/longbow.fish",
    )
    for completion in completions:
        assert "jobsender" in (scratch / "usr/share" / completion).read_text()
    units = {unit.name for end in ("service", "timer") for unit in (ROOT / "packaging").glob(f"*.{end}")}
    folder = scratch / "usr/lib/systemd/system"
    assert units == ({unit.name for unit in folder.iterdir()} if folder.exists() else set())
    for unit in units:
        for line in (folder / unit).read_text().splitlines():
            if line.startswith("ExecStart="):
                assert (scratch / line.removeprefix("ExecStart=").split()[0].lstrip("/")).is_file(), line
    control = tmp_path / "control"
    output("dpkg-deb", "-e", package, control)
    for script in ("postinst", "prerm"):
        subprocess.run(["sh", "-n", control / script], check=True)


def test_the_same_program_gives_the_same_package(package, tmp_path):
    digests = {hashlib.sha256(one.read_bytes()).hexdigest() for one in (package, build(tmp_path))}
    assert len(digests) == 1


def test_the_image_is_not_run_by_root():
    lines = (ROOT / "packaging" / "Dockerfile").read_text().splitlines()
    stages = [line.split()[1] for line in lines if line.startswith("FROM ")]
    assert len(stages) == 2 and all(":" in stage and not stage.endswith(":latest") for stage in stages)
    assert "nonroot" in stages[-1] and "USER nonroot:nonroot" in lines
    toolchain = next(line for line in (ROOT / "Cargo.toml").read_text().splitlines() if line.startswith("rust-version"))
    assert toolchain.split('"')[1] in stages[0], "the image builds with the toolchain that is asked for"
