"""Faults of the machine: a wrong clock, few descriptors, little memory, a state that cannot be written, names and hosts that do not answer.

Apart from `test_faults.py`, which has the faults of a store. A clock is put wrong for the program alone, by a small library
that is loaded before the system's; where no compiler is to be had, those tests are skipped.
"""

import array
import fcntl
import os
import resource
import shutil
import socket
import subprocess
import termios
from pathlib import Path

import pytest

import faults
from fleet import Cluster, wait_for
from program import binary
from stores import GIB, MIB, Place, assert_same, content
from zeros import Zeros

@pytest.fixture
def store(seaweedfs):
    """One that checks when a request was signed."""
    return seaweedfs


@pytest.fixture
def longbow(make_longbow):
    """In a hurry: what is tried again, is tried again soon."""
    longbow = make_longbow()
    longbow.environment |= {"LONGBOW_WORKER__RETRY_FIRST": "50ms", "LONGBOW_WORKER__RETRY_MOST": "500ms"}
    return longbow


@pytest.mark.parametrize("minutes", [20, -20])
def test_a_clock_that_is_wrong_by_twenty_minutes_does_no_harm(source, destination, longbow, clock, minutes):
    """The store refuses what was signed then. Most of it is signed anew with the store's own time; what is not fails and says
    why, and a failure removes nothing."""
    objects = {"k": b"k", "large": content(12 * MIB)}
    source.fill(objects)
    destination.put("extra", b"e")
    clock.set(minutes * 60)
    run = longbow.sync(
        source.at(), destination.at(), "--method", "stream", "--delete", env=clock.environment, expect=None
    )
    assert run.code in (0, 1) and run.seconds < 20, str(run)
    left = destination.listing()
    assert run.code == 0 or "extra" in left, "something was removed after a failure"
    assert all(destination.get(key) == objects[key] for key in left if key != "extra")
    assert set(run.lines("copied")) == set(left) - {"extra"}
    assert all("clock" in line["reason"] for line in run.lines("failed").values()), str(run)
    clock.set(0)
    longbow.sync(source.at(), destination.at(), "--method", "stream", env=clock.environment)
    assert {key: destination.get(key) for key in objects} == objects


@pytest.mark.parametrize("minutes", [10, -10])
def test_a_clock_that_jumps_in_mid_run_changes_no_outcome(source, destination, longbow, clock, make_proxy, minutes):
    """By less than signatures allow."""
    source.put_parts("large", content(32 * MIB), 5 * MIB)
    source.fill({f"k{n}": content(1000 + n, n) for n in range(20)})
    writes = make_proxy(destination.store)
    jump = faults.Call(lambda _: clock.set(minutes * 60))
    rule = writes.inject(jump, "UploadPart", times=1)
    sides = source.at(), destination.at(via=writes)
    run = longbow.sync(*sides, "--method", "stream", env=clock.environment)
    assert rule.hits == 1
    assert_same(source, destination)
    assert all(line["attempts"] == 1 for line in run.report), run.report
    for line in [run.summary, *run.report]:
        times = {name: value for name, value in line.items() if name.endswith("seconds")}
        most = {"seconds": 120, "milliseconds": 120_000}
        assert times and all(0 <= value < most[name] for name, value in times.items()), times
    assert longbow.sync(*sides, env=clock.environment).summary["copied"] == 0


@pytest.mark.parametrize("minutes", [10, -10])
def test_a_clock_that_jumps_ends_no_lease(source, destination, ministack, longbow, clock, make_proxy, minutes):
    """Leases are counted by a clock that never jumps: the job is neither given up nor kept beyond its time."""
    cluster = Cluster(ministack)
    longbow.environment.update(cluster.environment)
    longbow("state", "create-table", "--table", cluster.table)
    source.put_parts("large", content(32 * MIB), 5 * MIB)
    writes = make_proxy(destination.store)
    sides = [*longbow.sides(source.at(), destination.at(via=writes)), *cluster.flags, "--method", "stream", "--json"]
    longbow("jobsender", *sides)
    rule = writes.inject(faults.Call(lambda _: clock.set(minutes * 60)), "UploadPart", times=1)
    done = longbow("worker", *sides, "--exit-when-empty", env=clock.environment)
    assert rule.hits == 1
    assert (done.summary["copied"], done.summary["failed"]) == (1, 0), str(done)
    assert sorted(e.part for e in writes.requests("UploadPart")) == [1, 2, 3, 4, 5, 6, 7], "a part was sent twice"
    assert_same(source, destination)
    assert destination.uploads() == [] and cluster.depth() == (0, 0, 0)


def limited(running, what, most):
    """Puts a limit on a run that has just begun."""
    resource.prlimit(running.process.pid, what, (most, most))
    return running


