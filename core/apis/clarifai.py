"""Clarifai's general recognition model, through the messages of the official gRPC client."""

from collections.abc import Mapping
from typing import Any

from core.apis.provider import InDoubtError, Limits, QueryFailedError, RefusedError, TurnedAwayError, VendorClient

LIMITS = Limits(price=0.0012, rate=10, max_bytes=20 * 2**20)
"""Public documentation: 20 MB a picture; about ten requests a second in the first paid plan."""

MODEL = "general-image-recognition"


class Clarifai(VendorClient):
    """``api/clarifai``: PostModelOutputs of ``clarifai/main`` ``general-image-recognition``. Credentials: ``CLARIFAI_PAT``.

    ``CLARIFAI_GRPC_BASE`` names another endpoint; one that begins with ``127.0.0.1:`` is spoken to without TLS.
    """

    ref, model, destination = "api/clarifai", MODEL, "Clarifai"

    def __init__(self, secrets: Mapping[str, str], limits: Limits = LIMITS) -> None:
        import grpc
        from clarifai_grpc.grpc.api import resources_pb2, service_pb2

        token = secrets.get("CLARIFAI_PAT")
        if not token:
            raise RefusedError("There are no credentials for Clarifai: set CLARIFAI_PAT to a personal access token.")
        self.limits = limits
        self._resources, self._service = resources_pb2, service_pb2
        self._metadata = (("authorization", f"Key {token}"),)
        base = secrets.get("CLARIFAI_GRPC_BASE") or "api.clarifai.com"
        # The channel that the client makes retries by itself, which would pay twice.
        options = [("grpc.enable_retries", 0), ("grpc.max_send_message_length", 2 * limits.max_bytes)]
        local = base.startswith("127.0.0.1:")
        channel = (
            grpc.insecure_channel(base, options)
            if local
            else grpc.secure_channel(base, grpc.ssl_channel_credentials(), options)
        )
        self._post: Any = channel.unary_unary(
            "/clarifai.api.V2/PostModelOutputs",
            request_serializer=service_pb2.PostModelOutputsRequest.SerializeToString,
            response_deserializer=service_pb2.MultiOutputResponse.FromString,
        )

    def _request(self, png: bytes) -> Any:
        picture = self._resources.Input(data=self._resources.Data(image=self._resources.Image(base64=png)))
        request = self._service.PostModelOutputsRequest(
            user_app_id=self._resources.UserAppIDSet(user_id="clarifai", app_id="main"), model_id=MODEL, inputs=[picture]
        )
        response = self._post(request, metadata=self._metadata, timeout=self.limits.timeout)
        code = int(response.status.code)
        if code != _SUCCESS:
            raise _status_failure(code, f"{response.status.description} {response.status.details}".strip())
        return response

    def _labels(self, found: Any) -> list[tuple[str, float]]:
        output = found.outputs[0]
        if output.model.model_version.id:
            self.model = f"{MODEL}/{output.model.model_version.id}"
        return [(concept.name, concept.value) for concept in output.data.concepts]

    def _failure(self, error: Exception) -> QueryFailedError:
        import grpc

        if not isinstance(error, grpc.RpcError):
            return self._sorted(error)
        code, said = error.code(), str(error.details() or "")
        if code in (grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED):
            return RefusedError("Clarifai does not accept the credentials: check CLARIFAI_PAT.")
        if code == grpc.StatusCode.RESOURCE_EXHAUSTED:
            return TurnedAwayError(f"Clarifai asks to slow down. It said: {said[:200]}")
        if code in (grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.UNIMPLEMENTED, grpc.StatusCode.NOT_FOUND):
            return RefusedError(f"Clarifai refused the query ({code.name}). It said: {said[:200]}")
        if code == grpc.StatusCode.INTERNAL and "deserializ" in said.lower():
            return self._sorted(error, unreadable=(Exception,))
        if code == grpc.StatusCode.UNAVAILABLE and ("failed to connect" in said.lower() or "name resolution" in said.lower()):
            return self._sorted(error, unreached=(Exception,))
        if code == grpc.StatusCode.DEADLINE_EXCEEDED:
            return self._sorted(error, late=(Exception,))
        return InDoubtError(f"The connection was cut before Clarifai answered ({code.name}).")


_SUCCESS, _THROTTLED, _HOURLY, _MONTHLY = 10000, 11005, 11003, 11004  # codes of clarifai.api.status.StatusCode


def _status_failure(code: int, said: str) -> QueryFailedError:
    if code in (_THROTTLED, _HOURLY):
        return TurnedAwayError(f"Clarifai asks to slow down ({code}). It said: {said[:200]}")
    if code == _MONTHLY:
        return RefusedError(f"The account's quota at Clarifai has ended ({code}): wait for the next month or raise it.")
    if 11000 <= code < 11100:
        return RefusedError(f"Clarifai does not accept the credentials ({code}): check CLARIFAI_PAT. It said: {said[:200]}")
    if code >= 98000:
        return TurnedAwayError(f"Clarifai has a fault of its own ({code}).")
    return RefusedError(f"Clarifai refused the query ({code}). It said: {said[:200]}")
