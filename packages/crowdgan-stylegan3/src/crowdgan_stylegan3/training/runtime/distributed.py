"""Ranks of a training run, and collective operations over them.

Ranks communicate on CPUs by gloo, and exchange tensors on GPUs by NCCL. Only the main rank needs the run folder. An
error of one rank that the others would wait for is raised on all of them.
"""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor

from crowdgan_core.errors import ConfigError, CrowdganError, TrainingError
from crowdgan_core.utils.formatting import format_duration, join_limited
from crowdgan_stylegan3.device import resolve_device
from crowdgan_stylegan3.training.runtime.torchrun import LOCAL_RANK_ENV_VAR, RANK_ENV_VAR, torchrun_world_size

COLLECTIVE_TIMEOUT = timedelta(minutes=10)
"""Maximum time for which a rank waits for an answer of the others (torch's default for NCCL)."""

HEARTBEAT_S = 30.0
"""Interval in seconds at which a rank with a long task answers those that wait for it."""

MAX_LISTED_RANKS = 4
"""Maximum number of ranks of one machine that an error lists."""

T = TypeVar("T")


class SharedError(TrainingError):
    """An error of one rank or several, on the ranks beside the main one, which reports it."""


class LostRankError(TrainingError):
    """A collective operation in which another rank has ended, or does not answer."""


@dataclass(frozen=True)
class RankFailure:
    """An error of a rank, as the other ranks receive it."""

    rank: int
    host: str
    kind: type[CrowdganError]
    text: str


@dataclass(frozen=True, kw_only=True)
class DistributedContext:
    """The ranks of a training run, seen from one of them."""

    rank: int = 0
    """Index of this process."""
    world_size: int = 1
    """Number of ranks."""
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    """Compute device of this rank."""
    device_group: Any = None
    """Process group that exchanges tensors on GPUs; None for the group on CPUs, which is torch's default group."""

    @property
    def is_main(self) -> bool:
        """Whether this rank writes files and messages."""
        return self.rank == 0

    @property
    def name(self) -> str:
        """The rank and its machine, for messages."""
        return f"rank {self.rank} on {socket.gethostname()}"

    def all_reduce_sum(self, tensor: Tensor) -> Tensor:
        """The tensor, summed in place over all ranks."""
        if self.world_size > 1:
            with self._lost_ranks_reported():
                dist.all_reduce(tensor, group=self.device_group)
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
            with self._lost_ranks_reported():
                for tensor in tensors:
                    dist.broadcast(tensor, 0, group=self.device_group)

    def all_reduce_max(self, number: int) -> int:
        """The maximum of a number over all ranks; waits for no GPU."""
        if self.world_size == 1:
            return number
        tensor = torch.tensor(number)
        with self._lost_ranks_reported():
            dist.all_reduce(tensor, dist.ReduceOp.MAX)
        return int(tensor)

    def all_reduce_min(self, number: int) -> int:
        """The minimum of a number over all ranks; waits for no GPU."""
        return -self.all_reduce_max(-number)

    def all_gather(self, value: T) -> list[T]:
        """The values of all ranks, in order of the ranks."""
        values = [value] * self.world_size
        if self.world_size > 1:
            with self._lost_ranks_reported():
                dist.all_gather_object(values, value)
        return values

    def run_together(self, task: Callable[[], T]) -> T:
        """Runs a task on this rank, and waits until those of all ranks have ended.

        A task takes any time, but contains no collective operation. A rank with a long task answers the others every
        `HEARTBEAT_S` seconds, so that they wait at most `COLLECTIVE_TIMEOUT` for one that has died.

        Raises:
            CrowdganError: the task of a rank failed; raised on all ranks, on other ranks than the main one as
                `SharedError`.
        """
        return self._run_together(task, num_tasks=self.world_size)

    def _run_together(self, task: Callable[[], T], *, num_tasks: int) -> T:
        if self.world_size == 1:
            return task()
        has_ended = threading.Event()
        error: BaseException | None = None
        with ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(self._wait_for_all, has_ended)
            try:
                result = task()
            except BaseException as caught:
                error = caught
            finally:
                has_ended.set()
            waiting.result()
        failures = [failure for failure in self.all_gather(self._failure(error)) if failure is not None]
        if failures:
            raise self._combined_error(failures, num_tasks, error)
        return result

    def run_on_main(self, task: Callable[[], T]) -> T:
        """Runs a task on the main rank; its result, or its error, is that of all ranks.

        Raises:
            CrowdganError: as `run_together`.
        """
        box: list[Any] = [self._run_together(task if self.is_main else lambda: None, num_tasks=1)]
        if self.world_size > 1:
            with self._lost_ranks_reported():
                dist.broadcast_object_list(box, 0)
        result: T = box[0]
        return result

    def tensors_of_main(self, read: Callable[[], dict[str, Tensor]]) -> dict[str, Tensor]:
        """Tensors that only the main rank reads, on the CPU of every rank, by name.

        Raises:
            CrowdganError: as `run_together`.
        """
        if self.world_size == 1:
            return read()
        tensors: dict[str, Tensor] = {}

        def read_shapes() -> list[tuple[str, torch.Size, torch.dtype]]:
            tensors.update(read())
            return [(name, tensor.shape, tensor.dtype) for name, tensor in tensors.items()]

        for name, shape, dtype in self.run_on_main(read_shapes):
            if not self.is_main:
                tensors[name] = torch.empty(shape, dtype=dtype)
            with self._lost_ranks_reported():
                dist.broadcast(tensors[name], 0)
        return tensors

    def check_equal(self, values: Mapping[str, object]) -> None:
        """Checks that values are equal on all ranks.

        Args:
            values: values by their names in the error.

        Raises:
            ConfigError: a rank has another value than the main rank; raised as by `run_together`.
        """
        expected = self.all_gather(dict(values))[0]

        def check() -> None:
            for name, value in values.items():
                if value != expected[name]:
                    raise ConfigError(f"{name} is {value}; on rank 0 it is {expected[name]}")

        self.run_together(check)

    def _wait_for_all(self, has_ended: threading.Event) -> None:
        """Waits until the tasks of all ranks have ended, and answers the other ranks until that of this rank has."""
        while self.all_reduce_max(int(not has_ended.wait(HEARTBEAT_S))):
            pass

    def _failure(self, error: BaseException | None) -> RankFailure | None:
        if error is None:
            return None
        if isinstance(error, CrowdganError):
            return RankFailure(self.rank, socket.gethostname(), type(error), str(error))
        return RankFailure(self.rank, socket.gethostname(), TrainingError, f"{type(error).__name__}: {error}")

    def _combined_error(
        self, failures: list[RankFailure], num_tasks: int, error: BaseException | None
    ) -> BaseException:
        """The error of this rank after those of some ranks, of which one may be its own."""
        if error is not None and not isinstance(error, CrowdganError):
            return error
        text = describe_failures(failures, num_tasks)
        if not self.is_main:
            return SharedError(text)
        return error if str(error) == text and error is not None else failures[0].kind(text)

    @contextmanager
    def _lost_ranks_reported(self) -> Iterator[None]:
        """Context in which torch's errors of a collective operation are converted.

        Raises:
            LostRankError: another rank has ended, or does not answer.
        """
        try:
            yield
        except RuntimeError as error:
            reason = str(error).split("\n")[0].rsplit("] ", 1)[-1].split(". ")[0]
            has_timed_out = "timed out" in reason.lower()
            duration = format_duration(COLLECTIVE_TIMEOUT.total_seconds())
            problem = f"has not answered for {duration}" if has_timed_out else "has ended"
            raise LostRankError(
                f"{self.name}: another rank {problem} ({reason:.200}); "
                "the same command resumes from the last checkpoint"
            ) from error


