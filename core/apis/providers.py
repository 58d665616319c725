"""Providers by reference: ``api/NAME``, with NAME in VENDORS, ``demo``, or ``http/PATH`` to a TOML file."""

import dataclasses
import os
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from core.apis.http import HttpEndpoint, read_endpoint
from core.apis.provider import Described, Limits, Provider
from core.errors import LabError


@dataclass(frozen=True)
class Vendor:
    """What is known of a provider before anything is installed or paid."""

    title: str  # for a menu
    module: str  # where its class is
    name: str
    package: str | None = None  # of its client on the package index; None: the Lab comes with it

    @property
    def limits(self) -> Limits:
        """Price, rate and sizes of the vendor's public documentation; no client is imported for them."""
        return import_module(self.module).LIMITS

    @property
    def destination(self) -> str:
        return str(getattr(import_module(self.module), self.name).destination)


VENDORS = {
    "google": Vendor("Google Cloud Vision, label detection", "core.apis.google", "GoogleVision", "google-cloud-vision"),
    "aws": Vendor("Amazon Rekognition, detect_labels", "core.apis.aws", "Rekognition", "boto3"),
    "azure": Vendor("Azure AI Vision, image analysis tags", "core.apis.azure", "AzureVision", "azure-ai-vision-imageanalysis"),
    "clarifai": Vendor("Clarifai, general image recognition", "core.apis.clarifai", "Clarifai", "clarifai-grpc"),
    "huggingface": Vendor("Hugging Face Inference Providers", "core.apis.huggingface", "HuggingFaceInference"),
}


def is_api(reference: str) -> bool:
    """Whether a model reference names a remote API."""
    return reference.strip().startswith("api/")


def describe_provider(reference: str, price: float | None = None, rate: float | None = None) -> Described:
    """Describe a provider, with the user's own price and rate where given. Raises LabError where there is none such."""
    kind, rest = _parse(reference)
    if kind == "http":
        endpoint = read_endpoint(Path(rest).expanduser())
        found = Described(reference, HttpEndpoint(reference, endpoint, os.environ).destination, endpoint.limits)
    elif kind == "demo":
        from core.apis.demo import DEMO_DESTINATION, DEMO_LIMITS

        found = Described("api/demo", DEMO_DESTINATION, DEMO_LIMITS)
    else:
        from core.apis.huggingface import DEFAULT_MODEL

        ref = f"api/huggingface/{rest or DEFAULT_MODEL}" if kind == "huggingface" else f"api/{kind}"
        found = Described(ref, VENDORS[kind].destination, VENDORS[kind].limits)
    return dataclasses.replace(found, limits=found.limits.with_terms(price, rate))


def load_provider(
    reference: str, *, price: float | None = None, rate: float | None = None, secrets: Mapping[str, str] | None = None
) -> Provider:
    """Make a client for ``api/NAME``, with the user's own price and rate where given. Nothing is sent yet.

    Credentials are looked up in ``secrets``, by default the environment; they are never shown, logged or stored. Raises
    LabError where there is no such provider, its official client is not installed, or credentials are missing.
    """
    secrets = os.environ if secrets is None else secrets
    kind, rest = _parse(reference)
    if kind == "http":
        endpoint = read_endpoint(Path(rest).expanduser())
        endpoint = dataclasses.replace(endpoint, limits=endpoint.limits.with_terms(price, rate))
        return HttpEndpoint(reference, endpoint, secrets)
    if kind == "demo":
        from core.apis.demo import demo_provider

        return demo_provider(price, rate)
    vendor = VENDORS[kind]
    limits = vendor.limits.with_terms(price, rate)
    maker = getattr(import_module(vendor.module), vendor.name)
    try:
        return maker(secrets, rest, limits) if kind == "huggingface" and rest else maker(secrets, limits=limits)
    except ModuleNotFoundError as error:
        raise LabError(
            f"The official client for {reference!r} is not installed: run 'pip install -r requirements-apis.txt'"
            f" (or only {vendor.package})."
        ) from error


def _parse(reference: str) -> tuple[str, str]:
    head, _, rest = reference.strip().partition("/")
    kind, _, rest = rest.partition("/")
    known = (*VENDORS, "http", "demo")
    if head != "api" or kind not in known or (rest and kind not in ("http", "huggingface")) or (kind == "http" and not rest):
        raise LabError(
            f"Unknown API {reference!r}: expected one of {', '.join(f'api/{name}' for name in VENDORS)}, api/demo"
            " or api/http/PATH, which names a TOML file."
        )
    return kind, rest