@pytest.mark.parametrize("most", [24, 64])
def test_few_file_descriptors_lose_nothing(source, destination, longbow, most):
    objects = {f"k{n:03}": content(1000 + n, n) for n in range(300)}
    source.fill(objects)
    sides = source.at(), destination.at()
    running = limited(longbow.start_sync(*sides, "--method", "stream"), resource.RLIMIT_NOFILE, most)
    run = longbow.judge(running.wait(), None)
    assert run.code in (0, 1), str(run)
    # What it said is true.
    if run.code == 0:
        assert run.summary["copied"] == len(objects)
    for key in run.lines("copied"):
        assert destination.get(key) == objects[key]
    longbow.sync(*sides, "--method", "stream")
    assert_same(source, destination)


@pytest.fixture
def memory_group():
    """A group of processes that the kernel ends when they take more than they may."""
    group = Path("/sys/fs/cgroup/memory") / f"longbow-test-{os.getpid()}"
    try:
        group.mkdir()
        (group / "memory.limit_in_bytes").write_text(str(192 * MIB))
    except OSError:
        pytest.skip("needs the right to make a memory cgroup")
    yield group
    # A process that has ended leaves a moment later.
    wait_for(lambda: not (group / "cgroup.procs").read_text(), "the group is empty")
    group.rmdir()


def test_little_memory_is_enough_for_a_large_object(longbow, memory_group):
    """The kernel ends what takes more: no matter how large the object is, it need not."""
    zeros = Zeros(2 * GIB)
    try:
        sides = Place("s3://source", zeros.url), Place("s3://destination", zeros.url)
        running = longbow.start_sync(*sides, "--method", "stream")
        (memory_group / "cgroup.procs").write_text(str(running.process.pid))
        run = longbow.judge(running.wait(), 0)
        assert zeros.written == {"k": 2 * GIB} and run.summary["bytes_copied"] == 2 * GIB
        most = int((memory_group / "memory.max_usage_in_bytes").read_text())
        assert 8 * MIB < most <= 192 * MIB, "the limit was not for this process"
    finally:
        zeros.close()


def test_a_state_that_can_only_be_read_is_told_before_anything_is_copied(ministack, make_bucket, longbow, tmp_path):
    source, destination = make_bucket(ministack), make_bucket(ministack)
    source.put("k", b"k")
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m,ro", "longbow-test", str(place)]
    if not shutil.which("mount") or subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("needs the right to mount a tmpfs")
    try:
        run = longbow.sync(source.at(), destination.at(), "--state-dir", place, "--delete", expect=None)
        assert run.code in (1, 2) and str(place) in run.err and "read-only" in run.err.lower(), str(run)
        assert destination.keys() == []
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


@pytest.mark.parametrize("side", ["source", "destination"])
def test_a_host_that_has_no_address_is_named(ministack, make_bucket, longbow, side):
    bucket = make_bucket(ministack)
    bucket.put("k", b"k")
    nowhere = Place("s3://somewhere", "https://store.invalid")
    sides = (nowhere, bucket.at()) if side == "source" else (bucket.at(), nowhere)
    run = longbow.sync(*sides, "--delete", expect=None)
    assert run.code in (1, 2) and "store.invalid" in run.err + run.out, str(run)
    assert bucket.keys() == ["k"] and run.seconds < 30


@pytest.fixture
def black_hole():
    """An address whose kernel drops what asks for a connection: its queue is full and nobody takes any."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(0)
    waiting = []
    for _ in range(3):
        one = socket.socket()
        one.setblocking(False)
        one.connect_ex(listener.getsockname())
        waiting.append(one)
    yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    for one in [*waiting, listener]:
        one.close()


@pytest.mark.timeout(60)
def test_a_black_hole_is_given_up_and_named(ministack, make_bucket, longbow, black_hole):
    bucket = make_bucket(ministack)
    bucket.put("k", b"k")
    run = longbow.sync(Place("s3://somewhere", black_hole), bucket.at(), "--delete", expect=None)
    assert run.code in (1, 2) and black_hole.removeprefix("http://") in run.err + run.out, str(run)
    assert bucket.keys() == ["k"] and run.seconds < 40


def test_output_that_nobody_reads_makes_it_wait_and_loses_nothing(ministack, make_bucket, longbow):
    """A pipe that is full holds the program up; as soon as it is read, the program goes on to its end."""
    source, destination = make_bucket(ministack), make_bucket(ministack)
    objects = {f"k{n:03}": content(100, n) for n in range(200)}
    source.fill(objects)
    command = [binary(), "sync", *longbow.sides(source.at(), destination.at()), "--json", "-vv"]
    environment = longbow.environment | {"LONGBOW_LOG": "trace"}
    running = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        # Unread bytes that do not grow any more: the pipe is full.
        seen = [-1]

        def stands_still():
            before, seen[0] = seen[0], unread(running.stdout)
            return seen[0] > 32 * 1024 and seen[0] == before

        wait_for(stands_still, "the pipe is full")
        assert running.poll() is None
        out, _ = running.communicate(timeout=40)
    finally:
        running.kill()
        running.wait()
    assert running.returncode == 0 and longbow.secrets[0].encode() not in out
    assert {key: destination.get(key) for key in destination.keys()} == objects


def unread(pipe):
    """How many bytes wait in a pipe."""
    count = array.array("i", [0])
    fcntl.ioctl(pipe, termios.FIONREAD, count)
    return count[0]
