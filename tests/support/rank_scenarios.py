"""Two ranks that work, fail, end and hang: writes the result, or the error, of each rank in each scenario as JSON."""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import torch

from crowdgan_core.errors import ConfigError, CrowdganError
from crowdgan_stylegan3.training.runtime import distributed
from crowdgan_stylegan3.training.runtime.distributed import DistributedContext, init_distributed

TIMEOUT_S = 2.0
"""Time for which a rank waits for an answer."""

distributed.COLLECTIVE_TIMEOUT = timedelta(seconds=TIMEOUT_S)
distributed.HEARTBEAT_S = 0.2


def fail(text: str) -> None:
    raise ConfigError(text)


def run_long_task(context: DistributedContext) -> object:
    """The main rank works for longer than the others wait for an answer."""

    def work() -> str:
        time.sleep(1.5 * TIMEOUT_S)
        return "done"

    return context.run_on_main(work)


def fail_on_rank_1(context: DistributedContext) -> object:
    """The task of rank 1 fails."""
    return context.run_together(lambda: fail("data.zip: no such file") if context.rank == 1 else None)


def fail_alike(context: DistributedContext) -> object:
    """The tasks of both ranks fail with the same text."""
    return context.run_together(lambda: fail("data.zip: no such file"))


def fail_on_main(context: DistributedContext) -> object:
    """A task that only the main rank has fails."""
    return context.run_on_main(lambda: fail("the run has finished"))


def differ(context: DistributedContext) -> object:
    """A value differs."""
    return context.check_equal({"the number of images": 24 - context.rank})


def send_tensors(context: DistributedContext) -> object:
    """Only the main rank reads tensors."""
    read = {"a": torch.arange(3.0), "b": torch.tensor(7)}
    return {name: tensor.tolist() for name, tensor in context.tensors_of_main(lambda: read).items()}


def fail_alone(context: DistributedContext) -> object:
    """Rank 1 fails outside a common task, and ends."""
    if context.rank == 1:
        fail("img7.png: damaged")
    return context.all_reduce_max(0)


def hang(context: DistributedContext) -> object:
    """Rank 1 stops, like a machine that is no longer reached."""
    if context.rank == 1:
        os.kill(os.getpid(), signal.SIGSTOP)
    return context.all_reduce_max(0)


SCENARIOS: dict[str, Callable[[DistributedContext], object]] = {
    item.__name__: item
    for item in (run_long_task, fail_on_rank_1, fail_alike, fail_on_main, differ, send_tensors, fail_alone, hang)
}


def run_rank(rank: int, port: int, scenario: Callable[[DistributedContext], object], dest: Path) -> None:
    """Runs a scenario in this process and writes its result, or the type and text of its error."""
    os.environ.update(RANK=str(rank), WORLD_SIZE="2", MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port))
    try:
        with init_distributed("cpu") as context:
            result = scenario(context)
    except CrowdganError as error:
        result = [type(error).__name__, str(error)]
    dest.write_text(json.dumps(result))


def main(folder: Path) -> None:
    """Runs all scenarios at the same time; writes the result of each rank to `folder`."""
    running = []
    for name, scenario in SCENARIOS.items():
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
        pids = []
        for rank in (0, 1):
            pids.append(os.fork())
            if not pids[-1]:
                run_rank(rank, port, scenario, folder / f"{name}{rank}")
                os._exit(0)
        running.append((scenario, pids))
    for scenario, (first, second) in running:
        os.waitpid(first, 0)
        if scenario is hang:
            os.kill(second, signal.SIGKILL)
        os.waitpid(second, 0)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
