"""Who computes the networks, and in which number format. A rounded network is another network: certificates name both."""

import importlib.util

ENGINES = ("auto", "eager", "compile", "openvino")
PRECISIONS = ("auto", "float32", "bfloat16", "int8")
INT8 = "int8"
EAGER, FLOAT32 = "eager", "float32"
"""What computed before there was a choice."""
TITLES = {"eager": "torch", "compile": "torch.compile", "openvino": "OpenVINO"}


def program_title(engine: str, precision: str) -> str:
    """For people.

    >>> program_title("openvino", "bfloat16")
    'OpenVINO, bfloat16'
    """
    return f"{TITLES[engine]}, {precision}"


def not_installed(package: str) -> str | None:
    """A clause where ``openvino``, or what rounds for it, is missing here; None for what is there, or needs no package."""
    if package not in _PACKAGES or importlib.util.find_spec(package) is not None:
        return None
    title, file = _PACKAGES[package]
    return f"{title} is not installed ('pip install -r {file}')"


_PACKAGES = {"openvino": ("OpenVINO", "requirements.txt"), "nncf": ("NNCF", "requirements-quantize.txt")}
