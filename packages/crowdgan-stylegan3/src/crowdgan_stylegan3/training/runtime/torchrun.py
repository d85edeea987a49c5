"""The environment that torchrun gives to each process, and the command line that starts processes with it."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from crowdgan_core.errors import ConfigError

WORLD_SIZE_ENV_VAR, RANK_ENV_VAR, LOCAL_RANK_ENV_VAR = "WORLD_SIZE", "RANK", "LOCAL_RANK"
MAX_RESTARTS_ENV_VAR = "TORCHELASTIC_MAX_RESTARTS"
"""Environment variables that torchrun sets."""


def torchrun_world_size() -> int | None:
    """Number of ranks that torchrun started; None if it did not start this process.

    Raises:
        ConfigError: the environment variable is not a number of ranks.
    """
    return _number(WORLD_SIZE_ENV_VAR, "the number of processes", least=1)


def max_restarts() -> int:
    """Number of times that torchrun restarts the processes of this node after failures; 0 without torchrun.

    Raises:
        ConfigError: the environment variable is not a number.
    """
    return _number(MAX_RESTARTS_ENV_VAR, "the number of restarts") or 0


def check_restartable(*, new: bool) -> None:
    """Checks that processes which torchrun restarts resume their run.

    Args:
        new: whether each start of the command starts a new run.

    Raises:
        ConfigError: each restart would start a new run.
    """
    if new and max_restarts():
        raise ConfigError(
            f"--new with --max-restarts {max_restarts()}: each restart would start another run from the beginning; "
            "replace --new by another --outdir"
        )


def torchrun_command(count: int, arguments: Sequence[str]) -> list[str]:
    """Command line that runs `crowdgan` with the given arguments in `count` processes on this machine."""
    torchrun = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={count}"]
    return [sys.executable, *torchrun, "-m", "crowdgan_core", *arguments]


def _number(variable: str, meaning: str, *, least: int = 0) -> int | None:
    """The number in an environment variable; None if it is not set."""
    if variable not in os.environ:
        return None
    text = os.environ[variable]
    if not (text.isascii() and text.isdecimal() and int(text) >= least):
        raise ConfigError(f"{variable} is {text!r:.80}; it must be {meaning}, or unset")
    return int(text)
