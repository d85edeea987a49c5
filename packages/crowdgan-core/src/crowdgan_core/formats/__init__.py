"""Dataset formats: one file per way to store a training dataset, and the choice among them by path."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from crowdgan_core.dataset import DatasetFormat
from crowdgan_core.errors import ConfigError


def format_for(path: Path, formats: Iterable[DatasetFormat]) -> DatasetFormat:
    """The format whose datasets have paths like `path`.

    Raises:
        ConfigError: none of them has, or more than one.
    """
    offered = list(formats)
    fitting = [item for item in offered if item.fits(path)]
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        raise ConfigError(f"{path}: several formats claim it: {', '.join(item.name for item in fitting)}")
    allowed = "; ".join(f"{item.name}: {item.suffixes}" for item in offered)
    raise ConfigError(f"{path}: no dataset format has such a name; there are {allowed}")
