"""Lookup of the dataset format by path."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from crowdgan_core.datasets.protocols import DatasetFormat, DatasetReader
from crowdgan_core.errors import ConfigError, DatasetError


def format_for(path: Path, formats: Iterable[DatasetFormat]) -> DatasetFormat:
    """The format whose datasets have paths like `path`.

    Raises:
        ConfigError: none of them has, or more than one.
    """
    offered = list(formats)
    fitting = [item for item in offered if item.matches(path)]
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        raise ConfigError(f"{path}: several formats claim it: {', '.join(item.name for item in fitting)}")
    allowed = "; ".join(f"{item.name}: {item.suffixes}" for item in offered)
    raise ConfigError(f"{path}: no dataset format has such a name; there are {allowed}")


def open_dataset(path: Path, formats: Iterable[DatasetFormat]) -> DatasetReader:
    """A reader of the dataset at `path`, in the format that its name selects.

    Raises:
        ConfigError: no format matches the path, or several do.
        DatasetError: there is no such dataset, or it is damaged.
    """
    if not path.exists():
        raise DatasetError(f"{path}: there is no such file or folder")
    return format_for(path, formats).open(path)
