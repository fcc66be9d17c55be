"""What `test_faults.py` does not have of the wire: connections, replies that end half-way, the owner of a bucket, keys that
change in mid-upload, certificates, and the same between a worker and the services of its fleet."""

import contextlib
import json
import shutil
import socket
import ssl
import struct
import subprocess
import threading
import time
from datetime import datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

import faults
from chaos import Proxy
from fleet import Cluster, wait_for
from stores import MIB, Place, assert_same, composite_etag, content, tree

SMALL, PARTS = content(200_000), content(16 * MIB + 5)
PART = 6 * MIB


@pytest.fixture
def store(seaweedfs):
    """One that checks digests, as S3 does."""
    return seaweedfs


@pytest.fixture
def longbow(make_longbow):
    """In a hurry: what is tried again, is tried again soon."""
    longbow = make_longbow()
    longbow.environment |= {"LONGBOW_WORKER__RETRY_FIRST": "50ms", "LONGBOW_WORKER__RETRY_MOST": "500ms"}
    return longbow


@pytest.fixture
def objects(source):
    """Two objects that travel in the two ways, and one bystander."""
    source.put("small", SMALL, Metadata={"m": "1"}, Tagging="a=b")
    source.put_parts("parts", PARTS, PART, Metadata={"m": "2"})
    source.put("bystander", b"nothing happens to me")
    return source


class Resetting(Proxy):
    """Resets connections as soon as they are there, as a host does whose server has just died; `left` more of them."""

    def __init__(self, upstream, left):
        self.left, self.resets = left, 0
        super().__init__(upstream)

    def _serve(self, client):
        if self.left > 0:
            self.left -= 1
            self.resets += 1
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            client.close()
            return
        super()._serve(client)


@pytest.mark.parametrize("side", ["source", "destination"])
def test_connections_that_are_reset_at_once_are_made_again(objects, destination, longbow, store, side):
    proxy = Resetting(store.url, 2)
    try:
        places = {"source": objects.at(), "destination": destination.at()}
        places[side] = (objects if side == "source" else destination).at(via=proxy)
        run = longbow.sync(*places.values(), "--method", "stream")
        assert proxy.resets == 2 and run.summary["failed"] == 0
        assert_same(objects, destination, tags=True)
    finally:
        proxy.close()


class HalfAnAnswer(faults.Fault):
    """The server has acted; of its 200 only the spaces come that keep a connection alive."""

    def head(self, exchange, status, headers):
        head = b"HTTP/1.1 200 OK\r\nContent-Type: application/xml\r\nTransfer-Encoding: chunked\r\n\r\n"
        raise faults.Hangup(head + b"4\r\n    \r\n")


class OtherTag(faults.Fault):
    """The server has acted; its answer names a tag that the object does not have."""

    def head(self, exchange, status, headers):
        body = (
            f"<CompleteMultipartUploadResult><Location>x</Location><Bucket>{exchange.bucket}</Bucket>"
            f"<Key>{exchange.key}</Key><ETag>&quot;{'0' * 32}-3&quot;</ETag></CompleteMultipartUploadResult>"
        )
        return faults.Reply(200, body.encode())


# What must be survived: exit code 0, an exact copy, and no upload that is left over.
SURVIVED = [
    ("half an answer to the end of an upload", "writes", "CompleteMultipartUpload", HalfAnAnswer(), 1),
    ("another tag in the answer to the end of an upload", "writes", "CompleteMultipartUpload", OtherTag(), 1),
    ("the key service is busy at reading", "reads", "GetObject", faults.Refuse(400, "KMS.ThrottlingException"), 2),
    ("the key service is busy at writing", "writes", "PutObject", faults.Refuse(400, "ThrottlingException"), 2),
    ("a part was stored, and the answer is 500", "writes", "UploadPart",
     faults.Refuse(500, "InternalError", acted=True), 2),
    ("a whole was stored, and the answer is 500", "writes", "PutObject",
     faults.Refuse(500, "InternalError", acted=True), 1),
    ("a gateway gives up", "writes", "UploadPart", faults.Refuse(504, "GatewayTimeout"), 2),
    ("the request timed out at the server", "writes", "UploadPart", faults.Refuse(400, "RequestTimeout"), 2),
]  # fmt: skip


@pytest.mark.parametrize("case", SURVIVED, ids=[case[0] for case in SURVIVED])
def test_survived_too(objects, destination, longbow, make_proxy, store, case):
    _, side, operation, fault, times = case
    reads, writes = make_proxy(store), make_proxy(store)
    rule = {"reads": reads, "writes": writes}[side].inject(fault, operation, times=times)
    run = longbow.sync(objects.at(via=reads), destination.at(via=writes), "--method", "stream")
    assert rule.hits == times and run.summary["failed"] == 0, str(run)
    assert_same(objects, destination, tags=True)
    assert destination.uploads() == []
    assert destination.head("parts")["ETag"] == composite_etag(PARTS, PART)


