"""The program that computes a pair's votes: by which engine, in which format, and whether its answers are the pair's own.

A program is compiled for one pair, sigma and size of picture, and for batches of one size, so that an answer does not depend
on how many others are asked for with it. What cannot be compiled, or answers otherwise than the networks do, is not used.
"""

import sys
import threading
import warnings
import weakref
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from core.engines import EAGER, FLOAT32, not_installed
from core.errors import first_line

Logits = Callable[[Tensor], Tensor]
"""(B, 3, H, W) noisy pixels -> (B, classes)."""

ROUNDING = {"float32": 1e-3, "bfloat16": 0.15}
"""How far a compiled logit may lie from the networks' own, as a part of the spread of a picture's logits."""
TRIED = 16
"""Noisy pictures on which a program is compared with the networks."""


@dataclass(frozen=True, eq=False)
class Program:
    """What computes a pair.

    Attributes:
        engine, precision: as a certificate names them.
        run: the compiled program; None for the networks themselves, called one after the other.
        notice: why it is not what was asked for, in a sentence; None where it is.
    """

    engine: str = EAGER
    precision: str = FLOAT32
    run: Logits | None = None
    notice: str | None = None

    def call(self, network: Callable[..., Any], pixels: Tensor, *rest: Any) -> Any:
        """What a network returns in the program's number format; pixels go in and come out in float32."""
        if self.precision == FLOAT32:
            return network(pixels, *rest)
        with torch.autocast(pixels.device.type, torch.bfloat16):
            out = network(pixels, *rest)
        return out.float() if isinstance(out, Tensor) else out

    @property
    def versions(self) -> dict[str, str]:
        """Of the package that computes beside torch."""
        return {"openvino": version("openvino")} if self.engine == "openvino" else {}


EAGERLY = Program()


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


class _Module(nn.Module):
    """A pair as one module, called as a program calls its networks."""

    def __init__(self, pair: Pair, precision: str) -> None:
        super().__init__()
        self.classifier, self.denoiser, self.sigma = pair.classifier, pair.denoiser, pair.sigma
        self.program = Program(precision=precision)

    def forward(self, noisy: Tensor) -> Tensor:
        denoised = noisy if self.denoiser is None else self.program.call(self.denoiser, noisy, self.sigma)
        return self.program.call(self.classifier, denoised)


class _Programs(dict[Any, Any]):
    """The programs of a classifier, which carries them, so that they go when it goes; a copy of it starts without any."""

    def __deepcopy__(self, memo: Any) -> "_Programs":
        return _Programs()

    def __reduce__(self) -> Any:
        return _Programs, ()


_ATTRIBUTE = "_programs_of_the_lab"
_LOCK = threading.Lock()


def choose(pair: Pair, engine: str, precision: str, *, wait: bool = False) -> Program:
    """The program that is to compute a pair.

    ``auto`` takes a format only where the pair's own card holds the certified accuracy in it, and keeps nobody waiting: the
    networks are compiled aside once a pair is met for the second time, and the program takes over when it is ready.

    Args:
        wait: compile at once, whatever was asked for.
    """
    if precision == "auto":
        fits = "bfloat16" in measured(pair.classifier, pair.denoiser, pair.sigma) and computes_bfloat16(pair.device)
        precision = "bfloat16" if fits else FLOAT32
    plain = Program(precision=precision)
    automatic = engine == "auto"
    if automatic:  # of float32 it would gain a tenth
        engine = "openvino" if precision != FLOAT32 and why_not("openvino", pair) is None else EAGER
    if engine == EAGER:
        return plain
    reason = why_not(engine, pair)
    if reason is not None:
        return Program(precision=precision, notice=f"{reason}; the networks are computed eagerly.")
    programs: _Programs = vars(pair.classifier).setdefault(_ATTRIBUTE, _Programs())
    denoiser = None if pair.denoiser is None else weakref.ref(pair.denoiser)
    where = str(pair.device), torch.get_num_threads()
    key = (denoiser, pair.sigma, pair.shape, pair.rows, engine, precision, where, _weights(pair))
    with _LOCK:
        first = key not in programs
        compiled: Future[Program] | None = programs.setdefault(key, None)
        begin = compiled is None and not (first and automatic and not wait)
        if begin:
            compiled = programs[key] = Future()
    if compiled is None:
        return plain
    if begin and automatic and not wait:
        # No daemon: one that computes while the interpreter is taken down brings the whole process down with it.
        threading.Thread(target=_compile, args=(compiled, pair, engine, precision), name="compile").start()
    elif begin:
        _compile(compiled, pair, engine, precision)
    return compiled.result() if compiled.done() or wait or not automatic else plain


def _weights(pair: Pair) -> int:
    """Another number where the networks' weights were changed in place, or others put in their place."""
    models = [model for model in (pair.classifier, pair.denoiser) if model is not None]
    tensors = [tensor for model in models for tensor in (*model.parameters(), *model.buffers())]
    return hash(tuple((t.data_ptr(), 0 if t.is_inference() else t._version) for t in tensors))


def measured(classifier: Any, denoiser: Any, sigma: float) -> tuple[str, ...]:
    """The formats in which a pair's certified accuracy was measured within a point of float32's, as its card says."""
    holder, other = (classifier, None) if denoiser is None else (denoiser, classifier)
    formats = getattr(holder, "formats", None)
    own_size = getattr(classifier, "own_size", None) == getattr(classifier, "input_size", None)
    if not isinstance(formats, Mapping) or not own_size:
        return ()
    spans = formats.get(getattr(other, "ref", "none"), {})
    return tuple(name for name, (low, high) in spans.items() if low <= sigma <= high)


