"""What a model of strangers may cost: its files, and the network that its config describes, before anything of it is allocated.

A network is first built with tensors that have shapes and no memory (those of torch's meta device, but for small ones, which
networks compute with while they are built), and given a picture so (:func:`plan`). All that it does is counted, and the bytes
of its weights bound what it may take: a small file never costs a big machine. What asks for numbers that are not there
cannot be planned: it is tried in a process of its own, which may be killed (:mod:`core.models.formats.registry`).
"""

import struct
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.module import register_module_module_registration_hook, register_module_parameter_registration_hook
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map
from torch.utils.flop_counter import flop_registry

from core.device import memory_left
from core.errors import LabError, first_line

MAX_WEIGHTS_BYTES = 16_000_000_000
"""Far above any published image classifier: a file beyond this is something else."""
_COPIES = 2
"""While it is loaded a network is there twice: as read from the file, and as built."""

MAX_LEVELS = 10
"""Of a U-Net: each halves the sides of a picture."""
MAX_MODULES, MAX_OPERATIONS, MAX_PARTS, MAX_SECONDS = 10_000, 20_000, 10_000, 10.0
"""Three times what the largest architectures of timm have, and ten times the seconds that their plans take on a processor."""
_TENSOR, _TENSOR_PER_BYTE = 128_000_000, 8
_WORK, _WORK_PER_BYTE = 200e9, 5_000
"""Operations for one picture. SAM 2 at 896 pixels, the most for its size among those of timm, takes 3,900 a byte of float16."""
SMALL = 4096
"""Numbers of a tensor that is computed."""
_BY_NUMBERS = {torch.Tag.data_dependent_output, torch.Tag.dynamic_output_shape}
"""What torch calls operations whose outcome, or its shape, only numbers tell."""
_ELEMENT = 10
"""Operations that a number costs which is only written: memory is slower than arithmetic."""


def check_size(*paths: Path) -> int:
    """The bytes of the weights files.
    Raises LabError where they are more than :data:`MAX_WEIGHTS_BYTES`, unpack to more than they are, or cannot be read."""
    try:
        size = sum(path.stat().st_size for path in paths)
        for path in paths:
            _check_archive(path)
    except OSError as error:
        raise LabError(f"The weights cannot be read ({error.strerror or error}): put them where the model says.") from error
    if size > MAX_WEIGHTS_BYTES:
        raise LabError(
            f"The weights take {size / 1e9:.0f} GB and the limit is {MAX_WEIGHTS_BYTES / 1e9:.0f} GB: choose a smaller model."
        )
    return size


def _check_archive(path: Path) -> None:
    """See that a file of ``torch.save`` (a zip) unpacks to no more than it is, by the directory that torch reads, too."""
    if not zipfile.is_zipfile(path):
        return
    with path.open("rb") as file:
        file.seek(max(path.stat().st_size - 98, 0))
        tail = file.read()
    end, end64 = tail[-22:], tail[:56]
    directory = struct.unpack("<L", end[16:20])[0] if end.startswith(b"PK\5\6") else -1
    if directory == 0xFFFFFFFF and end64.startswith(b"PK\6\6"):
        (directory,) = struct.unpack("<Q", end64[48:])
    try:
        with zipfile.ZipFile(path) as archive:
            start, held = archive.start_dir, sum(entry.file_size for entry in archive.infolist())
    except (zipfile.BadZipFile, NotImplementedError, ValueError) as error:
        raise LabError(f"The weights {path.name!r} are damaged or no weights: {first_line(error)}") from error
    if start != directory or held > path.stat().st_size:
        raise LabError(
            f"{path.name!r} unpacks to {held / 1e6:,.0f} MB, more than it takes, or says so in two ways: expected weights as"
            " torch.save writes them, which are not compressed."
        )


def check_memory(name: str, weights_bytes: int) -> None:
    """See that a model of that size can be loaded. Raises LabError with what it needs and what is free."""
    free, needed = memory_left(), _COPIES * weights_bytes
    if free is not None and needed > free:
        raise LabError(
            f"{name} needs {needed / 1e9:.1f} GB of memory to load and {free / 1e9:.1f} GB are free:"
            " choose a smaller model, or close other programs."
        )


class UnplannedError(LabError):
    """A network cannot be planned, since it computes with numbers while it is built or run."""


class _Apart(threading.local):
    planned = True
    """Whether this thread plans networks; not where their cost is bounded by the process, or has been seen there."""


_apart = _Apart()


@contextmanager
def unplanned() -> Iterator[None]:
    """Without plans, in this thread: where the process is limited, or a model was loaded in one that is."""
    _apart.planned = False
    try:
        yield
    finally:
        _apart.planned = True


def plan(build: Callable[[], nn.Module], weights_bytes: int, *inputs: tuple[int, ...]) -> None:
    """See what a network would take to be built and to answer for one picture, ``inputs`` of such shapes, without doing it.
    Each of its parameters takes one of its ``weights_bytes`` or more. Raises LabError where it would take more than its weights
    are for, or does not take such inputs; UnplannedError where that cannot be told; what ``build`` raises whatever the device.
    """
    if not _apart.planned:
        return
    meter = _Meter(weights_bytes)
    built = False
    try:
        with torch.no_grad(), meter, _NumbersAsked(meter), _registrations_counted(meter):
            network = build().eval()
            built = True
            meter.check_parameters(sum(parameter.numel() for parameter in network.parameters()))
            if inputs:
                network(*map(torch.ones, inputs))
    except Exception as error:
        if meter.refusal is not None:
            raise meter.refusal from error
        if isinstance(error, NotImplementedError | UnplannedError):
            raise UnplannedError(f"The network cannot be planned: {first_line(error)}") from error
        if built and not isinstance(error, LabError):
            shape = " x ".join(map(str, inputs[0][1:]))
            raise LabError(f"The model does not take a picture of {shape}: {first_line(error)}") from error
        raise