# What will not pass: told at once and not asked for again and again.
FINAL = [
    ("a key that is disabled", "reads", "GetObject", faults.Refuse(400, "KMS.DisabledException")),
    ("an object in an archive", "reads", "GetObject", faults.Refuse(403, "InvalidObjectState")),
    ("an object that is locked", "writes", "PutObject", faults.Refuse(403, "AccessDenied")),
]


@pytest.mark.parametrize("case", FINAL, ids=[case[0] for case in FINAL])
def test_what_will_not_pass_is_told_and_not_tried_for_ever(objects, destination, longbow, make_proxy, store, case):
    _, side, operation, fault = case
    reads, writes = make_proxy(store), make_proxy(store)
    rule = {"reads": reads, "writes": writes}[side].inject(fault, operation, key="small")
    run = longbow.sync(objects.at(via=reads), destination.at(via=writes), "--method", "stream", expect=1)
    line = run.lines("failed")["small"]
    assert fault.code in line["reason"], line
    assert rule.hits <= 3, f"{rule.hits} requests for what does not pass"
    assert_same(objects, destination, keys=["parts", "bystander"])


SOURCE_OWNER, DESTINATION_OWNER = "111122223333", "444455556666"
OWNERS = ["--source-expected-bucket-owner", SOURCE_OWNER, "--destination-expected-bucket-owner", DESTINATION_OWNER]


def demand(proxy, owner):
    """Refuses whatever does not name the owner, as S3 does where the bucket is somebody else's."""
    return proxy.inject(
        faults.Refuse(403, "AccessDenied"), where=lambda e: e.headers.get("x-amz-expected-bucket-owner") != owner
    )


@pytest.mark.parametrize("method", ["stream", "server-side"])
def test_every_call_names_the_owner_of_the_bucket(objects, destination, longbow, make_proxy, store, method):
    """Comparison, copies, an upload that is gone on with, removals and a verification: no call leaves it out."""
    # One store's own copies need one endpoint for both sides.
    reads = make_proxy(store)
    writes = reads if method == "server-side" else make_proxy(store)
    proxies = {id(p): p for p in (reads, writes)}.values()

    def owner_of(exchange):
        return SOURCE_OWNER if exchange.bucket == objects.name else DESTINATION_OWNER

    wrong = [
        p.inject(
            faults.Refuse(403, "AccessDenied"),
            where=lambda e: e.headers.get("x-amz-expected-bucket-owner") != owner_of(e),
        )
        for p in proxies
    ]
    destination.put("extra", b"e")
    sides = objects.at(via=reads), destination.at(via=writes)
    flags = [*OWNERS, "--method", method]
    # The first attempt ends in the middle of the parts; the second asks what is there.
    broken = writes.inject(faults.Refuse(403, "AccessDenied"), where=lambda e: e.part == 2)
    longbow.sync(*sides, *flags, "--delete", expect=1)
    assert broken.hits > 0
    writes.rules.remove(broken)
    longbow.sync(*sides, *flags, "--delete")
    longbow("verify", *longbow.sides(*sides), *OWNERS, "--read")
    assert_same(objects, destination, tags=True)
    assert [rule.hits for rule in wrong] == [0] * len(wrong), [str(e) for p in proxies for e in p.requests() if e.faults]
    seen = {e.operation for p in proxies for e in p.requests()}
    common = {"ListObjectsV2", "HeadObject", "GetObject", "CreateMultipartUpload", "CompleteMultipartUpload",
              "DeleteObject"}  # fmt: skip
    own = {"stream": {"PutObject", "UploadPart", "GetObjectTagging"}, "server-side": {"CopyObject", "UploadPartCopy"}}
    assert common | own[method] <= seen, (common | own[method]) - seen
    copies = [e for p in proxies for e in p.requests("CopyObject", "UploadPartCopy")]
    assert all(e.headers.get("x-amz-source-expected-bucket-owner") == SOURCE_OWNER for e in copies)


def test_a_bucket_of_another_owner_is_not_touched(objects, destination, longbow, make_proxy, store):
    """The bucket has been deleted and made anew by somebody else."""
    writes = make_proxy(store)
    demand(writes, "999999999999")
    destination.put("extra", b"theirs")
    run = longbow.sync(
        objects.at(), destination.at(via=writes), *OWNERS, "--method", "stream", "--delete", expect=None
    )
    assert run.code in (1, 2) and "AccessDenied" in run.err + run.out, str(run)
    assert destination.keys() == ["extra"]


