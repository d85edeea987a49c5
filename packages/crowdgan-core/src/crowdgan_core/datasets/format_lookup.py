"""Lookup of the dataset format by path."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from crowdgan_core.datasets.checked_reader import open_checked
from crowdgan_core.datasets.protocols import DatasetFormat, DatasetReader, SequentialFormat
from crowdgan_core.datasets.shards.format import ShardsFormat
from crowdgan_core.errors import ConfigError, DatasetError


def format_for(path: Path, formats: Iterable[DatasetFormat]) -> DatasetFormat:
    """The dataset format that matches `path`.

    Raises:
        ConfigError: no format or more than one format matches.
    """
    candidates = list(formats)
    matching = [item for item in candidates if item.matches(path)]
    if len(matching) == 1:
        return matching[0]
    if matching:
        raise ConfigError(f"{path}: several dataset formats match: {', '.join(item.name for item in matching)}")
    choices = "; ".join(f"{item.name}: {item.suffixes}" for item in candidates)
    raise ConfigError(f"{path}: no dataset format matches; choose from {choices}")


def is_writable(dataset_format: DatasetFormat) -> bool:
    """Whether `crowdgan label` and `crowdgan convert` write datasets of a format."""
    return isinstance(dataset_format, (SequentialFormat, ShardsFormat))


def open_dataset(path: Path, formats: Iterable[DatasetFormat]) -> DatasetReader:
    """Opens the dataset at `path` in the format that matches the path; the reader checks what the format returns.

    Raises:
        ConfigError: no format or more than one format matches.
        DatasetError: the dataset does not exist or is damaged.
        PluginError: another exception in the format's code, or a result that is not a dataset reader.
    """
    if not path.exists():
        raise DatasetError(f"{path}: no such file or folder")
    return open_checked(format_for(path, formats), path)
