#!/usr/bin/env python3
"""What a comparison of two long listings costs Longbow: CPU seconds and peak memory, for a million keys a side.

A little server makes both listings as they are asked for, every page by its number, so that it needs no disk and hardly any
memory; it is a process of its own and is not counted. `longbow sync --dry-run` compares them: nothing is copied and nothing
queued. Needs python3 alone. See README.md beside this file.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

ROOT = Path(__file__).resolve().parents[1]
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
PAGE = 1_000
# Of a hundred names one is missing at the destination.
MISSING = 100


def key(number):
    return f"logs/{number:09}"


def is_there(bucket, number):
    return bucket == "source" or number % MISSING != 7


class Listing(BaseHTTPRequestHandler):
    """Answers ListObjectsV2."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_HEAD(self):
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_GET(self):
        parts = urlsplit(self.path)
        bucket, query = parts.path.strip("/"), parse_qs(parts.query, keep_blank_values=True)
        # A token is the first number of its page; a key to begin after is less than the number after its own.
        first = int(query["continuation-token"][0]) if "continuation-token" in query else 0
        if first == 0 and query.get("start-after", [""])[0]:
            after = query["start-after"][0]
            digits = after.removeprefix("logs/")
            first = int((digits + "000000000")[:9]) + (len(digits) >= 9) if digits.isdigit() else 0
        most = min(PAGE, int(query.get("max-keys", [PAGE])[0]))
        last = min(first + most, self.server.keys)
        entries = "".join(
            f"<Contents><Key>{key(n)}</Key><LastModified>2026-01-02T03:04:05.000Z</LastModified>"
            f"<ETag>&quot;{n:032x}&quot;</ETag><Size>{n}</Size><StorageClass>STANDARD</StorageClass></Contents>"
            for n in range(first, last)
            if is_there(bucket, n)
        )
        more = last < self.server.keys
        token = f"<NextContinuationToken>{last}</NextContinuationToken>" if more else ""
        body = (
            f"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<ListBucketResult><Name>{bucket}</Name><KeyCount>{last - first}"
            f"</KeyCount><MaxKeys>{PAGE}</MaxKeys><EncodingType>url</EncodingType><IsTruncated>{str(more).lower()}"
            f"</IsTruncated>{token}{entries}</ListBucketResult>"
        ).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/xml")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def serve(keys):
    server = ThreadingHTTPServer(("127.0.0.1", 0), Listing)
    server.daemon_threads, server.keys = True, keys
    print(server.server_port, flush=True)
    server.serve_forever()


def peak_kib(pid):
    try:
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1])
    except (FileNotFoundError, ProcessLookupError):
        pass
    return 0


def run(longbow, port):
    """One comparison: CPU seconds, peak MiB, and what was found."""
    with tempfile.TemporaryDirectory() as home, tempfile.TemporaryFile() as output:
        environment = {"PATH": os.environ["PATH"], "HOME": home, "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b",
                       "AWS_REGION": "us-east-1", "AWS_EC2_METADATA_DISABLED": "true"}  # fmt: skip
        command = [longbow, "sync", "s3://source", "s3://destination", "--dry-run", "--endpoint-url",
                   f"http://127.0.0.1:{port}"]  # fmt: skip
        process = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
        peak = 0
        while True:
            peak = max(peak, peak_kib(process.pid))
            pid, status, usage = os.wait4(process.pid, os.WNOHANG)
            if pid:
                break
            time.sleep(0.01)
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        text = output.read().decode(errors="replace")
    if process.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))} ended with {process.returncode}:\n{text[-4000:]}")
    return usage.ru_utime + usage.ru_stime, peak / 1024, text


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keys", type=int, default=1_000_000, help="keys a side")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--longbow", type=Path, help="the program to measure")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve:
        serve(arguments.keys)
        return
    found = (TARGET / profile / "longbow" for profile in ("dist", "release"))
    longbow = arguments.longbow or next((path for path in found if path.is_file()), None)
    if longbow is None:
        sys.exit("no longbow to measure: cargo build --profile dist --locked, or --longbow PATH")
    command = [sys.executable, __file__, "--serve", "--keys", str(arguments.keys)]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        port = int(server.stdout.readline())
        cpu, peaks = [], []
        for number in range(arguments.runs):
            seconds, peak, text = run(longbow, port)
            cpu.append(seconds)
            peaks.append(peak)
            print(f"run {number + 1}: {seconds:.2f} CPU-s, {peak:.0f} MiB", file=sys.stderr)
        listed = 2 * arguments.keys - (arguments.keys - 8) // MISSING - 1
        median = statistics.median(cpu)
        print(json.dumps({"keys_listed": listed, "cpu_seconds": round(median, 2), "runs": [round(c, 2) for c in cpu],
                          "keys_a_cpu_second": round(listed / median), "peak_mib": round(max(peaks)),
                          "found": text.strip().splitlines()[-12:]}, indent=2))  # fmt: skip
    finally:
        server.terminate()
        server.wait()


if __name__ == "__main__":
    main()
