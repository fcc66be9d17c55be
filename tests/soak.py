#!/usr/bin/env python3
"""A soak: a jobsender and workers on the test servers, round after round, among kills, stops, duplicates, overwrites and faults.

After each round a reader that shares no code with longbow compares everything, the queues are empty and no dead letter is
there. One worker lives as long as the soak: its memory and its descriptors must not grow. Not part of the ordinary tests;
`tests/run --long` starts it.

    tests/soak.py [--minutes 30] [--seed N] [--home FOLDER]

It needs what the black-box tests need; the servers come from the environment (`tests/run`), or are started here.
"""

import argparse
import os
import random
import signal
import sys
import tempfile
import time
from pathlib import Path
from zlib import crc32

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "blackbox"))

import faults  # noqa: E402
from chaos import Proxy  # noqa: E402
from fleet import Cluster, arguments, wait_for  # noqa: E402
from program import Longbow  # noqa: E402
from servers import Servers  # noqa: E402
from stores import KIB, MIB, Bucket, Store, assert_same, content, each  # noqa: E402

WORKERS = 3
# Of all requests to the stores, in percent, while a round runs.
FAULTY = 8
# How long a worker is stopped: longer than a job stays hidden.
STOPPED = 7
# What a round may take on a machine that is busy with other things.
ROUND_SECONDS = 600
# Of the worker that lives on: the most memory, and what may come on top of what it had after its second round.
MOST_MIB, MORE_MIB, MORE_DESCRIPTORS = 256, 48, 48


