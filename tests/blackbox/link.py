"""A bad network for the program alone: a network namespace whose loopback is slow or loses packets, with one port through it.

The program runs inside (`Link.prefix`) and finds the endpoint on 127.0.0.1 there; behind it a socket file leads out to the
proxy, so everything between the program and the store passes the bad loopback once. Needs the rights of root, `unshare`,
`nsenter`, `ip` and `tc`. There is no netem on many kernels: packets are lost by a queue that takes none.
"""

import json
import shutil
import socket
import subprocess
import sys
import threading

CHUNK = 64 * 1024
# One packet in twenty by the kernel's own chance (cBPF: load a random word, compare) into a class that sends nothing.
FIVE_PER_CENT = "4,32 0 0 4294963256,37 0 1 214748364,6 0 0 0,6 0 0 4294967295"
LOSS = [
    "qdisc add dev lo root handle 1: htb default 1",
    "class add dev lo parent 1: classid 1:1 htb rate 10gbit quantum 60000",
    "class add dev lo parent 1: classid 1:2 htb rate 8bit quantum 1500",
    "qdisc add dev lo parent 1:2 pfifo limit 1",
    f"filter add dev lo parent 1: protocol all prio 1 bpf bytecode '{FIVE_PER_CENT}' classid 1:2",
]
SLOW = ["qdisc add dev lo root tbf rate 8mbit burst 256kb limit 1mb"]


def _pump(left, right):
    def run(source, sink):
        try:
            while data := source.recv(CHUNK):
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            for one in (left, right):
                one.close()

    for pair in ((left, right), (right, left)):
        threading.Thread(target=run, args=pair, daemon=True).start()


def _forward(listener, connect):
    while True:
        try:
            client, _ = listener.accept()
        except OSError:
            return
        try:
            _pump(client, connect())
        except OSError:
            client.close()


class Link:
    """One such network before an endpoint (`address`: host and port). `missing` says why there can be none."""

    missing = next((f"needs {name}" for name in ("unshare", "nsenter", "ip", "tc") if not shutil.which(name)), None)

    def __init__(self, address, rules, folder):
        path = str(folder / "out")
        self._out = socket.socket(socket.AF_UNIX)
        self._out.bind(path)
        self._out.listen(64)
        threading.Thread(
            target=_forward, args=(self._out, lambda: socket.create_connection(address)), daemon=True
        ).start()
        self._inside = subprocess.Popen(
            ["unshare", "-n", sys.executable, __file__, path, json.dumps(rules)], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        port = self._inside.stdout.readline().strip()
        if not port:
            why = self._inside.stderr.read().strip()
            self.close()
            raise OSError(f"no network namespace: {why}")
        self.url = f"http://127.0.0.1:{port}"
        self.prefix = ["nsenter", "-n", "-t", str(self._inside.pid)]

    def dropped(self):
        """Packets that were lost up to now."""
        command = [*self.prefix, "tc", "-s", "-j", "qdisc", "show", "dev", "lo"]
        found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        return max(one.get("drops", 0) for one in found)

    def close(self):
        """Ends it."""
        self._inside.stdin.close()
        self._inside.wait(20)
        self._out.close()


def main(path, rules):
    """Inside: sets the loopback up, forwards, and ends with its input."""
    # Jumbo packets, and no larger ones cut by the card: what is lost is lost one by one.
    subprocess.run("ip link set lo mtu 9000 gso_max_segs 1 up", shell=True, check=True)
    for rule in json.loads(rules):
        subprocess.run(f"tc {rule}", shell=True, check=True)
    listener = socket.create_server(("127.0.0.1", 0), backlog=512)

    def connect():
        out = socket.socket(socket.AF_UNIX)
        out.connect(path)
        return out

    threading.Thread(target=_forward, args=(listener, connect), daemon=True).start()
    print(listener.getsockname()[1], flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main(*sys.argv[1:])
