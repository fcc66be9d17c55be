"""A proxy between longbow and an S3 server that logs every request and injects scripted faults.

It forwards HTTP/1.1 as it is, the Host header too: the signature covers it, and servers check it against what they
receive. It understands just enough of S3 to name each request's operation, bucket, key and part. What the faults do is in
`faults.py`.
"""

import socket
import struct
import threading
import time
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from faults import Hangup, Reply

CHUNK = 256 * 1024
# A scripted stall ends sooner, when the proxy closes.
SOCKET_SECONDS = 120


@dataclass
class Exchange:
    """One request and what became of it."""

    method: str
    target: str
    headers: dict
    bucket: str = ""
    key: str = ""
    query: dict = field(default_factory=dict)
    operation: str = ""
    started: float = 0.0
    ended: float | None = None
    # Body bytes: from the client, and to it.
    received: int = 0
    sent: int = 0
    status: int | None = None
    faults: list = field(default_factory=list)
    # The whole reply was handed to the client's socket.
    answered: bool = False
    # Reply bytes to send at most.
    keep: int | None = None
    # A fault did change something of this exchange: it was not merely chosen for it.
    damaged: bool = False

    @property
    def part(self):
        """The part number, if there is one."""
        number = self.query.get("partNumber")
        return int(number) if number else None

    @property
    def upload(self):
        """The upload id, if there is one."""
        return self.query.get("uploadId")

    def __str__(self):
        return f"{self.operation} {self.bucket}/{self.key} {self.query} -> {self.status} in={self.received} out={self.sent}"


def _operation(method, key, query, headers):
    """The S3 name of a request."""
    copies = "x-amz-copy-source" in headers
    if not key:
        if method == "GET" and "uploads" in query:
            return "ListMultipartUploads"
        if method == "GET" and "location" in query:
            return "GetBucketLocation"
        if method == "GET" and "versioning" in query:
            return "GetBucketVersioning"
        if method == "POST" and "delete" in query:
            return "DeleteObjects"
        return {"GET": "ListObjectsV2", "HEAD": "HeadBucket", "PUT": "CreateBucket", "DELETE": "DeleteBucket"}.get(
            method, method
        )
    if "tagging" in query:
        return {"GET": "GetObjectTagging", "PUT": "PutObjectTagging", "DELETE": "DeleteObjectTagging"}.get(
            method, method
        )
    if "attributes" in query:
        return "GetObjectAttributes"
    if "uploadId" in query:
        if method == "PUT":
            return "UploadPartCopy" if copies else "UploadPart"
        return {"POST": "CompleteMultipartUpload", "DELETE": "AbortMultipartUpload", "GET": "ListParts"}.get(
            method, method
        )
    if method == "POST" and "uploads" in query:
        return "CreateMultipartUpload"
    if method == "PUT":
        return "CopyObject" if copies else "PutObject"
    return {"GET": "GetObject", "HEAD": "HeadObject", "DELETE": "DeleteObject"}.get(method, method)


def parse(method, target, headers):
    """An exchange from a request's head."""
    path, _, query = target.partition("?")
    bucket, _, key = path[1:].partition("/")
    pairs = {}
    for pair in query.split("&") if query else []:
        name, _, value = pair.partition("=")
        pairs[unquote(name)] = unquote(value, errors="surrogateescape")
    key = unquote(key, errors="surrogateescape")
    return Exchange(
        method, target, headers, unquote(bucket), key, pairs, _operation(method, key, pairs, headers), time.monotonic()
    )


@dataclass
class Rule:
    """Which exchanges a fault hits: all conditions must hold, after `skip` that did, `times` times at most.

    In the place of a fault a function may stand: it is called with the exchange and gives the fault, or None.
    """

    fault: object
    operation: str | None = None
    key: str | None = None
    part: int | None = None
    where: object = None
    times: int | None = None
    skip: int = 0
    hits: int = 0

    def takes(self, exchange):
        """The fault that hits this one, or None; counts."""
        if self.operation and self.operation != exchange.operation:
            return None
        if self.key is not None and self.key != exchange.key:
            return None
        if self.part is not None and self.part != exchange.part:
            return None
        if self.where and not self.where(exchange):
            return None
        if self.skip > 0:
            self.skip -= 1
            return None
        if self.times is not None and self.hits >= self.times:
            return None
        fault = self.fault(exchange) if callable(self.fault) else self.fault
        self.hits += fault is not None
        return fault


class _Channel:
    """What a fault may use of the connection that it hits."""

    def __init__(self, proxy, client):
        self.closing, self._client = proxy.closing, client

    def send_now(self, data):
        self._client.sendall(data)


