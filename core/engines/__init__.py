"""Who computes the networks, and in which number format. A rounded network is another network: certificates name both."""

import importlib.util

ENGINES = ("auto", "eager", "compile", "openvino")
PRECISIONS = ("auto", "float32", "bfloat16")
EAGER, FLOAT32 = "eager", "float32"
"""What computed before there was a choice."""
TITLES = {"eager": "torch", "compile": "torch.compile", "openvino": "OpenVINO"}


def program_title(engine: str, precision: str) -> str:
    """For people.

    >>> program_title("openvino", "bfloat16")
    'OpenVINO, bfloat16'
    """
    return f"{TITLES[engine]}, {precision}"


def not_installed(engine: str) -> str | None:
    """A clause where an engine's package is missing here; None where nothing is."""
    if engine == "openvino" and importlib.util.find_spec("openvino") is None:
        return "OpenVINO is not installed ('pip install -r requirements-openvino.txt')"
    return None
