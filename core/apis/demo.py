"""A small HTTP server that serves a classifier as a stranger's API would, and the provider ``api/demo`` that asks it.

So the Vision APIs page can be tried without an account; nothing else of the classifier can be reached.
"""

import json
import threading
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from core.apis.http import Endpoint, HttpEndpoint
from core.apis.provider import Limits
from core.errors import LabError

DEMO_CLASSIFIER = "bundled/cifar10"
DEMO_LIMITS = Limits(price=0.001, rate=100, concurrency=4, max_bytes=8 * 2**20)
"""The price is play money, so that a budget can be tried out."""

DEMO_DESTINATION = "the Lab's own demo API, on this machine"
PATH = "/v1/classify"
TOP = 5


class DemoServer(ThreadingHTTPServer):
    """``POST /v1/classify``: the body is a picture, the answer its best labels. Raises LabError where the port is taken."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, classifier: str = DEMO_CLASSIFIER, host: str = "127.0.0.1", port: int = 0) -> None:
        from core.models.load import load_classifier

        self.classifier = load_classifier(classifier)
        self.asked = 0
        self._one_at_a_time = threading.Lock()
        try:
            super().__init__((host, port), _Handler)
        except OSError as error:
            raise LabError(f"Port {port} of {host} cannot be used ({error.strerror}): choose another with --port.") from error

    @property
    def url(self) -> str:
        """Where to post pictures."""
        host, port = self.server_address[:2]
        return f"http://{host!s}:{port}{PATH}"

    def classify(self, data: bytes) -> dict[str, Any]:
        """The document that answers a picture. Raises LabError where it cannot be read."""
        import torch

        from core.pictures.pixels import to_pixels
        from core.pictures.reading import read_picture

        pixels = to_pixels(read_picture(data, "The body").image, self.classifier.input_size)
        with self._one_at_a_time, torch.inference_mode():  # networks use all cores as it is
            self.asked += 1
            shares = self.classifier(pixels[None])[0].softmax(dim=0)
        best = shares.topk(min(TOP, len(shares)))
        names = self.classifier.labels
        return {
            "model": {"name": self.classifier.ref, "version": self.classifier.revision},
            "predictions": [
                {"label": names[index] if names else f"class {index}", "score": round(value, 6)}
                for index, value in zip(best.indices.tolist(), best.values.tolist(), strict=True)
            ],
        }


class _Handler(BaseHTTPRequestHandler):
    server: DemoServer
    protocol_version = "HTTP/1.1"
    timeout = 60

    def do_POST(self) -> None:
        length = self.headers.get("Content-Length", "")
        if self.path != PATH:
            self._answer(404, {"error": f"There is nothing here: POST a picture to {PATH}."})
        elif not length.isdigit() or not 0 < int(length) <= DEMO_LIMITS.max_bytes:
            self.close_connection = True
            self._answer(413, {"error": f"Send a picture of at most {DEMO_LIMITS.max_bytes} bytes, with its Content-Length."})
        else:
            try:
                self._answer(200, self.server.classify(self.rfile.read(int(length))))
            except LabError as error:
                self._answer(400, {"error": str(error)})

    def do_GET(self) -> None:
        self._answer(
            200 if self.path == "/" else 404, {"use": f"POST a picture to {PATH}", "model": self.server.classifier.ref}
        )

    def _answer(self, status: int, document: dict[str, Any]) -> None:
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: a line a picture would drown everything else."""


@cache
def shared_demo_server() -> DemoServer:
    """The demo server of this process, started on first use."""
    server = DemoServer()
    threading.Thread(target=server.serve_forever, name="demo-api", daemon=True).start()
    return server


def demo_provider(price: float | None = None, rate: float | None = None) -> HttpEndpoint:
    """``api/demo``: asks this process's demo server, over HTTP."""
    server = shared_demo_server()
    endpoint = Endpoint(
        server.url, limits=DEMO_LIMITS.with_terms(price, rate), model=f"demo/{(server.classifier.revision or 'unknown')[:12]}"
    )
    provider = HttpEndpoint("api/demo", endpoint, {})
    provider.destination = DEMO_DESTINATION
    return provider