def describe_failures(failures: list[RankFailure], num_tasks: int) -> str:
    """The errors of ranks in one line, with rank and machine unless all tasks failed in the same way.

    Args:
        failures: the errors.
        num_tasks: number of ranks that had a task.
    """
    if len(failures) == num_tasks and len({failure.text for failure in failures}) == 1:
        return failures[0].text
    ranks: dict[tuple[str, str], list[int]] = {}
    for failure in failures:
        ranks.setdefault((failure.host, failure.text), []).append(failure.rank)
    return "; ".join(
        f"rank{'s' if len(numbers) > 1 else ''} {join_limited(numbers, MAX_LISTED_RANKS)} on {host}: {text}"
        for (host, text), numbers in ranks.items()
    )


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

    Errors inside the context that only this rank has receive its name.

    Args:
        device: auto, cpu or cuda; each rank uses the GPU with its local rank as index.

    Raises:
        ConfigError: the device does not exist, or is of another type than that of the main rank.
        TrainingError: the other ranks cannot be reached.
    """
    if torchrun_world_size() is None:
        yield DistributedContext(device=resolve_device(device))
        return
    try:
        dist.init_process_group("gloo", timeout=COLLECTIVE_TIMEOUT)
    except (RuntimeError, ValueError) as error:
        name = f"rank {os.environ.get(RANK_ENV_VAR, '?')} on {socket.gethostname()}"
        reason = str(error).split("\n")[0]
        raise TrainingError(f"{name}: the other ranks cannot be reached ({reason:.300})") from error
    try:
        context = DistributedContext(rank=dist.get_rank(), world_size=dist.get_world_size())
        try:
            yield _with_device(context, device)
        except (SharedError, LostRankError):
            raise
        except CrowdganError as error:
            if context.is_main:
                raise
            raise type(error)(f"{context.name}: {error}") from error
    finally:
        dist.destroy_process_group()


def _with_device(context: DistributedContext, name: str) -> DistributedContext:
    """The context with the device of this rank, and with a process group for GPUs.

    Raises:
        ConfigError: the device does not exist, or is of another type than that of the main rank.
    """
    device = context.run_together(lambda: _device_of_rank(name))
    context.check_equal({"the device": device.type})
    if device.type == "cpu":
        return replace(context, device=device)
    return replace(context, device=device, device_group=dist.new_group(backend="nccl", timeout=COLLECTIVE_TIMEOUT))


def _device_of_rank(name: str) -> torch.device:
    """The device of a rank, by its local rank, and torch's current device from now on.

    Raises:
        ConfigError: the device does not exist.
    """
    device = resolve_device(name)
    if device.type == "cpu":
        return device
    local_rank, available = int(os.environ.get(LOCAL_RANK_ENV_VAR, "0")), torch.cuda.device_count()
    if local_rank >= available:
        raise ConfigError(f"local rank {local_rank} has no GPU; use --nproc-per-node {available}")
    torch.cuda.set_device(local_rank)
    return torch.device("cuda", local_rank)
