"""The Debian package: it unpacks into a scratch root, and the program in it runs."""

import gzip
import hashlib
import os
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


def for_arm64(path):
    """The program with another machine in its head. It runs nowhere."""
    content = bytearray(Path(binary()).read_bytes())
    content[18:20] = (183).to_bytes(2, "little")
    path.write_bytes(content)
    path.chmod(0o755)
    return path


def test_a_program_for_another_machine_makes_a_package_for_that_machine(tmp_path):
    """Its own words are asked for through an emulator; here one that runs the program of this machine instead."""
    program, tools = for_arm64(tmp_path / "longbow"), tmp_path / "tools"
    tools.mkdir()
    (tools / "qemu-aarch64-static").write_text(
        f'#!/bin/sh\n[ "$1 $2 $3" = "-L /usr/aarch64-linux-gnu {program}" ] || exit 9\nshift 3\nexec {binary()} "$@"\n'
    )
    # This machine is an x86-64 one for the package's script, whatever it is.
    (tools / "dpkg").write_text("#!/bin/sh\necho amd64\n")
    for tool in tools.iterdir():
        tool.chmod(0o755)
    command = [ROOT / "packaging" / "build-deb", "--binary", program, "--out", tmp_path / "out"]
    made = subprocess.run(
        command, capture_output=True, text=True, timeout=300, env={**os.environ, "PATH": f"{tools}:{os.environ['PATH']}"}
    )
    assert made.returncode == 0, made.stderr
    package = Path(made.stdout.strip())
    assert package.name.endswith("_arm64.deb")
    assert "Architecture: arm64\n" in output("dpkg-deb", "-f", package)
    output("dpkg-deb", "-x", package, tmp_path / "root")
    assert (tmp_path / "root/usr/bin/longbow").read_bytes() == program.read_bytes()
    assert (tmp_path / "root/usr/share/man/man1/longbow-worker.1.gz").stat().st_size > 100


def test_a_program_for_an_unknown_machine_is_refused(tmp_path):
    script = tmp_path / "longbow"
    script.write_text("#!/bin/sh\necho longbow 1.0 and some more, since a head has twenty bytes\n")
    script.chmod(0o755)
    made = subprocess.run([ROOT / "packaging" / "build-deb", "--binary", script], capture_output=True, text=True, timeout=60)
    assert made.returncode == 2 and "neither x86-64 nor arm64" in made.stderr


@pytest.mark.parametrize("missing", ["compiler", "library"])
def test_a_build_for_arm64_says_what_is_missing(missing, tmp_path):
    tools = tmp_path / "tools"
    tools.mkdir()
    names = ["rustc"] if missing == "compiler" else ["rustc", "aarch64-linux-gnu-gcc"]
    for name in names:
        (tools / name).write_text(f"#!/bin/sh\necho {tmp_path}/nothing\n")
        (tools / name).chmod(0o755)
    for name in ("bash", "dirname", "env"):
        (tools / name).symlink_to(shutil.which(name))
    made = subprocess.run(
        [ROOT / "packaging" / "build-arm64"], capture_output=True, text=True, timeout=60, env={"PATH": str(tools)}
    )
    wanted = {"compiler": "install gcc-aarch64-linux-gnu", "library": "rustup target add aarch64-unknown-linux-gnu"}[missing]
    assert made.returncode == 2 and wanted in made.stderr, made.stderr


def test_the_image_is_not_run_by_root():
    lines = (ROOT / "packaging" / "Dockerfile").read_text().splitlines()
    stages = [line.replace("--platform=$BUILDPLATFORM ", "").split()[1] for line in lines if line.startswith("FROM ")]
    assert len(stages) == 2 and all(":" in stage and not stage.endswith(":latest") for stage in stages)
    assert "nonroot" in stages[-1] and "USER nonroot:nonroot" in lines
    toolchain = next(line for line in (ROOT / "Cargo.toml").read_text().splitlines() if line.startswith("rust-version"))
    assert toolchain.split('"')[1] in stages[0], "the image builds with the toolchain that is asked for"