def lay_out(build: Callable[[], nn.Module]) -> nn.Module:
    """A network of no stranger's with the shapes of its weights, and without memory for them."""
    with torch.no_grad(), _Meter(MAX_WEIGHTS_BYTES):
        return build()


class _Meter(TorchDispatchMode):
    """Within ``with`` everything large is done without memory and counted, and is stopped at the limits."""

    def __init__(self, weights_bytes: int) -> None:
        super().__init__()
        self.weights_bytes, self.until = weights_bytes, time.thread_time() + MAX_SECONDS
        self.operations, self.modules, self.parameters, self.work = 0, 0, 0, 0.0
        self.refusal: LabError | None = None

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        given = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor | torch.device)]
        is_real = all(_in_memory(one) for one in given)
        if is_real and func is torch.ops.aten._local_scalar_dense.default:
            return func(*args, **kwargs)
        if func is torch.ops.aten.unbind.int and args[0].shape[args[1] if len(args) > 1 else 0] > MAX_PARTS:
            self.refuse(f"more than {MAX_PARTS:,} parts of one tensor")
        shapes, named = tree_map(_without_memory, (args, kwargs))
        try:
            out = func(*shapes, **named)
        except (NotImplementedError, RuntimeError) as error:
            # Such as torch.unique: what comes out depends on the numbers, and is no more than what goes in, which was counted.
            if is_real and isinstance(error, NotImplementedError):
                return func(*args, **kwargs)
            if isinstance(error, NotImplementedError) or not _BY_NUMBERS & {*func.tags}:
                raise
            raise UnplannedError(first_line(error)) from error  # such as repeat_interleave, of which much may come
        self.operations += 1
        tensors = [leaf for leaf in tree_leaves(out) if isinstance(leaf, Tensor)]
        flops = flop_registry.get(func._overloadpacket)
        if flops is not None:
            self.work += flops(*shapes, **named, out_val=out)
        if not func.is_view:
            self.work += _ELEMENT * sum(tensor.numel() for tensor in tensors)
        largest = max((tensor.untyped_storage().nbytes() for tensor in tensors), default=0)
        if largest > _TENSOR + _TENSOR_PER_BYTE * self.weights_bytes:
            self.refuse(f"{largest / 1e9:,.1f} GB in one tensor")
        self.check()
        is_small = sum(tensor.numel() for tensor in tensors) <= SMALL
        return func(*args, **kwargs) if is_real and is_small else out

    def check(self) -> None:
        """Raise LabError where a count is beyond its limit."""
        if self.work > _WORK + _WORK_PER_BYTE * self.weights_bytes:
            self.refuse(f"more than {self.work / 1e9:,.0f} billion operations for a picture")
        for count, most, what in (
            (self.operations, MAX_OPERATIONS, "steps"),
            (self.modules, MAX_MODULES, "layers"),
            (time.thread_time() - self.until, 0, ""),
        ):
            if count > most:
                self.refuse(f"more than {most:,} {what}" if what else f"more than {MAX_SECONDS:.0f} seconds to be laid out")

    def check_parameters(self, count: int) -> None:
        """Raise LabError where there are more parameters than bytes of weights."""
        if count > self.weights_bytes:
            self.refuse(f"{count:,} parameters")

    def refuse(self, what: str) -> None:
        """Raise LabError, and keep it: a library may take it for a failure of its own."""
        self.refusal = LabError(
            f"The config describes a network of {what}, and its weights have {self.weights_bytes:,} bytes:"
            " they do not fit each other."
        )
        raise self.refusal


class _NumbersAsked(TorchFunctionMode):
    """Within ``with`` a tensor without memory is asked for its numbers in vain: no operation of torch tells of that."""

    def __init__(self, meter: _Meter) -> None:
        super().__init__()
        self.meter = meter

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func in (Tensor.tolist, Tensor.numpy, Tensor.__array__) and not _in_memory(args[0]):
            if func is Tensor.tolist:
                self.meter.refuse(f"lists of more than {SMALL:,} numbers that it is built by")
            raise UnplannedError("it asks for an array of numbers that are not there")
        return func(*args, **(kwargs or {}))


@contextmanager
def _registrations_counted(meter: _Meter) -> Iterator[None]:
    """Count layers and parameters as they are made, which ends what would go on for ever."""
    thread = threading.get_ident()

    def count_module(*_: object) -> None:
        if threading.get_ident() == thread:
            meter.modules += 1
            meter.check()

    def count_parameter(module: nn.Module, name: str, parameter: Tensor | None) -> None:
        if threading.get_ident() == thread and parameter is not None:
            meter.parameters += parameter.numel()
            meter.check_parameters(meter.parameters // 4)  # some are made and thrown away, or stand in several places

    hooks = [register_module_module_registration_hook(count_module)]
    hooks.append(register_module_parameter_registration_hook(count_parameter))
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _in_memory(value: object) -> bool:
    """Whether it is a tensor of numbers, or the device of one."""
    device = value.device if isinstance(value, Tensor) else value
    return isinstance(device, torch.device) and device.type != "meta"


def _without_memory(value: Any) -> Any:
    """A tensor's shape, and a place without memory for a device; all else as it is."""
    if not _in_memory(value):
        return value
    if isinstance(value, torch.device):
        return torch.device("meta")
    return torch.empty_strided(value.size(), value.stride(), dtype=value.dtype, device="meta")
