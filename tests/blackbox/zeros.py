"""A tiny S3 server that holds nothing: every object is zeros, what is written is thrown away.

For tests with huge objects: it serves, takes and copies an object of any size at the cost of the sockets alone, and knows
the MD5 of zeros by heart, so that the copy is verified as any other. It checks no signatures and no bytes.
"""

import functools
import hashlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

BLOCK = bytes(1024 * 1024)
PART = 16 * 1024 * 1024
# What one request writes or copies at most (Amazon S3 User Guide, "Multipart upload limits").
MOST = 5 * 1024**3
DATE = "2026-01-02T03:04:05.000Z"
HTTP_DATE = "Fri, 02 Jan 2026 03:04:05 GMT"


@functools.cache
def md5_of_zeros(size):
    """The digest of this many zeros."""
    digest = hashlib.md5()
    for _ in range(size // len(BLOCK)):
        digest.update(BLOCK)
    digest.update(BLOCK[: size % len(BLOCK)])
    return digest


def etag_of_zeros(size):
    """The tag of zeros uploaded in parts of `PART`."""
    full, rest = divmod(size, PART)
    digests = md5_of_zeros(PART).digest() * full + (md5_of_zeros(rest).digest() if rest else b"")
    return f'"{hashlib.md5(digests).hexdigest()}-{full + bool(rest)}"'


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "zeros"

    def log_message(self, *_):
        pass

    def setup(self):
        super().setup()
        self.scratch = memoryview(bytearray(1024 * 1024))

    def _answer(self, status, body=b"", **headers):
        self.send_response(status)
        headers.setdefault("content_length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if body and self.command != "HEAD":
            self.wfile.write(body)

    def _take_body(self):
        """Reads the request's body away; its length."""
        left = size = int(self.headers.get("Content-Length") or 0)
        while left:
            got = self.rfile.readinto(self.scratch[: min(left, len(self.scratch))])
            if not got:
                raise ConnectionError
            left -= got
        return size

    def _parse(self):
        parts = urlsplit(self.path)
        bucket, _, key = parts.path[1:].partition("/")
        return bucket, key, parse_qs(parts.query, keep_blank_values=True)

    def do_GET(self):
        bucket, key, query = self._parse()
        store = self.server.store
        if not key and "uploads" in query:
            self._answer(
                200, b"<ListMultipartUploadsResult><IsTruncated>false</IsTruncated></ListMultipartUploadsResult>"
            )
        elif not key:
            held = {"k": store.size} if bucket == "source" else store.written
            lines = "".join(
                f"<Contents><Key>{k}</Key><Size>{size}</Size><ETag>{store.tag(bucket, size)}</ETag>"
                f"<LastModified>{DATE}</LastModified><StorageClass>STANDARD</StorageClass></Contents>"
                for k, size in held.items()
            )
            text = f"<ListBucketResult><Name>{bucket}</Name><KeyCount>{len(held)}</KeyCount><MaxKeys>1000</MaxKeys>"
            self._answer(200, f"{text}<IsTruncated>false</IsTruncated>{lines}</ListBucketResult>".encode())
        elif "uploadId" in query:
            self._answer(200, b"<ListPartsResult><IsTruncated>false</IsTruncated></ListPartsResult>")
        elif "tagging" in query:
            self._answer(200, b"<Tagging><TagSet></TagSet></Tagging>")
        else:
            self._object(bucket, query)

    def do_HEAD(self):
        bucket, key, query = self._parse()
        if key:
            self._object(bucket, query)
        else:
            self._answer(200)

    def _object(self, bucket, query):
        store = self.server.store
        size = store.size if bucket == "source" else store.written.get("k")
        if size is None:
            self._answer(404)
            return
        headers = {"ETag": store.tag(bucket, size), "Last_Modified": HTTP_DATE, "Accept_Ranges": "bytes"}
        start, end, status = 0, size - 1, 200
        if "partNumber" in query:
            number = int(query["partNumber"][0])
            start, end, status = (number - 1) * PART, min(number * PART, size) - 1, 206
            headers["x_amz_mp_parts_count"] = str(-(-size // PART))
        elif wanted := self.headers.get("Range"):
            first, _, last = wanted.removeprefix("bytes=").partition("-")
            start, end, status = int(first), min(int(last or size), size - 1), 206
        if status == 206:
            headers["Content_Range"] = f"bytes {start}-{end}/{size}"
        self.send_response(status)
        self.send_header("Content-Length", str(end - start + 1))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        left = end - start + 1
        while left and self.command == "GET":
            count = min(left, len(BLOCK))
            self.connection.sendall(memoryview(BLOCK)[:count])
            left -= count

    def do_PUT(self):
        _, key, query = self._parse()
        size = self._take_body()
        store = self.server.store
        copies = "x-amz-copy-source" in self.headers
        if wanted := self.headers.get("x-amz-copy-source-range"):
            first, _, last = wanted.removeprefix("bytes=").partition("-")
            size = int(last) + 1 - int(first)
        elif copies:
            size = store.size
        if size > MOST:
            self._answer(400, b"<Error><Code>EntityTooLarge</Code><Message>too large</Message></Error>")
            return
        if "partNumber" in query:
            with store.lock:
                store.parts[int(query["partNumber"][0])] = size
            tag = f'"{md5_of_zeros(size).hexdigest()}"'
        else:
            store.written[key], store.whole = size, True
            tag = store.tag("destination", size)
        if not copies:
            self._answer(200, ETag=tag)
            return
        name = "CopyPartResult" if "partNumber" in query else "CopyObjectResult"
        self._answer(200, f"<{name}><ETag>{tag}</ETag><LastModified>{DATE}</LastModified></{name}>".encode())

    def do_POST(self):
        bucket, key, query = self._parse()
        self._take_body()
        store = self.server.store
        if "uploads" in query:
            text = f"<Bucket>{bucket}</Bucket><Key>{key}</Key><UploadId>u1</UploadId>"
            self._answer(200, f"<InitiateMultipartUploadResult>{text}</InitiateMultipartUploadResult>".encode())
            return
        store.written[key] = sum(store.parts.values())
        text = f"<Bucket>{bucket}</Bucket><Key>{key}</Key><ETag>{etag_of_zeros(store.written[key])}</ETag>"
        self._answer(200, f"<CompleteMultipartUploadResult>{text}</CompleteMultipartUploadResult>".encode())

    def do_DELETE(self):
        self._answer(204)


class Zeros:
    """The running server: bucket `source` holds `k` of `size` zeros; bucket `destination` takes anything.

    `k` was uploaded in parts of `PART`, unless a `digest` is given: then it was written whole, and that passes for its MD5.
    """

    def __init__(self, size, digest=None):
        self.size, self.parts, self.written, self.lock = size, {}, {}, threading.Lock()
        # Whether the copy was written whole.
        self.digest, self.whole = digest, False
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self._server.daemon_threads, self._server.store = True, self
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def tag(self, bucket, size):
        """The tag of the object there."""
        if self.digest and (bucket == "source" or self.whole):
            return f'"{self.digest}"'
        return f'"{md5_of_zeros(size).hexdigest()}"' if self.whole else etag_of_zeros(size)

    def close(self):
        """Stops it."""
        self._server.shutdown()
        self._server.server_close()
