"""A classifier behind a denoiser as one network: as a torch module, as a graph of OpenVINO, and as one of int8 that is kept.

A graph of int8 is made from noisy pictures (post-training quantisation by NNCF) and kept in a folder of its own, in OpenVINO's
format of XML and numbers: reading it runs no code. It is found by what it was made of, the hashes of both weights, sigma and
size, so that none is taken for another's.
"""

import hashlib
import json
import sys
import threading
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from importlib.metadata import version
from io import StringIO
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from core.engines import FLOAT32, INT8
from core.errors import LabError
from core.folders import ASSETS, home_folder

ABOUT, GRAPH = "about.json", ("graph.xml", "graph.bin")


@dataclass(frozen=True)
class Pair:
    """A classifier behind a denoiser, or alone, at a sigma, for (3, H, W) pictures in batches of ``rows`` on a device."""

    classifier: Any
    denoiser: Any
    sigma: float
    shape: tuple[int, ...]
    rows: int
    device: torch.device

    @property
    def names(self) -> str:
        """For people."""
        models = [model for model in (self.denoiser, self.classifier) if model is not None]
        return " and ".join(str(getattr(model, "ref", type(model).__name__)) for model in models)

    @property
    def made_of(self) -> dict[str, Any]:
        """What tells it from other pairs wherever it is loaded; without a hash where a model has no weights file."""
        models = {"classifier": self.classifier, "denoiser": self.denoiser}
        hashes = {name: "none" if model is None else getattr(model, "weights_sha256", None) for name, model in models.items()}
        return hashes | {"sigma": float(self.sigma), "shape": list(self.shape)}

    def numbers(self) -> str:
        """sha256 of all weights and statistics as they are now, whatever they were read from."""
        digest = hashlib.sha256()
        for model in (self.classifier, self.denoiser):
            for tensor in model.state_dict().values() if isinstance(model, nn.Module) else ():
                digest.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy())
        return digest.hexdigest()

    def example(self) -> Tensor:
        """(rows, 3, H, W) pixels."""
        return torch.rand((self.rows, *self.shape), generator=torch.Generator().manual_seed(0))


def call(network: Callable[..., Any], precision: str, pixels: Tensor, *rest: Any) -> Any:
    """What a network returns in a number format of torch; pixels go in and come out in float32."""
    if precision == FLOAT32:
        return network(pixels, *rest)
    with torch.autocast(pixels.device.type, torch.bfloat16):
        out = network(pixels, *rest)
    return out.float() if isinstance(out, Tensor) else out


class PairModule(nn.Module):
    """A pair as one module, in evaluation mode: (B, 3, H, W) noisy pixels -> (B, classes)."""

    def __init__(self, pair: Pair, precision: str = FLOAT32) -> None:
        super().__init__()
        self.classifier, self.denoiser, self.sigma, self.precision = pair.classifier, pair.denoiser, pair.sigma, precision
        self.eval()

    def forward(self, noisy: Tensor) -> Tensor:
        denoised = noisy if self.denoiser is None else call(self.denoiser, self.precision, noisy, self.sigma)
        return call(self.classifier, self.precision, denoised)


def openvino() -> Any:
    """The package, imported so that nothing is told to its vendor, as else the import itself and NNCF do."""
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    import openvino

    return openvino


def graph_of(pair: Pair) -> Any:
    """A pair in float32 as a graph of OpenVINO, for batches of its ``rows``."""
    openvino()
    from openvino.frontend import FrontEndManager
    from openvino.frontend.pytorch.ts_decoder import TorchScriptPythonDecoder

    example = pair.example()
    with warnings.catch_warnings():
        # torch.export, which is to follow torch.jit.trace, takes three times as long, and OpenVINO does not know all it makes.
        warnings.filterwarnings("ignore", category=torch.jit._trace.TracerWarning)
        warnings.filterwarnings("ignore", message="`torch.jit.trace", category=DeprecationWarning)
        decoder = TorchScriptPythonDecoder(torch.jit.trace(PairModule(pair), example, check_trace=False))
    frontend = FrontEndManager().load_by_framework("pytorch")
    graph = frontend.convert(frontend.load(decoder))
    graph.reshape(list(example.shape))
    return graph


