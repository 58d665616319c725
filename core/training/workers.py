"""Who computes a step: this process alone, or one process a device, held together by Lightning Fabric."""

import atexit
import sys
from importlib import import_module
from typing import Any

import torch
from torch import Tensor, nn

from core.errors import LabError


class Workers:
    """Those who share each batch: here one alone, this process on one device.

    Attributes:
        rank: number of this process, from 0; the one that writes files and speaks.
        count: how many processes share a batch.
        device: where this process computes.
    """

    rank: int = 0
    count: int = 1

    def __init__(self, device: torch.device) -> None:
        self.device = device

    def wrap(self, network: nn.Module) -> nn.Module:
        """The network as it is to be called in a step, so that gradients are averaged over all."""
        return network

    def backward(self, loss: Tensor) -> None:
        """Gradients of the loss, averaged over all."""
        loss.backward()

    def mean(self, value: float) -> float:
        """The mean of a number over all."""
        return value

    def gather(self, tensor: Tensor) -> Tensor:
        """(count, ...): a CPU tensor of each."""
        return tensor.unsqueeze(0)


class FabricWorkers(Workers):
    """One process a device, as Lightning Fabric starts and connects them."""

    def __init__(self, fabric: Any) -> None:
        super().__init__(fabric.device)
        self._fabric, self.rank, self.count = fabric, fabric.global_rank, fabric.world_size

    def wrap(self, network: nn.Module) -> nn.Module:
        """The network in PyTorch's DistributedDataParallel."""
        return self._fabric.setup_module(network, move_to_device=False)

    def backward(self, loss: Tensor) -> None:
        """Gradients averaged over all."""
        self._fabric.backward(loss)

    def mean(self, value: float) -> float:
        """The mean over all."""
        return float(self._fabric.all_reduce(torch.tensor(value, device=self.device), reduce_op="mean"))

    def gather(self, tensor: Tensor) -> Tensor:
        """(count, ...), on the CPU."""
        own = tensor.to(self.device)
        parts = [torch.empty_like(own) for _ in range(self.count)]
        torch.distributed.all_gather(parts, own)
        return torch.stack(parts).cpu()


def start_workers(count: int, device: torch.device) -> Workers:
    """Share the work among ``count`` devices of this machine; further processes run this very command again.

    Args:
        count: how many; 1 needs nothing installed.
        device: of which kind; on the CPU, processes that share its cores.

    Raises:
        LabError: where there are not so many devices, or Lightning Fabric is not installed.
    """
    if count < 1:
        raise LabError(f"--devices is {count}: expected at least 1.")
    if count == 1:
        return Workers(device)
    if device.type not in ("cuda", "cpu"):
        raise LabError(f"Several devices can share the work on CUDA or the CPU, and this is {device.type}: use --devices 1.")
    if device.type == "cuda" and count > torch.cuda.device_count():
        raise LabError(f"--devices is {count}, and torch sees {torch.cuda.device_count()} CUDA devices: ask for at most those.")
    try:
        fabric_class = import_module("lightning_fabric").Fabric
    except ModuleNotFoundError as error:
        raise LabError(
            f"Training on {count} devices needs Lightning Fabric: install it with '{sys.executable} -m pip install"
            " lightning-fabric', or use --devices 1."
        ) from error
    fabric = fabric_class(accelerator=device.type, devices=count, strategy="ddp", precision="32-true")
    fabric.launch()
    # Fabric takes leave of NCCL only. Gloo's threads, if left to the end of the process, may abort it (exit status -6).
    atexit.register(_leave_group)
    return FabricWorkers(fabric)


def _leave_group() -> None:
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()