class Keys:
    """The credentials of a container: those that it has now, for as long as it says."""

    def __init__(self, secret):
        self.key, self.secret, self.asked = "AKIDFIRST", secret, 0
        keys = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                keys.asked += 1
                until = datetime.now(timezone.utc) + timedelta(hours=6)
                body = {"AccessKeyId": keys.key, "SecretAccessKey": keys.secret, "Token": keys.secret,
                        "Expiration": until.strftime("%Y-%m-%dT%H:%M:%SZ")}  # fmt: skip
                body = json.dumps(body).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/keys"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self):
        self._server.shutdown()
        self._server.server_close()


def test_keys_that_are_replaced_in_mid_upload_cost_no_part(ministack, make_bucket, make_proxy, longbow, clock):
    """The first key is refused from the second part on; the upload goes on with the second key. Keys are not asked for twice
    within seconds: the clock goes on by a minute."""
    source, destination, writes = make_bucket(ministack), make_bucket(ministack), make_proxy(ministack)
    source.put_parts("parts", content(20 * MIB), 5 * MIB)
    keys = Keys(longbow.secrets[1])

    def refuse(exchange):
        if "AKIDFIRST" not in exchange.headers.get("authorization", ""):
            return False
        if exchange.operation == "UploadPart" and exchange.part < 2:
            return False
        if exchange.operation in ("UploadPart", "CompleteMultipartUpload"):
            keys.key = "AKIDSECOND"
            clock.set(60)
            return True
        return False

    rule = writes.inject(faults.Refuse(400, "ExpiredToken"), where=refuse)
    environment = {"AWS_ACCESS_KEY_ID": None, "AWS_SECRET_ACCESS_KEY": None,
                   "AWS_CONTAINER_CREDENTIALS_FULL_URI": keys.url} | clock.environment  # fmt: skip
    try:
        run = longbow.sync(
            source.at(), destination.at(via=writes), "--method", "stream", "--part-size", "5MiB", env=environment
        )
    finally:
        keys.close()
    assert rule.hits > 0 and keys.asked >= 2
    assert run.summary["failed"] == 0
    assert len(writes.requests("CreateMultipartUpload")) == 1, "the upload was begun anew"
    taken = [e.part for e in writes.requests("UploadPart") if e.status == 200]
    assert sorted(taken) == [1, 2, 3, 4], "a part was sent twice"
    assert_same(source, destination)