class Proxy:
    """A running proxy. `url` is its endpoint, `log` what passed, in order of arrival."""

    def __init__(self, upstream):
        parts = urlsplit(upstream)
        self.upstream = (parts.hostname, parts.port)
        self.log, self.rules = [], []
        self.closing = threading.Event()
        self._lock = threading.Lock()
        self._rate, self._free_at = None, 0.0
        self._clients = set()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        # By itself the kernel would take whole parts ahead of a limit, and pass on what a dead client has sent.
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, CHUNK)
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def inject(self, fault, operation=None, **conditions):
        """Adds a rule and returns it; its `hits` tell whether it was used."""
        rule = Rule(fault, operation, **conditions)
        with self._lock:
            self.rules.append(rule)
        return rule

    def calm(self):
        """Removes all rules, the rate limit and the log."""
        with self._lock:
            self.rules, self.log, self._rate = [], [], None

    def limit_uploads(self, bytes_a_second):
        """Lets request bodies through at this rate, all connections together."""
        self._rate = bytes_a_second

    def requests(self, *operations, **conditions):
        """The logged exchanges of these operations (all, without) whose attributes are as given."""
        with self._lock:
            log = list(self.log)
        return [
            e for e in log
            if (not operations or e.operation in operations)
            and all(getattr(e, name) == value for name, value in conditions.items())
        ]  # fmt: skip

    def counts(self):
        """Requests by operation."""
        found = {}
        for exchange in self.requests():
            found[exchange.operation] = found.get(exchange.operation, 0) + 1
        return found

    def close(self):
        """Stops listening and breaks all connections."""
        self.closing.set()
        self._listener.close()
        with self._lock:
            clients = list(self._clients)
        for client in clients:
            try:
                client.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def _accept(self):
        while not self.closing.is_set():
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            client.settimeout(SOCKET_SECONDS)
            with self._lock:
                self._clients.add(client)
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client):
        connection = _Connection(self, client)
        try:
            while not self.closing.is_set() and connection.one():
                pass
        except Hangup as hangup:
            try:
                client.sendall(hangup.last)
                if hangup.reset:
                    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            except OSError:
                pass
        except (OSError, ValueError):
            pass
        finally:
            with self._lock:
                self._clients.discard(client)
            connection.close()

    def _arrived(self, exchange):
        with self._lock:
            self.log.append(exchange)
            exchange.faults = [fault for rule in self.rules if (fault := rule.takes(exchange)) is not None]

    def _pace(self, count):
        rate = self._rate
        if not rate:
            return
        with self._lock:
            now = time.monotonic()
            self._free_at = max(self._free_at, now) + count / rate
            wait = self._free_at - now
        self.closing.wait(wait)


def _read_head(reader):
    """First line and headers (as pairs, in order), or None at the end of the stream."""
    first = reader.readline(65_536)
    if not first:
        return None
    headers = []
    while (line := reader.readline(65_536)) not in (b"\r\n", b"\n", b""):
        name, _, value = line.decode("latin-1").partition(":")
        headers.append((name.strip(), value.strip()))
    return first.decode("latin-1").rstrip("\r\n"), headers


def _read_body(reader, headers, until_close=False):
    """The decoded bytes of a body, piece by piece; an early end raises."""
    if "chunked" in headers.get("transfer-encoding", "").lower():
        while size := int(reader.readline(1024).split(b";")[0], 16):
            while size:
                data = reader.read1(min(size, CHUNK))
                if not data:
                    raise ConnectionError("body cut")
                size -= len(data)
                yield data
            reader.readline(16)
        while reader.readline(65_536) not in (b"\r\n", b"\n", b""):
            pass
    elif "content-length" in headers:
        left = int(headers["content-length"])
        while left:
            data = reader.read1(min(left, CHUNK))
            if not data:
                raise ConnectionError("body cut")
            left -= len(data)
            yield data
    elif until_close:
        while data := reader.read1(CHUNK):
            yield data


