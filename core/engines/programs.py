"""The program that computes a pair's votes: by which engine, in which format, and whether its answers are the pair's own.

A program is compiled for one pair, sigma and size of picture, and for batches of one size, so that an answer does not depend
on how many others are asked for with it. What cannot be compiled, or answers otherwise than the networks do, is not used.
"""

import os
import threading
import weakref
from collections import OrderedDict
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from core.engines import EAGER, FLOAT32, INT8, not_installed
from core.engines.pair import Pair, PairModule, call, compiled, graph_of, quantised_folder, read_quantised
from core.errors import first_line
from core.folders import home_folder

Logits = Callable[[Tensor], Tensor]
"""(B, 3, H, W) noisy pixels -> (B, classes)."""

ROUNDING = {"float32": 1e-3, "bfloat16": 0.15, "int8": 0.6}
"""How far a compiled logit may lie from the networks' own, as a part of the spread of a picture's logits."""
TRIED = 16
"""Noisy pictures on which a program is compared with the networks."""
KEPT = 4
"""Programs of a classifier that are kept, those used last: each holds the networks once more, 70 MB for the bundled pair."""


@dataclass(frozen=True, eq=False)
class Program:
    """What computes a pair.

    Attributes:
        engine, precision: as a certificate names them.
        run: the compiled program; None for the networks themselves, called one after the other.
        notice: why it is not what was asked for, in a sentence; None where it is.
        versions: of the package that computes beside torch, and the sha256 of a graph of int8.
    """

    engine: str = EAGER
    precision: str = FLOAT32
    run: Logits | None = None
    notice: str | None = None
    versions: dict[str, str] = field(default_factory=dict)

    def call(self, network: Callable[..., Any], pixels: Tensor, *rest: Any) -> Any:
        """What a network returns in the program's number format; pixels go in and come out in float32."""
        return call(network, self.precision, pixels, *rest)


EAGERLY = Program()


class _Programs(OrderedDict[Any, Any]):
    """The programs of a classifier, which carries them, so that they go when it goes; a copy of it starts without any."""

    def took(self, key: Any) -> None:
        """Keep this one longest, and no more than :data:`KEPT`."""
        self.move_to_end(key)
        while len(self) > KEPT:
            self.popitem(last=False)

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
    automatic, eagerly = engine == "auto", precision
    if precision == "auto":
        fits = [name for name in measured(pair.classifier, pair.denoiser, pair.sigma) if computes(name, pair.device)]
        eagerly = precision = "bfloat16" if "bfloat16" in fits else FLOAT32
        if INT8 in fits and engine in ("auto", "openvino") and why_not("openvino", INT8, pair) is None:
            precision = INT8
    elif precision == INT8:  # which one engine has: nobody is kept from waiting for what was asked for
        eagerly, engine, automatic = FLOAT32, "openvino" if automatic else engine, False
    plain = Program(precision=eagerly)
    if automatic:  # of float32 it would gain a tenth
        engine = "openvino" if precision != FLOAT32 and why_not("openvino", precision, pair) is None else EAGER
    if engine == EAGER and precision != INT8:
        return plain
    reason = why_not(engine, precision, pair)
    if reason is not None:
        return Program(precision=eagerly, notice=f"{reason}; the networks are computed eagerly{_in(eagerly, precision)}.")
    programs: _Programs = vars(pair.classifier).setdefault(_ATTRIBUTE, _Programs())
    denoiser = None if pair.denoiser is None else weakref.ref(pair.denoiser)
    where = str(pair.device), torch.get_num_threads()
    key = (denoiser, pair.sigma, pair.shape, pair.rows, engine, precision, where, _weights(pair))
    with _LOCK:
        first = key not in programs
        ready: Future[Program] | None = programs.setdefault(key, None)
        begin = ready is None and not (first and automatic and not wait)
        if begin:
            ready = programs[key] = Future()
        programs.took(key)
    if ready is None:
        return plain
    if begin and automatic and not wait:
        # No daemon: one that computes while the interpreter is taken down brings the whole process down with it.
        threading.Thread(
            target=_compile, args=(ready, pair, engine, precision), kwargs={"eagerly": eagerly}, name="compile"
        ).start()
    elif begin:
        _compile(ready, pair, engine, precision, eagerly=eagerly)
    return ready.result() if ready.done() or wait or not automatic else plain


def _in(found: str, asked: str) -> str:
    return "" if found == asked else f", in {found}"


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


def computes(precision: str, device: torch.device) -> bool:
    """Whether a device has instructions for bfloat16 or int8, which make it faster there."""
    if device.type == "cuda" and precision == "bfloat16":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    names = ("vnni",) if precision == INT8 else ("avx512_bf16", "amx_tile")
    supported = (getattr(torch.cpu, f"_is_{name}_supported", lambda: False) for name in names)
    return device.type == "cpu" and any(ask() for ask in supported)