@contextlib.contextmanager
def unknown_certificate(folder):
    """A server whose certificate nobody has vouched for."""
    if not shutil.which("openssl"):
        pytest.skip("needs openssl")
    make = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "1",
            "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
            "-keyout", folder / "key.pem", "-out", folder / "cert.pem"]  # fmt: skip
    subprocess.run(make, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    asked = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            self.send_error(500)

        do_HEAD = do_PUT = do_POST = do_GET

        def log_message(self, *_):
            pass

    class Quiet(ThreadingHTTPServer):
        def get_request(self):
            client, address = self.socket.accept()
            return context.wrap_socket(client, server_side=True), address

        def handle_error(self, *_):
            pass

    server = Quiet(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"https://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        server.server_close()


def test_a_certificate_that_nobody_vouches_for_is_refused(ministack, make_bucket, longbow, tmp_path):
    bucket = make_bucket(ministack)
    bucket.put("k", b"k")
    with unknown_certificate(tmp_path) as (url, asked):
        run = longbow.sync(Place("s3://somewhere", url), bucket.at(), "--delete", expect=None)
    assert run.code in (1, 2) and "certificate" in (run.err + run.out).lower(), str(run)
    assert asked == [] and bucket.keys() == ["k"], "a request was sent all the same"


def test_plain_http_leaves_this_machine_only_when_it_is_allowed(longbow):
    """And nothing is asked before that is known."""
    began = time.monotonic()
    sides = ["s3://aaa", "s3://bbb", "--source-endpoint-url", "http://store.invalid"]
    run = longbow("sync", *sides, expect=2)
    assert "--allow-http" in run.err and time.monotonic() - began < 5


class ServiceFault(faults.Fault):
    """An error of SQS or DynamoDB; with `acted` the service has done the work."""

    def __init__(self, status, code, acted=False):
        self.reply = faults.Reply(
            status, json.dumps({"__type": f"com.amazonaws#{code}", "message": "made up by the proxy"}).encode(),
            (("Content-Type", "application/x-amz-json-1.0"), ("x-amzn-errortype", code),
             ("x-amzn-query-error", f"{code};Receiver")),
        )  # fmt: skip
        self.acted = acted

    def before(self, exchange, proxy):
        return None if self.acted else self.reply

    def head(self, exchange, status, headers):
        return self.reply


def calls(*names):
    """Requests of these calls of the services."""
    return lambda exchange: exchange.headers.get("x-amz-target", "").split(".")[-1] in names


WRITES_OF_THE_TABLE = ("PutItem", "UpdateItem", "TransactWriteItems", "BatchWriteItem")
THROTTLED = ServiceFault(400, "ProvisionedThroughputExceededException")
DOWN = ServiceFault(500, "InternalServerError")

# Who meets it, which calls, what, how often (None: for ever).
SERVICES = [
    ("an answer to jobs that were sent is lost", "jobsender", ("SendMessageBatch",), faults.LoseReply(), 1),
    ("sending fails for a while", "jobsender", ("SendMessageBatch",), DOWN, 2),
    ("an answer with jobs is lost", "worker", ("ReceiveMessage",), faults.LoseReply(), 1),
    ("receiving fails for a while", "worker", ("ReceiveMessage",), DOWN, 2),
    ("the answer to a deletion is lost", "worker", ("DeleteMessageBatch", "DeleteMessage"), faults.LoseReply(), 1),
    ("deletions fail for a while", "worker", ("DeleteMessageBatch", "DeleteMessage"), DOWN, 2),
    ("the table is throttled", "worker", ("GetItem", "BatchGetItem", "Query", *WRITES_OF_THE_TABLE), THROTTLED, 6),
    ("the answer to a record is lost", "worker", WRITES_OF_THE_TABLE, faults.LoseReply(), 2),
]


@pytest.mark.parametrize("case", SERVICES, ids=[case[0] for case in SERVICES])
def test_services_that_stumble_lose_no_job(source, destination, ministack, longbow, make_proxy, case):
    _, who, names, fault, times = case
    cluster, services = Cluster(ministack), make_proxy(ministack)
    longbow.environment.update(cluster.environment)
    longbow("state", "create-table", "--table", cluster.table)
    source.fill({f"k{n:02}": content(1000 + n, n) for n in range(25)})
    sides = [*longbow.sides(source.at(), destination.at()), "--table", cluster.table, "--method", "stream", "--json"]
    straight = [*sides, "--queue-url", cluster.queue]
    through = [*sides, "--queue-url", cluster.queue.replace(ministack.url, services.url)]
    environment = {"AWS_ENDPOINT_URL_SQS": services.url, "AWS_ENDPOINT_URL_DYNAMODB": services.url}

    def run(command, *flags):
        if command == who:
            return longbow(command, *through, *flags, env=environment)
        return longbow(command, *straight, *flags)

    rule = services.inject(fault, where=calls(*names), times=times)
    assert run("jobsender").summary["jobs_sent"] >= 25
    worked = run("worker", "--exit-when-empty").summary
    assert rule.hits == times, "the fault was never met"
    assert worked["failed"] == 0
    assert_same(source, destination)
    assert cluster.depth() == (0, 0, 0) and cluster.depth(cluster.dead) == (0, 0, 0)
    assert cluster.records() == {f"k{n:02}": "copied" for n in range(25)}


def test_without_the_table_copies_go_on(source, destination, ministack, longbow, make_proxy):
    """It fails from the first record on: objects arrive and their jobs go; what could not be recorded is compared anew."""
    cluster, services = Cluster(ministack), make_proxy(ministack)
    longbow.environment.update(cluster.environment)
    longbow("state", "create-table", "--table", cluster.table)
    source.fill({f"k{n:02}": content(1000 + n, n) for n in range(25)})
    sides = [*longbow.sides(source.at(), destination.at()), *cluster.flags, "--method", "stream", "--json"]
    longbow("jobsender", *sides)
    environment = {"AWS_ENDPOINT_URL_DYNAMODB": services.url}
    down = services.inject(DOWN, where=calls(*WRITES_OF_THE_TABLE, "GetItem", "BatchGetItem", "Query"))
    worker = longbow.start("worker", *sides, env=environment)
    wait_for(lambda: len(destination.keys()) == 25 and cluster.depth() == (0, 0, 0), "all jobs are done", 60)
    worker.signal(15)
    ended = longbow.judge(worker.wait(80), 0)
    assert down.hits > 0 and ended.summary["failed"] == 0
    assert_same(source, destination)
    assert cluster.depth(cluster.dead) == (0, 0, 0)
    assert longbow("jobsender", *sides).summary["jobs_sent"] == 0


@pytest.mark.timeout(400)
def test_an_endpoint_that_takes_connections_and_says_nothing_is_given_up_and_named(silent_endpoint):
    """After a minute a request, three times; nothing is removed for it."""
    longbow, running, place, copy = silent_endpoint
    run = longbow.judge(running.wait(360), None)
    assert run.code in (1, 2) and place in run.err + run.out, str(run)
    assert "no answer within" in run.err + run.out, str(run)
    assert tree(copy) == {"kept": b"k"}
