"""Faults that the chaos proxy can inject, as data.

Apart from the proxy so that a test reads as a list of faults. A fault holds no state of an exchange: one value may serve
many exchanges at once. Which exchanges it hits, and how often, is the rule's business (`chaos.Rule`).
"""

import random
from collections.abc import Callable
from dataclasses import dataclass


class Hangup(Exception):
    """Send these last bytes, then close the connection without a word, or reset it."""

    def __init__(self, last=b"", reset=False):
        super().__init__("connection closed by a scripted fault")
        self.last, self.reset = last, reset


@dataclass
class Reply:
    """A reply that the proxy makes up."""

    status: int
    body: bytes = b""
    headers: tuple = (("Content-Type", "application/xml"),)


def error_document(code, message="made up by the proxy"):
    """An S3 error body."""
    return (
        f'<?xml version="1.0" encoding="UTF-8"?><Error><Code>{code}</Code><Message>{message}</Message></Error>'.encode()
    )


class Fault:
    """What can be changed at each step. Every method of this one changes nothing."""

    def before(self, exchange, proxy):
        """Called before the server sees the request; a `Reply` is sent in its place."""

    def request_bytes(self, offset, data):
        """The request body on its way to the server."""
        return data

    def head(self, exchange, status, headers):
        """The reply's head: returns status and headers, or a `Reply` to send in its place."""
        return status, headers

    def reply_bytes(self, offset, data, proxy):
        """The reply body on its way to the client."""
        return data


def _flip(offset, data, at, mask):
    if not offset <= at < offset + len(data):
        return data
    changed = bytearray(data)
    changed[at - offset] ^= mask
    return bytes(changed)


@dataclass
class Refuse(Fault):
    """An error reply. The server does not see the request, unless `acted`: then it does the work and its reply is lost."""

    status: int
    code: str
    acted: bool = False
    headers: tuple = ()
    message: str = "made up by the proxy"

    def _reply(self, exchange):
        body = b"" if exchange.method == "HEAD" else error_document(self.code, self.message)
        return Reply(self.status, body, (("Content-Type", "application/xml"), *self.headers))

    def before(self, exchange, proxy):
        return None if self.acted else self._reply(exchange)

    def head(self, exchange, status, headers):
        return self._reply(exchange)


def slow_down():
    """503 as S3 throttles."""
    return Refuse(503, "SlowDown")


def error_in_200(code="InternalError", acted=False):
    """A 200 whose body is an error, as CompleteMultipartUpload and CopyObject may give."""
    return Refuse(200, code, acted)


@dataclass
class FlipReply(Fault):
    """Byte `at` of the reply body: one of its bits, or those of `mask`."""

    at: int
    mask: int = 0x01

    def reply_bytes(self, offset, data, proxy):
        return _flip(offset, data, self.at, self.mask)


@dataclass
class FlipRequest(Fault):
    """Byte `at` of the request body, before the server sees it: one of its bits, or those of `mask`."""

    at: int
    mask: int = 0x01

    def request_bytes(self, offset, data):
        return _flip(offset, data, self.at, self.mask)


@dataclass
class CutReply(Fault):
    """The connection closes after `at` bytes of the reply body."""

    at: int

    def reply_bytes(self, offset, data, proxy):
        if offset + len(data) > self.at:
            raise Hangup(data[: max(0, self.at - offset)])
        return data


@dataclass
class ResetReply(Fault):
    """The connection is reset after `at` bytes of the reply body."""

    at: int

    def reply_bytes(self, offset, data, proxy):
        if offset + len(data) > self.at:
            raise Hangup(data[: max(0, self.at - offset)], reset=True)
        return data


@dataclass
class SlowStart(Fault):
    """The first `bytes` of the reply body come a few at a time, for `seconds` in all; then it goes on as ever."""

    bytes: int
    seconds: float
    pieces: int = 20

    def reply_bytes(self, offset, data, proxy):
        if offset:
            return data
        slow, rest = data[: self.bytes], data[self.bytes :]
        size = max(1, len(slow) // self.pieces)
        for at in range(0, len(slow), size):
            proxy.send_now(slow[at : at + size])
            proxy.closing.wait(self.seconds / self.pieces)
        return rest


@dataclass
class ShortenReply(Fault):
    """The reply claims to be, and is, `by` bytes shorter: a truncation that HTTP cannot see."""

    by: int

    def head(self, exchange, status, headers):
        length = int(dict((n.lower(), v) for n, v in headers).get("content-length", 0))
        kept = max(0, length - self.by)
        exchange.keep = kept
        return status, [(n, str(kept) if n.lower() == "content-length" else v) for n, v in headers]


@dataclass
class StallReply(Fault):
    """After `at` bytes nothing more comes for `seconds`; then the connection closes."""

    at: int
    seconds: float = 600.0

    def reply_bytes(self, offset, data, proxy):
        if offset + len(data) > self.at:
            proxy.send_now(data[: max(0, self.at - offset)])
            proxy.closing.wait(self.seconds)
            raise Hangup()
        return data


@dataclass
class Delay(Fault):
    """The request waits before it goes on."""

    seconds: float

    def before(self, exchange, proxy):
        proxy.closing.wait(self.seconds)


@dataclass
class LoseReply(Fault):
    """The server has acted; the client never hears of it."""

    def head(self, exchange, status, headers):
        raise Hangup()


@dataclass
class CutRequest(Fault):
    """The connection breaks after `at` bytes of the request body; the server never gets the rest."""

    at: int

    def request_bytes(self, offset, data):
        if offset + len(data) > self.at:
            raise Hangup(data[: max(0, self.at - offset)])
        return data


@dataclass
class ReplaceHeader(Fault):
    """A header of the reply is replaced, or left out when `value` is None."""

    name: str
    value: str | None

    def head(self, exchange, status, headers):
        headers = [(n, v) for n, v in headers if n.lower() != self.name.lower()]
        return status, headers if self.value is None else [*headers, (self.name, self.value)]


@dataclass
class TurnTag(Fault):
    """The server has acted; in the `ETag` of its reply hex digit `at` is another one, `by` (1 to 15) further on."""

    at: int
    by: int = 1

    def head(self, exchange, status, headers):
        def turned(tag):
            # The first character is a quote.
            place = 1 + self.at
            return f"{tag[:place]}{(int(tag[place], 16) + self.by) % 16:x}{tag[place + 1 :]}"

        return status, [(n, turned(v) if n.lower() == "etag" else v) for n, v in headers]


class Schedule:
    """What befalls the successive passings of each (operation, key, part); to stand in a rule in the place of a fault."""

    def __init__(self, planned, part_of=lambda exchange: exchange.part):
        self._left = {passing: list(faults) for passing, faults in planned.items()}
        self._part_of = part_of

    def __call__(self, exchange):
        left = self._left.get((exchange.operation, exchange.key, self._part_of(exchange)))
        return left.pop(0) if left else None

    @property
    def left(self):
        """What has befallen nobody yet, by passing."""
        return {passing: faults for passing, faults in self._left.items() if faults}


@dataclass
class Call(Fault):
    """Calls a function of the test with the exchange, before or after the server has seen the request."""

    function: Callable
    after: bool = False

    def before(self, exchange, proxy):
        if not self.after:
            self.function(exchange)

    def head(self, exchange, status, headers):
        if self.after:
            self.function(exchange)
        return status, headers


def some_of(share, seed=1):
    """A predicate that is true for this share of exchanges, always the same ones."""
    chance = random.Random(seed)
    return lambda exchange: chance.random() < share
