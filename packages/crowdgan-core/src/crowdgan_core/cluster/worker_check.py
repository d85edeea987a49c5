"""The check of the packages of Dask workers.

This module is sent to the workers by value, and imports nothing of crowdgan, which may be missing there.
"""

from __future__ import annotations

import platform
import socket
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version


@dataclass(frozen=True, kw_only=True)
class WorkerPackages:
    """The packages of one worker."""

    host: str
    """Name of its machine."""

    python: str
    """Version of Python, for example `3.11`."""

    versions: dict[str, str | None]
    """Versions by name of the package; None if it is not installed."""


def read_packages(names: tuple[str, ...]) -> WorkerPackages:
    """The versions of the named packages in this process."""
    versions: dict[str, str | None] = {}
    for name in names:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            versions[name] = None
    return WorkerPackages(host=socket.gethostname(), python=python_version(), versions=versions)


def python_version() -> str:
    """Version of Python in this process, for example `3.11`."""
    return ".".join(platform.python_version_tuple()[:2])