def memory_mib(pid):
    """What a process holds now."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise AssertionError(f"process {pid} is gone")


def descriptors(pid):
    """How many files and sockets a process has open."""
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


class Mischief:
    """A share of all requests to a store goes wrong, in one of the ways in which requests do."""

    def __init__(self, seed):
        self._chance = random.Random(seed)

    def __call__(self, exchange):
        chance = self._chance
        if chance.randrange(100) >= FAULTY:
            return None
        ways = [faults.slow_down(), faults.Refuse(500, "InternalError"), faults.Delay(0.3)]
        size = int(exchange.headers.get("content-length", 0))
        at = chance.randrange(max(1, size))
        if exchange.operation in ("PutObject", "UploadPart") and size:
            ways += [faults.FlipRequest(at, chance.randrange(1, 256)), faults.CutRequest(at), faults.LoseReply()]
        if exchange.operation == "GetObject":
            # A place that most bodies have.
            at = chance.randrange(4 * KIB)
            ways += [
                faults.FlipReply(at, chance.randrange(1, 256)), faults.CutReply(at), faults.ResetReply(at),
                faults.ShortenReply(1), faults.SlowStart(2 * KIB, 1),
            ]  # fmt: skip
        if exchange.operation == "CompleteMultipartUpload":
            ways += [faults.error_in_200(), faults.error_in_200(acted=True), faults.LoseReply()]
        return chance.choice(ways)


class Soak:
    """The whole scene."""

    def __init__(self, stores, home, seed):
        self.seed, self.chance = seed, random.Random(seed)
        self.ministack, seaweedfs = stores["ministack"], stores["seaweedfs"]
        name = f"soak-{os.getpid()}"
        self.source, self.destination = Bucket(seaweedfs, f"{name}-source"), Bucket(seaweedfs, f"{name}-copy")
        self.reads, self.writes = Proxy(seaweedfs.url), Proxy(seaweedfs.url)
        self.cluster = Cluster(self.ministack)
        self.longbow = Longbow(home, seaweedfs.access_key, seaweedfs.secret_key)
        self.longbow.environment |= self.cluster.environment | {
            "LONGBOW_WORKER__RETRY_FIRST": "50ms", "LONGBOW_WORKER__MAX_ATTEMPTS": "12",
        }  # fmt: skip
        self.longbow("state", "create-table", "--table", self.cluster.table)
        self.sides = [
            *self.longbow.sides(self.source.at(via=self.reads), self.destination.at(via=self.writes)),
            *self.cluster.flags, "--method", "stream", "--json",
        ]  # fmt: skip
        self.workers = [self.start() for _ in range(WORKERS)]
        self.rounds = self.kills = self.stops = self.ends = self.doubled = self.overwritten = self.faulted = 0
        self.bytes, self.watched = 0, []

    def start(self):
        return self.longbow.start("worker", *self.sides)

    @property
    def elder(self):
        """The worker that is stopped at times, and never ended."""
        return self.workers[0]

    def write(self, count):
        """New objects and new versions of old ones."""
        def one(number):
            chance = random.Random(f"{self.seed} {self.rounds} {self.overwritten} {number}")
            key = f"{chance.randrange(9)}/{chance.randrange(1500):04}"
            if chance.random() < 0.04:
                body = content(chance.randrange(5 * MIB, 14 * MIB), chance.randrange(1 << 30))
                self.source.put_parts(f"large {key}", body, 5 * MIB)
            else:
                body = content(chance.choice([0, 1, 900, 16_000, 70_000, 700_000]), chance.randrange(1 << 30))
                # The same bytes have the same: what differs in nothing but metadata no listing can tell.
                self.source.put(key, body, Metadata={"crc": f"{crc32(body):x}"})
            return len(body)

        self.bytes += sum(each(one, range(count)))
        self.overwritten += count

    def double(self):
        """Some messages come a second time."""
        for _ in range(8):
            taken = self.cluster.take(self.cluster.queue, hidden=0)
            self.cluster.send(*[message["Body"] for message in taken])
            self.doubled += len(taken)

    def disturb(self):
        """Ends a worker, in one of the ways in which they end, or stops one for a while."""
        what, victim = self.chance.choice(["kill", "stop", "end", "none"]), self.chance.randrange(1, WORKERS)
        if what == "kill":
            self.workers[victim].kill()
            self.workers[victim].process.wait()
            self.kills += 1
        elif what == "end":
            self.workers[victim].signal(signal.SIGTERM)
            self.longbow.judge(self.workers[victim].wait(time.monotonic() - self.workers[victim].started + 120), 0)
            self.ends += 1
        elif what == "stop":
            stopped = self.workers[self.chance.randrange(WORKERS)]
            stopped.signal(signal.SIGSTOP)
            time.sleep(STOPPED)
            stopped.signal(signal.SIGCONT)
            self.stops += 1
        if what in ("kill", "end"):
            self.workers[victim] = self.start()

    def is_empty(self):
        """Whether no job is left."""
        for worker in self.workers:
            assert worker.process.poll() is None, f"a worker ended by itself:\n{worker.wait()}"
        return self.cluster.depth() == (0, 0, 0)

    def round(self):
        """Changes the source, copies it among faults, and compares."""
        began = time.monotonic()
        self.write(300)
        mischief = Mischief(f"{self.seed} {self.rounds}")
        rules = [proxy.inject(mischief) for proxy in (self.reads, self.writes)]
        for worker in self.workers:
            worker.signal(signal.SIGSTOP)
        self.longbow("jobsender", *self.sides, timeout=ROUND_SECONDS)
        self.double()
        for worker in self.workers:
            worker.signal(signal.SIGCONT)
        for _ in range(3):
            self.disturb()
            self.write(15)
        wait_for(self.is_empty, "the queue is empty", ROUND_SECONDS)
        self.faulted += sum(rule.hits for rule in rules)
        for proxy in (self.reads, self.writes):
            proxy.calm()
        assert self.doubled and self.faulted
        # What was overwritten meanwhile has jobs of its own, until nothing is left to do.
        for _ in range(5):
            if self.longbow("jobsender", *self.sides, timeout=ROUND_SECONDS).summary["jobs_sent"] == 0:
                break
            wait_for(self.is_empty, "the queue is empty", ROUND_SECONDS)
        else:
            raise AssertionError("the jobsender always finds something to do")
        assert_same(self.source, self.destination)
        assert self.cluster.depth(self.cluster.dead) == (0, 0, 0), "there are dead letters"
        # Whoever is killed between the beginning of an upload and its record leaves one; the sweep finds it after a day.
        left = len(self.destination.uploads())
        assert left <= self.kills, f"{left} uploads are left"
        self.rounds += 1
        pid = self.elder.process.pid
        self.watched.append((memory_mib(pid), descriptors(pid)))
        memory, files = self.watched[-1]
        print(
            f"round {self.rounds}: {time.monotonic() - began:.0f} s; {len(self.source.listing())} objects; so far "
            f"{self.overwritten} writes of {self.bytes / MIB:.0f} MiB, {self.faulted} faults, {self.doubled} jobs doubled, "
            f"{self.kills} kills, {self.stops} stops, {self.ends} ends; {left} uploads left; the elder has "
            f"{memory:.0f} MiB and {files} descriptors",
            flush=True,
        )
        assert memory < MOST_MIB, f"{memory:.0f} MiB"
        if len(self.watched) > 2:
            first_memory, first_files = self.watched[1]
            assert memory <= first_memory + MORE_MIB, f"the memory grows: {self.watched}"
            assert files <= first_files + MORE_DESCRIPTORS, f"the descriptors grow: {self.watched}"

    def finish(self):
        """All workers end when they are told to."""
        for worker in self.workers:
            worker.signal(signal.SIGTERM)
        for worker in self.workers:
            self.longbow.judge(worker.wait(time.monotonic() - worker.started + 120), 0)

    def close(self):
        """Leaves nothing behind."""
        for worker in self.workers:
            if worker.process.poll() is None:
                worker.kill()
                worker.process.wait()
        for proxy in (self.reads, self.writes):
            proxy.close()
        for bucket in (self.source, self.destination):
            bucket.remove()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=30.0, help="how long rounds are begun (30)")
    parser.add_argument("--seed", default=str(random.randrange(1 << 32)), help="of all that is left to chance")
    parser.add_argument("--home", type=Path, help="where logs and state of the program go; kept")
    asked = parser.parse_args()
    names = ("LONGBOW_TEST_SEAWEEDFS", "LONGBOW_TEST_MINISTACK", "LONGBOW_TEST_ACCESS_KEY", "LONGBOW_TEST_SECRET_KEY")
    servers = None if all(name in os.environ for name in names) else Servers(ROOT / "target" / "test-servers")
    variables = servers.variables() if servers else os.environ
    keys = variables[names[2]], variables[names[3]]
    stores = {"seaweedfs": Store("seaweedfs", variables[names[0]], *keys),
              "ministack": Store("ministack", variables[names[1]], *keys)}  # fmt: skip
    print(f"soak of {asked.minutes:g} minutes, seed {asked.seed}", flush=True)
    try:
        with tempfile.TemporaryDirectory() as folder:
            soak = Soak(stores, asked.home or Path(folder), asked.seed)
            try:
                deadline = time.monotonic() + asked.minutes * 60
                while time.monotonic() < deadline:
                    soak.round()
                soak.finish()
            finally:
                soak.close()
    finally:
        if servers:
            servers.stop()
    print(f"soak passed: {soak.rounds} rounds, seed {asked.seed}")


if __name__ == "__main__":
    main()
