"""A Dask cluster of separate processes, as users start it, whose scheduler and workers tests can kill."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

START_TIMEOUT_S = 60.0


@dataclass
class DaskCluster:
    """A scheduler and its workers; worker processes have no nanny, so that killed ones stay away."""

    folder: Path
    """Working folder of all processes."""

    scheduler: subprocess.Popen[bytes] | None = None
    workers: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def scheduler_file(self) -> Path:
        """File with the address of the scheduler."""
        return self.folder / "scheduler.json"

    def start_scheduler(self) -> None:
        """Starts a scheduler and waits for its file."""
        self.scheduler_file.unlink(missing_ok=True)
        options = ("--port", "0", "--host", "127.0.0.1", "--no-dashboard", "--scheduler-file", self.scheduler_file)
        self.scheduler = self._start("dask_scheduler", *options)
        end = time.monotonic() + START_TIMEOUT_S
        while not self.scheduler_file.exists() and time.monotonic() < end:
            assert self.scheduler.poll() is None, "the scheduler has ended"
            time.sleep(0.05)

    def start_worker(self, **environment: str) -> subprocess.Popen[bytes]:
        """Starts a worker; it joins the scheduler in about two seconds."""
        options = ("--scheduler-file", self.scheduler_file, "--nthreads", "1", "--no-nanny", "--no-dashboard")
        worker = self._start("dask_worker", *options, "--local-directory", self.folder, **environment)
        self.workers.append(worker)
        return worker

    def wait_for_workers(self, count: int) -> None:
        """Waits until that many workers have joined the scheduler."""
        from distributed import Client

        with Client(scheduler_file=str(self.scheduler_file), set_as_default=False) as client:
            client.wait_for_workers(count, timeout=START_TIMEOUT_S)

    def kill_worker(self, index: int) -> None:
        """Kills one of the workers."""
        worker = self.workers.pop(index)
        worker.kill()
        worker.wait()

    def stop(self) -> None:
        """Kills all processes."""
        for process in (self.scheduler, *self.workers):
            if process is not None:
                process.kill()
                process.wait()

    def _start(self, module: str, *options: object, **environment: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", f"distributed.cli.{module}", *map(str, options)]
        log = (self.folder / "log.txt").open("ab")
        with log:
            return subprocess.Popen(command, cwd=self.folder, stdout=log, stderr=log, env={**os.environ, **environment})


@contextmanager
def dask_cluster(folder: Path, *, workers: int) -> Iterator[DaskCluster]:
    """A cluster that ends with the context.

    Args:
        folder: an empty folder for the files of the cluster.
        workers: number of workers.
    """
    cluster = DaskCluster(folder)
    try:
        cluster.start_scheduler()
        for _ in range(workers):
            cluster.start_worker()
        yield cluster
    finally:
        cluster.stop()