def computes_bfloat16(device: torch.device) -> bool:
    """Whether a device has instructions for bfloat16, which make it faster there."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    supported = (getattr(torch.cpu, f"_is_{name}_supported", lambda: False) for name in ("avx512_bf16", "amx_tile"))
    return device.type == "cpu" and any(ask() for ask in supported)


def why_not(engine: str, pair: Pair) -> str | None:
    """Why an engine cannot be tried on a pair here; None where it can."""
    if not isinstance(pair.classifier, nn.Module) or not isinstance(pair.denoiser, nn.Module | None):
        return f"{pair.names}: only torch modules can be compiled"
    if engine == "openvino" and pair.device.type != "cpu":
        return f"OpenVINO computes on the CPU, and the device is {str(pair.device)!r}"
    return not_installed(engine)


def _compile(compiled: "Future[Program]", pair: Pair, engine: str, precision: str) -> None:
    """Compile, compare with the networks, and set the result: the program, or the eager one with the reason."""
    reason = None
    try:
        with torch.inference_mode():
            run = _in_rows(_COMPILERS[engine](pair, precision), pair.rows)
            reason = _difference(run, _Module(pair, FLOAT32).eval(), pair, precision)
    except Exception as error:  # networks of strangers, and compilers: each fails in its own way
        reason = f"it fails ({first_line(error)})"
    if reason is None:
        compiled.set_result(Program(engine, precision, run))
    else:
        sentence = f"{engine} does not compute {pair.names}: {reason}; the networks are computed eagerly."
        compiled.set_result(Program(precision=precision, notice=sentence))


def _difference(run: Logits, networks: nn.Module, pair: Pair, precision: str) -> str | None:
    """What tells a program from the networks on noisy pictures that neither has seen; None where it is rounding."""
    generator = torch.Generator().manual_seed(1)
    pictures = torch.rand((TRIED, *pair.shape), generator=generator)
    pictures *= torch.linspace(0, 1, TRIED).view(-1, 1, 1, 1)  # from black on: what a trace took for granted may be otherwise
    noisy = (pictures + pair.sigma * torch.randn(pictures.shape, generator=generator)).to(pair.device)
    own = torch.cat([networks(part) for part in noisy.split(pair.rows)])
    if not torch.allclose(own, torch.cat([networks(part) for part in noisy.split(pair.rows)]), atol=1e-4, rtol=1e-4):
        return "the networks do not answer the same twice"
    found = run(noisy)
    if found.shape != own.shape:
        return f"it answers with {tuple(found.shape)} instead of {tuple(own.shape)}"
    spread = float((own.amax(1) - own.amin(1)).mean())
    off = float((found - own).abs().max()) / max(spread, 1e-9)
    if off <= ROUNDING[precision]:
        return None
    return f"its answers differ by {off:.1%} of their spread, and rounding explains {ROUNDING[precision]:.1%} at most"


def _in_rows(run: Logits, rows: int) -> Logits:
    """A program for batches of ``rows`` as one for any: the last batch is filled with black pictures."""

    def whole(noisy: Tensor) -> Tensor:
        parts = [run(F.pad(part, (0, 0) * 3 + (0, rows - len(part))))[: len(part)] for part in noisy.split(rows)]
        return torch.cat(parts)

    return whole


def _torch_compile(pair: Pair, precision: str) -> Logits:
    return torch.compile(_Module(pair, precision).eval(), dynamic=False)


def _openvino(pair: Pair, precision: str) -> Logits:
    # Without this module nothing is told to the vendor, as else the import itself and openvino.convert_model do.
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    import openvino
    from openvino.frontend import FrontEndManager
    from openvino.frontend.pytorch.ts_decoder import TorchScriptPythonDecoder

    example = torch.rand((pair.rows, *pair.shape), generator=torch.Generator().manual_seed(0))
    # torch.export, which is to follow torch.jit.trace, takes three times as long, and OpenVINO does not know all it makes.
    warnings.filterwarnings("ignore", category=torch.jit._trace.TracerWarning)
    warnings.filterwarnings("ignore", message="`torch.jit.trace", category=DeprecationWarning)
    decoder = TorchScriptPythonDecoder(torch.jit.trace(_Module(pair, FLOAT32).eval(), example, check_trace=False))
    frontend = FrontEndManager().load_by_framework("pytorch")
    model = frontend.convert(frontend.load(decoder))
    model.reshape(list(example.shape))
    hints = {
        "INFERENCE_PRECISION_HINT": {"float32": "f32", "bfloat16": "bf16"}[precision],
        "INFERENCE_NUM_THREADS": torch.get_num_threads(),
        "PERFORMANCE_HINT": "LATENCY",
    }
    request = openvino.Core().compile_model(model, "CPU", hints).create_infer_request()
    lock = threading.Lock()

    def run(noisy: Tensor) -> Tensor:
        with lock:  # one request, whose result the next overwrites
            found = request.infer([noisy.contiguous().numpy()], share_inputs=True, share_outputs=True)
            return torch.from_numpy(found[0].copy())

    return run


_COMPILERS: dict[str, Callable[[Pair, str], Logits]] = {"compile": _torch_compile, "openvino": _openvino}
