"""AWS for `terraform apply`: moto's server on loopback, mended where terraform could not work with it.

Apart from the fixtures because it is also a program of its own: `emulator.py PORT` serves until it is terminated or its parent is gone.
What it keeps wrong is listed in drift.json.
"""

import json
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "blackbox"))

from servers import free_ports  # noqa: E402

ACCOUNT = "123456789012"
DEADLINE = 60


class Emulator:
    """A running server."""

    def __init__(self, folder):
        [port] = free_ports(1)
        self.url = f"http://127.0.0.1:{port}"
        self._log = open(folder / "emulator.log", "wb")
        self.process = subprocess.Popen(
            [sys.executable, __file__, str(port)], stdin=subprocess.DEVNULL, stdout=self._log, stderr=self._log
        )
        deadline = time.monotonic() + DEADLINE
        while True:
            try:
                urllib.request.urlopen(f"{self.url}/moto-api/data.json", timeout=5).read()
                return
            except (urllib.error.URLError, OSError):
                assert self.process.poll() is None, (folder / "emulator.log").read_text()[-3000:]
                assert time.monotonic() < deadline, "the emulator does not answer"
                time.sleep(0.1)

    def stop(self):
        """Ends the server."""
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self._log.close()


def patch():
    """What moto lacks so much that nothing could be made or compared."""
    from moto.iam.access_control import PermissionResult
    from moto.s3.models import FakeBucket
    from moto.sqs.models import Queue

    # It does not know this attribute: terraform would wait for it without end.
    Queue.BASE_ATTRIBUTES = [*Queue.BASE_ATTRIBUTES, "RedriveAllowPolicy"]
    Queue.redrive_allow_policy = None

    # It forgets a queue's policy whenever another attribute is set, and writes JSON with blanks, which SQS does not.
    set_attributes, attributes = Queue._set_attributes, Queue.attributes.fget

    def remembering(queue, wanted, now=None):
        kept = queue._policy_json if hasattr(queue, "_policy_json") else None
        set_attributes(queue, wanted, now)
        if "Policy" not in wanted and kept is not None:
            queue._policy_json = kept

    def compact(queue):
        found = attributes(queue)
        if found.get("RedrivePolicy"):
            found["RedrivePolicy"] = json.dumps(json.loads(found["RedrivePolicy"]), separators=(",", ":"))
        return found

    Queue._set_attributes, Queue.attributes = remembering, property(compact)

    # It takes every Deny of a bucket's policy for one without conditions.
    FakeBucket.get_permission = lambda *_, **__: PermissionResult.NEUTRAL


def main(port):
    """Serves."""
    import ctypes

    import moto.server

    # Gone with whoever started it (prctl PR_SET_PDEATHSIG).
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)
    patch()
    moto.server.main(["--host", "127.0.0.1", "--port", port])


if __name__ == "__main__":
    main(sys.argv[1])