def quantised(pair: Pair, noisy: Sequence[Tensor]) -> Any:
    """A pair as a graph of int8, by the values that batches of (rows, 3, H, W) noisy pictures take in it."""
    openvino()
    with redirect_stdout(StringIO()), warnings.catch_warnings():  # it paints bars there
        warnings.simplefilter("ignore")
        import nncf
        from nncf.quantization.range_estimator import RangeEstimatorParametersSet

        nncf.set_log_level(40)
        graph = graph_of(pair)
        attends = any(node.get_type_name() in ("Softmax", "ScaledDotProductAttention") for node in graph.get_ops())
        batches = nncf.Dataset([batch.numpy() for batch in noisy])
        kind = nncf.ModelType.TRANSFORMER if attends else None
        # Histograms choose the range with the least error: half as far from float32 as the greatest and least value seen.
        ranges = nncf.AdvancedQuantizationParameters(activations_range_estimator_params=RangeEstimatorParametersSet.HISTOGRAM)
        return nncf.quantize(graph, batches, subset_size=len(noisy), model_type=kind, advanced_parameters=ranges)


def _folders(pair: Pair) -> list[Path]:
    """Where its graph of int8 may lie: among what comes with the Lab, and on this machine."""
    text = json.dumps(pair.made_of, sort_keys=True)
    name = hashlib.sha256(text.encode()).hexdigest()[:16]
    return [ASSETS / INT8 / name, home_folder() / INT8 / name]


def quantised_folder(pair: Pair) -> Path | None:
    """Where a pair's graph of int8 lies; None where there is none, or nothing that fixes the pair."""
    there = (folder for folder in _folders(pair) if (folder / ABOUT).is_file())
    return None if None in pair.made_of.values() else next(there, None)


def store_quantised(pair: Pair, graph: Any, about: Mapping[str, Any], *, bundled: bool = False) -> Path:
    """Keep a graph of int8, with what is to be known of it, on this machine, or among what comes with the Lab.

    Raises:
        LabError: where there is one, or the pair's weights are in no file.
    """
    if None in pair.made_of.values():
        raise LabError(f"The weights of {pair.names} are in no file by whose hash a graph of int8 could be found again.")
    known = quantised_folder(pair)
    if known is not None:
        raise LabError(
            f"There is a graph of int8 of {pair.names} at sigma {pair.sigma:g}, which certificates may name: remove"
            f" {str(known)!r} first."
        )
    folder = _folders(pair)[0 if bundled else 1]
    folder.mkdir(parents=True, exist_ok=True)
    openvino().save_model(graph, folder / GRAPH[0], compress_to_fp16=False)
    files = {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in GRAPH}
    made_with = {package: version(package) for package in ("openvino", "nncf", "torch")}
    document = {**pair.made_of, "numbers": pair.numbers(), "rows": pair.rows, "files": files, "versions": made_with, **about}
    (folder / ABOUT).write_text(json.dumps(document, indent=2) + "\n")
    return folder


@dataclass(frozen=True)
class StoredGraph:
    """A graph of int8 as it is stored: the graph, the rows of its batches, and the sha256 that names it in certificates."""

    graph: Any
    rows: int
    sha256: str


def read_quantised(folder: Path, pair: Pair) -> StoredGraph:
    """Read a graph of int8. Raises LabError where a file is not the one that was stored, or the pair's weights were changed."""
    about = json.loads((folder / ABOUT).read_text())
    if pair.numbers() != about["numbers"]:
        raise LabError(f"The weights of {pair.names} were changed since they were read: make a graph of int8 of what they are.")
    found = {name: (folder / name).read_bytes() for name in GRAPH}
    hashes = {name: hashlib.sha256(data).hexdigest() for name, data in found.items()}
    if hashes != about["files"]:
        raise LabError(f"The graph of int8 in {str(folder)!r} is not the one that was stored: make it anew.")
    graph = openvino().Core().read_model(found[GRAPH[0]], found[GRAPH[1]])
    listing = "".join(f"{name} {digest}\n" for name, digest in sorted(hashes.items()))
    return StoredGraph(graph, int(about["rows"]), hashlib.sha256(listing.encode()).hexdigest())


def compiled(graph: Any, hint: str) -> Callable[[Tensor], Tensor]:
    """A graph as a function of (rows, 3, H, W) pixels on the CPU; what is not rounded beforehand is computed in ``hint``."""
    hints = {"INFERENCE_PRECISION_HINT": hint, "INFERENCE_NUM_THREADS": torch.get_num_threads(), "PERFORMANCE_HINT": "LATENCY"}
    request = openvino().Core().compile_model(graph, "CPU", hints).create_infer_request()
    lock = threading.Lock()

    def run(noisy: Tensor) -> Tensor:
        with lock:  # one request, whose result the next overwrites
            found = request.infer([noisy.contiguous().numpy()], share_inputs=True, share_outputs=True)
            return torch.from_numpy(found[0].copy())

    return run
