"""Runs the real binary as a user would, in a home of its own, and reads what it says.

Apart from the fixtures so that tests which need two homes, a signal or a limit can start it themselves. It judges only
that promises about the output hold for every run: JSON lines that parse, one summary, no secret anywhere.
"""

import json
import os
import signal
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

import rights
from servers import peak_kib
from stores import Place

DEADLINE = 60.0
# Must never be seen in any output; the test servers' own secret is another.
CANARY = "canary-7b1f-must-never-be-printed"


def binary():
    """The program under test."""
    named = os.environ.get("LONGBOW_BIN")
    path = Path(named) if named else Path(__file__).resolve().parents[2] / "target" / "release" / "longbow"
    assert path.is_file(), f"no program at {path}: cargo build --release --locked, or set LONGBOW_BIN"
    return str(path)


@dataclass
class Run:
    """A run that has ended."""

    command: list
    code: int
    out: str
    err: str
    seconds: float
    peak_kib: int = 0
    cpu_seconds: float = 0.0
    events: list = field(default_factory=list)
    report: list = field(default_factory=list)

    @property
    def summary(self):
        """The last event."""
        assert self.events and self.events[-1]["event"] == "summary", f"no summary:\n{self}"
        return self.events[-1]

    def lines(self, outcome):
        """Report lines with this outcome, by key; of several, the first."""
        return {line["key"]: line for line in reversed(self.report) if line["outcome"] == outcome}

    def __str__(self):
        return (
            f"$ {' '.join(self.command)}\nexit code {self.code} after {self.seconds:.1f} s\n"
            f"--- stdout\n{self.out[-6000:]}\n--- stderr\n{self.err[-6000:]}"
        )


class Running:
    """A run that goes on."""

    def __init__(self, command, environment, folder, report=None, cwd=None):
        self.command, self.report, self.started = command, report, time.monotonic()
        self._out, self._err = folder / "stdout", folder / "stderr"
        with open(self._out, "wb") as out, open(self._err, "wb") as err:
            self.process = subprocess.Popen(
                command, env=environment, stdin=subprocess.DEVNULL, stdout=out, stderr=err, cwd=cwd
            )

    @property
    def output(self):
        """Standard output up to now."""
        return self._out.read_text(errors="replace")

    def kill(self):
        """SIGKILL, now."""
        self.signal(signal.SIGKILL)

    def signal(self, number):
        """Sends a signal."""
        self.process.send_signal(number)

    def wait(self, timeout=DEADLINE):
        """Waits for the end; one that does not come is a failure."""
        deadline, peak = self.started + timeout, 0
        while True:
            # The kernel's figure at the end would hold the peak of this Python, too, from before the exec.
            peak = max(peak, peak_kib(self.process.pid))
            try:
                pid, status, usage = os.wait4(self.process.pid, os.WNOHANG)
            except ChildProcessError:
                # It was gone before a signal could be sent, and Popen has noticed.
                return self._run(self.process.returncode)
            if pid:
                break
            if time.monotonic() > deadline:
                self.kill()
                self.process.wait()
                raise AssertionError(f"still running after {timeout} s:\n{self._run(-9)}")
            time.sleep(0.005)
        self.process.returncode = os.waitstatus_to_exitcode(status)
        run = self._run(self.process.returncode)
        run.peak_kib, run.cpu_seconds = peak, usage.ru_utime + usage.ru_stime
        return run

    def _run(self, code):
        out, err = self._out.read_text(errors="replace"), self._err.read_text(errors="replace")
        seconds = time.monotonic() - self.started
        run = Run([os.path.basename(self.command[0]), *self.command[1:]], code, out, err, seconds)
        if "--json" in self.command:
            lines = [json.loads(line) for line in out.split("\n") if line.startswith("{") and line.endswith("}")]
            # Figures for CloudWatch may stand between the events.
            run.events = [line for line in lines if "_aws" not in line]
        if self.report and self.report.exists():
            run.report = [json.loads(line) for line in self.report.read_text().split("\n") if line]
        return run


