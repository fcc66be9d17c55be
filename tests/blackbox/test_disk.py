"""A disk that is full: for the state, and for a destination folder. Needs the right to mount a small tmpfs."""

import shutil
import subprocess

import pytest

from stores import MIB, content, tree


@pytest.fixture
def small_disk(tmp_path):
    """Makes a file system of a few MiB, gone after the test."""
    mounted = []

    def make(mebibytes):
        place = tmp_path / f"disk{len(mounted)}"
        place.mkdir()
        command = ["mount", "-t", "tmpfs", "-o", f"size={mebibytes}m,nr_inodes=4096", "longbow-test", str(place)]
        if not shutil.which("mount") or subprocess.run(command, capture_output=True, check=False).returncode != 0:
            pytest.skip("needs the right to mount a tmpfs")
        mounted.append(place)
        return place

    yield make
    for place in mounted:
        subprocess.run(["umount", "-l", str(place)], check=True)


def test_a_full_disk_for_the_state(ministack, make_bucket, longbow, small_disk):
    source, destination = make_bucket(ministack), make_bucket(ministack)
    source.fill({f"k{i:03}": b"x" for i in range(50)})
    state = small_disk(1)
    (state / "filler").write_bytes(b"f" * (MIB - 8 * 1024))
    run = longbow.sync(source.at(), destination.at(), "--state-dir", state, "--delete", expect=None)
    assert run.code in (1, 2), str(run)
    assert str(state) in run.err + run.out and ("space" in run.err + run.out or "full" in run.err + run.out), str(run)
    (state / "filler").unlink()
    # Room again: the same command ends the work.
    shutil.rmtree(state / "longbow", ignore_errors=True)
    run = longbow.sync(source.at(), destination.at(), "--state-dir", state, expect=None)
    assert run.code == 0, str(run)
    assert destination.keys() == source.keys()


def test_a_full_disk_at_the_destination(ministack, make_bucket, longbow, small_disk):
    source, target = make_bucket(ministack), small_disk(4)
    source.fill({"big": content(6 * MIB), "small": b"s"})
    run = longbow.sync(source.at(), target, "--max-attempts", "2", expect=1)
    assert tree(target) == {"small": b"s"}, "a partial file or a temporary one was left"
    assert set(run.lines("failed")) == {"big"}
    assert "space" in run.lines("failed")["big"]["reason"], run.lines("failed")
