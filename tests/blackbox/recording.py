"""ministack, which also remembers what the fleet's commands have asked it for: `GET /_longbow/calls` tells that.

Apart from servers.py because it runs in the server's process, where a request costs nothing more than a look at its head. Each call is
remembered once, so that it stays small. What a call needs is said in rights.py.
"""

import json
import sys

import ministack.app as server

import chaos
import rights

CALLS = "/_longbow/calls"
# Of a body; only those to SQS are read, which takes no more than 256 KiB.
MOST = 1 << 20


class Recording:
    """The application, and what was asked."""

    def __init__(self, application):
        self.application, self.seen, self.faults = application, set(), []

    async def __call__(self, scope, receive, send):
        if scope["type"] != "http":
            return await self.application(scope, receive, send)
        if scope["path"] == CALLS:
            return await self.tell(send)
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        if rights.MARK not in headers.get("authorization", ""):
            return await self.application(scope, receive, send)
        body = bytearray()

        async def listening():
            message = await receive()
            if "x-amz-target" in headers and len(body) < MOST:
                body.extend(message.get("body", b""))
            return message

        await self.application(scope, listening, send)
        target = scope.get("raw_path", scope["path"].encode()).decode("latin-1")
        if scope["query_string"]:
            target = f"{target.partition('?')[0]}?{scope['query_string'].decode('latin-1')}"
        try:
            self.seen |= rights.calls(chaos.parse(scope["method"], target, headers), bytes(body))
        except Exception as error:  # noqa: BLE001: a call that is not understood is told, and fails the test
            self.faults.append(f"{scope['method']} {target}: {error!r}")

    async def tell(self, send):
        """Everything up to now."""
        text = json.dumps({"calls": sorted(self.seen, key=str), "faults": self.faults[:20]}).encode()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
        await send({"type": "http.response.body", "body": text})


if __name__ == "__main__":
    server.app = Recording(server.app)
    sys.exit(server.main())
