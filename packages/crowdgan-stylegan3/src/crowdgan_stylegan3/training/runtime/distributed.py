"""Ranks of a training run, and collective operations over them.

`torchrun` and cluster schedulers set the environment variables that identify a rank; a single process needs none.
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

WORLD_SIZE_ENV_VAR, LOCAL_RANK_ENV_VAR = "WORLD_SIZE", "LOCAL_RANK"
"""Environment variables that torchrun sets."""

BARRIER_TIMEOUT = timedelta(days=20)
"""Maximum time for which ranks wait at a barrier, while the main rank writes files and computes metrics.

Below 2^31 ms, about 24.9 days. If the main rank ends, the others end at once.
"""


@dataclass(frozen=True, kw_only=True)
class DistributedContext:
    """The ranks of a training run, seen from one of them."""

    rank: int = 0
    """Index of this process."""
    world_size: int = 1
    """Number of ranks."""
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    """Compute device of this rank."""
    cpu_group: Any = None
    """Process group on CPUs for control values, so that they wait for no GPU; None for a single process."""

    @property
    def is_main(self) -> bool:
        """Whether this rank writes files and messages."""
        return self.rank == 0

    def all_reduce_sum(self, tensor: Tensor) -> Tensor:
        """The tensor, summed in place over all ranks."""
        if self.world_size > 1:
            dist.all_reduce(tensor)
        return tensor

    def all_reduce_mean(self, tensors: list[Tensor]) -> None:
        """Replaces tensors by their means over all ranks, in one collective operation."""
        if self.world_size == 1 or not tensors:
            return
        flat = self.all_reduce_sum(torch.cat([tensor.flatten() for tensor in tensors])) / self.world_size
        means = torch.split(flat, [tensor.numel() for tensor in tensors])
        torch._foreach_copy_(tensors, [mean.view_as(tensor) for mean, tensor in zip(means, tensors, strict=True)])

    def broadcast(self, tensors: Iterable[Tensor]) -> None:
        """Replaces tensors, in place, by those of the main rank."""
        if self.world_size > 1:
            for tensor in tensors:
                dist.broadcast(tensor, 0)

    def all_reduce_max(self, number: int) -> int:
        """The maximum of a number over all ranks; waits for no GPU."""
        if self.world_size == 1:
            return number
        tensor = torch.tensor(number)
        dist.all_reduce(tensor, dist.ReduceOp.MAX, group=self.cpu_group)
        return int(tensor)

    def all_reduce_min(self, number: int) -> int:
        """The minimum of a number over all ranks; waits for no GPU."""
        return -self.all_reduce_max(-number)

    def barrier(self) -> None:
        """Waits until all ranks have reached this call, at most `BARRIER_TIMEOUT`."""
        self.all_reduce_max(0)


def torchrun_world_size() -> int | None:
    """Number of ranks that torchrun started; None if it did not start this process.

    Raises:
        ConfigError: the environment variable is not a number of ranks.
    """
    if WORLD_SIZE_ENV_VAR not in os.environ:
        return None
    text = os.environ[WORLD_SIZE_ENV_VAR]
    if not (text.isascii() and text.isdecimal() and int(text) > 0):
        raise ConfigError(f"{WORLD_SIZE_ENV_VAR} is {text!r:.80}; it must be the number of processes, or unset")
    return int(text)


def torchrun_command(count: int, arguments: Sequence[str]) -> list[str]:
    """Command line that runs `crowdgan` with the given arguments in `count` processes on this machine."""
    torchrun = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={count}"]
    return [sys.executable, *torchrun, "-m", "crowdgan_core", *arguments]


def check_gpus(count: int, device: str) -> None:
    """Checks that this machine has enough GPUs.

    Raises:
        ConfigError: fewer than `count` GPUs, or a CPU as device and `count` above 1.
    """
    if count == 1:
        return
    if resolve_device(device).type == "cpu":
        raise ConfigError(f"--gpus {count}: training on a CPU uses one process; use --gpus 1")
    available = torch.cuda.device_count()
    if count > available:
        raise ConfigError(f"--gpus {count}: this machine has fewer GPUs ({available}); use --gpus {available}")


@contextmanager
def init_distributed(device: str) -> Iterator[DistributedContext]:
    """Joins the ranks that torchrun started, or provides a context for a single process.

    Args:
        device: auto, cpu or cuda; each rank uses the GPU with its local rank as index.

    Raises:
        ConfigError: the device does not exist.
    """
    resolved = resolve_device(device)
    if torchrun_world_size() is None:
        yield DistributedContext(device=resolved)
        return
    if resolved.type == "cuda":
        resolved = torch.device("cuda", int(os.environ.get(LOCAL_RANK_ENV_VAR, "0")))
        torch.cuda.set_device(resolved)
    dist.init_process_group("nccl" if resolved.type == "cuda" else "gloo")
    try:
        group = dist.new_group(backend="gloo", timeout=BARRIER_TIMEOUT)
        rank, world_size = dist.get_rank(), dist.get_world_size()
        yield DistributedContext(rank=rank, world_size=world_size, device=resolved, cpu_group=group)
    finally:
        dist.destroy_process_group()
