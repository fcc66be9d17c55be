#!/usr/bin/env python3
"""Longbow beside rclone: client CPU seconds and peak memory of the same copies, on the same server, in the same minutes.

A bucket is streamed to a fresh bucket of a SeaweedFS on loopback by each program in turn. Wall time is not compared: the
server takes most of it. See README.md beside this file for what is measured and how to read it.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
VENV = TARGET / "bench-venv"
sys.path.insert(0, str(ROOT / "tests" / "blackbox"))


def enter_venv():
    """Goes on as the Python of a venv that holds what `requirements.txt` says."""
    wish, have = ROOT / "benches" / "requirements.txt", VENV / ".installed"
    if not have.exists() or have.read_bytes() != wish.read_bytes():
        shutil.rmtree(VENV, ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", VENV], check=True)
        subprocess.run([VENV / "bin" / "python", "-m", "pip", "install", "--quiet", "--requirement", wish], check=True)
        shutil.copy(wish, have)
    os.execv(VENV / "bin" / "python", [str(VENV / "bin" / "python"), *sys.argv])


if Path(sys.prefix) != VENV:
    enter_venv()

from chaos import Proxy  # noqa: E402
from servers import ACCESS_KEY, REGION, SECRET_KEY, peak_kib, program, start_seaweedfs  # noqa: E402
from stores import GIB, KIB, MIB, Bucket, Store, content, each  # noqa: E402
from zeros import Zeros  # noqa: E402

RCLONE_FLAGS = [
    "--transfers", "32", "--checkers", "32", "--s3-chunk-size", "16M", "--s3-upload-concurrency", "8", "--fast-list",
    "--no-update-modtime", "--s3-no-check-bucket",
]  # fmt: skip
# Objects, bytes of each, bytes of a part (None: written whole), and the goal: Longbow's share of rclone's CPU.
DATA = {
    "big": (1, GIB, 16 * MIB, 0.45),
    "medium": (16, 64 * MIB, None, 1.0),
    "medium-parts": (16, 64 * MIB, 16 * MIB, 1.0),
    "small": (20_000, 16 * KIB, None, 0.35),
}
SECOND_GOAL_SECONDS, MEMORY_GOAL_MIB = 0.6, 128
SCENARIOS = [*DATA, "second", "memory"]


class Measured:
    """What one run of a program took: CPU seconds, peak MiB, wall seconds."""

    def __init__(self, cpu, peak, wall, output):
        self.cpu, self.peak, self.wall, self.output = cpu, peak, wall, output


def measure(command, environment):
    """Runs it to its end. A failure ends the benchmark."""
    with tempfile.TemporaryFile() as output:
        began = time.monotonic()
        process = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
        peak = 0
        while True:
            # The kernel's own figure at the end would hold the peak of this Python, too, from before the exec.
            peak = max(peak, peak_kib(process.pid))
            pid, status, usage = os.wait4(process.pid, os.WNOHANG)
            if pid:
                break
            time.sleep(0.01)
        wall = time.monotonic() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        text = output.read().decode(errors="replace")
    if process.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))} ended with {process.returncode}:\n{text[-4000:]}")
    return Measured(usage.ru_utime + usage.ru_stime, peak / KIB, wall, text)


class Bench:
    """The server, its data sets and the programs."""

    def __init__(self, longbow, folder):
        self.longbow, self.folder = longbow, folder
        folder.mkdir(parents=True, exist_ok=True)
        self.server = start_seaweedfs(folder, memory="1500MiB", keep=True)
        self.store = Store("seaweedfs", self.server.url, ACCESS_KEY, SECRET_KEY)
        self.rclone = program("rclone")
        self.made = 0
        self.config = folder / "rclone.conf"
        remote = (
            f"type = s3\nprovider = SeaweedFS\nendpoint = {self.server.url}\nregion = {REGION}\n"
            f"access_key_id = {ACCESS_KEY}\nsecret_access_key = {SECRET_KEY}\n"
        )
        # Two remotes: between two names rclone streams instead of asking the server to copy.
        self.config.write_text(f"[one]\n{remote}\n[two]\n{remote}")

    def close(self):
        """Stops the server; the data sets stay for the next time."""
        self.server.stop()

    def data(self, name):
        """The source bucket of a scenario, made when it is not there as it should be."""
        count, size, part, _ = DATA[name]
        bucket = Bucket(self.store, f"data-{name}")
        found = bucket.listing()
        if len(found) == count and all(line["Size"] == size for line in found.values()):
            return bucket
        print(f"making {count} x {size // KIB} KiB for {name} …", file=sys.stderr)
        bucket.delete(*found)
        width = max(1, count // 200)

        def make(i):
            key = f"{i // width:03}/object-{i:06}"
            if part:
                bucket.put_parts(key, content(size, i), part)
            else:
                bucket.put(key, content(size, i) if size > MIB else os.urandom(size))
            content.cache_clear()

        if size > MIB:
            for i in range(count):
                make(i)
        else:
            each(make, range(count))
        return bucket

    def fresh(self):
        """An empty bucket."""
        self.made += 1
        return Bucket(self.store, f"copy-{os.getpid()}-{self.made}")

    def remove(self, bucket):
        """SeaweedFS removes a bucket with all that is in it."""
        bucket.client.delete_bucket(Bucket=bucket.name)

    def environment(self, home):
        """A home of its own and the credentials."""
        return {
            "PATH": os.environ["PATH"], "HOME": str(home), "XDG_STATE_HOME": str(home), "AWS_ACCESS_KEY_ID": ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET_KEY, "AWS_REGION": REGION, "AWS_EC2_METADATA_DISABLED": "true",
        }  # fmt: skip

    def run_longbow(self, source, destination, home, endpoint=None):
        """One `longbow sync` through this machine."""
        sides = [f"s3://{source.name}", f"s3://{destination.name}", "--endpoint-url", endpoint or self.server.url]
        return measure([self.longbow, "sync", *sides, "--method", "stream", "--json"], self.environment(home))

    def run_rclone(self, source, destination, home):
        """One `rclone copy` with the flags of a user who wants speed."""
        command = [self.rclone, "copy", f"one:{source.name}", f"two:{destination.name}", "--config", self.config]
        return measure([*command, *RCLONE_FLAGS], self.environment(home))

    def check(self, source, destination, parts):
        """The copy holds the same keys and sizes; and the same tags, where the parts are the same."""
        left, right = source.listing(), destination.listing()
        wrong = [key for key in left if key not in right or left[key]["Size"] != right[key]["Size"]]
        wrong += [key for key in right if key not in left]
        if parts is None:
            wrong += [key for key in left if key in right and left[key]["ETag"] != right[key]["ETag"]]
        if wrong:
            sys.exit(f"{destination.name} is no copy of {source.name}: {len(wrong)} keys differ, {wrong[:3]}")

    def copies(self, name, runs, programs):
        """Alternating copies of one data set; the measures by program."""
        source = self.data(name)
        found = {program: [] for program in programs}
        for n in range(runs):
            for tool in programs:
                destination = self.fresh()
                with tempfile.TemporaryDirectory(dir=self.folder) as home:
                    run = {"longbow": self.run_longbow, "rclone": self.run_rclone}[tool]
                    measured = run(source, destination, Path(home))
                self.check(source, destination, DATA[name][2])
                self.remove(destination)
                found[tool].append(measured)
                print(f"{name:13} {tool:8} run {n + 1}: {measured.cpu:6.2f} CPU-s {measured.peak:6.0f} MiB "
                      f"{measured.wall:6.1f} s wall", file=sys.stderr)  # fmt: skip
        return found

    def second(self, runs):
        """A run over keys that are all there: CPU seconds, and what it asks the server."""
        source, destination = self.data("small"), self.fresh()
        with tempfile.TemporaryDirectory(dir=self.folder) as home:
            home = Path(home)
            self.run_longbow(source, destination, home)
            measured = [self.run_longbow(source, destination, home) for _ in range(runs)]
            proxy = Proxy(self.server.url)
            self.run_longbow(source, destination, home, proxy.url)
            requests = proxy.counts()
            proxy.close()
        self.check(source, destination, None)
        self.remove(destination)
        return measured, requests


def memory(longbow, folder):
    """Peaks for objects of two sizes, against a server that holds nothing but zeros."""
    found = {}
    for size in (512 * MIB, 8 * GIB):
        zeros = Zeros(size)
        with tempfile.TemporaryDirectory(dir=folder) as home:
            environment = {"PATH": os.environ["PATH"], "HOME": home, "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b",
                           "AWS_REGION": REGION, "AWS_EC2_METADATA_DISABLED": "true"}  # fmt: skip
            command = [
                longbow,
                "sync",
                "s3://source",
                "s3://destination",
                "--endpoint-url",
                zeros.url,
                "--method",
                "stream",
            ]
            found[size] = measure(command, environment)
        if zeros.written != {"k": size}:
            sys.exit(f"the copy of {size} bytes did not arrive")
        zeros.close()
    return found


def summary(found):
    """Medians."""
    return {
        "cpu_seconds": round(statistics.median(m.cpu for m in found), 2),
        "peak_mib": round(max(m.peak for m in found)),
        "wall_seconds": round(statistics.median(m.wall for m in found), 1),
        "runs": [round(m.cpu, 2) for m in found],
    }


def table(results):
    """The results as a Markdown table."""
    lines = [
        "| scenario | program | CPU-s (median) | runs | per | peak MiB | share of rclone | goal |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, result in results.items():
        for tool in ("longbow", "rclone"):
            if tool not in result:
                continue
            one = result[tool]
            share = f"{result['share']:.0%}" if tool == "longbow" and "share" in result else ""
            goal = result.get("goal", "") if tool == "longbow" else ""
            per = result.get("per", {}).get(tool, "")
            runs = " ".join(str(r) for r in one["runs"])
            lines.append(
                f"| {name} | {tool} | {one['cpu_seconds']:.2f} | {runs} | {per} | {one['peak_mib']} | {share} | {goal} |"
            )
    return "\n".join(lines)


def default_longbow():
    """The program as it is shipped, else as the tests build it."""
    for profile in ("dist", "release"):
        if (TARGET / profile / "longbow").is_file():
            return TARGET / profile / "longbow"
    return None


def main():
    """Runs what was asked for and prints a table and JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scenario", action="append", choices=SCENARIOS, help="repeatable; all without")
    parser.add_argument("--runs", type=int, default=3, help="runs of each program")
    parser.add_argument("--longbow", type=Path, default=default_longbow(), help="the program to measure")
    parser.add_argument("--only", choices=["longbow", "rclone"], help="measure one program alone")
    parser.add_argument("--json", type=Path, help="write the results there as well")
    parser.add_argument("--forget", action="store_true", help="make the data sets anew")
    arguments = parser.parse_args()
    programs = [arguments.only] if arguments.only else ["longbow", "rclone"]
    scenarios = arguments.scenario or SCENARIOS
    if "longbow" in programs and not (arguments.longbow and arguments.longbow.is_file()):
        sys.exit("no longbow to measure: cargo build --profile dist --locked, or --longbow PATH")
    folder = TARGET / "bench"
    if arguments.forget:
        shutil.rmtree(folder, ignore_errors=True)
    bench, results = Bench(arguments.longbow, folder), {}
    try:
        for name in scenarios:
            if name in DATA:
                count, size, _, goal = DATA[name]
                found = bench.copies(name, arguments.runs, programs)
                result = {tool: summary(runs) for tool, runs in found.items()}
                unit, amount = ("10,000 objects", count / 10_000) if name == "small" else ("GiB", count * size / GIB)
                result["per"] = {t: f"{r['cpu_seconds'] / amount:.2f} a {unit}" for t, r in result.items()}
                if len(programs) == 2:
                    result["share"] = result["longbow"]["cpu_seconds"] / result["rclone"]["cpu_seconds"]
                    result["goal"] = f"at most {goal:.0%}, {MEMORY_GOAL_MIB} MiB"
                results[name] = result
            elif name == "second" and "longbow" in programs:
                found, requests = bench.second(arguments.runs)
                results[name] = {
                    "longbow": summary(found),
                    "goal": f"at most {SECOND_GOAL_SECONDS} CPU-s, listings only",
                    "requests": requests,
                }
            elif name == "memory" and "longbow" in programs:
                for size, measured in memory(arguments.longbow, folder).items():
                    result = {
                        "longbow": summary([measured]),
                        "goal": f"at most {MEMORY_GOAL_MIB} MiB, the same for both",
                    }
                    result["per"] = {"longbow": f"{measured.cpu / (size / GIB):.2f} a GiB"}
                    results[f"memory, {size // MIB} MiB"] = result
    finally:
        bench.close()
    print(table(results))
    if "second" in results:
        print(f"\nrequests of the second run: {results['second']['requests']}")
    text = json.dumps(results, indent=2)
    print("\n" + text)
    if arguments.json:
        arguments.json.write_text(text + "\n")


if __name__ == "__main__":
    main()