class Longbow:
    """The program in one home: the same home goes on with the same state."""

    def __init__(self, home, access_key, secret_key):
        self.home, self.access_key, self.secrets = home, access_key, [secret_key, CANARY]
        self.runs = 0
        home.mkdir(parents=True, exist_ok=True)
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "XDG_STATE_HOME": str(home / "state"),
            "XDG_CONFIG_HOME": str(home / "config"),
            "TMPDIR": str(home),
            "AWS_ACCESS_KEY_ID": access_key,
            "AWS_SECRET_ACCESS_KEY": secret_key,
            "AWS_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
            "LANG": "C.UTF-8",
            "RUST_BACKTRACE": "1",
        }

    def start(self, *arguments, env=None, cwd=None, report=None, prefix=()):
        """Starts it, by another program if one is named, and returns at once."""
        self.runs += 1
        folder = self.home / "runs" / str(self.runs)
        folder.mkdir(parents=True)
        environment = {n: v for n, v in {**self.environment, **(env or {})}.items() if v is not None}
        if environment.get("AWS_ACCESS_KEY_ID") == self.access_key:
            environment["AWS_ACCESS_KEY_ID"] = rights.key_of(self.access_key, str(arguments[0]) if arguments else "")
        command = [*prefix, binary(), *[str(argument) for argument in arguments]]
        return Running(command, environment, folder, report, cwd)

    def __call__(self, *arguments, env=None, cwd=None, expect=0, timeout=DEADLINE, report=None):
        """Runs it to its end and checks the exit code (`expect=None` takes any but a crash)."""
        return self.judge(self.start(*arguments, env=env, cwd=cwd, report=report).wait(timeout), expect)

    def judge(self, run, expect):
        """What must hold for every run."""
        for secret in self.secrets:
            assert secret not in run.out and secret not in run.err, f"a secret was printed:\n{run}"
        assert "panicked" not in run.err, f"it panicked:\n{run}"
        if expect is None:
            assert run.code in (0, 1, 2, 3, 4), str(run)
        else:
            assert run.code == expect, f"expected exit code {expect}:\n{run}"
        return run

    @staticmethod
    def sides(source, destination):
        """The arguments that name both sides."""
        arguments = []
        for side, flag in ((source, "--source-endpoint-url"), (destination, "--destination-endpoint-url")):
            if isinstance(side, Place):
                arguments += [flag, side.endpoint]
        return [side.uri if isinstance(side, Place) else str(side) for side in (source, destination)] + arguments

    def start_sync(self, source, destination, *flags, **options):
        """Starts `longbow sync` with JSON output and a report."""
        report = self.home / f"report-{self.runs + 1}.jsonl"
        sides = self.sides(source, destination)
        return self.start("sync", *sides, "--json", "--report", report, *flags, report=report, **options)

    def sync(self, source, destination, *flags, expect=0, timeout=DEADLINE, **options):
        """Runs `longbow sync` to its end; summary and report are read and must agree."""
        run = self.judge(self.start_sync(source, destination, *flags, **options).wait(timeout), expect)
        if run.code in (0, 1) and "--dry-run" not in flags and run.events[-1]["event"] != "error":
            self.adds_up(run)
        return run

    def verify(self, source, destination, *flags, expect=0, timeout=DEADLINE):
        """Runs `longbow verify` with JSON output and a report."""
        report = self.home / f"report-{self.runs + 1}.jsonl"
        sides = self.sides(source, destination)
        return self(
            "verify", *sides, "--json", "--report", report, *flags, expect=expect, timeout=timeout, report=report
        )

    @staticmethod
    def adds_up(run):
        """The summary's counts are those of the report's lines."""
        summary = run.summary
        for outcome in ("copied", "deleted", "failed"):
            assert summary[outcome] == len(run.lines(outcome)), f"{outcome} does not add up:\n{run}"
        sent = sum(line["size"] for line in run.lines("copied").values())
        assert summary["bytes_copied"] == sent, f"bytes do not add up:\n{run}"
        assert summary["exit"] == run.code, str(run)
