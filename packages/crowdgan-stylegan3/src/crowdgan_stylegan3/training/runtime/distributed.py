"""Processes that train together: who they are, and sums and decisions over all of them.

`torchrun` and clusters say by environment variables who a process is; alone it needs none.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from crowdgan_core.errors import ConfigError
from crowdgan_stylegan3.device import resolve_device

WORLD_SIZE, LOCAL_RANK = "WORLD_SIZE", "LOCAL_RANK"
"""Environment variables that torchrun sets."""


BARRIER_TIMEOUT = timedelta(days=1)
"""How long processes wait for one another where one of them may be writing."""


@dataclass(frozen=True, kw_only=True)
class DistributedContext:
    """The processes that train together, as one of them sees it."""

    rank: int = 0
    """Number of this process."""
    size: int = 1
    """How many there are."""
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    """Where this process computes."""
    control: Any = None
    """Group on CPUs for decisions, so that none waits for a GPU; None for a process alone."""

    @property
    def is_first(self) -> bool:
        """Whether this process writes files and messages."""
        return self.rank == 0

    def add_up(self, tensor: Tensor) -> Tensor:
        """The tensor, in place, summed over all processes."""
        if self.size > 1:
            dist.all_reduce(tensor)
        return tensor

    def average_gradients(self, gradients: list[Tensor]) -> None:
        """Replaces gradients by their mean over all processes, in one exchange."""
        if self.size == 1 or not gradients:
            return
        flat = self.add_up(torch.cat([gradient.flatten() for gradient in gradients])) / self.size
        parts = torch.split(flat, [gradient.numel() for gradient in gradients])
        torch._foreach_copy_(gradients, [part.view_as(own) for part, own in zip(parts, gradients, strict=True)])

    def share(self, tensors: Iterable[Tensor]) -> None:
        """Gives all processes the first one's tensors, in place."""
        if self.size > 1:
            for tensor in tensors:
                dist.broadcast(tensor, 0)

    def largest(self, number: int) -> int:
        """The largest of the numbers that the processes give; without waiting for a GPU."""
        if self.size == 1:
            return number
        shared = torch.tensor(number)
        dist.all_reduce(shared, dist.ReduceOp.MAX, group=self.control)
        return int(shared)

    def meet(self) -> None:
        """Waits for all processes, however long the first one writes."""
        self.largest(0)

    def smallest(self, number: int) -> int:
        """The smallest of the numbers that the processes give."""
        return -self.largest(-number)


def started_processes() -> int | None:
    """How many processes torchrun has started; None when it has not started this one."""
    return int(os.environ[WORLD_SIZE]) if WORLD_SIZE in os.environ else None


def torchrun_command(count: int, arguments: Sequence[str]) -> list[str]:
    """What runs `crowdgan` with these arguments in so many processes on this machine."""
    torchrun = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={count}"]
    return [sys.executable, *torchrun, "-m", "crowdgan_core", *arguments]


def check_gpus(count: int, device: str) -> None:
    """Checks that one machine has as many GPUs.

    Raises:
        ConfigError: it has fewer.
    """
    if count == 1:
        return
    if resolve_device(device).type == "cpu":
        raise ConfigError(f"--gpus {count}: on a CPU there is one process; use --gpus 1")
    if count > torch.cuda.device_count():
        raise ConfigError(f"--gpus {count}: this machine has {torch.cuda.device_count()}")


@contextmanager
def init_distributed(device: str) -> Iterator[DistributedContext]:
    """The processes that torchrun has started; this one alone when it has not.

    Args:
        device: auto, cpu or cuda; each process takes the GPU of its number on its machine.

    Raises:
        ConfigError: there is no such device.
    """
    chosen = resolve_device(device)
    if started_processes() is None:
        yield DistributedContext(device=chosen)
        return
    if chosen.type == "cuda":
        chosen = torch.device("cuda", int(os.environ.get(LOCAL_RANK, "0")))
        torch.cuda.set_device(chosen)
    dist.init_process_group("nccl" if chosen.type == "cuda" else "gloo")
    try:
        control = dist.new_group(backend="gloo", timeout=BARRIER_TIMEOUT)
        yield DistributedContext(rank=dist.get_rank(), size=dist.get_world_size(), device=chosen, control=control)
    finally:
        dist.destroy_process_group()
