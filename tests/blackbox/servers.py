"""The S3 servers that the tests talk to: SeaweedFS and ministack, each on free loopback ports with its data in one folder.

Apart from the fixtures because three use it: `tests/run` (as a program, for the Rust and the Python tests alike), pytest
when it is started alone, and the benchmark. It starts, waits and stops; it knows nothing of tests.

As a program: `servers.py --dir FOLDER --env-file FILE [--bin FOLDER]` writes shell assignments to FILE once all servers
answer, and stops them when it is terminated or its parent is gone.
"""

import argparse
import ctypes
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

import rights

ACCESS_KEY = "longbow-test-access"
SECRET_KEY = "longbow-test-secret-0123456789"
REGION = "us-east-1"
# Fresh machines are slow at their first start.
START_DEADLINE = 90.0
# A port that was free may be taken before the server binds it.
START_ATTEMPTS = 3


class ServerFailed(Exception):
    """A server did not come up; the text holds the end of its log."""


def free_ports(count, above=10_000):
    """Ports that were free a moment ago, all different. The first half have a free neighbour 10,000 above."""
    held, ports = [], []
    try:
        candidate = 20_000 + (os.getpid() * 37) % 8_000
        while len(ports) < count and candidate < 45_000:
            candidate += 7
            pair = [candidate, candidate + above]
            sockets = []
            try:
                for port in pair:
                    sock = socket.socket()
                    sockets.append(sock)
                    sock.bind(("127.0.0.1", port))
            except OSError:
                for sock in sockets:
                    sock.close()
                continue
            held.extend(sockets)
            ports.append(candidate)
    finally:
        for sock in held:
            sock.close()
    if len(ports) < count:
        raise ServerFailed("no free ports on the loopback interface")
    return ports


def die_with_parent():
    """In a child before exec: ask the kernel for SIGKILL when the parent is gone (Linux)."""
    try:
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)
    except (OSError, AttributeError):
        pass


def program(name, folder=None):
    """The server's program: in `folder`, beside this Python, or on the PATH."""
    for candidate in [folder and Path(folder) / name, Path(sys.executable).parent / name]:
        if candidate and candidate.exists():
            return str(candidate)
    found = shutil.which(name)
    if not found:
        raise ServerFailed(f"{name} is not installed: pip install -r tests/requirements.txt (tests/run does it)")
    return found


class Server:
    """One running server process. `url` is where it answers, `process` what to stop."""

    def __init__(self, name, url, process, log):
        self.name, self.url, self.process, self.log = name, url, process, log

    def stop(self):
        """Ends the process: politely, then not."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def cpu_seconds(self):
        """User and system seconds used so far."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _wait_until_it_answers(server, path="/"):
    deadline = time.monotonic() + START_DEADLINE
    while time.monotonic() < deadline:
        if server.process.poll() is not None:
            break
        try:
            urllib.request.urlopen(server.url + path, timeout=2).close()
            return
        except urllib.error.HTTPError as refusal:
            refusal.close()
            if refusal.code < 500:
                return
        except OSError:
            pass
        time.sleep(0.1)
    server.stop()
    tail = Path(server.log).read_text(errors="replace")[-2000:]
    raise ServerFailed(f"{server.name} did not answer at {server.url}:\n{tail}")


def _spawn(name, command, environment, folder):
    log = folder / f"{name}.log"
    with open(log, "wb") as output:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=environment,
            cwd=folder,
            start_new_session=True,
            preexec_fn=die_with_parent,
        )
    return process, log


def _attempts(start):
    for attempt in range(START_ATTEMPTS):
        try:
            return start()
        except ServerFailed:
            if attempt + 1 == START_ATTEMPTS:
                raise
    raise AssertionError("not reached")


def peak_kib(pid):
    """The most memory that a running process has held, in KiB; 0 when it is gone."""
    try:
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1])
    except OSError:
        pass
    return 0


def _share_volumes(filer):
    """Lets all buckets share volumes. By itself it makes new ones for each bucket, at the first write: a second."""
    rules = json.dumps({"locations": [{"locationPrefix": "/buckets/", "collection": "shared"}]})
    mark = "longbow"
    body = f'--{mark}\r\nContent-Disposition: form-data; name="file"; filename="filer.conf"\r\n\r\n{rules}\r\n--{mark}--\r\n'
    headers = {"Content-Type": f"multipart/form-data; boundary={mark}"}
    request = urllib.request.Request(f"http://127.0.0.1:{filer}/etc/seaweedfs/filer.conf", body.encode(), headers)
    urllib.request.urlopen(request, timeout=10).close()


