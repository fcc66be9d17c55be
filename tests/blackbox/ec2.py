"""What an instance on EC2 finds: a metadata service (IMDSv2) and the API of Auto Scaling, as far as a worker asks them."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs

INSTANCE = "i-0123456789abcdef0"
SPOT = "/latest/meta-data/spot/instance-action"
REBALANCE = "/latest/meta-data/events/recommendations/rebalance"
LIFECYCLE = "/latest/meta-data/autoscaling/target-lifecycle-state"


class Ec2:
    """A running one. `documents` is what the metadata service tells, `calls` what Auto Scaling was asked."""

    def __init__(self):
        self.documents = {
            "/latest/meta-data/instance-id": INSTANCE,
            LIFECYCLE: "InService",
        }
        self.calls, self.asked = [], []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self):
        self._server.shutdown()
        self._server.server_close()

    @property
    def environment(self):
        """Where the program finds it."""
        return {
            "AWS_EC2_METADATA_DISABLED": None,
            "AWS_EC2_METADATA_SERVICE_ENDPOINT": self.url,
            "AWS_ENDPOINT_URL_AUTO_SCALING": self.url,
            "LONGBOW_CLUSTER__AUTO_SCALING_GROUP": "workers",
            "LONGBOW_CLUSTER__LIFECYCLE_HOOK": "drain",
        }

    def _handler(ec2):  # noqa: N805
        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_):
                pass

            def reply(self, status, text, kind="text/plain"):
                body = text.encode()
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.send_header("x-aws-ec2-metadata-token-ttl-seconds", "21600")
                self.end_headers()
                self.wfile.write(body)

            def do_PUT(self):
                known = self.path == "/latest/api/token"
                self.reply(200 if known else 404, "token" if known else "")

            def do_GET(self):
                ec2.asked.append(self.path)
                if self.headers.get("x-aws-ec2-metadata-token") != "token":
                    return self.reply(401, "")
                text = ec2.documents.get(self.path)
                return self.reply(404, "") if text is None else self.reply(200, text)

            def do_POST(self):
                form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
                ec2.calls.append({name: value[0] for name, value in form.items()})
                name = form["Action"][0]
                self.reply(200, f"<{name}Response><{name}Result/></{name}Response>", "text/xml")

        return Handler