def why_not(engine: str, precision: str, pair: Pair) -> str | None:
    """Why an engine cannot be tried on a pair here, in a number format; None where it can."""
    if not isinstance(pair.classifier, nn.Module) or not isinstance(pair.denoiser, nn.Module | None):
        return f"{pair.names}: only torch modules can be compiled"
    if precision == INT8 and engine != "openvino":
        return "int8 is computed by OpenVINO alone"
    if engine == "openvino" and pair.device.type != "cpu":
        return f"OpenVINO computes on the CPU, and the device is {str(pair.device)!r}"
    if precision == INT8 and quantised_folder(pair) is None:
        size = " x ".join(str(side) for side in pair.shape[1:])
        return (
            f"there is no graph of int8 of {pair.names} at sigma {pair.sigma:g} for {size} pixels ('python -m core quantize'"
            " makes one)"
        )
    return not_installed(engine)


def _compile(ready: "Future[Program]", pair: Pair, engine: str, precision: str, *, eagerly: str) -> None:
    """Compile, compare with the networks, and set the result: the program, or the eager one with the reason."""
    reason = None
    try:
        with torch.inference_mode():
            program = _COMPILERS[engine](pair, precision)
            reason = _difference(program, pair)
    except Exception as error:  # networks of strangers, and compilers: each fails in its own way
        reason = f"it fails ({first_line(error)})"
    if reason is None:
        ready.set_result(program)
    else:
        how = f"the networks are computed eagerly{_in(eagerly, precision)}"
        ready.set_result(Program(precision=eagerly, notice=f"{engine} does not compute {pair.names}: {reason}; {how}."))


def _difference(program: Program, pair: Pair) -> str | None:
    """What tells a program from the networks on noisy pictures that neither has seen; None where it is rounding."""
    generator = torch.Generator().manual_seed(1)
    pictures = torch.rand((TRIED, *pair.shape), generator=generator)
    pictures *= torch.linspace(0, 1, TRIED).view(-1, 1, 1, 1)  # from black on: what a trace took for granted may be otherwise
    noisy = (pictures + pair.sigma * torch.randn(pictures.shape, generator=generator)).to(pair.device)
    networks, run = PairModule(pair), program.run or PairModule(pair)
    own = torch.cat([networks(part) for part in noisy.split(pair.rows)])
    if not torch.allclose(own, torch.cat([networks(part) for part in noisy.split(pair.rows)]), atol=1e-4, rtol=1e-4):
        return "the networks do not answer the same twice"
    found = run(noisy)
    if found.shape != own.shape:
        return f"it answers with {tuple(found.shape)} instead of {tuple(own.shape)}"
    alone = torch.cat([run(row) for row in noisy[-2:].split(1)])
    if not torch.allclose(found[-2:], alone, atol=1e-4 * float(alone.abs().max())):
        return "its answer to one picture depends on the others of a batch"
    spread = float((own.amax(1) - own.amin(1)).mean())
    off = float((found - own).abs().max()) / max(spread, 1e-9)
    most = ROUNDING[program.precision]
    return None if off <= most else f"its answers differ by {off:.1%} of their spread, and rounding explains {most:.1%} at most"


def _in_rows(run: Logits, rows: int) -> Logits:
    """A program for batches of ``rows`` as one for any: the last batch is filled with black pictures."""

    def whole(noisy: Tensor) -> Tensor:
        parts = [run(F.pad(part, (0, 0) * 3 + (0, rows - len(part))))[: len(part)] for part in noisy.split(rows)]
        return torch.cat(parts)

    return whole


def _torch_compile(pair: Pair, precision: str) -> Program:
    # What took a minute is kept, by its own hash of code, versions and processor; not in /tmp, as it is by itself, where others
    # may write what is run here.
    kept = home_folder() / "compiled"
    kept.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", str(kept))
    return Program("compile", precision, _in_rows(torch.compile(PairModule(pair, precision), dynamic=False), pair.rows))


def _openvino(pair: Pair, precision: str) -> Program:
    versions = {"openvino": version("openvino")}
    folder = quantised_folder(pair) if precision == INT8 else None
    if folder is None:
        run = compiled(graph_of(pair), {FLOAT32: "f32", "bfloat16": "bf16"}[precision])
        return Program("openvino", precision, _in_rows(run, pair.rows), versions=versions)
    stored = read_quantised(folder, pair)
    run = _in_rows(compiled(stored.graph, "f32"), stored.rows)
    return Program("openvino", precision, run, versions=versions | {INT8: stored.sha256})


_COMPILERS: dict[str, Callable[[Pair, str], Program]] = {"compile": _torch_compile, "openvino": _openvino}
