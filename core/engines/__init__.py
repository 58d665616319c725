"""Who computes the networks, and in which number format. A rounded network is another network: certificates name both."""

ENGINES = ("auto", "eager", "compile", "openvino")
PRECISIONS = ("auto", "float32", "bfloat16")
EAGER, FLOAT32 = "eager", "float32"
"""What computed before there was a choice."""
