#!/usr/bin/env python3
"""What a fleet costs for small objects: the jobsender's jobs and one worker's copies, with the servers' share of the processor.

Queue, table and parameters are ministack's; the buckets are ministack's too, or SeaweedFS's. Everything runs on one machine, so wall
times say little: CPU seconds of longbow and of the servers stand beside them. Run it with the Python of the tests
(`target/test-venv/bin/python benches/fleet.py`), after `cargo build --profile dist`. See README.md beside this file.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
import uuid
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "blackbox"))

import boto3  # noqa: E402
from botocore.config import Config  # noqa: E402
from servers import ACCESS_KEY, REGION, SECRET_KEY, Servers  # noqa: E402
from stores import each  # noqa: E402

TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))


def client(name, url):
    return boto3.client(
        name, endpoint_url=url, region_name=REGION, aws_access_key_id=ACCESS_KEY, aws_secret_access_key=SECRET_KEY,
        config=Config(s3={"addressing_style": "path"}, max_pool_connections=16),
    )  # fmt: skip


class Run:
    """One run of longbow: its summary, its wall and CPU seconds, and what the servers used meanwhile."""

    def __init__(self, longbow, arguments, environment, servers):
        before = sum(server.cpu_seconds() for server in servers)
        began = time.monotonic()
        process = subprocess.Popen([longbow, *arguments, "--json"], env=environment, stdout=subprocess.PIPE, text=True)
        out = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        self.wall = time.monotonic() - began
        self.cpu = usage.ru_utime + usage.ru_stime
        self.servers = sum(server.cpu_seconds() for server in servers) - before
        events = [json.loads(line) for line in out.splitlines() if line.startswith("{")]
        assert os.waitstatus_to_exitcode(status) == 0, out
        self.summary = events[-1]

    def line(self, what, count):
        print(
            f"{what:<34} {count:>8} in {self.wall:6.1f} s ({count / self.wall:7.0f}/s), {self.cpu:6.2f} CPU-s "
            f"({count / self.cpu:8.0f} a CPU second), servers {self.servers:6.1f} CPU-s"
        )


def measure(longbow, servers, store_url, objects, size):
    name = f"bench-{uuid.uuid4().hex[:8]}"
    url = servers.ministack.url
    s3, sqs = client("s3", store_url), client("sqs", url)
    for bucket in (f"{name}-a", f"{name}-b"):
        s3.create_bucket(Bucket=bucket)
    body = os.urandom(size)
    each(lambda n: s3.put_object(Bucket=f"{name}-a", Key=f"{n % 16:x}/{n:07}", Body=body), range(objects))
    dead = sqs.create_queue(QueueName=f"{name}-dead")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    policy = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": "1000"})
    queue = sqs.create_queue(QueueName=name, Attributes={"RedrivePolicy": policy})["QueueUrl"]
    with tempfile.TemporaryDirectory() as home:
        environment = {
            "PATH": os.environ["PATH"], "HOME": home, "AWS_REGION": REGION, "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_ACCESS_KEY_ID": ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": SECRET_KEY, "AWS_ENDPOINT_URL": url,
        }  # fmt: skip
        subprocess.run([longbow, "state", "create-table", "--table", name], env=environment, check=True)
        arguments = [f"s3://{name}-a", f"s3://{name}-b", "--endpoint-url", store_url, "--queue-url", queue, "--table", name]
        arguments += ["--method", "stream"]
        processes = {id(s): s for s in (servers.ministack, servers.seaweedfs)}.values()
        sent = Run(longbow, ["jobsender", *arguments], environment, processes)
        sent.line("jobsender: compared and sent", sent.summary["jobs_sent"])
        worked = Run(longbow, ["worker", *arguments, "--exit-when-empty"], environment, processes)
        assert worked.summary["copied"] == objects, worked.summary
        worked.line(f"worker: copied, {size} bytes each", objects)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--objects", type=int, default=5000)
    parser.add_argument("--size", type=int, default=16 * 1024)
    parser.add_argument("--longbow", default=str(TARGET / "dist" / "longbow"))
    options = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_NOFILE, (4096, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    with tempfile.TemporaryDirectory(dir=TARGET) as folder:
        servers = Servers(folder)
        try:
            for store in (servers.seaweedfs, servers.ministack):
                print(f"\nbuckets on {store.name}")
                measure(options.longbow, servers, store.url, options.objects, options.size)
        finally:
            servers.stop()


if __name__ == "__main__":
    main()
