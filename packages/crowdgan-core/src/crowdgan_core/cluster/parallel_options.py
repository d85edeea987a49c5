"""Options that select the processes that do the work."""

from __future__ import annotations

from dataclasses import dataclass

from crowdgan_core.cluster.connection import check_scheduler, dask_executor
from crowdgan_core.errors import ConfigError
from crowdgan_core.utils.cpus import available_cpus
from crowdgan_core.utils.flags import flag, parse_worker_count
from crowdgan_core.utils.parallel import Workers


@dataclass(frozen=True, kw_only=True)
class ParallelOptions:
    """Worker processes of this machine, or a Dask cluster; results do not depend on them.

    Raises:
        ConfigError: less than one worker process.
    """

    workers: int = flag(
        "--workers",
        default_factory=available_cpus,
        shown_default="one per core",
        parse=parse_worker_count,
        metavar="INTEGER",
        help="Number of worker processes.",
    )
    """With 1 all work is done in this process."""

    scheduler: str | None = flag(
        "--scheduler",
        default=None,
        parse=check_scheduler,
        metavar="ADDRESS",
        help="Dask scheduler instead of worker processes: tcp://HOST:8786, local[N] or a scheduler file.",
    )

    def __post_init__(self) -> None:
        if self.workers < 1:
            raise ConfigError(f"workers is {self.workers}; it must be at least 1")

    @property
    def executor(self) -> Workers:
        """The Dask cluster, if there is a scheduler, otherwise the number of worker processes.

        Raises:
            ConfigError: Dask is not installed, or packages of the workers differ.
            CrowdganError: the scheduler does not answer.
        """
        return self.workers if self.scheduler is None else dask_executor(self.scheduler)