class _Connection:
    """One client connection and the server connection that serves it."""

    def __init__(self, proxy, client):
        self.proxy, self.client = proxy, client
        self.reader = client.makefile("rb", buffering=CHUNK)
        self.server = self.server_reader = None

    def close(self):
        self._drop_server()
        self.reader.close()
        self.client.close()

    def _drop_server(self):
        if self.server:
            self.server_reader.close()
            self.server.close()
            self.server = self.server_reader = None

    def _server(self):
        if self.server is None:
            self.server = socket.create_connection(self.proxy.upstream, SOCKET_SECONDS)
            self.server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.server_reader = self.server.makefile("rb", buffering=CHUNK)
        return self.server

    def one(self):
        """Serves one request; whether another may follow."""
        head = _read_head(self.reader)
        if head is None:
            return False
        line, pairs = head
        method, target, _ = line.split(" ", 2)
        headers = {name.lower(): value for name, value in pairs}
        exchange = parse(method, target, headers)
        self.proxy._arrived(exchange)
        try:
            if headers.get("expect", "").lower() == "100-continue":
                self.client.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
            for fault in exchange.faults:
                reply = fault.before(exchange, self.proxy)
                if isinstance(reply, Reply):
                    for data in _read_body(self.reader, headers):
                        exchange.received += len(data)
                        self.proxy._pace(len(data))
                    self._made_up(exchange, reply)
                    return True
            self._forward_request(exchange, line, pairs, headers)
            self._forward_reply(exchange)
            return headers.get("connection", "").lower() != "close"
        finally:
            exchange.ended = time.monotonic()

    def _forward_request(self, exchange, line, pairs, headers):
        server = self._server()
        kept = [(n, v) for n, v in pairs if n.lower() not in ("expect", "connection")]
        server.sendall((line + "\r\n" + "".join(f"{n}: {v}\r\n" for n, v in kept) + "\r\n").encode("latin-1"))
        chunked = "chunked" in headers.get("transfer-encoding", "").lower()
        refused = False
        for data in _read_body(self.reader, headers):
            self.proxy._pace(len(data))
            came = data
            try:
                for fault in exchange.faults:
                    data = fault.request_bytes(exchange.received, data)
            except Hangup as hangup:
                exchange.damaged = True
                server.sendall(hangup.last)
                raise Hangup() from None
            exchange.damaged |= data != came
            exchange.received += len(data)
            if not refused:
                try:
                    server.sendall(b"%x\r\n%b\r\n" % (len(data), data) if chunked else data)
                except OSError:
                    # The server answers and closes before it has read everything: pass its answer on.
                    refused = True
        if chunked and not refused:
            server.sendall(b"0\r\n\r\n")

    def _forward_reply(self, exchange):
        head = _read_head(self.server_reader)
        if head is None:
            raise ConnectionError("the server closed the connection")
        line, pairs = head
        status = int(line.split(" ", 2)[1])
        headers = {name.lower(): value for name, value in pairs}
        bodiless = exchange.method == "HEAD" or status in (204, 304)
        body = iter(()) if bodiless else _read_body(self.server_reader, headers, until_close=True)
        for fault in exchange.faults:
            changed = fault.head(exchange, status, pairs)
            if isinstance(changed, Reply):
                for _ in body:
                    pass
                self._made_up(exchange, changed)
                return
            exchange.damaged |= changed != (status, pairs)
            status, pairs = changed
        exchange.status = status
        chunked = not bodiless and "content-length" not in headers
        kept = [(n, v) for n, v in pairs if n.lower() not in ("connection", "keep-alive", "transfer-encoding")]
        if chunked:
            kept.append(("Transfer-Encoding", "chunked"))
        text = f"HTTP/1.1 {status} {line.split(' ', 2)[2] if line.count(' ') > 1 else 'OK'}\r\n"
        self.client.sendall((text + "".join(f"{n}: {v}\r\n" for n, v in kept) + "\r\n").encode("latin-1"))
        channel = _Channel(self.proxy, self.client)
        for data in body:
            came = data
            try:
                for fault in exchange.faults:
                    data = fault.reply_bytes(exchange.sent, data, channel)
            except Hangup:
                exchange.damaged = True
                raise
            if exchange.keep is not None:
                data = data[: max(0, exchange.keep - exchange.sent)]
            exchange.damaged |= data != came
            self.client.sendall(b"%x\r\n%b\r\n" % (len(data), data) if chunked and data else data)
            exchange.sent += len(data)
        if chunked:
            self.client.sendall(b"0\r\n\r\n")
        exchange.answered = True
        if headers.get("connection", "").lower() == "close":
            self._drop_server()

    def _made_up(self, exchange, reply):
        exchange.status = reply.status
        headers = (*reply.headers, ("Content-Length", str(len(reply.body))), ("x-amz-request-id", "MADEUP"))
        text = f"HTTP/1.1 {reply.status} Made Up\r\n" + "".join(f"{n}: {v}\r\n" for n, v in headers) + "\r\n"
        self.client.sendall(text.encode("latin-1") + reply.body)
        exchange.sent, exchange.answered = len(reply.body), True