def start_seaweedfs(folder, programs=None, memory="1000MiB", keep=False):
    """SeaweedFS, all its ports moved; it checks signatures and digests, and lists in folder order.

    `memory` is what its runtime aims at. With `keep` the data of an earlier start is used again, and each bucket has files
    of its own, as by default.
    """
    folder = Path(folder).resolve()

    def start():
        data = folder / "seaweedfs"
        if not keep:
            shutil.rmtree(data, ignore_errors=True)
        data.mkdir(parents=True, exist_ok=True)
        identities = folder / "seaweedfs-identities.json"
        actions = ["Admin", "Read", "Write", "List", "Tagging"]
        # One key a command of the fleet: its requests are told from others' (rights.py).
        names = [ACCESS_KEY, *(rights.key_of(ACCESS_KEY, command) for command in rights.ROLES)]
        credentials = [{"accessKey": name, "secretKey": SECRET_KEY} for name in names]
        identities.write_text(
            json.dumps({"identities": [{"name": "t", "credentials": credentials, "actions": actions}]})
        )
        master, volume, filer, s3 = free_ports(4)
        command = [
            program("weed", programs), "-v=0", "-logtostderr=true", "server", f"-dir={data}",
            "-ip=127.0.0.1", "-ip.bind=127.0.0.1",
            f"-master.port={master}", f"-master.port.grpc={master + 10_000}",
            f"-volume.port={volume}", f"-volume.port.grpc={volume + 10_000}",
            f"-filer.port={filer}", f"-filer.port.grpc={filer + 10_000}",
            f"-s3.port={s3}", f"-s3.port.grpc={s3 + 10_000}",
            "-master.telemetry=false", "-master.volumeSizeLimitMB=1024", "-volume.max=400",
            "-volume.minFreeSpacePercent=1", "-filer", "-filer.maxMB=8", "-s3", f"-s3.config={identities}",
            "-s3.iam=false", "-s3.port.iceberg=0", "-s3.port.lance=0",
        ]  # fmt: skip
        environment = {**os.environ, "GOMEMLIMIT": memory}
        process, log = _spawn("seaweedfs", command, environment, folder)
        server = Server("seaweedfs", f"http://127.0.0.1:{s3}", process, log)
        _wait_until_it_answers(server)
        if not keep:
            _share_volumes(filer)
        _wait_until_it_stores(server)
        return server

    return _attempts(start)


def _wait_until_it_stores(server):
    """The gateway answers before there is a volume to write to: wait until an object can be put and read."""
    import boto3
    from botocore.config import Config

    client = boto3.client(
        "s3", endpoint_url=server.url, region_name=REGION, aws_access_key_id=ACCESS_KEY,
        aws_secret_access_key=SECRET_KEY,
        config=Config(signature_version="s3v4", s3={"addressing_style": "path"}, retries={"total_max_attempts": 1}),
    )  # fmt: skip
    deadline = time.monotonic() + START_DEADLINE
    last = None
    while time.monotonic() < deadline and server.process.poll() is None:
        try:
            client.create_bucket(Bucket="is-it-up")
            client.put_object(Bucket="is-it-up", Key="k", Body=b"x")
            client.get_object(Bucket="is-it-up", Key="k")["Body"].read()
            client.delete_object(Bucket="is-it-up", Key="k")
            client.delete_bucket(Bucket="is-it-up")
            return
        except Exception as problem:  # noqa: BLE001 - any refusal means "not yet"
            last = problem
            time.sleep(0.2)
    server.stop()
    raise ServerFailed(f"{server.name} does not store objects: {last}")


def start_ministack(folder, programs=None):
    """ministack: strict on digests and conditions, takes every key, lists in byte order, checks no signatures. It remembers what the
    fleet's commands ask for (recording.py).
    """
    folder = Path(folder).resolve()
    python = Path(program("ministack", programs)).parent / "python"
    command = [str(python), str(Path(__file__).with_name("recording.py"))]
    if not python.exists():
        command = [program("ministack", programs)]

    def start():
        data = folder / "ministack"
        shutil.rmtree(data, ignore_errors=True)
        data.mkdir(parents=True)
        (port,) = free_ports(1)
        environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        environment |= {
            "BIND_HOST": "127.0.0.1", "GATEWAY_PORT": str(port), "MINISTACK_REGION": REGION, "LOG_LEVEL": "WARNING",
            "S3_DATA_DIR": str(data), "DOCKER_HOST": "tcp://127.0.0.1:9", "TMPDIR": str(folder),
        }  # fmt: skip
        process, log = _spawn("ministack", command, environment, folder)
        server = Server("ministack", f"http://127.0.0.1:{port}", process, log)
        _wait_until_it_answers(server)
        return server

    return _attempts(start)


class Servers:
    """Both servers, in one folder of their own below `folder`."""

    def __init__(self, folder, programs=None):
        folder = Path(folder).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = Path(tempfile.mkdtemp(prefix="servers-", dir=folder))
        self.running = []
        try:
            # In this thread: the kernel ties the servers' lives to the thread that starts them.
            self.seaweedfs = self._keep(start_seaweedfs(self.folder, programs))
            self.ministack = self._keep(start_ministack(self.folder, programs))
        except ServerFailed:
            self.stop()
            raise

    def _keep(self, server):
        self.running.append(server)
        return server

    def variables(self):
        """What the tests read."""
        return {
            "LONGBOW_TEST_SEAWEEDFS": self.seaweedfs.url,
            "LONGBOW_TEST_MINISTACK": self.ministack.url,
            "LONGBOW_TEST_ACCESS_KEY": ACCESS_KEY,
            "LONGBOW_TEST_SECRET_KEY": SECRET_KEY,
        }

    def stop(self):
        """Ends both and removes their data."""
        for server in self.running:
            server.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


def main():
    """Runs the servers until told to stop."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dir", required=True, help="folder for data and logs")
    parser.add_argument("--env-file", required=True, help="written when all servers answer")
    parser.add_argument("--bin", help="folder of the servers' programs")
    arguments = parser.parse_args()
    told = threading.Event()
    parent = os.getppid()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: told.set())
    try:
        servers = Servers(arguments.dir, arguments.bin)
    except ServerFailed as problem:
        sys.exit(f"failed to start the test servers: {problem}")
    try:
        ready = Path(arguments.env_file)
        partial = ready.with_suffix(".partial")
        partial.write_text("".join(f"export {name}='{value}'\n" for name, value in servers.variables().items()))
        partial.rename(ready)
        while not told.wait(0.5) and os.getppid() == parent:
            for server in servers.running:
                if server.process.poll() is not None:
                    print(f"{server.name} ended with {server.process.returncode}", file=sys.stderr)
                    told.set()
    finally:
        servers.stop()


if __name__ == "__main__":
    main()
