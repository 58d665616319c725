"""Loopback servers that speak the vendors' wire formats, with faults on demand."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from email.parser import BytesParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np
import pytest
from PIL import Image

Labels = list[tuple[str, float]]


@dataclass
class Fault:
    """What happens to one query instead of an answer."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    code: str = ""  # AWS error code or Clarifai status
    hang: float = 0.0
    cut: bool = False  # the connection is closed without a byte
    half: bool = False  # and in the middle of the body
    garbage: bytes | None = None


def brightness(picture: Image.Image) -> Labels:
    """A classifier of its own: what the mean grey level says, with a runner-up."""
    mean = float(np.asarray(picture.convert("RGB"), dtype=np.float64).mean())
    names = ["Night", "Dusk", "Day"]
    best = min(2, int(mean // 85))
    return [(names[best], 0.9), (names[(best + 1) % 3], 0.1)]


class Vendors(ThreadingHTTPServer):
    """One HTTP server for Google, Azure, Rekognition, Hugging Face and described endpoints, told apart by the request."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.faults: deque[Fault] = deque()
        self.label: Callable[[Image.Image], Labels] = brightness
        self.latency = 0.0
        self.received: list[str] = []  # sha256 of every PNG that came
        self.pictures: list[Image.Image] = []
        self.headers_seen: list[dict[str, str]] = []
        self.times: list[float] = []
        self.lock = threading.Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is part of the tests."""


class _Handler(BaseHTTPRequestHandler):
    server: Vendors
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        target = self.headers.get("X-Amz-Target", "")
        vendor = (
            "aws"
            if target == "RekognitionService.DetectLabels"
            else "google"
            if self.path.startswith("/v1/images:annotate")
            else "azure"
            if self.path.startswith("/computervision/imageanalysis:analyze")
            else "huggingface"
            if self.path.startswith("/hf")
            else "http"
        )
        png = _picture_in(vendor, body, self.headers)
        picture = Image.open(io.BytesIO(png)).convert("RGB")
        with self.server.lock:
            self.server.received.append(hashlib.sha256(png).hexdigest())
            self.server.pictures.append(picture)
            self.server.headers_seen.append(dict(self.headers))
            self.server.times.append(time.monotonic())
            fault = self.server.faults.popleft() if self.server.faults else Fault()
        time.sleep(self.server.latency + fault.hang)
        if fault.cut:
            self.close_connection = True
            return
        document = _answer(vendor, self.server.label(picture), picture) if fault.status == 200 else _error(vendor, fault)
        data = fault.garbage if fault.garbage is not None else json.dumps(document).encode()
        self.send_response(fault.status)
        self.send_header("Content-Type", "application/x-amz-json-1.1" if vendor == "aws" else "application/json")
        for name, value in fault.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data[: len(data) // 2] if fault.half else data)
        self.close_connection = self.close_connection or fault.half

    def log_message(self, format: str, *args: object) -> None:
        pass


def _picture_in(vendor: str, body: bytes, headers: Any) -> bytes:
    kind = headers.get("Content-Type") or ""
    if vendor == "google":
        request = json.loads(body)["requests"][0]
        assert request["features"][0]["type"] in ("LABEL_DETECTION", 4)
        return base64.b64decode(request["image"]["content"])
    if vendor == "aws":
        return base64.b64decode(json.loads(body)["Image"]["Bytes"])
    if vendor == "huggingface" and kind.startswith("application/json"):
        return base64.b64decode(json.loads(body)["inputs"])
    if vendor == "http" and kind.startswith("application/json"):
        return base64.b64decode(json.loads(body)["instances"]["b64"])
    if kind.startswith("multipart/"):
        message = BytesParser().parsebytes(b"Content-Type: " + kind.encode() + b"\r\n\r\n" + body)
        part = message.get_payload()[0]
        return part.get_payload(decode=True)  # type: ignore[union-attr]
    return body


def _answer(vendor: str, labels: Labels, picture: Image.Image) -> Any:
    match vendor:
        case "google":
            found = [{"mid": "/m/0", "description": name, "score": score, "topicality": score} for name, score in labels]
            return {"responses": [{"labelAnnotations": found} if found else {}]}
        case "aws":
            found = [{"Name": name, "Confidence": 100 * score, "Instances": [], "Parents": []} for name, score in labels]
            return {"Labels": found, "LabelModelVersion": "3.0"}
        case "azure":
            tags = {"values": [{"name": name, "confidence": score} for name, score in labels]}
            metadata = {"width": picture.width, "height": picture.height}
            return {"modelVersion": "2023-10-01", "metadata": metadata, "tagsResult": tags}
        case "huggingface":
            return [{"label": name, "score": score} for name, score in labels]
    return {"predictions": [{"label": name, "score": score} for name, score in labels]}


def _error(vendor: str, fault: Fault) -> Any:
    match vendor:
        case "google":
            status = {401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED", 429: "RESOURCE_EXHAUSTED"}.get(fault.status, "INTERNAL")
            return {"error": {"code": fault.status, "message": "as the test asked", "status": status}}
        case "aws":
            return {"__type": fault.code, "message": "as the test asked"}
        case "azure":
            return {"error": {"code": fault.code or "Error", "message": "as the test asked"}}
    return {"error": "as the test asked"}


@pytest.fixture
def vendors() -> Iterator[Vendors]:
    """The HTTP server, running."""
    server = Vendors()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()


class ClarifaiServer:
    """A gRPC server with Clarifai's own service description."""

    def __init__(self) -> None:
        import grpc
        from clarifai_grpc.grpc.api import service_pb2_grpc

        self.faults: deque[Fault] = deque()
        self.label: Callable[[Image.Image], Labels] = brightness
        self.received: list[str] = []
        self.pictures: list[Image.Image] = []
        self.metadata: list[dict[str, str]] = []
        outer = self

        class Service(service_pb2_grpc.V2Servicer):
            def PostModelOutputs(self, request: Any, context: Any) -> Any:  # noqa: N802
                return outer._answer(request, context)

        self._server = grpc.server(ThreadPoolExecutor(8))
        service_pb2_grpc.add_V2Servicer_to_server(Service(), self._server)
        self.address = f"127.0.0.1:{self._server.add_insecure_port('127.0.0.1:0')}"
        self._server.start()

    def _answer(self, request: Any, context: Any) -> Any:
        import grpc
        from clarifai_grpc.grpc.api import resources_pb2, service_pb2
        from clarifai_grpc.grpc.api.status import status_pb2

        png = request.inputs[0].data.image.base64
        picture = Image.open(io.BytesIO(png)).convert("RGB")
        self.received.append(hashlib.sha256(png).hexdigest())
        self.pictures.append(picture)
        self.metadata.append({key: str(value) for key, value in context.invocation_metadata()})
        fault = self.faults.popleft() if self.faults else Fault()
        time.sleep(fault.hang)
        if fault.cut:
            context.abort(grpc.StatusCode.UNAVAILABLE, "Socket closed")
        if fault.code.isdigit():
            return service_pb2.MultiOutputResponse(status=status_pb2.Status(code=int(fault.code), description="as asked"))
        if fault.code:
            context.abort(getattr(grpc.StatusCode, fault.code), "as the test asked")
        concepts = [resources_pb2.Concept(name=name, value=score) for name, score in self.label(picture)]
        model = resources_pb2.Model(model_version=resources_pb2.ModelVersion(id="v1"))
        outputs = (
            [] if fault.garbage is not None else [resources_pb2.Output(data=resources_pb2.Data(concepts=concepts), model=model)]
        )
        return service_pb2.MultiOutputResponse(status=status_pb2.Status(code=10000), outputs=outputs)

    def stop(self) -> None:
        self._server.stop(0).wait(5)


@pytest.fixture
def clarifai_server() -> Iterator[ClarifaiServer]:
    """The gRPC server, running; skipped where Clarifai's client is not installed."""
    pytest.importorskip("clarifai_grpc", reason="clarifai-grpc is not installed: pip install -r requirements-apis.txt")
    server = ClarifaiServer()
    yield server
    server.stop()


@pytest.fixture
def picture() -> Image.Image:
    """A small picture of noise, mostly bright."""
    return Image.fromarray(np.random.default_rng(0).integers(150, 256, (100, 120, 3), dtype=np.uint8))
